//! The authenticated caller of a request: the account and the credential that was presented.

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::user::User;

/// The credential that a request was authenticated with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An access token of this session. Sessions start with a password or with automatic sign-in.
    Session(Uuid),
    /// An API key.
    ApiKey {
        /// The key's id.
        id: Uuid,
        /// When the key expires; `None` is never.
        expires_at: Option<Timestamp>,
    },
}

/// What a user must do before a session can do anything else. API keys go on working, and automatic sign-in has no
/// duties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// A superuser asked for a new password. Comes first.
    ChangePassword,
    /// The settings require a second factor that the account doesn't have.
    SetUpFactor,
}

/// An authenticated user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account, as it was when the request arrived.
    pub user: User,
    /// The credential of this request.
    pub credential: Credential,
}

/// What a lookup of a credential found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCaller {
    /// The account and the credential.
    pub caller: Caller,
    /// What the user must do before the session can do anything else. `None` for API keys.
    pub duty: Option<Duty>,
    /// When the session's owner last proved who they are. `None` if there is nothing that could prove it again: for API
    /// keys and automatic sign-in.
    pub authenticated_at: Option<Timestamp>,
    /// When the session or the API key expires; `None` is never.
    pub expires_at: Option<Timestamp>,
}

impl Caller {
    /// Returns the session's id, or `None` for an API key.
    pub fn session(&self) -> Option<Uuid> {
        match self.credential {
            Credential::Session(id) => Some(id),
            Credential::ApiKey { .. } => None,
        }
    }

    /// Whether this is the account `user_id`.
    pub fn is(&self, user_id: Uuid) -> bool {
        self.user.id == user_id
    }
}
