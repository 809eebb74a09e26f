//! Proving again, in a session, who you are.

use actix_web::web::Data;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::passkey::Assertion;
use crate::auth::password_hasher::PasswordCheck;
use crate::domain::audit::{Action, Event};
use crate::domain::policy;
use crate::domain::secret::Secret;
use crate::http::models::Detail;
use crate::http::pipeline::app::App;
use crate::http::pipeline::attempt::Attempt;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::SignedInWithoutFactor;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::messages;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::passkey_sign_in::{self, MAX_CHALLENGE_CHARS};
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::second_factor::{self, CHALLENGE_LIFETIME, UsedFactor};
use crate::http::pipeline::validation::FieldErrors;
use crate::store::{audit, challenges, factors, sessions, users};

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/login/again", again)
            .named("Login", "login_again_api_v1_login_again_post", "Prove again who you are")
            .about(
                "Makes the session's sign-in recent, for requests that were refused with `reauthenticate`. Send one of \
                 `password`, `code` (of an authenticator app, or a recovery code), or the `challenge` of \
                 `POST /api/v1/login/passkey/options` and the `credential` that answers it.",
            )
            .responds_with::<Detail>(200)
            .fails_with(400, "The password, code or passkey is wrong.")
            .fails_with(429, "Too many failed attempts. `Retry-After` says when to try again."),
    ]
}

/// What proves who is calling: the password, a code, or a passkey's answer to a challenge.
#[derive(ToSchema)]
#[schema(title = "Proof of the present user")]
#[expect(dead_code, reason = "the fields describe the body; `Proof` is what is read from it")]
struct ProofBody {
    password: Option<String>,
    /// Six digits of an authenticator app, or a recovery code.
    code: Option<String>,
    /// The challenge that `credential` answers.
    challenge: Option<String>,
    /// What `navigator.credentials.get()` returned, as `toJSON()` makes it.
    #[schema(value_type = Option<Object>)]
    credential: Option<Value>,
}

enum Proof {
    Password(Secret),
    Code(Secret),
    Passkey { challenge: Secret, assertion: Box<Assertion> },
}

impl Input for Proof {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        if let Some(assertion) = fields.optional("credential", errors, fields::assertion) {
            let challenge = fields.required("challenge", errors, |value| fields::text(value, MAX_CHALLENGE_CHARS));
            return Some(Self::Passkey { challenge: Secret::new(challenge?), assertion: Box::new(assertion) });
        }
        if let Some(code) = fields.optional("code", errors, fields::secret) {
            return Some(Self::Code(code));
        }
        fields.required("password", errors, fields::secret).map(Self::Password)
    }

    fn describe(operation: &mut Operation) {
        operation.body::<ProofBody>("application/json");
    }
}

/// What a right proof uses up.
#[derive(Default)]
struct Used {
    factor: Option<UsedFactor>,
    challenge: Option<[u8; 32]>,
}

async fn again(request: Request<SignedInWithoutFactor, Proof>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input } = &request;
    let (now, session) = (*now, policy::may_sign_in_again(caller)?);
    let attempt = Attempt::begin(app, caller.user.username.as_str(), client.address).await;
    let (keys, id) = (attempt.as_ref().and_then(Attempt::keys), caller.user.id);
    app.db.read(move |connection| keys.map_or(Ok(false), |keys| keys.check(connection, Some(id), now))).await?;
    let event = Event::new(caller.actor(client), Action::LoggedInAgain);
    let proved = match input {
        Proof::Password(password) => check_password(app, client, attempt.as_ref(), id, password).await,
        Proof::Code(code) => check_code(&request, code.clone()).await,
        Proof::Passkey { challenge, assertion } => check_passkey(&request, challenge, assertion).await,
    };
    let outcome = match proved {
        Ok(Used { factor, challenge }) => {
            let event = event.clone().detail(factor.as_ref().map_or("password", UsedFactor::name));
            caller
                .write(app, move |connection| {
                    let is_new = match &challenge {
                        Some(sha256) => challenges::spend(connection, sha256, id, now + CHALLENGE_LIFETIME)?,
                        None => true,
                    };
                    let by_passkey = matches!(factor, Some(UsedFactor::Passkey { .. }));
                    if !is_new || !factor.as_ref().map_or(Ok(true), |factor| factor.accept(connection, id, now))? {
                        return Err(ApiError::WrongCode);
                    }
                    sessions::authenticate_again(connection, session, by_passkey, now)?;
                    Ok(audit::record(connection, &event, now)?)
                })
                .await
        }
        Err(error) => Err(error),
    };
    let outcome = outcome.map_err(ApiError::while_signed_in);
    if matches!(outcome, Err(ApiError::WrongCurrentPassword | ApiError::WhileSignedIn(_))) {
        let recorded = app.db.write(move |connection| {
            keys.map_or(Ok(()), |keys| keys.failed(connection, now))?;
            Ok::<_, ApiError>(audit::record(connection, &event.failed(), now)?)
        });
        recorded.await?;
    }
    outcome.map(|()| Response::json(&Detail { detail: messages::SIGNED_IN_AGAIN }))
}

async fn check_password(
    app: &Data<App>,
    client: &Client,
    attempt: Option<&Attempt>,
    id: Uuid,
    password: &Secret,
) -> Result<Used, ApiError> {
    let hash = app.db.read(move |connection| users::password_hash(connection, id)).await?;
    let verification = app.hasher.verify(password, hash, client.address);
    match Attempt::verify(attempt, verification).await? {
        PasswordCheck::Wrong => Err(ApiError::WrongCurrentPassword),
        _ => Ok(Used::default()),
    }
}

async fn check_code(request: &Request<SignedInWithoutFactor, Proof>, code: Secret) -> Result<Used, ApiError> {
    let (state, id, now) = (request.app.clone(), request.caller.user.id, request.now);
    let found =
        request.app.db.read(move |connection| second_factor::find_code(connection, &state, id, &code, now)).await?;
    found.map(|factor| Used { factor: Some(factor), challenge: None }).ok_or(ApiError::WrongCode)
}

async fn check_passkey(
    request: &Request<SignedInWithoutFactor, Proof>,
    challenge: &Secret,
    assertion: &Assertion,
) -> Result<Used, ApiError> {
    let (app, caller) = (&request.app, &request.caller);
    let challenge = passkey_sign_in::open(app, &request.client, challenge, request.now)?;
    let credential_id = assertion.credential_id().to_vec();
    let passkey = app.db.read(move |connection| factors::find_passkey(connection, &credential_id)).await?;
    let passkey = passkey.filter(|passkey| caller.is(passkey.user_id)).ok_or(ApiError::UnknownPasskey)?;
    let party = second_factor::relying_party(app)?;
    let after = party.finish_authentication(assertion, &challenge.state, &passkey.credential)?;
    let factor = UsedFactor::Passkey { id: passkey.id, before: passkey.credential, after };
    Ok(Used { factor: Some(factor), challenge: Some(challenge.sha256) })
}
