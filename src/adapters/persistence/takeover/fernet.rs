//! Fernet, which the Python product encrypts with: AES-128-CBC, and HMAC-SHA-256 over the whole.

use super::super::keys;
use aws_lc_rs::cipher::{AES_128, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use mxcp_actors::model::secret::Secret;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The only version that there is.
const VERSION: u8 = 0x80;
/// Version and time, which nothing here depends on.
const HEAD_LEN: usize = 1 + 8;
const IV_LEN: usize = 16;
const BLOCK_LEN: usize = 16;
const TAG_LEN: usize = 32;
/// Half of a key signs, half encrypts.
const HALF: usize = keys::KEY_LEN / 2;

/// Keys that a text may have been encrypted with.
pub(super) struct FernetKeys(Vec<Zeroizing<[u8; keys::KEY_LEN]>>);

/// What a stored text turned out to be.
#[derive(Debug)]
pub(super) enum Stored {
    /// It was not encrypted.
    Plain(Secret),
    /// It was, with one of the keys.
    Decrypted(Secret),
    /// It was, with another key, or was changed.
    Locked,
}

impl FernetKeys {
    /// The keys of those texts.
    pub(super) fn new<'a>(texts: impl Iterator<Item = &'a Secret>) -> Self {
        Self(texts.filter_map(|text| keys::bytes_of(text.expose())).map(Zeroizing::new).collect())
    }

    /// Reads a text as it was stored.
    pub(super) fn open(&self, text: String) -> Stored {
        let Some(token) = token_of(&text) else { return Stored::Plain(Secret::new(text)) };
        let opened = self.0.iter().find_map(|key| decrypt(key, &token));
        opened.map_or(Stored::Locked, Stored::Decrypted)
    }
}

/// The bytes of what looks like the output of Fernet.
fn token_of(text: &str) -> Option<Vec<u8>> {
    let token = URL_SAFE.decode(text).ok()?;
    let ciphertext = token.len().checked_sub(HEAD_LEN + IV_LEN + TAG_LEN)?;
    let is_whole = ciphertext > 0 && ciphertext.is_multiple_of(BLOCK_LEN);
    (token.first() == Some(&VERSION) && is_whole).then_some(token)
}

fn decrypt(key: &[u8; keys::KEY_LEN], token: &[u8]) -> Option<Secret> {
    let (signing, encrypting) = key.split_at_checked(HALF)?;
    let (signed, tag) = token.split_at_checked(token.len().checked_sub(TAG_LEN)?)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(signing).ok()?;
    mac.update(signed);
    mac.verify_slice(tag).ok()?;
    let (iv, ciphertext) = signed.get(HEAD_LEN..)?.split_first_chunk::<IV_LEN>()?;
    let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_128, encrypting).ok()?).ok()?;
    let mut text = Zeroizing::new(ciphertext.to_vec());
    let plain = cipher.decrypt(&mut text, DecryptionContext::Iv128(FixedLength::from(iv))).ok()?;
    std::str::from_utf8(plain).ok().map(Secret::new)
}

#[cfg(test)]
pub(in crate::adapters::persistence) fn encrypt(key: &Secret, plain: &str) -> String {
    use aws_lc_rs::cipher::{EncryptionContext, PaddedBlockEncryptingKey};
    let key = keys::bytes_of(key.expose()).unwrap();
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_128, &key[HALF..]).unwrap()).unwrap();
    let iv = [7; IV_LEN];
    let mut text = plain.as_bytes().to_vec();
    cipher.less_safe_encrypt(&mut text, EncryptionContext::Iv128(FixedLength::from(&iv))).unwrap();
    let signed = [&[VERSION][..], &1_700_000_000_u64.to_be_bytes(), &iv, &text].concat();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key[..HALF]).unwrap();
    mac.update(&signed);
    URL_SAFE.encode([&signed[..], &mac.finalize().into_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    /// `hello` under [`KEY`], from the test vectors of the specification.
    const TOKEN: &str =
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    fn keys(texts: &[&str]) -> FernetKeys {
        FernetKeys::new(texts.iter().map(|text| Secret::new(*text)).collect::<Vec<_>>().iter())
    }

    #[test]
    fn what_the_specification_encrypted_is_read() {
        let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let Stored::Decrypted(plain) = keys(&[other, KEY]).open(TOKEN.to_owned()) else { panic!("not decrypted") };
        assert_eq!(plain.expose(), "hello");
        assert!(matches!(keys(&[other]).open(TOKEN.to_owned()), Stored::Locked));
        assert!(matches!(keys(&[]).open(TOKEN.to_owned()), Stored::Locked));
    }

    #[test]
    fn what_was_changed_is_not_read() {
        let token = URL_SAFE.decode(TOKEN).unwrap();
        for at in 1..token.len() {
            let mut changed = token.clone();
            changed[at] ^= 1;
            assert!(matches!(keys(&[KEY]).open(URL_SAFE.encode(changed)), Stored::Locked), "byte {at}");
        }
    }

    #[test]
    fn what_is_not_encrypted_is_taken_as_it_is() {
        for text in ["", "mcp_1234", "gho_abc", "gAAAAAAdwJ6w", &"a".repeat(64), &"gAAA".repeat(30)] {
            let Stored::Plain(plain) = keys(&[KEY]).open(text.to_owned()) else { panic!("{text}") };
            assert_eq!(plain.expose(), text);
        }
    }

    #[test]
    fn the_tests_encrypt_as_fernet_does() {
        for plain in ["", "x", "sixteen letters.", "a longer text with ü"] {
            let Stored::Decrypted(opened) = keys(&[KEY]).open(encrypt(&Secret::new(KEY), plain)) else {
                panic!("{plain}")
            };
            assert_eq!(opened.expose(), plain);
        }
    }
}
