//! Managing second factors: authenticator apps, passkeys and recovery codes.

use actix_web::http::StatusCode;
use chrono::TimeDelta;
use qrcode::QrCode;
use qrcode::render::svg;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::api_key::sha256;
use crate::auth::passkey::RelyingParty;
use crate::auth::random;
use crate::auth::recovery_code;
use crate::auth::totp::TotpSecret;
use crate::domain::audit::{Action, Event};
use crate::domain::policy;
use crate::domain::second_factor::{Factor, FactorKind, MAX_FACTORS, MAX_NAME_CHARS};
use crate::domain::secret::Secret;
use crate::http::models::Detail;
use crate::http::models::factors::{FactorRead, FactorsResponse, NewTotp, PasskeyOptions, RecoveryCodes};
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::SignedInWithoutFactor;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::messages;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::recent_sign_in::Recent;
use crate::http::pipeline::request::{FactorId, Input, InputSource, Request, UserId};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::second_factor::{self, CHALLENGE_LIFETIME};
use crate::http::pipeline::validation::FieldErrors;
use crate::store::challenges::{self, Challenge, ChallengePurpose};
use crate::store::factors::{self, NewFactor};
use crate::store::{Connection, audit, sessions, users};

const TAG: &str = "Second factors";
/// How long a sign-in with a passkey stands in for the current password.
const PASSKEY_COUNTS_FOR: TimeDelta = TimeDelta::minutes(10);
/// The name of a factor that got none.
const DEFAULT_TOTP_NAME: &str = "Authenticator app";
const DEFAULT_PASSKEY_NAME: &str = "Passkey";

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    const FACTORS: &str = "/api/v1/users/{user_id}/factors";
    const FACTOR: &str = "/api/v1/users/{user_id}/factors/{factor_id}";
    vec![
        Route::get(FACTORS, list)
            .named(TAG, "read_factors_api_v1_users__user_id__factors_get", "List second factors")
            .about("The second factors of a user, for the user and for superusers.")
            .gives::<FactorsResponse<'_>>(200)
            .refuses(404, "The user doesn't exist."),
        Route::post("/api/v1/users/{user_id}/factors/totp", add_totp)
            .named(TAG, "add_totp_api_v1_users__user_id__factors_totp_post", "Add an authenticator app")
            .about(
                "Makes the secret of an authenticator app. It counts once its first code was sent to `…/totp/confirm`.",
            )
            .gives::<NewTotp<'_>>(201),
        Route::post("/api/v1/users/{user_id}/factors/totp/confirm", confirm_totp)
            .named(TAG, "confirm_totp_api_v1_users__user_id__factors_totp_confirm_post", "Confirm an authenticator app")
            .about(
                "Confirms the newest authenticator app with its first code. From then on, signing in asks for a code.",
            )
            .gives::<FactorRead<'_>>(200)
            .refuses(404, "No authenticator app waits for its first code."),
        Route::post("/api/v1/users/{user_id}/factors/passkey/options", passkey_options)
            .named(TAG, "passkey_options_api_v1_users__user_id__factors_passkey_options_post", "Begin to add a passkey")
            .about("Returns what `navigator.credentials.create()` needs.")
            .gives::<PasskeyOptions>(200),
        Route::post("/api/v1/users/{user_id}/factors/passkey", add_passkey)
            .named(TAG, "add_passkey_api_v1_users__user_id__factors_passkey_post", "Add a passkey")
            .about("Adds the passkey that the browser made with the options of `…/passkey/options`.")
            .gives::<FactorRead<'_>>(201),
        Route::post("/api/v1/users/{user_id}/factors/recovery-codes", make_recovery_codes)
            .named(TAG, "make_recovery_codes_api_v1_users__user_id__factors_recovery_codes_post", "Make recovery codes")
            .about("Makes ten recovery codes in place of those before. They aren't shown again.")
            .gives::<RecoveryCodes<'_>>(201),
        Route::patch(FACTOR, rename)
            .named(TAG, "rename_factor_api_v1_users__user_id__factors__factor_id__patch", "Rename a second factor")
            .about("Renames one of your own factors.")
            .gives::<Detail>(200)
            .refuses(404, "The factor doesn't exist."),
        Route::delete(FACTOR, remove)
            .named(TAG, "remove_factor_api_v1_users__user_id__factors__factor_id__delete", "Remove a second factor")
            .about("Removes one of your own factors, or, as a superuser, one of another user.")
            .gives::<Detail>(200)
            .refuses(404, "The factor doesn't exist."),
    ]
}

