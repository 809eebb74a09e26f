//! Owns what a user is and what may be changed of one. Must not know HTTP or SQL.

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;
use crate::domain::username::Username;

/// A person's account, without the password's hash, which only log-in needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Public and never reused.
    pub id: Uuid,
    /// Unique in its folded form.
    pub username: Username,
    /// Whatever the client's picture chooser wrote, at most [`MAX_PROFILE_IMAGE_CHARS`] long.
    pub profile_image: Option<String>,
    /// The key to the original's component store, Fernet-encrypted.
    pub store_api_key: Option<String>,
    /// Whether the person may sign in at all.
    pub is_active: bool,
    /// Whether the person administers the others.
    pub is_superuser: bool,
    /// When the account was made.
    pub create_at: Timestamp,
    /// When anything of the account was changed last, log-ins aside.
    pub updated_at: Timestamp,
    /// When the person signed in last with a password; `None` for one who is still waiting for approval.
    pub last_login_at: Option<Timestamp>,
}

impl User {
    /// A new account, made at `now`, with an id of its own.
    pub fn new(username: Username, is_active: bool, is_superuser: bool, now: Timestamp) -> Self {
        Self {
            id: Uuid::new_v4(),
            username,
            profile_image: None,
            store_api_key: None,
            is_active,
            is_superuser,
            create_at: now,
            updated_at: now,
            last_login_at: None,
        }
    }
}

/// The most characters of a profile image, enough for a small `data:` URL.
pub const MAX_PROFILE_IMAGE_CHARS: usize = 4096;

/// What a `PATCH` asks to change; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPatch {
    /// Another name, unique as ever.
    pub username: Option<Username>,
    /// Another picture.
    pub profile_image: Option<String>,
    /// A new password in clear, which the rules for new passwords allowed.
    pub password: Option<Secret>,
    /// Approves or deactivates.
    pub is_active: Option<bool>,
    /// Promotes or demotes.
    pub is_superuser: Option<bool>,
    /// Sets the last log-in by hand, as the original lets superusers do.
    pub last_login_at: Option<Timestamp>,
}

impl UserPatch {
    /// The user as the patch would leave it; the password lives elsewhere.
    pub fn applied_to(&self, user: &User, now: Timestamp) -> User {
        User {
            id: user.id,
            username: self.username.clone().unwrap_or_else(|| user.username.clone()),
            profile_image: self.profile_image.clone().or_else(|| user.profile_image.clone()),
            store_api_key: user.store_api_key.clone(),
            is_active: self.is_active.unwrap_or(user.is_active),
            is_superuser: self.is_superuser.unwrap_or(user.is_superuser),
            create_at: user.create_at,
            updated_at: now,
            last_login_at: self.last_login_at.or(user.last_login_at),
        }
    }

    /// The names of the fields that the patch sets, for the audit log.
    pub fn fields(&self) -> Vec<&'static str> {
        [
            ("username", self.username.is_some()),
            ("profile_image", self.profile_image.is_some()),
            ("password", self.password.is_some()),
            ("is_active", self.is_active.is_some()),
            ("is_superuser", self.is_superuser.is_some()),
            ("last_login_at", self.last_login_at.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, set)| set.then_some(name))
        .collect()
    }
}
