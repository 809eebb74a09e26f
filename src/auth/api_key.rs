//! The form of API keys and their stored hash.

use sha2::{Digest, Sha256};

use crate::auth::random::{self, RandomnessError};
use crate::domain::secret::Secret;

/// The most bytes of a key that a client sends. Imported keys can be longer than usher's own.
pub const MAX_BYTES: usize = 1024;

/// Returns the stored hash of a key. Keys are long and random, so a fast hash without salt is enough.
pub fn sha256(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Generates a key in Langflow's form: `sk-` and 43 random characters.
pub fn generate() -> Result<Secret, RandomnessError> {
    Ok(Secret::new(format!("sk-{}", random::url_safe_text()?)))
}
