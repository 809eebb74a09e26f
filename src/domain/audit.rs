//! Audit events: who did what to whom, from where, and whether it succeeded. An event never holds a secret, nor a name
//! that belongs to no account.

use std::fmt;

use uuid::Uuid;

use super::user::User;

/// What was done or tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An account was created.
    UserAdded,
    /// Fields of an account were changed; the detail names them.
    UserChanged,
    /// An account was deleted.
    UserDeleted,
    /// A password was set.
    PasswordChanged,
    /// A one-time link for setting a password was created.
    ResetLinkMade,
    /// A password was set with a reset link.
    ResetLinkUsed,
    /// A reset link expired unused.
    ResetLinkExpired,
    /// The first superuser was created.
    SetUp,
    /// A user signed in, or a client tried to.
    LoggedIn,
    /// A user signed out.
    LoggedOut,
    /// A session was ended by other means than signing out.
    SessionEnded,
    /// A refresh token was used again after it had been replaced, so it was probably copied.
    RefreshReused,
    /// An API key was created.
    KeyMade,
    /// An API key was deleted.
    KeyDeleted,
    /// The key for Langflow's component store was saved.
    StoreKeySaved,
    /// A user asked to enter a site behind the proxy.
    Entered,
    /// A backup was made.
    BackedUp,
    /// A backup replaced the database.
    Restored,
    /// Accounts were imported. Each account has an event of its own as well.
    Imported,
    /// All accounts were exported to a file.
    Exported,
    /// The secret key was replaced.
    SecretRotated,
    /// A request was denied.
    Refused,
}

impl Action {
    /// Returns the action's name in the database, the log and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserAdded => "user.add",
            Self::UserChanged => "user.change",
            Self::UserDeleted => "user.delete",
            Self::PasswordChanged => "password.change",
            Self::ResetLinkMade => "reset_link.add",
            Self::ResetLinkUsed => "reset_link.use",
            Self::ResetLinkExpired => "reset_link.expire",
            Self::SetUp => "setup",
            Self::LoggedIn => "login",
            Self::LoggedOut => "logout",
            Self::SessionEnded => "session.end",
            Self::RefreshReused => "refresh.reuse",
            Self::KeyMade => "key.add",
            Self::KeyDeleted => "key.delete",
            Self::StoreKeySaved => "store_key.save",
            Self::Entered => "site.enter",
            Self::BackedUp => "backup",
            Self::Restored => "restore",
            Self::Imported => "import",
            Self::Exported => "export",
            Self::SecretRotated => "secret.rotate",
            Self::Refused => "access.refuse",
        }
    }
}

/// Identifies a request in its response and in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Who did it. All fields are `None` for usher itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The account, if the actor is authenticated.
    pub id: Option<Uuid>,
    /// The account's name at that moment, or the part of usher that acted, such as `command line`.
    pub name: Option<String>,
    /// The client's address, for requests.
    pub address: Option<String>,
    /// The request, for the line in the log.
    pub request: Option<RequestId>,
}

impl Actor {
    /// Returns an actor that isn't an account, such as `command line`.
    pub fn named(name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::default() }
    }
}

/// An entry of the audit log. Built from [`Event::new`]:
///
/// ```ignore
/// Event::new(actor, Action::KeyDeleted).target(&user).detail(format!("key {id}"))
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// The account it was done to: id and name. The account exists; a name that was only typed never stands here.
    pub target: Option<(Uuid, String)>,
    /// Whether it succeeded.
    pub success: bool,
    /// Further details, such as the names of changed fields. Never a value that could be secret.
    pub detail: Option<String>,
}

impl Event {
    /// Returns a successful event without target and detail.
    pub fn new(actor: Actor, action: Action) -> Self {
        Self { actor, action, target: None, success: true, detail: None }
    }

    /// Sets the account that it was done to.
    #[must_use]
    pub fn target(self, user: &User) -> Self {
        self.target_id(user.id, user.username.to_string())
    }

    /// Sets the account that it was done to, by id and name.
    #[must_use]
    pub fn target_id(self, id: Uuid, name: String) -> Self {
        Self { target: Some((id, name)), ..self }
    }

    /// Sets the details.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// Marks the event as failed.
    #[must_use]
    pub fn failed(self) -> Self {
        Self { success: false, ..self }
    }
}
