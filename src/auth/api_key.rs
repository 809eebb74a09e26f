//! Owns how API keys look and what is kept of them.

use sha2::{Digest, Sha256};

use crate::auth::random::{self, RandomnessError};
use crate::domain::secret::Secret;

/// What is kept of a key. It is long and random, so that a fast hash without salt is enough.
pub fn sha256(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// A new key, in the original's form: `sk-` and 43 random characters.
pub fn generate() -> Result<Secret, RandomnessError> {
    Ok(Secret::new(format!("sk-{}", random::text()?)))
}
