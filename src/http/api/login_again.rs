//! Signing in again within a session (reauthentication).

use actix_web::web::Data;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::passkey::{Assertion, PasskeyUse};
use crate::auth::password_hasher::PasswordCheck;
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Timestamp;
use crate::domain::policy;
use crate::domain::second_factor::FactorKind;
use crate::domain::secret::Secret;
use crate::domain::session::Session;
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::SignedInAnyDuty;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::cookies::CookieJar;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::FieldErrors;
use crate::http::sign_in::attempt::Attempt;
use crate::http::sign_in::challenge::{self, CHALLENGE_LIFETIME};
use crate::http::sign_in::passkey_challenge::{self, MAX_CHALLENGE_CHARS, PasskeyChallenge};
use crate::http::sign_in::second_factor::{self, UsedFactor};
use crate::http::sign_in::session_tokens::{self, Token};
use crate::store::{Connection, audit, challenges, factors, sessions, users};

pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/login/again", again)
            .named("Login", "login_again_api_v1_login_again_post", "Prove again who you are")
            .about(
                "Makes the session's sign-in recent, for requests that were refused with `reauthenticate`. Send one of \
                 `password`, `code` (of an authenticator app, or a recovery code), or the `challenge` of \
                 `POST /api/v1/login/passkey/options` and the `credential` that answers it. The session goes on with the tokens \
                 of the answer; those before stop working.",
            )
            .responds_with::<Token<'_>>(200)
            .fails_with(400, "The password, code or passkey is wrong.")
            .fails_with(429, "Too many failed attempts. `Retry-After` says when to try again."),
    ]
}

/// A proof of identity: the password, a code, or a passkey's answer to a challenge.
#[derive(ToSchema)]
#[schema(title = "Proof of identity")]
#[expect(dead_code, reason = "the fields describe the body; `ReauthenticationProof` is what is read from it")]
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

enum ReauthenticationProof {
    Password(Secret),
    Code(Secret),
    Passkey { challenge: Secret, assertion: Box<Assertion> },
}

impl Input for ReauthenticationProof {
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

async fn again(request: Request<SignedInAnyDuty, ReauthenticationProof>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: proof } = request;
    let old = policy::may_sign_in_again(&caller)?;
    if !matches!(proof, ReauthenticationProof::Password(_)) {
        second_factor::require_offered(&app)?;
    }
    let attempt = Attempt::begin(&app, caller.user.username.as_str(), client.address).await?;
    let (keys, id) = (attempt.as_ref().and_then(Attempt::keys), caller.user.id);
    let is_right_password = match &proof {
        ReauthenticationProof::Password(password) => {
            is_right_password(&app, &client, attempt.as_ref(), id, password, now).await?
        }
        _ => false,
    };
    let event = Event::new(caller.actor(&client), Action::LoggedInAgain);
    let (state, from) = (app.clone(), client.clone());
    // One transaction compares a code and counts it, so that no number of codes at once gets around the limits.
    let answered = caller.write(&app, move |connection| {
        keys.map_or(Ok(()), |keys| keys.confirm(connection, Some(id), now))?;
        let used = match proof {
            ReauthenticationProof::Password(_) if is_right_password => Ok(None),
            ReauthenticationProof::Password(_) => Err(ApiError::WrongCurrentPassword),
            ReauthenticationProof::Code(code) => second_factor::find_code(connection, &state, id, &code, now)?
                .map(|factor| Some((factor, None)))
                .ok_or(ApiError::WrongCode),
            ReauthenticationProof::Passkey { challenge, assertion } => {
                passkey_challenge::open(&state, &from, &challenge, now)
                    .and_then(|challenge| check_passkey(connection, &state, id, challenge, &assertion))
                    .map(Some)
            }
        };
        let used = used.and_then(|used| use_up(connection, id, used, now));
        let detail = used.as_ref().err().and_then(challenge::audit_detail).map(str::to_owned);
        match used.map_err(ApiError::while_signed_in) {
            Ok(what) => {
                let (session, user) = sessions::find(connection, old, now)?.ok_or(ApiError::SessionEnded)?;
                let by_passkey = what == FactorKind::Passkey.as_str();
                let session = Session {
                    id: Uuid::new_v4(),
                    refreshed_at: now,
                    expires_at: session_tokens::refresh_expiry(&state, session.created_at, now),
                    generation: 0,
                    address: from.address.to_string(),
                    authenticated_at: now,
                    passkey_at: if by_passkey { Some(now) } else { session.passkey_at },
                    ..session
                };
                sessions::renew(connection, old, &session)?;
                audit::record(connection, &event.detail(what), now)?;
                Ok(Ok((session, user)))
            }
            // Return the error inside `Ok`, so that the count is committed.
            Err(wrong @ (ApiError::WrongCurrentPassword | ApiError::WhileSignedIn(_))) => {
                keys.map_or(Ok(()), |keys| keys.failed(connection, Some(id), now))?;
                audit::record(connection, &Event { detail, ..event.failed() }, now)?;
                Ok(Err(wrong))
            }
            Err(other) => Err(other),
        }
    });
    let (session, user) = answered.await??;
    Ok(session_tokens::response(&app, &session, Some(&user), CookieJar::new(&app.config, &client), now))
}

async fn is_right_password(
    app: &Data<App>,
    client: &Client,
    attempt: Option<&Attempt>,
    id: Uuid,
    password: &Secret,
    now: Timestamp,
) -> Result<bool, ApiError> {
    let keys = attempt.and_then(Attempt::keys);
    let hash = app.db.read(move |connection| {
        keys.map_or(Ok(false), |keys| keys.check(connection, Some(id), now))?;
        Ok::<_, ApiError>(users::password_hash(connection, id)?)
    });
    let verification = app.hasher.verify(password, hash.await?, client.address);
    Ok(Attempt::verify(attempt, verification).await? != PasswordCheck::Wrong)
}

/// A factor whose answer was right, and the challenge that its passkey answered.
type Used = Option<(UsedFactor, Option<PasskeyChallenge>)>;

fn check_passkey(
    connection: &Connection,
    app: &App,
    id: Uuid,
    challenge: PasskeyChallenge,
    assertion: &Assertion,
) -> Result<(UsedFactor, Option<PasskeyChallenge>), ApiError> {
    // An answer that is sent again has an old counter, but isn't a sign of a copied passkey.
    if challenges::is_spent(connection, &challenge.sha256)? {
        return Err(ApiError::ChallengeEnded);
    }
    let passkey = factors::find_passkey(connection, assertion.credential_id())?;
    let passkey = passkey.filter(|passkey| passkey.user_id == id).ok_or(ApiError::UnknownPasskey)?;
    let factor = challenge::check_assertion(app, passkey, assertion, &challenge.state, PasskeyUse::Alone)?;
    Ok((factor, Some(challenge)))
}

/// Uses up the proof of identity, and returns its name for the audit log.
fn use_up(connection: &Connection, id: Uuid, used: Used, now: Timestamp) -> Result<&'static str, ApiError> {
    let Some((factor, challenge)) = used else { return Ok("password") };
    if let Some(challenge) = challenge
        && !challenges::spend(connection, &challenge.sha256, id, now + CHALLENGE_LIFETIME)?
    {
        return Err(ApiError::ChallengeEnded);
    }
    if factor.accept(connection, id, now)? { Ok(factor.name()) } else { Err(ApiError::WrongCode) }
}
