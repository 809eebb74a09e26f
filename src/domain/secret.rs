//! Texts that must not be printed: passwords, tokens, keys.

use std::fmt;

use subtle::ConstantTimeEq;

/// A text that prints as `***`, compares in constant time, and is read only through [`Secret::expose`].
#[derive(Clone, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Takes the secret from the bytes of a file, without a byte order mark and white space at the end, which editors
    /// write.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_file(bytes: Vec<u8>) -> Result<Self, &'static str> {
        let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        let secret = text.trim_start_matches('\u{feff}').trim_end();
        match secret {
            "" => Err("it is empty"),
            _ if secret.chars().any(char::is_control) => Err("it has a control character or a second line"),
            _ => Ok(Self::new(secret)),
        }
    }

    /// Returns the text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The fingerprint of a secret key: a keyed hash that doesn't reveal the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 16]);

/// A stored bcrypt hash; it prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a hash in bcrypt's notation, `$2b$12$…`.
    pub fn new(hash: impl Into<String>) -> Self {
        Self(hash.into())
    }

    /// Returns the hash, for verification and storage.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_a_file_ends_before_the_white_space_and_has_one_line() {
        for text in ["secret", "secret\n", "secret\r\n", "\u{feff}secret\n\n", "secret \t\n"] {
            assert!(Secret::from_file(text.into()).unwrap().expose() == "secret", "{text:?}");
        }
        for bytes in [&b"\n"[..], b"", b"\xff", b"two\nlines", b"a\0b", b"\xef\xbb\xbf"] {
            assert!(Secret::from_file(bytes.to_vec()).is_err(), "{bytes:?}");
        }
        assert!(Secret::from_file(b" two words ".to_vec()).unwrap().expose() == " two words");
    }

    #[test]
    fn secrets_do_not_print() {
        let secret = Secret::new("hunter22");
        assert_eq!(format!("{secret} {secret:?} {:?}", PasswordHash::new("$2b$")), "*** *** ***");
        assert!(secret == Secret::new("hunter22") && secret != Secret::new("hunter2"));
    }
}
