//! Reset links: a superuser creates one, and its holder sets the account's password with it, once and within 24 hours.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use chrono::TimeDelta;
use utoipa::ToSchema;

use crate::auth::link_token::{self, LinkPage, NewLink};
use crate::auth::password_hasher::{MAX_BYTES, PasswordCheck};
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Timestamp;
use crate::domain::policy;
use crate::domain::second_factor::PendingPassword;
use crate::domain::secret::Secret;
use crate::domain::user::User;
use crate::http::models::link_token::LinkToken;
use crate::http::models::{Detail, ResetLink, ResetLinkCheck, text};
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::recent_sign_in::Recent;
use crate::http::pipeline::caller::{Anyone, Superuser};
use crate::http::pipeline::client::Client;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::error::challenge_offer::SignInRefused;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request, UserId};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::{FieldErrors, Rejected};
use crate::http::pipeline::{coerce, messages};
use crate::http::sign_in::attempt::Attempt;
use crate::http::sign_in::challenge::{self, FirstProof};
use crate::http::sign_in::second_factor::{self};
use crate::http::sign_in::session_start;
use crate::store::{audit, reset_links, users};

/// How long a link is valid.
pub const VALID_FOR: TimeDelta = TimeDelta::hours(24);
const TAG: &str = "Reset links";

pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/users/{user_id}/reset-link", make)
            .named(TAG, "make_reset_link_api_v1_users__user_id__reset_link_post", "Create a reset link")
            .about(
                "Creates a link that sets a new password once, within 24 hours. A newer link or a new password makes \
                 it invalid. For superusers.",
            )
            .responds_with::<ResetLink<'_>>(201)
            .fails_with(404, "The user doesn't exist."),
        Route::post("/api/v1/reset-password/check", check)
            .named(TAG, "check_reset_link_api_v1_reset_password_check_post", "Check a reset link")
            .about("Returns the name of the account that a reset link is for. Doesn't use the link.")
            .responds_with::<ResetLinkCheck<'_>>(200)
            .fails_with(403, "The link is not valid: it was used or replaced, or has expired."),
        Route::post("/api/v1/reset-password", set)
            .named(TAG, "set_password_api_v1_reset_password_post", "Use a reset link")
            .about(
                "Sets a password with the token of a reset link, and ends all sessions of that user. If the user has a \
                 second factor, the password is set, and the user signed in, by the answer to \
                 `POST /api/v1/login/second-factor`. `revoke_api_keys` deletes the API keys as well.",
            )
            .responds_with::<Detail>(200)
            .responds_with_as::<SignInRefused<'_>>(401, "A second factor is needed.")
            .fails_with(429, "Too many failed attempts. `Retry-After` says when to try again.")
            .fails_with(403, "The link is not valid: it was used or replaced, or has expired."),
    ]
}

async fn make(request: Request<Recent<Superuser>, UserId>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: UserId(id) } = request;
    policy::may_create_reset_link(&caller, id)?;
    let (link, end) = (NewLink::generate()?, now + VALID_FOR);
    let (hash, actor) = (link.hash, caller.actor(&client));
    let made = caller.write(&app, move |connection| {
        let user = users::find(connection, id)?.ok_or(ApiError::UserNotFound)?;
        reset_links::replace(connection, id, &hash, now, end)?;
        Ok(audit::record(connection, &Event::new(actor, Action::ResetLinkMade).target(&user), now)?)
    });
    made.await?;
    Ok(Response::json(&ResetLink { link: &link.url(&app.url, LinkPage::Reset), expires_at: end })
        .status(StatusCode::CREATED))
}

fn hash_of(token: &Secret) -> Result<[u8; 32], ApiError> {
    link_token::hash(token).ok_or(ApiError::InvalidResetToken)
}

