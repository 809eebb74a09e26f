//! Audit events: who did what to whom, from where, and whether it succeeded. An event never holds a secret, nor a name
//! that belongs to no account.

use std::fmt;

use strum::{IntoStaticStr, VariantNames};
use uuid::Uuid;

use super::user::User;

/// What was done or tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantNames)]
pub enum Action {
    /// An account was created.
    #[strum(serialize = "user.add")]
    UserAdded,
    /// A user who waited for approval was activated.
    #[strum(serialize = "user.approve")]
    UserApproved,
    /// A deactivated account was activated again.
    #[strum(serialize = "user.activate")]
    UserActivated,
    /// An account was deactivated.
    #[strum(serialize = "user.deactivate")]
    UserDeactivated,
    /// A user became a superuser.
    #[strum(serialize = "user.promote")]
    UserPromoted,
    /// A user is no longer a superuser.
    #[strum(serialize = "user.demote")]
    UserDemoted,
    /// A user name was changed.
    #[strum(serialize = "user.rename")]
    UserRenamed,
    /// Other fields of an account were changed. Until version 0.1.0, any field: the detail names them.
    #[strum(serialize = "user.change")]
    UserChanged,
    /// An account was deleted.
    #[strum(serialize = "user.delete")]
    UserDeleted,
    /// A user asked to delete the account.
    #[strum(serialize = "deletion.request")]
    DeletionRequested,
    /// A user withdrew the request to delete the account.
    #[strum(serialize = "deletion.withdraw")]
    DeletionWithdrawn,
    /// A request to delete an account was declined.
    #[strum(serialize = "deletion.decline")]
    DeletionDeclined,
    /// A user downloaded their own data.
    #[strum(serialize = "data.export")]
    DataExported,
    /// A password was set.
    #[strum(serialize = "password.change")]
    PasswordChanged,
    /// A user must choose a new password.
    #[strum(serialize = "password.require")]
    PasswordRequired,
    /// A one-time link for setting a password was created.
    #[strum(serialize = "reset_link.add")]
    ResetLinkMade,
    /// A password was set with a reset link.
    #[strum(serialize = "reset_link.use")]
    ResetLinkUsed,
    /// A reset link expired unused.
    #[strum(serialize = "reset_link.expire")]
    ResetLinkExpired,
    /// An invitation was created.
    #[strum(serialize = "invitation.add")]
    InvitationMade,
    /// A user created an account with an invitation.
    #[strum(serialize = "invitation.use")]
    InvitationUsed,
    /// An invitation was revoked.
    #[strum(serialize = "invitation.revoke")]
    InvitationRevoked,
    /// The first superuser was created.
    #[strum(serialize = "setup")]
    SetUp,
    /// A user signed in, or a client tried to.
    #[strum(serialize = "login")]
    LoggedIn,
    /// A user proved again who they are, or tried to.
    #[strum(serialize = "login.again")]
    LoggedInAgain,
    /// A user signed out.
    #[strum(serialize = "logout")]
    LoggedOut,
    /// A session was ended by other means than signing out.
    #[strum(serialize = "session.end")]
    SessionEnded,
    /// A refresh token was used again after it had been replaced, so it was probably copied.
    #[strum(serialize = "refresh.reuse")]
    RefreshReused,
    /// An API key was created.
    #[strum(serialize = "key.add")]
    KeyMade,
    /// An API key was deleted.
    #[strum(serialize = "key.delete")]
    KeyDeleted,
    /// The key for Langflow's component store was saved.
    #[strum(serialize = "store_key.save")]
    StoreKeySaved,
    /// A user asked to enter a site behind the proxy.
    #[strum(serialize = "site.enter")]
    Entered,
    /// A backup was made.
    #[strum(serialize = "backup")]
    BackedUp,
    /// A backup replaced the database.
    #[strum(serialize = "restore")]
    Restored,
    /// Accounts were imported. Each account has an event of its own as well.
    #[strum(serialize = "import")]
    Imported,
    /// All accounts were exported to a file.
    #[strum(serialize = "export")]
    Exported,
    /// All data was moved between SQLite and PostgreSQL.
    #[strum(serialize = "move")]
    Moved,
    /// The secret key was replaced.
    #[strum(serialize = "secret.rotate")]
    SecretRotated,
    /// A second factor was added.
    #[strum(serialize = "factor.add")]
    FactorAdded,
    /// A second factor was removed.
    #[strum(serialize = "factor.remove")]
    FactorRemoved,
    /// A second factor got another name.
    #[strum(serialize = "factor.rename")]
    FactorRenamed,
    /// Recovery codes were made in place of those before.
    #[strum(serialize = "recovery_codes.add")]
    RecoveryCodesMade,
    /// A former user's name was released for others.
    #[strum(serialize = "name.release")]
    NameReleased,
    /// A request was denied.
    #[strum(serialize = "access.refuse")]
    Refused,
}

impl Action {
    /// Returns the action's name in the database, the log and the API.
    pub fn as_str(self) -> &'static str {
        self.into()
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

/// Returns what changed between two versions of an account: an action with the old and the new value for each. Empty
/// if nothing did.
pub fn account_changes(before: &User, after: &User) -> Vec<(Action, String)> {
    let mut changes = Vec::new();
    let (old, new) = (before.username.as_str(), after.username.as_str());
    if old != new {
        changes.push((Action::UserRenamed, format!("username: \"{old}\" → \"{new}\"")));
    }
    if before.is_active != after.is_active {
        let action = match (after.is_active, before.last_login_at) {
            (false, _) => Action::UserDeactivated,
            (true, None) => Action::UserApproved,
            (true, Some(_)) => Action::UserActivated,
        };
        changes.push((action, format!("is_active: {} → {}", before.is_active, after.is_active)));
    }
    if before.is_superuser != after.is_superuser {
        let action = if after.is_superuser { Action::UserPromoted } else { Action::UserDemoted };
        changes.push((action, format!("is_superuser: {} → {}", before.is_superuser, after.is_superuser)));
    }
    if !before.must_change_password && after.must_change_password {
        changes.push((Action::PasswordRequired, "must_change_password: false → true".to_owned()));
    }
    let time = |user: &User| user.last_login_at.map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
    let others = [
        // The picture and the opt-ins are too long to be repeated.
        (before.profile_image != after.profile_image).then(|| "profile_image".to_owned()),
        (before.last_login_at != after.last_login_at)
            .then(|| format!("last_login_at: {} → {}", time(before), time(after))),
        (before.optins != after.optins).then(|| "optins".to_owned()),
        (before.must_change_password && !after.must_change_password)
            .then(|| "must_change_password: true → false".to_owned()),
    ];
    let others: Vec<String> = others.into_iter().flatten().collect();
    if !others.is_empty() {
        changes.push((Action::UserChanged, others.join(", ")));
    }
    changes
}

/// An entry of the audit log. Built from [`Event::new`], for example
/// `Event::new(actor, Action::KeyDeleted).target(&user).detail(detail)`.
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
