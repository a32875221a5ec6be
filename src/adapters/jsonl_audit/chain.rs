//! How each line is tied to the line before it.
//!
//! The last two keys of a line are `prev_hash` and `record_hash`. `record_hash` is SHA-256, in hexadecimal,
//! over the bytes of the line before `,"record_hash":`; `prev_hash` is the `record_hash` of the
//! line before, and null in the first line that is chained. So whoever changes, removes, inserts or moves a line has to
//! write every line after it anew.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The digits of a hash.
const DIGITS: usize = 64;
const PREV_KEY: &[u8] = b",\"prev_hash\":";
const NULL: &[u8] = b"null";
const HASH_KEY: &[u8] = b",\"record_hash\":\"";
const END: &[u8] = b"\"}";
const SEQUENCE_KEY: &str = "\"sequence\":";
/// How far into a line its number is looked for: only the names of the schema and the record's
/// identifier stand before it.
const SEQUENCE_REACH: usize = 256;

/// SHA-256 of a line, as the digits that are written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecordHash([u8; DIGITS]);

impl RecordHash {
    /// The hash of `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut digits = [0; DIGITS];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(Sha256::digest(bytes)) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        Self(digits)
    }

    fn parse(digits: &[u8]) -> Option<Self> {
        let is_hash = digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        if is_hash { digits.try_into().ok().map(Self) } else { None }
    }

    fn as_text(&self) -> &str {
        // All of them are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_text())
    }
}

impl fmt::Debug for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_text())
    }
}

impl From<RecordHash> for String {
    fn from(hash: RecordHash) -> Self {
        hash.as_text().to_owned()
    }
}

impl TryFrom<String> for RecordHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text.as_bytes()).ok_or("not a SHA-256 in hexadecimal")
    }
}

/// A record as whatever is tied to it names it; as text `number:hash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The number of the record.
    pub sequence: u64,
    /// The hash of its line.
    pub record_hash: RecordHash,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.record_hash)
    }
}

impl FromStr for Link {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "it must be number:hash, as a former check told the newest record";
        let (number, digits) = text.trim().split_once(':').ok_or(wrong)?;
        let record_hash = RecordHash::parse(digits.to_ascii_lowercase().as_bytes()).ok_or(wrong)?;
        Ok(Self { sequence: number.parse().map_err(|_| wrong)?, record_hash })
    }
}

/// Ends the JSON object that begins at `start` of `buffer` with the two hashes.
pub(super) fn seal(buffer: &mut Vec<u8>, start: usize, prev: Option<&RecordHash>) -> RecordHash {
    if buffer.last() == Some(&b'}') {
        buffer.pop();
    }
    buffer.extend_from_slice(PREV_KEY);
    match prev {
        Some(hash) => [b"\"", hash.0.as_slice(), b"\""].into_iter().for_each(|part| buffer.extend_from_slice(part)),
        None => buffer.extend_from_slice(NULL),
    }
    let hash = RecordHash::of(buffer.get(start..).unwrap_or_default());
    [HASH_KEY, &hash.0, END].into_iter().for_each(|part| buffer.extend_from_slice(part));
    hash
}

/// What a line says of its place in the chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChainedLine<'a> {
    hashed: &'a [u8],
    /// Its number, and the hash that it claims.
    pub(super) link: Link,
    /// The hash of the line before; `None` in the first one.
    pub(super) prev: Option<RecordHash>,
}

impl<'a> ChainedLine<'a> {
    /// Reads `line`, which has no line break; `None` when it is not chained.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let (rest, record_hash) = split_hash(line.strip_suffix(END)?)?;
        let hashed = rest.strip_suffix(HASH_KEY)?;
        let prev = if let Some(rest) = hashed.strip_suffix(NULL) {
            rest.ends_with(PREV_KEY).then_some(None)?
        } else {
            let (rest, prev) = split_hash(hashed.strip_suffix(b"\"")?)?;
            rest.strip_suffix(b"\"")?.ends_with(PREV_KEY).then_some(Some(prev))?
        };
        Some(Self { hashed, link: Link { sequence: sequence(hashed)?, record_hash }, prev })
    }

    /// Whether the line is as it was written.
    pub(super) fn is_whole(&self) -> bool {
        RecordHash::of(self.hashed) == self.link.record_hash
    }
}

fn split_hash(bytes: &[u8]) -> Option<(&[u8], RecordHash)> {
    let (rest, digits) = bytes.split_at_checked(bytes.len().checked_sub(DIGITS)?)?;
    Some((rest, RecordHash::parse(digits)?))
}

/// The number of the record in `line`.
fn sequence(line: &[u8]) -> Option<u64> {
    let (_, after) = beginning(line, SEQUENCE_REACH).split_once(SEQUENCE_KEY)?;
    after.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// The first `reach` bytes of `line`, or less if there is what is no text.
pub(super) fn beginning(line: &[u8], reach: usize) -> &str {
    let bytes = line.get(..reach).unwrap_or(line);
    std::str::from_utf8(bytes)
        .or_else(|error| std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()))
        .unwrap_or_default()
}

const fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(prev: Option<&RecordHash>) -> (Vec<u8>, RecordHash) {
        let mut buffer = b"before\n{\"record_id\":\"r\",\"sequence\":42,\"a\":1}".to_vec();
        let hash = seal(&mut buffer, 7, prev);
        (buffer.split_off(7), hash)
    }

    #[test]
    fn the_hash_covers_every_byte_before_it() {
        let (line, hash) = sealed(None);
        let covered = b"{\"record_id\":\"r\",\"sequence\":42,\"a\":1,\"prev_hash\":null";
        assert_eq!(
            hash.to_string(),
            mxcp_actors::model::secret::TokenHash::of(std::str::from_utf8(covered).unwrap()).to_hex()
        );
        let text = String::from_utf8(line).unwrap();
        let record: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(record["record_hash"], hash.to_string());
        assert!(record["prev_hash"].is_null());
        assert!(text.ends_with(&format!(",\"record_hash\":\"{hash}\"}}")));
    }

    #[test]
    fn a_line_tells_its_number_and_the_line_before() {
        let (_, first) = sealed(None);
        let (line, second) = sealed(Some(&first));
        let read = ChainedLine::parse(&line).unwrap();
        assert_eq!((read.link, read.prev), (Link { sequence: 42, record_hash: second }, Some(first)));
        assert!(read.is_whole());
    }

    #[test]
    fn no_byte_can_be_changed_unnoticed() {
        let (line, _) = sealed(Some(&RecordHash::of(b"before")));
        for at in 0..line.len() {
            let mut changed = line.clone();
            changed[at] ^= 1;
            assert!(ChainedLine::parse(&changed).is_none_or(|line| !line.is_whole()), "byte {at}");
        }
    }

    #[test]
    fn a_link_is_read_as_it_is_told() {
        let link = Link { sequence: 42, record_hash: RecordHash::of(b"a") };
        assert_eq!(link.to_string().parse(), Ok(link));
        assert_eq!(format!(" {}\n", link.to_string().to_uppercase()).parse(), Ok(link));
        for wrong in ["", "42", "42:", "42:ab", "x:00", &format!("-1:{}", link.record_hash)] {
            assert!(wrong.parse::<Link>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_without_a_chain_are_told_apart() {
        for line in [
            "",
            "{}",
            "not json",
            "{\"sequence\":1,\"prev_hash\":null,\"record_hash\":null,\"signature\":null}",
            "{\"sequence\":1,\"prev_hash\":null,\"record_hash\":\"ab\"}",
        ] {
            assert!(ChainedLine::parse(line.as_bytes()).is_none(), "{line}");
        }
    }
}