async fn list(request: Request<SignedInWithoutFactor, UserId>) -> Result<Response, ApiError> {
    let UserId(id) = request.input;
    policy::may_read(&request.caller, id)?;
    let found = request.app.db.read(move |connection| {
        let user = users::find(connection, id)?.ok_or(ApiError::UserNotFound)?;
        let left = factors::recovery_codes_left(connection, id)?;
        Ok::<_, ApiError>((user, factors::of_user(connection, id)?, left))
    });
    let (user, found, recovery_codes_left) = found.await?;
    let app = &request.app;
    let rp_id = rp_id(app);
    Ok(Response::json(&FactorsResponse {
        factors: found.iter().map(|factor| FactorRead::new(factor, rp_id)).collect(),
        recovery_codes_left,
        required: app.config.second_factor.requires(&user),
        passkeys_unavailable: app.relying_party.as_ref().err().map(ToString::to_string),
    }))
}

fn rp_id(app: &App) -> Option<&str> {
    app.relying_party.as_ref().ok().map(RelyingParty::id)
}

/// What proves that the person at the keyboard is the account's owner: the current password, unless a passkey was used
/// within the last ten minutes.
#[derive(ToSchema)]
#[schema(title = "Current password")]
struct CurrentPassword {
    /// May be left out within ten minutes of a sign-in with a passkey.
    #[schema(value_type = Option<String>)]
    current_password: Option<Secret>,
    /// What to call the factor.
    name: Option<String>,
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

fn factor_name(value: &Value) -> Result<String, crate::http::pipeline::validation::FieldError> {
    fields::text(value, MAX_NAME_CHARS).map(|name| name.trim().to_owned())
}

/// Makes sure that the caller may add or remove factors of their own account: in a session, with the current password
/// or a passkey of the last ten minutes.
async fn prove_owner<I>(
    request: &Request<Recent<SignedInWithoutFactor>, I>,
    user_id: Uuid,
    current_password: Option<&Secret>,
) -> Result<(), ApiError> {
    let session = policy::may_manage_factors(&request.caller, user_id)?;
    if !request.app.config.second_factor.is_on() {
        return Err(ApiError::NotFound);
    }
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

/// Checks the caller's password, if it was sent.
async fn check_password<I>(
    request: &Request<Recent<SignedInWithoutFactor>, I>,
    current_password: Option<&Secret>,
) -> Result<(), ApiError> {
    let (Some(password), Request { app, client, caller, now, .. }) = (current_password, request) else { return Ok(()) };
    second_factor::check_current_password(app, client, caller, password, *now).await
}

async fn add_totp(
    request: Request<Recent<SignedInWithoutFactor>, (UserId, CurrentPassword)>,
) -> Result<Response, ApiError> {
    let (UserId(user_id), input) = &request.input;
    let user_id = *user_id;
    prove_owner(&request, user_id, input.current_password.as_ref()).await?;
    let Request { app, now, caller, input: (_, input), .. } = request;
    let secret = TotpSecret::generate()?;
    let encrypted = app.fernet.encrypt(secret.to_base32().expose(), now)?;
    let (id, name) = (Uuid::new_v4(), name_or(input.name, DEFAULT_TOTP_NAME));
    let added = caller.write(&app, move |connection| {
        // One that was begun and never confirmed is of no use any more.
        factors::remove_unconfirmed(connection, user_id)?;
        refuse_too_many(connection, user_id)?;
        Ok(factors::insert(connection, user_id, id, &name, &NewFactor::Totp(&encrypted), now)?)
    });
    added.await?;
    let url = secret.otpauth_url(ISSUER, caller.user.username.as_str());
    let qr_svg = qr_svg(url.expose());
    let (secret, otpauth_url) = (secret.to_base32(), url.expose());
    Ok(Response::json(&NewTotp { id, secret: secret.expose(), otpauth_url, qr_svg: &qr_svg })
        .status(StatusCode::CREATED))
}

/// The issuer that authenticator apps show.
const ISSUER: &str = "usher";

fn qr_svg(text: &str) -> String {
    // The longest name and the longest issuer stay far below what a QR code can hold.
    let code = QrCode::new(text).expect("a link of at most some hundred bytes fits into a QR code");
    code.render::<svg::Color<'_>>().min_dimensions(240, 240).quiet_zone(true).build()
}

fn name_or(name: Option<String>, default: &str) -> String {
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| default.to_owned())
}

fn refuse_too_many(connection: &Connection, user_id: Uuid) -> Result<(), ApiError> {
    if factors::of_user(connection, user_id)?.len() < MAX_FACTORS { Ok(()) } else { Err(ApiError::TooManyFactors) }
}

/// The first code of a new authenticator app.
#[derive(ToSchema)]
#[schema(title = "First code")]
struct FirstCode {
    #[schema(value_type = String)]
    code: Secret,
}

impl Input for FirstCode {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        Some(Self { code: fields.required("code", errors, fields::secret)? })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Self>("application/json");
    }
}

