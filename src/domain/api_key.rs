//! API keys and their masked form.

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;

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
    /// Returns a new key. `unmasked` is its whole text.
    pub fn new(
        user_id: Uuid,
        unmasked: &Secret,
        name: Option<String>,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let text = unmasked.expose();
        Self {
            id: Uuid::new_v4(),
            user_id,
            name,
            prefix: text.chars().take(SHOWN_CHARS).collect(),
            length: u32::try_from(text.chars().count()).unwrap_or(u32::MAX),
            is_active: true,
            created_at: now,
            expires_at,
            last_used_at: None,
            total_uses: 0,
        }
    }

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
