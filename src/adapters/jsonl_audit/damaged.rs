//! What of the log could not be read, so that the rest is shown all the same.

use super::AuditFileError;
use super::chain::ChainedLine;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
#[expect(
    clippy::disallowed_types,
    reason = "segments are read by several threads of one search, which end with it"
)]
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

/// What could not be read, each file and each record once.
#[derive(Clone, Debug, Default)]
pub(super) struct Damaged {
    // Locked only when something is wrong, or when all is over.
    #[expect(clippy::disallowed_types, reason = "as above")]
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<PathBuf, Damage>,
    /// What of it was not told yet.
    news: BTreeMap<PathBuf, Damage>,
}

/// What is wrong with one file.
#[derive(Debug, Default)]
struct Damage {
    /// Why it was passed over, or the rest of it.
    error: Option<String>,
    /// The numbers of those of its records that cannot be read.
    records: BTreeSet<u64>,
}

/// The lines of one segment of which no record could be read.
#[derive(Debug, Default)]
pub(super) struct UnreadableLines {
    /// The numbers of those that this server wrote.
    records: Vec<u64>,
    /// How many others there are, as a crash of an older version leaves them.
    others: u64,
}

impl UnreadableLines {
    /// Notes `line`, which has no line break.
    pub(super) fn add(&mut self, line: &[u8]) {
        match ChainedLine::parse(line) {
            Some(chained) => self.records.push(chained.link.sequence),
            None => self.others += 1,
        }
    }
}

impl Damaged {
    /// Notes why the file at `path` was passed over.
    #[expect(clippy::needless_pass_by_value, reason = "whoever notes an error has no further use for it")]
    pub(super) fn note(&self, path: &Path, error: AuditFileError) {
        let State { known, news } = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(path.to_owned()).or_default();
        if known.error.is_none() {
            known.error = Some(error.to_string());
            news.entry(path.to_owned()).or_default().error.clone_from(&known.error);
        }
    }

    /// The same when there is an error.
    pub(super) fn note_any(&self, path: &Path, error: Option<AuditFileError>) {
        if let Some(error) = error {
            self.note(path, error);
        }
    }

    /// Notes what of the file at `path` was skipped. Other lines than records are no loss: they
    /// are only warned of.
    pub(super) fn note_lines(&self, path: &Path, lines: &UnreadableLines) {
        if lines.others > 0 {
            tracing::warn!(file = %path.display(), lines = lines.others, "skipped lines that are not audit records");
        }
        if lines.records.is_empty() {
            return;
        }
        let State { known, news } = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(path.to_owned()).or_default();
        let mut new = lines.records.iter().copied().filter(|number| known.records.insert(*number)).peekable();
        if new.peek().is_some() {
            news.entry(path.to_owned()).or_default().records.extend(new);
        }
    }

    /// What was noted since this was asked last, as sentences for people.
    pub(super) fn take_news(&self) -> Vec<String> {
        let news = std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).news);
        news.iter().flat_map(|(path, damage)| damage.told(path)).collect()
    }
}

impl Damage {
    fn told(&self, path: &Path) -> impl Iterator<Item = String> {
        let error = self.error.as_ref().map(|error| format!("{error}; its records are missing here"));
        let records = self.records.first().map(|first| match self.records.len() {
            1 => format!("the record with the number {first} in {} cannot be read and is missing here", path.display()),
            count => format!(
                "{count} records in {} cannot be read and are missing here, the first with the number {first}",
                path.display()
            ),
        });
        error.into_iter().chain(records)
    }
}
