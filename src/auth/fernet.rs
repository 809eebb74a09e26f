//! Encryption of store keys: Fernet (version 0x80 of its specification), as in Langflow, so that a Langflow with the
//! same secret key can read what usher wrote and vice versa.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::auth::random::{self, RandomnessError};
use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
const VERSION: u8 = 0x80;
/// Version, time, initialization vector.
const HEAD: usize = 1 + 8 + 16;
const MAC: usize = 32;

/// Encrypts and decrypts with two keys derived from the secret key.
pub struct Fernet {
    signing: [u8; 16],
    encryption: [u8; 16],
}

impl Fernet {
    /// Derives the keys as Langflow does: a secret of 32 characters or more is base64 of 32 bytes; a shorter one is
    /// hashed. A long secret that isn't base64 makes Langflow fail; it is hashed, too.
    pub fn new(secret_key: &Secret) -> Self {
        let text = secret_key.expose();
        let decoded = if text.chars().count() >= 32 { BASE64.decode(text).ok() } else { None };
        let key: [u8; 32] =
            decoded.and_then(|bytes| bytes.try_into().ok()).unwrap_or_else(|| Sha256::digest(text.as_bytes()).into());
        Self::of_key(key)
    }

    /// Derives keys for one purpose of usher's own. Users choose what is encrypted as a store key and see the result,
    /// so what must not be forged needs other keys.
    pub fn for_purpose(secret_key: &Secret, purpose: &str) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(secret_key.expose().as_bytes());
        let mac = mac.expect("HMAC takes keys of any length").chain_update(purpose);
        Self::of_key(mac.finalize().into_bytes().into())
    }

    fn of_key(key: [u8; 32]) -> Self {
        let (mut signing, mut encryption) = ([0; 16], [0; 16]);
        signing.copy_from_slice(&key[..16]);
        encryption.copy_from_slice(&key[16..]);
        Self { signing, encryption }
    }

    /// Encrypts `text`. The token contains `now` in clear.
    pub fn encrypt(&self, text: &str, now: Timestamp) -> Result<String, RandomnessError> {
        Ok(self.encrypt_with(text.as_bytes(), now.timestamp(), &random::bytes()?))
    }

    fn encrypt_with(&self, text: &[u8], seconds: i64, iv: &[u8; 16]) -> String {
        let mut token = vec![VERSION];
        token.extend(seconds.to_be_bytes());
        token.extend(iv);
        let cipher = cbc::Encryptor::<Aes128>::new(&self.encryption.into(), &(*iv).into());
        token.extend(cipher.encrypt_padded_vec::<Pkcs7>(text));
        token.extend(self.mac(&token).finalize().into_bytes());
        BASE64.encode(token)
    }

    /// Decrypts a token of the same secret, of any age. Returns `None` for any other text.
    pub fn decrypt(&self, token: &str) -> Option<Secret> {
        let bytes = BASE64.decode(token.trim()).ok()?;
        let (signed, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        self.mac(signed).verify_slice(mac).ok()?;
        let (head, encrypted) = signed.split_at_checked(HEAD)?;
        if head.first() != Some(&VERSION) {
            return None;
        }
        let iv: [u8; 16] = head.get(9..)?.try_into().ok()?;
        let cipher = cbc::Decryptor::<Aes128>::new(&self.encryption.into(), &iv.into());
        let text = cipher.decrypt_padded_vec::<Pkcs7>(encrypted).ok()?;
        String::from_utf8(text).ok().map(Secret::new)
    }

    fn mac(&self, signed: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.signing).expect("HMAC takes keys of any length");
        mac.update(signed);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Fernet specification (`generate.json`).
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const TOKEN: &str =
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    #[test]
    fn the_specifications_example_is_encrypted_and_decrypted() {
        let fernet = Fernet::new(&Secret::new(KEY));
        let iv: [u8; 16] = std::array::from_fn(|n| u8::try_from(n).unwrap());
        assert_eq!(fernet.encrypt_with(b"hello", 499_162_800, &iv), TOKEN);
        assert_eq!(fernet.decrypt(TOKEN).unwrap().expose(), "hello");
    }

    /// Tokens of Python's `cryptography` 50.0.2, made with keys derived as the original derives them: from a secret of
    /// 43 characters, and from one that is shorter than 32.
    const BY_PYTHON: [(&str, &str); 2] = [
        (
            "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4",
            "gAAAAABlU_EAAAECAwQFBgcICQoLDA0ODxqNsCthcwuRhPN1rRD_5KQDCZAViZ-ErAdb9PDnV7yrJHkUArZ5dvdFGeddrsmErw==",
        ),
        (
            "a short secret",
            "gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD0YvtmUUN3jrNClKNAGvu7Ifm17qkVrwteKzLtZyKdt6q8vDp4iD74k45bMy4dnxOQ==",
        ),
    ];

    #[test]
    fn tokens_of_pythons_library_are_read_and_written_alike() {
        let iv: [u8; 16] = std::array::from_fn(|n| u8::try_from(n).unwrap());
        for (secret, token) in BY_PYTHON {
            let fernet = Fernet::new(&Secret::new(secret));
            assert_eq!(fernet.decrypt(token).unwrap().expose(), "clé du magasin");
            assert_eq!(fernet.encrypt_with("clé du magasin".as_bytes(), 1_700_000_000, &iv), token);
        }
    }

    #[test]
    fn padding_may_be_missing_from_the_key_and_short_keys_are_hashed() {
        let (padded, bare) = (Fernet::new(&Secret::new(KEY)), Fernet::new(&Secret::new(KEY.trim_end_matches('='))));
        assert_eq!(padded.signing, bare.signing);
        assert_ne!(Fernet::new(&Secret::new("short")).signing, Fernet::new(&Secret::new("other")).signing);
    }

    #[test]
    fn changed_truncated_and_foreign_tokens_are_refused() {
        let fernet = Fernet::new(&Secret::new(KEY));
        let now = Timestamp::from_timestamp(1_700_000_000, 0).unwrap();
        let token = fernet.encrypt("store-secret", now).unwrap();
        assert_eq!(fernet.decrypt(&token).unwrap().expose(), "store-secret");
        // The last four characters hold padding and bits that no byte is made of.
        for at in 0..token.len() - 4 {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(fernet.decrypt(std::str::from_utf8(&changed).unwrap()).is_none(), "{at}");
            assert!(fernet.decrypt(&token[..at]).is_none(), "{at}");
        }
        assert!(Fernet::new(&Secret::new("another secret")).decrypt(&token).is_none());
    }
}
