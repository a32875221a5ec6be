//! Which lines may stand in the log without a chain.
//!
//! Every server has chained what it writes into segments, so that only the single file of older
//! versions and of the Python product holds lines that are not, and none from after the chain was
//! begun. Whatever stands there, nothing proves it.

use super::AuditFileError;
use super::chain::ChainedLine;
use super::content::{SegmentContent, is_damage};
use super::segments::Segments;
use mxcp_actors::model::timestamp::Timestamp;
use serde::Deserialize;
use std::borrow::Cow;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// How much of a segment is read at once: its first line is what is looked for.
const BLOCK: usize = 64 * 1024;

/// From when on there are none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChainBegin {
    at: Option<Timestamp>,
}

impl ChainBegin {
    /// Looks for the first chained record that tells its time. Damage is left to who reads all.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub(super) fn find(segments: &Segments, oldest_first: &[PathBuf]) -> Result<Self, AuditFileError> {
        for path in oldest_first.iter().filter(|path| !segments.is_single_file(path)) {
            match first_chained(path) {
                Ok(None) => {}
                Err(error) if is_damage(&error) => {}
                Ok(at) => return Ok(Self { at }),
                Err(error) => return Err(AuditFileError::refused("read", path)(error)),
            }
        }
        Ok(Self::default())
    }

    /// Whether `line` may be from before. One that tells no time may be a line
    /// that a crash tore.
    pub(super) fn admits(self, line: &[u8]) -> bool {
        self.at.is_none_or(|begin| time_of(line).is_none_or(|at| at <= begin))
    }
}

fn first_chained(path: &Path) -> io::Result<Option<Timestamp>> {
    let Some(content) = SegmentContent::open(path)? else { return Ok(None) };
    let mut reader = BufReader::with_capacity(BLOCK, content);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let at = ChainedLine::parse(text).and_then(|_| time_of(text));
        if at.is_some() {
            return Ok(at);
        }
        line.clear();
    }
    Ok(None)
}

fn time_of(line: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Stamped<'a> {
        #[serde(borrow)]
        timestamp: Cow<'a, str>,
    }
    Timestamp::parse_rfc3339(&serde_json::from_slice::<Stamped<'_>>(line).ok()?.timestamp)
}
