//! The keys that protect what is kept: where they come from and what they are called.

use super::error::PersistenceError;
use super::files;
use aws_lc_rs::aead::{AES_256_GCM_SIV, LessSafeKey, UnboundKey};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::entropy::Entropy;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};

/// Bytes of a key.
pub(super) const KEY_LEN: usize = 32;
/// Bytes of a key's identifier.
pub(super) const KEY_ID_LEN: usize = 8;

/// Names a key without telling anything of it: what was sealed says which key opens it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyId(pub(super) [u8; KEY_ID_LEN]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One key, ready for use.
pub(super) struct StoreKey {
    /// Its name.
    pub(super) id: KeyId,
    /// The cipher: AES-256-GCM-SIV (RFC 8452), which forgives a nonce that comes up twice, so
    /// that random nonces are safe for any number of records.
    pub(super) cipher: LessSafeKey,
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({})", self.id)
    }
}

/// Where keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// From the configuration: the first one seals, all of them open.
    Given(Vec<Secret>),
    /// From a file with one key in each line, which is made at the first start.
    File(PathBuf),
}

/// The key file of the store at `path`.
#[must_use]
pub fn key_file_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".key");
    PathBuf::from(name)
}

/// Reads the keys of the store at `store`, the one to seal with first. `is_new` says that
/// nothing was kept yet, so that a missing key file may be made.
pub(super) fn load(
    source: &KeySource,
    store: &Path,
    is_new: bool,
    entropy: &dyn Entropy,
) -> Result<Vec<StoreKey>, PersistenceError> {
    match source {
        KeySource::Given(texts) => parse_all(texts.iter().map(Secret::expose), |n| match texts.len() {
            1 => "persistence.encryption_key".to_owned(),
            _ => format!("persistence.encryption_key[{n}]"),
        }),
        KeySource::File(path) => {
            files::check_is_private(path)?;
            match std::fs::read_to_string(path) {
                Ok(text) => parse_file(&Secret::new(text), path),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_new => {
                    let key = generate(entropy);
                    write_file(path, std::slice::from_ref(&key))?;
                    parse_file(&key, path)
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    Err(PersistenceError::KeyFileMissing { key_file: path.clone(), store: store.to_owned() })
                }
                Err(error) => Err(PersistenceError::refused("read", path)(error)),
            }
        }
    }
}

/// A new key, as it is written.
pub(super) fn generate(entropy: &dyn Entropy) -> Secret {
    let mut bytes = [0; KEY_LEN];
    entropy.fill(&mut bytes);
    Secret::new(base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// Writes a key file, the key to seal with first.
pub(super) fn write_file(path: &Path, keys: &[Secret]) -> Result<(), PersistenceError> {
    let lines: String = keys.iter().flat_map(|key| [key.expose(), "\n"]).collect();
    files::replace_private(path, Secret::new(lines).expose().as_bytes())
}

/// The lines of a key file.
pub(super) fn read_file(path: &Path) -> Result<Vec<Secret>, PersistenceError> {
    let text = Secret::new(std::fs::read_to_string(path).map_err(PersistenceError::refused("read", path))?);
    Ok(lines(text.expose()).map(Secret::new).collect())
}

fn parse_file(text: &Secret, path: &Path) -> Result<Vec<StoreKey>, PersistenceError> {
    parse_all(lines(text.expose()), |n| format!("line {} of {}", n + 1, path.display()))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn parse_all<'a>(
    texts: impl Iterator<Item = &'a str>,
    name: impl Fn(usize) -> String,
) -> Result<Vec<StoreKey>, PersistenceError> {
    let not_a_key = |n| PersistenceError::NotAKey { source_name: name(n) };
    let keys: Vec<StoreKey> =
        texts.enumerate().map(|(n, text)| parse(text).ok_or_else(|| not_a_key(n))).collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(not_a_key(0)) } else { Ok(keys) }
}

/// The bytes of a key from its text: base64 of either alphabet, or hexadecimal.
pub(super) fn bytes_of(text: &str) -> Option<[u8; KEY_LEN]> {
    from_hex(text).or_else(|| from_base64(text))
}

/// A key from its text.
pub(super) fn parse(text: &str) -> Option<StoreKey> {
    let bytes = bytes_of(text)?;
    let id = Sha256::new().chain_update(b"mxcp store key id\0").chain_update(bytes).finalize();
    let id = KeyId(id.as_slice().first_chunk().copied()?);
    Some(StoreKey { id, cipher: LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &bytes).ok()?) })
}

/// Whether `text` could be a key.
#[must_use]
pub fn is_key(text: &str) -> bool {
    parse(text).is_some()
}

fn from_hex(text: &str) -> Option<[u8; KEY_LEN]> {
    if text.len() != 2 * KEY_LEN {
        return None;
    }
    let mut bytes = [0; KEY_LEN];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn from_base64(text: &str) -> Option<[u8; KEY_LEN]> {
    const ANY_PADDING: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [alphabet::STANDARD, alphabet::URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, ANY_PADDING).decode(text).ok())
        .and_then(|bytes| bytes.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mxcp_actors::testkit::seeded_entropy::SeededEntropy;

    #[test]
    fn a_key_may_be_written_in_several_ways() {
        let hex = "fbff".repeat(16);
        let id = parse(&hex).unwrap().id;
        let standard = base64::engine::general_purpose::STANDARD.encode([0xfb, 0xff].repeat(16));
        assert!(standard.contains('+') && standard.contains('/'));
        let url_safe = standard.replace('+', "-").replace('/', "_");
        for text in [&*standard, standard.trim_end_matches('='), &url_safe, &hex.to_uppercase()] {
            assert_eq!(parse(text).unwrap().id, id, "{text}");
        }
        assert_ne!(parse(&"00".repeat(32)).unwrap().id, id);
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        for text in ["", "correct horse battery staple", &"0".repeat(63), &"é".repeat(32), "c2hvcnQ="] {
            let source = KeySource::Given(vec![Secret::new(text)]);
            let error = load(&source, Path::new("x.db"), true, &SeededEntropy::new(1)).unwrap_err().to_string();
            assert!(error.starts_with("persistence.encryption_key is not an encryption key"), "{error}");
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_key_file_is_made_for_a_new_store_only() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = folder.path().join("oauth.db");
        let source = KeySource::File(key_file_of(&store));
        let missing = load(&source, &store, false, &SeededEntropy::new(1)).unwrap_err();
        assert!(matches!(missing, PersistenceError::KeyFileMissing { .. }), "{missing}");
        let made = load(&source, &store, true, &SeededEntropy::new(1)).unwrap();
        let again = load(&source, &store, true, &SeededEntropy::new(2)).unwrap();
        assert_eq!((made.len(), made[0].id), (1, again[0].id), "it is made once");
    }
}
