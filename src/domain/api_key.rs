//! API keys and their masked form.

use uuid::Uuid;

use crate::domain::clock::Timestamp;

/// How many leading characters of a key are stored and shown.
pub const SHOWN_CHARS: usize = 8;

/// The most keys of a user.
pub const MAX_PER_USER: i64 = 100;

/// A key that lets a program act as its owner. The key itself is shown once and never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Identifies the key in the API. Not a secret.
    pub id: Uuid,
    /// Its owner.
    pub user_id: Uuid,
    /// Its name, chosen by its owner.
    pub name: Option<String>,
    /// The first [`SHOWN_CHARS`] characters.
    pub prefix: String,
    /// The length of the whole key in characters.
    pub length: u32,
    /// Whether it is enabled.
    pub is_active: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires, if ever.
    pub expires_at: Option<Timestamp>,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// The number of uses.
    pub total_uses: i64,
}

impl ApiKey {
    /// Returns the prefix and a `*` for each hidden character, as Langflow shows keys.
    pub fn masked(&self) -> String {
        let hidden = (self.length as usize).saturating_sub(self.prefix.chars().count());
        format!("{}{}", self.prefix, "*".repeat(hidden))
    }

    /// Reports whether the key is valid at `now`.
    pub fn works_at(&self, now: Timestamp) -> bool {
        self.is_active && self.expires_at.is_none_or(|end| now < end)
    }
}