async fn confirm_totp(request: Request<SignedInWithoutFactor, (UserId, FirstCode)>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: (UserId(user_id), FirstCode { code }) } = request;
    policy::may_manage_factors(&caller, user_id)?;
    let (state, actor, user) = (app.clone(), caller.actor(&client), caller.user.clone());
    let confirmed = caller.write(&app, move |connection| {
        let waiting = factors::totp_of_user(connection, user_id)?.into_iter().find(|factor| !factor.is_confirmed);
        let waiting = waiting.ok_or(ApiError::FactorNotFound)?;
        let secret = state.fernet.decrypt(&waiting.encrypted_secret).and_then(|text| TotpSecret::from_base32(&text));
        let code: String = code.expose().chars().filter(|char| !char.is_whitespace()).take(16).collect();
        let step = secret.and_then(|secret| secret.step_of(&code, None, now)).ok_or(ApiError::WrongCode)?;
        factors::accept_step(connection, waiting.id, step, now)?;
        audit::record(connection, &Event::new(actor, Action::FactorAdded).target(&user).detail("totp"), now)?;
        find_factor(connection, user_id, waiting.id)
    });
    let factor = confirmed.await.map_err(ApiError::while_signed_in)?;
    Ok(Response::json(&FactorRead::new(&factor, rp_id(&app))))
}

fn find_factor(connection: &Connection, user_id: Uuid, id: Uuid) -> Result<Factor, ApiError> {
    let found = factors::of_user(connection, user_id)?.into_iter().find(|factor| factor.id == id);
    found.ok_or(ApiError::FactorNotFound)
}

async fn passkey_options(
    request: Request<Recent<SignedInWithoutFactor>, (UserId, CurrentPassword)>,
) -> Result<Response, ApiError> {
    let (UserId(user_id), input) = &request.input;
    let user_id = *user_id;
    prove_owner(&request, user_id, input.current_password.as_ref()).await?;
    let Request { app, now, client, caller, .. } = request;
    second_factor::relying_party(&app)?;
    let token = random::url_safe_text()?;
    let (state, sha256, username) = (app.clone(), sha256(&token), caller.user.username.to_string());
    let network = second_factor::network(&client);
    let opened = caller.write(&app, move |connection| {
        let party = second_factor::relying_party(&state)?;
        refuse_too_many(connection, user_id)?;
        let known: Vec<Vec<u8>> = factors::passkeys_of_user(connection, user_id, party.id())?
            .into_iter()
            .map(|passkey| passkey.credential.id)
            .collect();
        let ceremony = party.start_registration(user_id, &username, &known)?;
        let challenge = Challenge {
            sha256,
            purpose: ChallengePurpose::PasskeyRegistration,
            user_id,
            network,
            state: ceremony.state,
            tries: 0,
            expires_at: now + CHALLENGE_LIFETIME,
        };
        challenges::insert(connection, &challenge)?;
        Ok(ceremony.options)
    });
    Ok(Response::json(&PasskeyOptions { challenge: token, options: opened.await? }))
}

/// A passkey's answer to [`passkey_options`].
#[derive(ToSchema)]
#[schema(title = "New passkey")]
struct NewPasskey {
    #[schema(value_type = String)]
    challenge: Secret,
    /// What `navigator.credentials.create()` returned, as `toJSON()` makes it.
    #[schema(value_type = Object)]
    credential: Value,
    /// What to call the passkey.
    name: Option<String>,
}

impl Input for NewPasskey {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        let challenge = fields.required("challenge", errors, fields::secret);
        let credential = fields.required("credential", errors, |value| Ok(value.clone()));
        let name = fields.optional("name", errors, factor_name);
        Some(Self { challenge: challenge?, credential: credential?, name })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Self>("application/json");
    }
}

