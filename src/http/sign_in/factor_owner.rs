//! What the routes that manage second factors share: the proof that the caller owns the account, and its input.

use chrono::TimeDelta;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::hashing_queue::Requester;
use crate::auth::passkey::RelyingParty;
use crate::auth::password_hasher::PasswordCheck;
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Timestamp;
use crate::domain::policy;
use crate::domain::second_factor::{Factor, MAX_FACTORS, MAX_NAME_CHARS};
use crate::domain::secret::Secret;
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::{Body, BodyKind};
use crate::http::pipeline::caller::SignedInFactorPending;
use crate::http::pipeline::caller::credentials::Authenticated;
use crate::http::pipeline::caller::recent_sign_in::Recent;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request, UserId};
use crate::http::pipeline::validation::{FieldError, FieldErrors};
use crate::http::sign_in::attempt::Attempt;
use crate::http::sign_in::second_factor;
use crate::store::{Connection, StoreError, audit, factors, sessions, users};

/// The group of these routes in the API's description.
pub const TAG: &str = "Second factors";
/// How long the use of a passkey stands in for the current password.
const PASSKEY_COUNTS_FOR: TimeDelta = TimeDelta::minutes(10);

/// The proof that the account's owner is at the keyboard: the current password, unless a passkey was used within the
/// last ten minutes.
#[derive(ToSchema)]
#[schema(title = "Current password")]
pub struct CurrentPassword {
    /// May be left out within ten minutes of a sign-in with a passkey.
    #[schema(value_type = Option<String>)]
    pub current_password: Option<Secret>,
    /// What to call the factor.
    pub name: Option<String>,
}

impl Input for CurrentPassword {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        if *source.body == Body::None {
            return Some(Self { current_password: None, name: None });
        }
        let fields = Fields::of(source.body, errors)?;
        let current_password = fields.optional("current_password", errors, fields::secret);
        let name = fields.optional("name", errors, factor_name);
        Some(Self { current_password, name })
    }

    // The current password proves as much as signing in again.
    fn is_sensitive(&self) -> bool {
        self.current_password.is_none()
    }

    fn describe(operation: &mut Operation) {
        operation.optional_body::<Self>("application/json");
        operation.fails_with(429, "Too many wrong current passwords. `Retry-After` says when to try again.");
    }
}

/// Reads the name of a factor.
pub fn factor_name(value: &Value) -> Result<String, FieldError> {
    fields::name(value, MAX_NAME_CHARS).map(|name| name.trim().to_owned())
}

/// Makes sure that the caller may change factors of their own account: in a session, with the current password or a
/// passkey of the last ten minutes.
///
/// # Errors
/// As [`check_password`], [`ApiError::CurrentPasswordNeeded`], or that the caller may not do this.
pub async fn prove_owner<I>(
    request: &Request<Recent<SignedInFactorPending>, I>,
    user_id: Uuid,
    current_password: Option<&Secret>,
) -> Result<(), ApiError> {
    let session = policy::may_manage_factors(&request.caller, user_id)?;
    if current_password.is_some() {
        return check_password(request, current_password).await;
    }
    let now = request.now;
    let used_passkey = request.app.db.read(move |connection| used_passkey_lately(connection, Some(session), now));
    if used_passkey.await? { Ok(()) } else { Err(ApiError::CurrentPasswordNeeded) }
}

/// Refuses a new password from a session of an account with a second factor, unless a passkey was used recently. The
/// thief of a session could otherwise set a password, and use it to remove the factor.
///
/// # Errors
/// [`ApiError::CurrentPasswordNeeded`], if the account has a factor and used no passkey within the last ten minutes.
pub fn may_set_own_password(
    connection: &Connection,
    app: &App,
    (user_id, session): (Uuid, Option<Uuid>),
    now: Timestamp,
) -> Result<(), ApiError> {
    if second_factor::is_needed(connection, app, user_id)? && !used_passkey_lately(connection, session, now)? {
        return Err(ApiError::CurrentPasswordNeeded);
    }
    Ok(())
}

fn used_passkey_lately(connection: &Connection, session: Option<Uuid>, now: Timestamp) -> Result<bool, StoreError> {
    let Some(session) = session else { return Ok(false) };
    let passkey_at = sessions::find(connection, session, now)?.and_then(|(session, _)| session.passkey_at);
    Ok(passkey_at.is_some_and(|at| now - at < PASSKEY_COUNTS_FOR))
}

