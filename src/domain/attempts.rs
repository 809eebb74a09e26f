//! Owns what is counted of attempts that may be repeated too often. Must not know what is tried or how counts are kept.

use super::clock::Timestamp;

/// Under what an attempt is counted. It tells nothing of the name that was typed, which may be a password.
pub type Key = [u8; 16];

/// What was counted under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How often.
    pub count: u32,
    /// When last.
    pub last_at: Timestamp,
}
