//! Owns what an API key is and how it is shown. Must not know how keys are made or checked.

use uuid::Uuid;

use crate::domain::clock::Timestamp;

/// How many leading characters of a key are kept and shown.
pub const SHOWN_CHARS: usize = 8;

/// A key that lets a program act as its owner. The key itself is shown once and never kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Names the key in the API; it opens nothing.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// What its owner calls it.
    pub name: Option<String>,
    /// The first [`SHOWN_CHARS`] characters.
    pub prefix: String,
    /// How many characters the whole key has.
    pub length: u32,
    /// Whether it works.
    pub is_active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working, if ever.
    pub expires_at: Option<Timestamp>,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
    /// How many times it was used.
    pub total_uses: i64,
}

impl ApiKey {
    /// The beginning and one `*` for every character that is hidden, as the original shows keys.
    pub fn masked(&self) -> String {
        let hidden = (self.length as usize).saturating_sub(self.prefix.chars().count());
        format!("{}{}", self.prefix, "*".repeat(hidden))
    }

    /// Whether the key opens anything at `now`.
    pub fn works_at(&self, now: Timestamp) -> bool {
        self.is_active && self.expires_at.is_none_or(|end| now < end)
    }
}
