//! What the routes that manage second factors share: the proof that the caller owns the account, and its input.

use chrono::TimeDelta;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::passkey::RelyingParty;
use crate::domain::policy;
use crate::domain::second_factor::{Factor, MAX_FACTORS, MAX_NAME_CHARS};
use crate::domain::secret::Secret;
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::SignedInWithoutFactor;
use crate::http::pipeline::credentials::Authenticated;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::recent_sign_in::Recent;
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::second_factor;
use crate::http::pipeline::validation::{FieldError, FieldErrors};
use crate::store::{Connection, StoreError, factors, sessions};

/// The group of these routes in the API's description.
pub const TAG: &str = "Second factors";
/// How long the use of a passkey stands in for the current password.
const PASSKEY_COUNTS_FOR: TimeDelta = TimeDelta::minutes(10);

/// What proves that the person at the keyboard is the account's owner: the current password, unless a passkey was used
/// within the last ten minutes.
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
        operation.body::<Self>("application/json");
    }
}

/// Reads the name of a factor.
pub fn factor_name(value: &Value) -> Result<String, FieldError> {
    fields::text(value, MAX_NAME_CHARS).map(|name| name.trim().to_owned())
}

/// Makes sure that the caller may add or remove factors of their own account: in a session, with the current password
/// or a passkey of the last ten minutes.
pub async fn prove_owner<I>(
    request: &Request<Recent<SignedInWithoutFactor>, I>,
    user_id: Uuid,
    current_password: Option<&Secret>,
) -> Result<(), ApiError> {
    let session = may_add_to(&request.app, &request.caller, user_id)?;
    if current_password.is_some() {
        return check_password(request, current_password).await;
    }
    let now = request.now;
    let found = request.app.db.read(move |connection| sessions::find(connection, session, now)).await?;
    let passkey_at = found.and_then(|(session, _)| session.passkey_at);
    if passkey_at.is_some_and(|at| now - at < PASSKEY_COUNTS_FOR) {
        Ok(())
    } else {
        Err(ApiError::CurrentPasswordNeeded)
    }
}

/// Makes sure that the caller may add factors to this account: in a session of the account's, if factors are offered.
/// Returns the session.
pub fn may_add_to(app: &App, caller: &Authenticated, user_id: Uuid) -> Result<Uuid, ApiError> {
    let session = policy::may_manage_factors(caller, user_id)?;
    if app.config.second_factor.is_on() { Ok(session) } else { Err(ApiError::NotFound) }
}

/// Checks the caller's password, if it was sent.
pub async fn check_password<I>(
    request: &Request<Recent<SignedInWithoutFactor>, I>,
    current_password: Option<&Secret>,
) -> Result<(), ApiError> {
    let (Some(password), Request { app, client, caller, now, .. }) = (current_password, request) else { return Ok(()) };
    second_factor::check_current_password(app, client, caller, password, *now).await
}

/// Refuses a further factor if the account has as many as it can have.
pub fn refuse_too_many(connection: &Connection, user_id: Uuid) -> Result<(), ApiError> {
    if factors::of_user(connection, user_id)?.len() < MAX_FACTORS { Ok(()) } else { Err(ApiError::TooManyFactors) }
}

/// Returns a factor of a user.
pub fn find_factor(connection: &Connection, user_id: Uuid, id: Uuid) -> Result<Factor, ApiError> {
    let found = factors::of_user(connection, user_id)?.into_iter().find(|factor| factor.id == id);
    found.ok_or(ApiError::FactorNotFound)
}

/// The domain that passkeys must belong to.
pub fn rp_id(app: &App) -> Option<&str> {
    app.relying_party.as_ref().ok().map(RelyingParty::id)
}

/// Ends the user's other sessions before the first factor is added: nobody gave a factor to sign in to them, and they could
/// remove it.
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