/// Makes sure that the caller may add factors to this account: in a session of the account's, if factors are offered.
/// Returns the session.
///
/// # Errors
/// That the caller may not do this.
pub fn may_add_to(app: &App, caller: &Authenticated, user_id: Uuid) -> Result<Uuid, ApiError> {
    let session = policy::may_manage_factors(caller, user_id)?;
    second_factor::require_offered(app).map(|()| session)
}

/// A request that adds a factor or recovery codes to an account.
pub type AddFactorRequest = Request<Recent<SignedInFactorPending>, (UserId, CurrentPassword)>;

/// Makes sure that the caller owns the account and may add factors to it. Returns the account's id.
///
/// # Errors
/// As [`may_add_to`] and [`prove_owner`].
pub async fn prove_owner_may_add(request: &AddFactorRequest) -> Result<Uuid, ApiError> {
    let (UserId(user_id), input) = &request.input;
    may_add_to(&request.app, &request.caller, *user_id)?;
    prove_owner(request, *user_id, input.current_password.as_ref()).await?;
    Ok(*user_id)
}

/// Checks the caller's password, if it was sent, and counts a wrong one like a failed sign-in.
///
/// # Errors
/// [`ApiError::WrongCurrentPassword`], or when too many attempts failed.
pub async fn check_password<I>(
    request: &Request<Recent<SignedInFactorPending>, I>,
    current_password: Option<&Secret>,
) -> Result<(), ApiError> {
    let (Some(password), Request { app, client, caller, now, .. }) = (current_password, request) else { return Ok(()) };
    let (now, id) = (*now, caller.user.id);
    let attempt = Attempt::begin(app, caller.user.username.as_str(), client.address).await?;
    let keys = attempt.as_ref().and_then(Attempt::keys);
    let hash = app.db.read(move |connection| {
        let is_known = keys.map_or(Ok(false), |keys| keys.check(connection, Some(id), now))?;
        let hash = users::password_hash(connection, id)?.ok_or(ApiError::UserNotFound)?;
        Ok::<_, ApiError>((hash, is_known))
    });
    let (hash, is_known) = hash.await?;
    let verification = app.hasher.verify(password, Some(hash), Requester { address: client.address, is_known });
    if Attempt::verify(attempt.as_ref(), verification).await? != PasswordCheck::Wrong {
        let confirm = move |connection: &Connection| match keys {
            Some(keys) => keys.confirm(connection, Some(id), now),
            None => Ok(()),
        };
        return app.db.read(confirm).await;
    }
    let event = Event::new(caller.actor(client), Action::Refused).target(&caller.user).failed();
    let event = event.detail("wrong current password");
    let recorded = app.db.write(move |connection| {
        keys.map_or(Ok(()), |keys| keys.failed(connection, Some(id), now))?;
        Ok::<_, ApiError>(audit::record(connection, &event, now)?)
    });
    recorded.await?;
    Err(ApiError::WrongCurrentPassword)
}

/// Refuses another factor if the account has [`MAX_FACTORS`].
pub fn refuse_too_many(connection: &Connection, user_id: Uuid) -> Result<(), ApiError> {
    if factors::of_user(connection, user_id)?.len() < MAX_FACTORS { Ok(()) } else { Err(ApiError::TooManyFactors) }
}

pub fn find_factor(connection: &Connection, user_id: Uuid, id: Uuid) -> Result<Factor, ApiError> {
    let found = factors::of_user(connection, user_id)?.into_iter().find(|factor| factor.id == id);
    found.ok_or(ApiError::FactorNotFound)
}

/// The domain that passkeys must belong to.
pub fn rp_id(app: &App) -> Option<&str> {
    app.relying_party.as_ref().ok().map(RelyingParty::id)
}

/// Ends the user's other sessions before the first factor is added. They began without it and could remove it.
pub fn end_sessions_before_first_factor(
    connection: &Connection,
    user_id: Uuid,
    own_session: Uuid,
) -> Result<(), StoreError> {
    if !factors::is_enrolled(connection, user_id)? {
        sessions::end_all_of_user(connection, user_id, Some(own_session))?;
    }
    Ok(())
}
