//! How records and what finds them are written as keys and values of one tree.
//!
//! There is one tree because sled applies a batch as a whole to one tree only. Every key begins
//! with the byte of its [`Space`]. Numbers are written so that they sort as they count, and a
//! text that is not the last part of a key with its length, so that no two keys look alike.

use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::StoreError;
use std::ops::Range;

/// Bytes of a hash.
const HASH_LEN: usize = 32;

/// What a key is of. The bytes are on people's disks: they are never given another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Space {
    /// A name: what is needed to read the rest.
    Marks = b'm',
    /// A client: whether it was used, its registration.
    Clients = b'c',
    /// When it registered, a client that was not used yet.
    UnusedClients = b'C',
    /// A login: when it is over, itself sealed.
    Logins = b'l',
    /// When it is over, a login.
    LoginsByExpiry = b'L',
    /// A code: when it is forgotten, whether it was redeemed, itself sealed.
    Codes = b'a',
    /// When it is forgotten, a code.
    CodesByExpiry = b'A',
    /// Browser, client and person of a consent: when it is over, itself sealed.
    Consents = b'n',
    /// When it is over, the key of a consent.
    ConsentsByExpiry = b'N',
    /// Client and name of an assertion: when it is over.
    Assertions = b'j',
    /// When it is over, the key of an assertion.
    AssertionsByExpiry = b'J',
    /// A session: its times, what it is found by, itself sealed.
    Sessions = b's',
    /// A session: when its provider's tokens are due, and those sealed.
    UpstreamTokens = b'u',
    /// A person, a session.
    SessionsByUser = b'U',
    /// A cookie: its session.
    SessionsByCookie = b'K',
    /// When it is over, a session.
    SessionsByExpiry = b'E',
    /// When its provider's token is due, a session.
    SessionsByRefresh = b'R',
    /// An access token: its record.
    AccessTokens = b't',
    /// A session, an access token: when the token is over.
    AccessTokensBySession = b'T',
    /// When it is over, an access token: its session.
    AccessTokensByExpiry = b'X',
    /// A refresh token: its record.
    RefreshTokens = b'r',
    /// A session, a refresh token: when the token is over.
    RefreshTokensBySession = b'F',
    /// When it is over, a refresh token: its session.
    RefreshTokensByExpiry = b'Y',
}

impl Space {
    /// The key of those parts.
    pub(super) fn key(self, parts: &[&[u8]]) -> Vec<u8> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let mut key = Vec::with_capacity(1 + length);
        key.push(self as u8);
        parts.iter().for_each(|part| key.extend_from_slice(part));
        key
    }

    /// All its keys.
    pub(super) fn all(self) -> Span {
        self.under(&[])
    }

    /// All its keys that begin with those parts.
    pub(super) fn under(self, parts: &[&[u8]]) -> Span {
        let from = self.key(parts);
        let to = after(&from);
        Span { from, to }
    }

    /// Of keys that begin with a time, those of earlier times.
    pub(super) fn before(self, time: Timestamp) -> Span {
        Span { from: self.key(&[]), to: self.key(&[&sortable(time)]) }
    }

    /// Of keys that begin with a time, those of the times in `range`.
    pub(super) fn within(self, range: &Range<Timestamp>) -> Span {
        Span { from: self.key(&[&sortable(range.start)]), to: self.key(&[&sortable(range.end)]) }
    }

    /// Of keys that begin with a time, those of that time and earlier ones.
    pub(super) fn until(self, time: Timestamp) -> Span {
        Span { from: self.key(&[]), to: after(&self.key(&[&sortable(time)])) }
    }

    /// Of keys that begin with a time, those of later times.
    pub(super) fn since_after(self, time: Timestamp) -> Span {
        Span { from: self.until(time).to, to: self.all().to }
    }
}

/// Keys from the one up to, and without, the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The first one.
    pub(super) from: Vec<u8>,
    /// The first one that is not meant any more.
    pub(super) to: Vec<u8>,
}

/// The first key that does not begin with `prefix`.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut next = prefix.to_vec();
    // The byte of a space is a letter, so that there always is one to count up.
    while let Some(last) = next.pop() {
        if let Some(more) = last.checked_add(1) {
            next.push(more);
            break;
        }
    }
    next
}

/// A time as eight bytes that sort as times do, also before 1970.
pub(super) fn sortable(time: Timestamp) -> [u8; 8] {
    time.as_micros().cast_unsigned().wrapping_add(1 << 63).to_be_bytes()
}

/// A text with its length.
pub(super) fn framed(text: &[u8]) -> Vec<u8> {
    // No text of ours comes near four gigabytes.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], text].concat()
}