async fn check(request: Request<Anyone, LinkToken>) -> Result<Response, ApiError> {
    let (hash, now) = (hash_of(&request.input.token)?, request.now);
    let user = request.app.db.read(move |connection| reset_links::find(connection, &hash, now)).await?;
    let user = user.ok_or(ApiError::InvalidResetToken)?;
    Ok(Response::json(&ResetLinkCheck { username: user.username.as_str() }))
}

/// A new password, and the token of the reset link.
#[derive(ToSchema)]
#[schema(title = "New password")]
struct NewPassword {
    #[schema(value_type = String)]
    token: Secret,
    #[schema(schema_with = text::<1, MAX_BYTES>)]
    password: Secret,
    /// Deletes all API keys of the account as well. The default is to keep them.
    #[schema(required = false)]
    revoke_api_keys: bool,
    #[schema(ignore)]
    rejected: Option<Rejected>,
}

impl Input for NewPassword {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        let (min, mut rejected) = (source.config.password_min_length, None);
        let token = fields.required("token", errors, coerce::string).map(Secret::new);
        let password = fields.required("password", errors, |value| fields::new_password(value, min, &mut rejected));
        let revoke_api_keys = fields.optional("revoke_api_keys", errors, coerce::boolean).unwrap_or(false);
        Some(Self { token: token?, password: password?, revoke_api_keys, rejected })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Self>("application/json");
    }
}

async fn set(request: Request<Anyone, NewPassword>) -> Result<Response, ApiError> {
    let Request { app, now, client, input, .. } = request;
    let NewPassword { token, password, revoke_api_keys, rejected } = input;
    let sha256 = hash_of(&token)?;
    let found = app.db.read(move |connection| reset_links::find(connection, &sha256, now)).await?;
    let user = found.ok_or(ApiError::InvalidResetToken)?;
    if let Some(rejected) = rejected {
        return Err(rejected.into());
    }
    fields::differs_from_name(&password, &user.username)?;
    if user.must_change_password {
        refuse_same(&app, &client, &user, &password, now).await?;
    }
    let hash = app.hasher.hash(&password, client.address).await?;
    let pending = PendingPassword { reset_link: sha256, hash, revoke_api_keys };
    let (state, actor, id, waiting) = (app.clone(), client.actor(), user.id, pending.clone());
    let is_set = app.db.write(move |connection| {
        let asks_factor = second_factor::is_needed(connection, &state, id)?;
        if !asks_factor {
            session_start::set_password_by_link(connection, &pending, actor, now)?;
        }
        Ok::<_, ApiError>(!asks_factor)
    });
    if is_set.await? {
        return Ok(Response::json(&Detail { detail: messages::PASSWORD_SET }));
    }
    let proof = FirstProof::ResetLink(waiting);
    let offer = challenge::open_challenge(&app, &client, &user, proof, None, now).await?;
    Err(offer.map_or(ApiError::InvalidResetToken, |offer| ApiError::SecondFactorRequired(Box::new(offer))))
}

/// Refuses the current password. The response reveals whether a password is the current one, so each try counts as an
/// attempt.
async fn refuse_same(
    app: &Data<App>,
    client: &Client,
    user: &User,
    password: &Secret,
    now: Timestamp,
) -> Result<(), ApiError> {
    let attempt = Attempt::begin(app, user.username.as_str(), client.address).await?;
    let (keys, id) = (attempt.as_ref().and_then(Attempt::keys), user.id);
    let current = app.db.read(move |connection| {
        keys.map_or(Ok(false), |keys| keys.check(connection, Some(id), now))?;
        Ok::<_, ApiError>(users::password_hash(connection, id)?)
    });
    let verification = app.hasher.verify(password, current.await?, client.address);
    let check = Attempt::verify(attempt.as_ref(), verification).await?;
    if let Some(keys) = keys {
        app.db.write(move |connection| keys.failed(connection, Some(id), now)).await?;
    }
    if check == PasswordCheck::Wrong { Ok(()) } else { Err(ApiError::SamePassword) }
}
