//! Users and changes to them.

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::optins::OptIns;
use crate::domain::secret::Secret;
use crate::domain::username::Username;

/// An account, without the password's hash, which only sign-in needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Public, and never reused.
    pub id: Uuid,
    /// Unique in its folded form.
    pub username: Username,
    /// The picture as the client sent it, at most [`MAX_PROFILE_IMAGE_CHARS`] long.
    pub profile_image: Option<String>,
    /// The key to Langflow's component store, Fernet-encrypted.
    pub store_api_key: Option<String>,
    /// Whether the user may sign in.
    pub is_active: bool,
    /// Whether the user is a superuser.
    pub is_superuser: bool,
    /// When the account was created.
    pub create_at: Timestamp,
    /// When the account was last changed, sign-ins aside.
    pub updated_at: Timestamp,
    /// When the user last signed in with a password. `None` and inactive means waiting for approval.
    pub last_login_at: Option<Timestamp>,
    /// What clients remember about the user. `None` is the default.
    pub optins: Option<OptIns>,
    /// Whether the user must choose a new password before a session can do anything else.
    pub must_change_password: bool,
}

impl User {
    /// Creates an account at `now` with a new id.
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
            optins: None,
            must_change_password: false,
        }
    }
}

/// The maximum length of a profile image in characters, enough for a small `data:` URL.
pub const MAX_PROFILE_IMAGE_CHARS: usize = 4096;

/// The changes of a `PATCH`. `None` leaves a field unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPatch {
    /// The new name.
    pub username: Option<Username>,
    /// The new picture.
    pub profile_image: Option<String>,
    /// The new password, which passed the password policy.
    pub password: Option<Secret>,
    /// Activates (approves) or deactivates.
    pub is_active: Option<bool>,
    /// Grants or removes superuser rights.
    pub is_superuser: Option<bool>,
    /// Sets the last sign-in, as Langflow lets superusers do.
    pub last_login_at: Option<Timestamp>,
    /// Replaces what clients remember about the user.
    pub optins: Option<OptIns>,
    /// Requires a new password, or no longer requires one.
    pub must_change_password: Option<bool>,
}

impl UserPatch {
    /// Returns the user after the patch. The password is stored separately.
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
            optins: self.optins.clone().or_else(|| user.optins.clone()),
            // A new password meets the requirement, unless the patch asks for another one.
            must_change_password: self
                .must_change_password
                .unwrap_or(user.must_change_password && self.password.is_none()),
        }
    }
}
