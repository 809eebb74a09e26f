//! Owns what is written down about changes: who did what to whom, from where, and whether it succeeded.
//! Must not know where it is written, and must never be given a secret or a name that nobody has.

use std::fmt;

use uuid::Uuid;

use super::user::User;

/// What was done or tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An account was made.
    UserAdded,
    /// Fields of an account were changed; the detail names them.
    UserChanged,
    /// An account was deleted.
    UserDeleted,
    /// A password was set.
    PasswordChanged,
    /// A one-time link for setting a password was made.
    ResetLinkMade,
    /// Somebody set a password with it.
    ResetLinkUsed,
    /// Nobody used it in time.
    ResetLinkExpired,
    /// The first superuser was made.
    SetUp,
    /// Somebody signed in, or tried to.
    LoggedIn,
    /// Somebody signed out.
    LoggedOut,
    /// A session was ended by other means than signing out.
    SessionEnded,
    /// A refresh token was used again after it had been replaced: somebody has a copy.
    RefreshReused,
    /// An API key was made.
    KeyMade,
    /// An API key was deleted.
    KeyDeleted,
    /// The store's key was saved.
    StoreKeySaved,
    /// Somebody was let into a site behind the proxy for a while, or was not.
    Entered,
    /// A backup was made.
    BackedUp,
    /// A backup took the database's place.
    Restored,
    /// Accounts were taken in from elsewhere; each has an entry of its own as well.
    Imported,
    /// All accounts were written to a file.
    Exported,
    /// The secret key was replaced.
    SecretRotated,
    /// Somebody known asked for what they may not have, or somebody unknown for what nobody may.
    Refused,
}

impl Action {
    /// The word in the database, in the log and in the API.
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

/// By what an answer, and the lines that the log has about it, are known to belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Who did it: nobody known, or somebody by id and by the name of that moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The account, if one is known.
    pub id: Option<Uuid>,
    /// Its name at that moment; `command line` where somebody worked on the machine itself.
    pub name: Option<String>,
    /// From where: an address, or nothing for the command line.
    pub address: Option<String>,
    /// By which request, for the line in the log.
    pub request: Option<RequestId>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// To whom, by id and name; the name of somebody who exists, never one that was merely typed.
    pub target: Option<(Uuid, String)>,
    /// Whether it succeeded.
    pub success: bool,
    /// What else helps, such as the names of changed fields; never a value that could be a secret.
    pub detail: Option<String>,
}

impl Event {
    /// An event about something that succeeded.
    pub fn about(actor: Actor, action: Action, user: &User, detail: Option<String>) -> Self {
        Self { actor, action, target: Some((user.id, user.username.to_string())), success: true, detail }
    }
}
