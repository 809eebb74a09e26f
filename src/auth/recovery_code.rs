//! Recovery codes: each signs in once in place of a second factor.

use crate::auth::api_key::sha256;
use crate::auth::random::{self, RandomnessError};
use crate::domain::secret::Secret;

/// How many codes a set has.
pub const COUNT: usize = 10;
/// The number of characters of a code, hyphens aside: 120 bits, so that a fast hash without salt is enough (OWASP ASVS
/// 5, 6.5.2: at least 112 bits).
const CHARS: usize = 24;
/// The number of characters between two hyphens.
const GROUP: usize = 4;
/// Crockford's base 32 in lower case, without letters that are easily confused.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Makes a set of new codes, such as `3x9k-7m2p-q4tw-8h6z-a2bc-d3ef`.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn generate() -> Result<[Secret; COUNT], RandomnessError> {
    let bytes: [u8; COUNT * CHARS] = random::bytes()?;
    let mut codes = bytes.chunks_exact(CHARS).map(|chunk| {
        let chars: Vec<char> = chunk.iter().map(|byte| ALPHABET[usize::from(byte % 32)].into()).collect();
        let groups: Vec<String> = chars.chunks(GROUP).map(String::from_iter).collect();
        Secret::new(groups.join("-"))
    });
    Ok(std::array::from_fn(|_| codes.next().expect("there are bytes for every code")))
}

/// The hash that is stored of a code; `None` if the text can't be a code.
pub fn hash(code: &str) -> Option<[u8; 32]> {
    normalized(code).map(|code| sha256(&code))
}

/// A code as it is hashed: without hyphens and blanks, in lower case; `None` if it can't be one.
fn normalized(code: &str) -> Option<String> {
    // A code with a hyphen or blank after every character is the longest that is read.
    if code.len() > 2 * CHARS {
        return None;
    }
    let code: String =
        code.chars().filter(|char| *char != '-' && *char != ' ').map(|char| char.to_ascii_lowercase()).collect();
    (code.len() == CHARS && code.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(code)
}

/// Splits a text into a password and the hash of the recovery code after it and a `-`; `None` if the text doesn't end
/// in a code. Hyphens inside of a code are optional.
pub fn split(text: &str) -> Option<(&str, [u8; 32])> {
    // From the end, back over the characters of one code.
    let mut chars = 0;
    for (at, char) in text.char_indices().rev() {
        match char {
            '-' if chars == CHARS => return Some((&text[..at], hash(&text[at + 1..])?)),
            '-' => {}
            char if char.is_ascii_alphanumeric() && chars < CHARS => chars += 1,
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_ten_different_codes_that_are_easy_to_read() {
        let codes = generate().unwrap();
        let hashes: std::collections::HashSet<_> = codes.iter().map(|code| hash(code.expose()).unwrap()).collect();
        assert_eq!(hashes.len(), COUNT);
        for code in &codes {
            let groups: Vec<&str> = code.expose().split('-').collect();
            assert!(groups.len() == 6 && groups.iter().all(|group| group.len() == 4), "{}", code.expose());
            assert!(!code.expose().contains(['i', 'l', 'o', 'u']));
        }
    }

    #[test]
    fn a_code_is_read_with_and_without_hyphens_in_either_case() {
        let want = hash("3x9k-7m2p-q4tw-8h6z-a2bc-d3ef");
        assert!(want.is_some());
        for text in ["3x9k7m2pq4tw8h6za2bcd3ef", "3X9K-7M2P-Q4TW-8H6Z-A2BC-D3EF", "3x9k 7m2p q4tw 8h6z a2bc d3ef"] {
            assert_eq!(hash(text), want, "{text}");
        }
        for text in [
            "",
            "3x9k-7m2p-q4tw-8h6z-a2bc-d3e",
            "3x9k-7m2p-q4tw-8h6z-a2bc-d3efz",
            "3x9k-7m2p-q4tw-8h6z-a2bc-d3el",
            "3x9k-7m2p-q4tw-8h6z-a2bc-d3eé",
        ] {
            assert_eq!(hash(text), None, "{text}");
        }
        assert_eq!(hash(&"-".repeat(10_000)), None);
    }

    #[test]
    fn a_password_and_an_appended_code_are_separated() {
        let code = hash("3x9k-7m2p-q4tw-8h6z-a2bc-d3ef").unwrap();
        assert_eq!(split("correct horse-3x9k-7m2p-q4tw-8h6z-a2bc-d3ef"), Some(("correct horse", code)));
        assert_eq!(split("correct-horse-3x9k7m2pq4tw8h6za2bcd3ef"), Some(("correct-horse", code)));
        assert_eq!(split("-3x9k7m2pq4tw8h6za2bcd3ef"), Some(("", code)));
        for text in [
            "correct horse",
            "3x9k-7m2p-q4tw-8h6z-a2bc-d3ef",
            "x3x9k-7m2p-q4tw-8h6z-a2bc-d3ef",
            "é-3x9k-7m2p-q4tw-8h6z-a2bc-d3e",
            "",
        ] {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