/// Reads a key or a value part by part.
#[derive(Debug)]
pub(super) struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    /// The parts of a key, without its space.
    pub(super) fn of_key(key: &'a [u8]) -> Self {
        Self(key.get(1..).unwrap_or_default())
    }

    /// The parts of a value.
    pub(super) fn of_value(value: &'a [u8]) -> Self {
        Self(value)
    }

    /// A time.
    pub(super) fn time(&mut self) -> Result<Timestamp, StoreError> {
        let number = u64::from_be_bytes(self.array()?).wrapping_sub(1 << 63);
        Ok(Timestamp::from_micros(number.cast_signed()))
    }

    /// Yes or no.
    pub(super) fn flag(&mut self) -> Result<bool, StoreError> {
        Ok(self.array::<1>()? != [0])
    }

    /// A hash.
    pub(super) fn hash(&mut self) -> Result<TokenHash, StoreError> {
        self.array::<HASH_LEN>().map(TokenHash::from_bytes)
    }

    /// A text with its length.
    pub(super) fn framed(&mut self) -> Result<&'a [u8], StoreError> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// What is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// What is left, as a text.
    pub(super) fn text(self) -> Result<String, StoreError> {
        String::from_utf8(self.0.to_vec()).map_err(|_| damaged())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        self.take(N)?.try_into().map_err(|_| damaged())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], StoreError> {
        let (part, rest) = self.0.split_at_checked(length).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(part)
    }
}

/// What a record is that cannot be read.
pub(super) fn damaged() -> StoreError {
    StoreError { detail: "a record is damaged".to_owned() }
}

/// A record as JSON.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| StoreError { detail: error.to_string() })
}

/// A record from its JSON.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, StoreError> {
    // The error is not told: it may show a part of the record.
    serde_json::from_slice(json).map_err(|_| damaged())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn is_in(span: &Span, key: &[u8]) -> bool {
        span.from.as_slice() <= key && key < span.to.as_slice()
    }

    proptest! {
        #[test]
        fn times_sort_as_they_count_and_come_back(one: i64, other: i64) {
            prop_assert_eq!(one.cmp(&other), sortable(at(one)).cmp(&sortable(at(other))));
            prop_assert_eq!(Parts::of_value(&sortable(at(one))).time().unwrap(), at(one));
        }

        #[test]
        fn a_span_of_times_holds_just_those(time: i64, limit: i64, rest: Vec<u8>) {
            let key = Space::SessionsByExpiry.key(&[&sortable(at(time)), &rest]);
            prop_assert_eq!(is_in(&Space::SessionsByExpiry.before(at(limit)), &key), time < limit);
            prop_assert_eq!(is_in(&Space::SessionsByExpiry.until(at(limit)), &key), time <= limit);
            prop_assert_eq!(is_in(&Space::SessionsByExpiry.since_after(at(limit)), &key), time > limit);
            prop_assert!(is_in(&Space::SessionsByExpiry.all(), &key));
            prop_assert!(!is_in(&Space::Sessions.all(), &key));
        }

        #[test]
        fn what_is_under_a_part_begins_with_it(part: [u8; 4], key: [u8; 6]) {
            let span = Space::SessionsByUser.under(&[&part]);
            prop_assert_eq!(is_in(&span, &Space::SessionsByUser.key(&[&key])), key.starts_with(&part));
        }

        #[test]
        fn a_value_is_read_as_it_was_written(time: i64, text: Vec<u8>, rest: Vec<u8>) {
            let value = [&sortable(at(time))[..], &[1], &framed(&text), &rest].concat();
            let mut parts = Parts::of_value(&value);
            prop_assert_eq!((parts.time().unwrap(), parts.flag().unwrap()), (at(time), true));
            prop_assert_eq!(parts.framed().unwrap(), text);
            prop_assert_eq!(parts.rest(), rest);
        }

        #[test]
        fn what_is_no_value_is_an_error(value: Vec<u8>) {
            let mut parts = Parts::of_value(&value);
            while parts.time().and_then(|_| parts.framed()).is_ok() {}
            prop_assert!(parts.hash().is_err() || parts.rest().len() < value.len());
        }
    }

    #[test]
    fn texts_of_different_lengths_do_not_run_together() {
        let key = |one: &[u8], other: &[u8]| Space::Consents.key(&[&framed(one), other]);
        assert_ne!(key(b"ab", b"c"), key(b"a", b"bc"));
        assert!(!is_in(&Space::Consents.under(&[&framed(b"a")]), &key(b"ab", b"c")));
    }
}
