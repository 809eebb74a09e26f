//! Rules for new passwords, wherever they are set. Sign-in doesn't apply them.

use crate::auth::{common_passwords, password_hasher};
use crate::domain::secret::Secret;
use crate::domain::username::Username;

/// Why a password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// It has fewer characters than the settings ask (OWASP ASVS 5, 6.2.1).
    #[error("Password should have at least {min} character{s}", min = .0, s = if *.0 == 1 { "" } else { "s" })]
    TooShort(usize),
    /// It is longer than bcrypt reads.
    #[error("Password should have at most 72 bytes")]
    TooLong,
    /// It contains a NUL, at which bcrypt stops.
    #[error("Password should not contain NUL characters")]
    Nul,
    /// It is a common password (OWASP ASVS 5, 6.2.4).
    #[error("Password is among the 10,000 most common ones; choose another")]
    Common,
    /// It is the account's name.
    #[error("Password should not be the username")]
    IsName,
}

/// Checks the rules that need only the password. `min` is a number of characters.
pub fn check(password: &str, min: usize) -> Result<(), WeakPassword> {
    if password.chars().count() < min {
        Err(WeakPassword::TooShort(min))
    } else if password.len() > password_hasher::MAX_BYTES {
        Err(WeakPassword::TooLong)
    } else if password.contains('\0') {
        Err(WeakPassword::Nul)
    } else if common_passwords::is_common(password) {
        Err(WeakPassword::Common)
    } else {
        Ok(())
    }
}

/// Checks that a password isn't its account's name in any case or Unicode form. It may contain the name.
pub fn differs_from_name(password: &Secret, username: &Username) -> Result<(), WeakPassword> {
    if username.matches(password.expose()) { Err(WeakPassword::IsName) } else { Ok(()) }
}

/// Checks all rules.
pub fn check_for(password: &Secret, min: usize, username: &Username) -> Result<(), WeakPassword> {
    check(password.expose(), min).and_then(|()| differs_from_name(password, username))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_passwords_are_neither_short_nor_long_nor_common() {
        for (password, answer) in [
            ("quiet-otter-7", Ok(())),
            ("pass wörd", Ok(())),
            ("1234567", Err(WeakPassword::TooShort(8))),
            ("password123", Err(WeakPassword::Common)),
            ("PassWord123", Err(WeakPassword::Common)),
            ("with\0nul-character", Err(WeakPassword::Nul)),
        ] {
            assert_eq!(check(password, 8), answer, "{password}");
        }
        assert_eq!(check(&"é".repeat(36), 8), Ok(()));
        assert_eq!(check(&"é".repeat(37), 8), Err(WeakPassword::TooLong));
    }

    #[test]
    fn a_password_equal_to_the_name_is_refused_but_may_contain_it() {
        let name = Username::parse("Straße 12").unwrap();
        assert_eq!(differs_from_name(&Secret::new("STRASSE 12"), &name), Err(WeakPassword::IsName));
        assert_eq!(differs_from_name(&Secret::new("strasse 12!"), &name), Ok(()));
    }
}
