//! Starts a session for an authenticated user.

use actix_web::web::Data;

use crate::domain::audit::{Action, Actor, Event};
use crate::domain::clock::Timestamp;
use crate::domain::notification::NEW_PLACE;
use crate::domain::second_factor::PendingPassword;
use crate::domain::secret::PasswordHash;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::http::pipeline::app::App;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::error::ApiError;
use crate::http::sign_in::attempt::AttemptKeys;
use crate::http::sign_in::key_revocation::revoke_keys;
use crate::http::sign_in::second_factor::UsedFactor;
use crate::http::sign_in::session_tokens;
use crate::store::{Connection, audit, challenges, factors, reset_links, sessions, users};

/// What a sign-in proved.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// The hash that the password was verified against.
    pub verified: Option<PasswordHash>,
    /// The same password hashed with the current settings, if its hash was weaker.
    pub renewed: Option<PasswordHash>,
    /// The second factor, or the passkey alone.
    pub factor: Option<UsedFactor>,
    /// The password of a reset link, which is set now.
    pub password: Option<PendingPassword>,
    /// The open challenge that was answered, by its token's hash.
    pub challenge: Option<[u8; 32]>,
    /// The challenge without a row that was answered, by its token's hash, and when it ends.
    pub spent: Option<([u8; 32], Timestamp)>,
}

/// Why no session was started.
pub enum NotStarted {
    /// The password's hash was replaced after it was verified.
    PasswordChanged,
    /// The code, the passkey's answer or the challenge was used meanwhile.
    FactorUsed,
    /// The account got its first second factor meanwhile.
    FactorMissing,
}

/// The error for a correct password of an inactive account.
pub fn refusal_of_inactive(user: &User) -> Option<ApiError> {
    match (user.is_active, user.last_login_at) {
        (true, _) => None,
        (false, None) => Some(ApiError::ApprovalPending),
        (false, Some(_)) => Some(ApiError::InactiveUser),
    }
}

/// Sets the password of a reset link's account, which uses the link up and ends all sessions.
///
/// # Errors
/// [`ApiError::InvalidResetToken`] if the link was used or replaced meanwhile: valid once means once.
pub fn set_password_by_link(
    connection: &Connection,
    pending: &PendingPassword,
    actor: Actor,
    now: Timestamp,
) -> Result<(), ApiError> {
    let user = reset_links::find(connection, &pending.reset_link, now)?.ok_or(ApiError::InvalidResetToken)?;
    users::set_password(connection, user.id, &pending.hash, now)?;
    sessions::end_all_of_user(connection, user.id, None)?;
    if pending.revoke_api_keys {
        revoke_keys(connection, actor.clone(), &user, now)?;
    }
    Ok(audit::record(connection, &Event::new(actor, Action::ResetLinkUsed).target(&user), now)?)
}

/// A session that is about to start.
pub struct SessionStart {
    session: Session,
    actor: Actor,
    keys: Option<AttemptKeys>,
    asks_factor: bool,
    now: Timestamp,
}

impl SessionStart {
    /// A session of this user on this client.
    pub fn new(app: &App, client: &Client, user: &User, keys: Option<AttemptKeys>, now: Timestamp) -> Self {
        let session = session_tokens::new_session(app, user, client, now);
        Self { session, actor: client.actor_for(user), keys, asks_factor: app.config.second_factor.is_on(), now }
    }

    /// Starts the session. Checks everything that was proved again, inside of a transaction, and uses it up.
    ///
    /// # Errors
    /// When the account was deleted or deactivated meanwhile, or the database can't be written.
    pub fn run(self, connection: &Connection, proof: &Proof) -> Result<Result<(Session, User), NotStarted>, ApiError> {
        let Self { mut session, actor, keys, asks_factor, now } = self;
        let id = session.user_id;
        let (user, hash) = users::find_with_hash(connection, id)?.ok_or(ApiError::InvalidLogin)?;
        if proof.verified.as_ref().is_some_and(|verified| *verified != hash) {
            return Ok(Err(NotStarted::PasswordChanged));
        }
        if let Some(refusal) = refusal_of_inactive(&user) {
            return Err(refusal);
        }
        if proof.factor.is_none() && asks_factor && factors::is_enrolled(connection, id)? {
            return Ok(Err(NotStarted::FactorMissing));
        }
        if let Some(challenge) = &proof.challenge
            && !challenges::end(connection, challenge)?
        {
            return Ok(Err(NotStarted::FactorUsed));
        }
        if let Some((challenge, end)) = &proof.spent
            && !challenges::spend(connection, challenge, id, *end)?
        {
            return Ok(Err(NotStarted::FactorUsed));
        }
        let mut details = Vec::new();
        if let Some(factor) = &proof.factor {
            if !factor.accept(connection, id, now)? {
                return Ok(Err(NotStarted::FactorUsed));
            }
            details.push(factor.name());
            if let UsedFactor::Passkey { .. } = factor {
                session.passkey_at = Some(now);
            }
        }
        if let Some(pending) = &proof.password {
            set_password_by_link(connection, pending, actor.clone(), now)?;
        }
        if let Some(renewed) = &proof.renewed {
            users::replace_hash(connection, id, &hash, renewed)?;
        }
        users::set_last_login(connection, id, now)?;
        sessions::insert(connection, &session)?;
        if keys.map_or(Ok(false), |keys| keys.succeeded(connection, id, now))? {
            details.push(NEW_PLACE);
        }
        let detail = Some(details.join(", ")).filter(|detail| !detail.is_empty());
        audit::record(connection, &Event { detail, ..Event::new(actor, Action::LoggedIn) }, now)?;
        Ok(Ok((session, user)))
    }
}

/// Starts a session in a transaction of its own.
///
/// # Errors
/// As [`SessionStart::run`].
pub async fn start_session(
    app: &Data<App>,
    client: &Client,
    user: &User,
    proof: Proof,
    keys: Option<AttemptKeys>,
    now: Timestamp,
) -> Result<Result<(Session, User), NotStarted>, ApiError> {
    let start = SessionStart::new(app, client, user, keys, now);
    app.db.write(move |connection| start.run(connection, &proof)).await
}
