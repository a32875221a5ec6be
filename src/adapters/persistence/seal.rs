//! Sealing: records that name people or hold a provider's tokens are encrypted, and bound to the
//! place where they are kept.

use super::keys::{KEY_ID_LEN, KeyId, StoreKey};
use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use hmac::{Hmac, KeyInit as _, Mac as _};
use mxcp_actors::model::ids::UserId;
use mxcp_actors::ports::StoreError;
use mxcp_actors::ports::entropy::Entropy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The layout of a sealed record: this byte, the key's identifier, the nonce, the ciphertext.
const LAYOUT: u8 = 1;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// Bytes of the key that hashes user identifiers.
pub(super) const INDEX_KEY_LEN: usize = 32;

/// Where a record is kept. A record that was moved to another place does not open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The table.
    pub(super) table: &'static str,
    /// The key of the row.
    pub(super) row: &'a [u8],
}

/// Why a record did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnsealError {
    /// None of the keys is the one that sealed it.
    #[error("it was sealed with the encryption key {0}, which is not given")]
    UnknownKey(KeyId),
    /// It is not what was sealed, or not where it was kept.
    #[error("it was changed, or does not belong where it is")]
    Damaged,
}

/// Seals and opens records.
#[derive(Debug)]
pub(super) struct Sealer {
    keys: Vec<StoreKey>,
    entropy: Arc<dyn Entropy>,
}

impl Sealer {
    /// Seals with the first of `keys`, of which there is at least one, and opens with all.
    pub(super) fn new(keys: Vec<StoreKey>, entropy: Arc<dyn Entropy>) -> Self {
        Self { keys, entropy }
    }

    /// The names of the keys, the one that seals first.
    pub(super) fn key_ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(|key| key.id)
    }

    /// Seals `value` for `place`.
    pub(super) fn seal<T: Serialize>(&self, place: Place<'_>, value: &T) -> Result<Vec<u8>, StoreError> {
        let plain = Zeroizing::new(serde_json::to_vec(value).map_err(|error| failure(place, &error))?);
        self.seal_bytes(place, &plain)
    }

    /// Seals `plain` for `place`.
    pub(super) fn seal_bytes(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let key = self.keys.first().ok_or_else(|| failure(place, &"there is no encryption key"))?;
        let mut nonce = [0; NONCE_LEN];
        self.entropy.fill(&mut nonce);
        let mut text = Zeroizing::new(plain.to_vec());
        let tag = key
            .cipher
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad(place)), &mut text)
            .map_err(|_| failure(place, &"it could not be encrypted"))?;
        Ok([&[LAYOUT], &key.id.0[..], &nonce, &text, tag.as_ref()].concat())
    }

    /// Opens what was sealed for `place`.
    pub(super) fn open<T: DeserializeOwned>(&self, place: Place<'_>, sealed: Vec<u8>) -> Result<T, StoreError> {
        let plain = self.open_bytes(place, sealed).map_err(|error| failure(place, &error))?;
        serde_json::from_slice(&plain).map_err(|error| failure(place, &error))
    }

    /// The same as bytes.
    pub(super) fn open_bytes(&self, place: Place<'_>, sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        let id = key_id(&sealed).ok_or(UnsealError::Damaged)?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or(UnsealError::UnknownKey(id))?;
        let mut plain = Zeroizing::new(sealed);
        let nonce = plain.get(1 + KEY_ID_LEN..HEADER_LEN).and_then(|nonce| nonce.first_chunk().copied());
        let nonce = Nonce::assume_unique_for_key(nonce.ok_or(UnsealError::Damaged)?);
        plain.drain(..HEADER_LEN);
        let opened = key.cipher.open_in_place(nonce, Aad::from(aad(place)), &mut plain);
        let length = opened.map_err(|_| UnsealError::Damaged)?.len();
        plain.truncate(length);
        Ok(plain)
    }
}

/// The key that sealed a record; `None` when it is no sealed record.
pub(super) fn key_id(sealed: &[u8]) -> Option<KeyId> {
    if sealed.first() != Some(&LAYOUT) || sealed.len() < HEADER_LEN {
        return None;
    }
    sealed.get(1..)?.first_chunk().copied().map(KeyId)
}