async fn add_passkey(request: Request<SignedInWithoutFactor, (UserId, NewPasskey)>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: (UserId(user_id), input) } = request;
    policy::may_manage_factors(&caller, user_id)?;
    let (state, actor, user) = (app.clone(), caller.actor(&client), caller.user.clone());
    let (sha256, network) = (sha256(input.challenge.expose()), second_factor::network(&client));
    let (id, name) = (Uuid::new_v4(), name_or(input.name, DEFAULT_PASSKEY_NAME));
    let added = caller.write(&app, move |connection| {
        let purpose = ChallengePurpose::PasskeyRegistration;
        let challenge = challenges::find(connection, &sha256, purpose, &network, now)?
            .filter(|challenge| challenge.user_id == user_id)
            .ok_or(ApiError::ChallengeEnded)?;
        challenges::end(connection, &sha256)?;
        let party = second_factor::relying_party(&state)?;
        let credential = party.finish_registration(&input.credential, &challenge.state)?;
        if factors::find_passkey(connection, &credential.id)?.is_some() {
            return Err(ApiError::PasskeyTaken);
        }
        refuse_too_many(connection, user_id)?;
        factors::insert(connection, user_id, id, &name, &NewFactor::Passkey(&credential, party.id()), now)?;
        let event = Event::new(actor, Action::FactorAdded).target(&user).detail(format!("passkey {name}"));
        audit::record(connection, &event, now)?;
        find_factor(connection, user_id, id)
    });
    let factor = added.await.map_err(ApiError::while_signed_in)?;
    Ok(Response::json(&FactorRead::new(&factor, rp_id(&app))).status(StatusCode::CREATED))
}

async fn make_recovery_codes(
    request: Request<Recent<SignedInWithoutFactor>, (UserId, CurrentPassword)>,
) -> Result<Response, ApiError> {
    let (UserId(user_id), input) = &request.input;
    let user_id = *user_id;
    prove_owner(&request, user_id, input.current_password.as_ref()).await?;
    let Request { app, now, client, caller, .. } = request;
    let codes = recovery_code::generate()?;
    let hashes: Vec<[u8; 32]> = codes.iter().filter_map(|code| recovery_code::hash(code.expose())).collect();
    let (actor, user) = (caller.actor(&client), caller.user.clone());
    let replaced = caller.write(&app, move |connection| {
        // Codes stand in for a factor; without one they would be a weaker password.
        if !factors::is_enrolled(connection, user_id)? {
            return Err(ApiError::FactorNotFound);
        }
        factors::replace_recovery_codes(connection, user_id, &hashes)?;
        Ok(audit::record(connection, &Event::new(actor, Action::RecoveryCodesMade).target(&user), now)?)
    });
    replaced.await?;
    let codes = codes.iter().map(Secret::expose).collect();
    Ok(Response::json(&RecoveryCodes { codes }).status(StatusCode::CREATED))
}

/// A factor's new name.
#[derive(ToSchema)]
#[schema(title = "Name of a second factor")]
struct FactorName {
    name: String,
}

impl Input for FactorName {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        Some(Self { name: fields.required("name", errors, factor_name)? })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Self>("application/json");
    }
}

async fn rename(
    request: Request<SignedInWithoutFactor, ((UserId, FactorId), FactorName)>,
) -> Result<Response, ApiError> {
    let Request { app, caller, input: ((UserId(user_id), FactorId(id)), FactorName { name }), .. } = request;
    policy::may_manage_factors(&caller, user_id)?;
    let renamed = caller.write(&app, move |connection| {
        let kind = find_factor(connection, user_id, id)?.kind;
        let default = if kind == FactorKind::Totp { DEFAULT_TOTP_NAME } else { DEFAULT_PASSKEY_NAME };
        Ok(factors::rename(connection, user_id, id, &name_or(Some(name), default))?)
    });
    if renamed.await? {
        Ok(Response::json(&Detail { detail: messages::FACTOR_RENAMED }))
    } else {
        Err(ApiError::FactorNotFound)
    }
}

async fn remove(
    request: Request<Recent<SignedInWithoutFactor>, ((UserId, FactorId), CurrentPassword)>,
) -> Result<Response, ApiError> {
    let ((UserId(user_id), FactorId(id)), input) = &request.input;
    let (user_id, id) = (*user_id, *id);
    // A superuser helps people who lost a device; that needs no password of theirs.
    if request.caller.is(user_id) {
        prove_owner(&request, user_id, input.current_password.as_ref()).await?;
    } else {
        policy::may_remove_factors_of_others(&request.caller)?;
        check_password(&request, input.current_password.as_ref()).await?;
    }
    let Request { app, now, client, caller, .. } = request;
    let actor = caller.actor(&client);
    let removed = caller.write(&app, move |connection| {
        let user = users::find(connection, user_id)?.ok_or(ApiError::UserNotFound)?;
        let factor = factors::remove(connection, user_id, id)?.ok_or(ApiError::FactorNotFound)?;
        let event = Event::new(actor, Action::FactorRemoved).target(&user);
        let event = event.detail(format!("{} {}", factor.kind.as_str(), factor.name));
        Ok(audit::record(connection, &event, now)?)
    });
    removed.await?;
    Ok(Response::json(&Detail { detail: messages::FACTOR_REMOVED }))
}