/// Both parts with their lengths, so that no two places have the same text.
fn aad(place: Place<'_>) -> Vec<u8> {
    let table = place.table.as_bytes();
    [&table.len().to_le_bytes()[..], table, place.row].concat()
}

fn failure(place: Place<'_>, why: &dyn std::fmt::Display) -> StoreError {
    StoreError { detail: format!("a record of {}: {why}", place.table) }
}

/// Finds people's rows without naming the people: identifiers are kept as keyed hashes.
pub(super) struct UserIndex {
    key: Zeroizing<[u8; INDEX_KEY_LEN]>,
}

impl std::fmt::Debug for UserIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UserIndex")
    }
}

impl UserIndex {
    /// Hashes with `key`.
    pub(super) fn new(key: [u8; INDEX_KEY_LEN]) -> Self {
        Self { key: Zeroizing::new(key) }
    }

    /// What stands for `user`.
    pub(super) fn hash(&self, user: &UserId) -> Vec<u8> {
        // HMAC takes keys of any length; the fallback is never taken.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*self.key) else { return Vec::new() };
        mac.update(user.as_str().as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys;
    use super::*;
    use mxcp_actors::testkit::seeded_entropy::SeededEntropy;

    const PLACE: Place<'static> = Place { table: "sessions", row: b"s1" };

    fn sealer(digits: &[&str]) -> Sealer {
        let keys = digits.iter().map(|digit| keys::parse(&digit.repeat(64)).unwrap()).collect();
        Sealer::new(keys, Arc::new(SeededEntropy::new(1)))
    }

    #[test]
    fn what_is_sealed_opens_again_and_shows_nothing() {
        let sealer = sealer(&["1"]);
        let record = sealer.seal(PLACE, &"the secret of Ada").unwrap();
        assert!(!record.windows(3).any(|window| window == b"Ada"));
        assert_eq!(sealer.open::<String>(PLACE, record.clone()).unwrap(), "the secret of Ada");
        assert_ne!(sealer.seal(PLACE, &"the secret of Ada").unwrap(), record, "equal records do not look equal");
    }

    #[test]
    fn a_record_opens_only_whole_and_in_its_place() {
        let sealer = sealer(&["1"]);
        let record = sealer.seal(PLACE, &1).unwrap();
        let elsewhere = [
            Place { table: "sessions", row: b"s2" },
            Place { table: "consents", row: b"s1" },
            Place { table: "session", row: b"ss1" },
        ];
        for place in elsewhere {
            assert_eq!(sealer.open_bytes(place, record.clone()), Err(UnsealError::Damaged));
        }
        for at in [0, HEADER_LEN - 1, HEADER_LEN, record.len() - 1] {
            let mut changed = record.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open_bytes(PLACE, changed), Err(UnsealError::Damaged));
        }
        for length in 0..record.len() {
            assert!(sealer.open_bytes(PLACE, record[..length].to_vec()).is_err());
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (old, both, new) = (sealer(&["1"]), sealer(&["2", "1"]), sealer(&["2"]));
        let from_old = old.seal(PLACE, &1).unwrap();
        let from_both = both.seal(PLACE, &2).unwrap();
        assert_eq!(both.open::<i32>(PLACE, from_old.clone()).unwrap(), 1);
        assert_eq!(new.open::<i32>(PLACE, from_both).unwrap(), 2);
        let unknown = new.open::<i32>(PLACE, from_old).unwrap_err().to_string();
        assert!(unknown.contains(&old.key_ids().next().unwrap().to_string()), "{unknown}");
    }

    #[test]
    fn people_are_found_by_a_hash_that_needs_the_key() {
        let (one, other) = (UserIndex::new([1; 32]), UserIndex::new([2; 32]));
        let ada = UserId::of("local", "ada");
        assert_eq!(one.hash(&ada), one.hash(&ada));
        assert_ne!(one.hash(&ada), one.hash(&UserId::of("local", "ben")));
        assert_ne!(one.hash(&ada), other.hash(&ada));
    }
}
