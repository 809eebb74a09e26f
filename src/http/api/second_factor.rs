//! Finishing a sign-in with a second factor, and signing in with a passkey alone.

use serde_json::Value;
use utoipa::ToSchema;

use crate::auth::api_key::sha256;
use crate::auth::passkey::{Assertion, PasskeyUse};
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;
use crate::domain::user::User;
use crate::http::models::factors::PasskeyOptions;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::Anyone;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::cookies::CookieJar;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::metrics::LoginKind;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, NoInput, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::FieldErrors;
use crate::http::sign_in::attempt::{Attempt, AttemptKeys};
use crate::http::sign_in::challenge::{self, Answer, CHALLENGE_LIFETIME, MAX_TRIES};
use crate::http::sign_in::passkey_challenge::{self, MAX_CHALLENGE_CHARS};
use crate::http::sign_in::second_factor::{self};
use crate::http::sign_in::session_start::{self, Proof, SessionStart};
use crate::http::sign_in::session_tokens::{self, Token};
use crate::store::challenges::{self, Challenge, ChallengePurpose};
use crate::store::{Connection, audit, factors, users};

const TAG: &str = "Login";

pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/login/second-factor", finish)
            .named(TAG, "finish_login_api_v1_login_second_factor_post", "Finish a sign-in with a second factor")
            .about(
                "Answers the challenge of `POST /api/v1/login` or `POST /api/v1/reset-password` with a code of an \
                 authenticator app, a recovery code, or a passkey. Five wrong answers end the challenge.",
            )
            .responds_with::<Token<'_>>(200)
            .fails_with(401, "The code or the passkey is wrong, or the challenge has ended: sign in again.")
            .fails_with(403, "The reset link is no longer valid.")
            .fails_with(429, "Too many failed attempts. `Retry-After` says when to try again."),
        Route::post("/api/v1/login/passkey/options", passkey_options)
            .named(TAG, "passkey_options_api_v1_login_passkey_options_post", "Begin to sign in with a passkey")
            .about("Returns what `navigator.credentials.get()` needs. No password and no user name is sent.")
            .responds_with::<PasskeyOptions>(200)
            .fails_with(400, "Passkeys can't be used at this address."),
        Route::post("/api/v1/login/passkey", passkey)
            .named(TAG, "passkey_login_api_v1_login_passkey_post", "Sign in with a passkey")
            .about("Signs in with a passkey alone. The passkey must verify its user, by PIN or fingerprint, now and when it was \
                 added.")
            .responds_with::<Token<'_>>(200)
            .fails_with(401, "The passkey isn't known here, or the challenge has ended.")
            .fails_with(429, "Too many failed attempts. `Retry-After` says when to try again."),
    ]
}

/// An answer to a challenge: a code or a passkey's credential.
#[derive(ToSchema)]
#[schema(title = "Answer to a challenge")]
#[expect(dead_code, reason = "the fields describe the body; `ChallengeAnswer` is what is read from it")]
struct ChallengeAnswerBody {
    challenge: String,
    /// Six digits of an authenticator app, or a recovery code.
    code: Option<String>,
    /// What `navigator.credentials.get()` returned, as `toJSON()` makes it.
    #[schema(value_type = Option<Object>)]
    credential: Option<Value>,
}

pub struct ChallengeAnswer {
    challenge: Secret,
    answer: Answer,
}

impl Input for ChallengeAnswer {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        let challenge = fields.required("challenge", errors, |value| fields::text(value, MAX_CHALLENGE_CHARS));
        let answer = Answer::read(&fields, errors);
        Some(Self { challenge: Secret::new(challenge?), answer: answer? })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<ChallengeAnswerBody>("application/json");
    }
}

async fn finish(request: Request<Anyone, ChallengeAnswer>) -> Result<Response, ApiError> {
    let app = request.app.clone();
    let outcome = finish_login(request).await;
    app.metrics.count_login(LoginKind::Password, &outcome);
    outcome
}

async fn finish_login(request: Request<Anyone, ChallengeAnswer>) -> Result<Response, ApiError> {
    let Request { app, now, client, input: ChallengeAnswer { challenge, answer }, .. } = request;
    second_factor::require_offered(&app)?;
    let (sha256, network) = (sha256(challenge.expose()), challenge::network(&client));
    let found = app.db.read(move |connection| {
        let found = challenges::find(connection, &sha256, ChallengePurpose::SecondFactor, &network, now)?;
        let Some(challenge) = found else { return Ok(None) };
        Ok::<_, ApiError>(users::find(connection, challenge.user_id)?)
    });
    let user = found.await?.ok_or(ApiError::ChallengeEnded)?;
    let attempt = Attempt::begin(&app, user.username.as_str(), client.address).await?;
    let keys = attempt.as_ref().and_then(Attempt::keys);
    let (state, from, network) = (app.clone(), client.clone(), challenge::network(&client));
    let start = SessionStart::new(&app, &client, &user, keys, now);
    // One transaction compares the answer and counts it, so that no number of answers at once gets more tries.
    let answered = app.db.write(move |connection| {
        keys.map_or(Ok(()), |keys| keys.confirm(connection, Some(user.id), now))?;
        let purpose = ChallengePurpose::SecondFactor;
        let challenge = challenges::count_try(connection, &sha256, purpose, &network, MAX_TRIES, now)?;
        let challenge = challenge.ok_or(ApiError::ChallengeEnded)?;
        match challenge::check_answer(connection, &state, &challenge, user.id, &answer, now) {
            Ok(factor) => {
                let Challenge { sha256, password, .. } = challenge;
                let proof = Proof { factor: Some(factor), challenge: Some(sha256), password, ..Proof::default() };
                let started = start.run(connection, &proof)?;
                Ok(started.map_err(|_| ApiError::ChallengeEnded))
            }
            // Return the error inside `Ok`, so that the count is committed.
            Err(wrong @ (ApiError::WrongCode | ApiError::Passkey(_))) => {
                if challenge.tries >= MAX_TRIES {
                    challenges::end(connection, &challenge.sha256)?;
                }
                record_wrong_answer(connection, &from, keys, &user, &wrong, now)?;
                Ok(Err(wrong))
            }
            Err(other) => Err(other),
        }
    });
    let (session, user) = answered.await??;
    let jar = CookieJar::new(&app.config, &client);
    Ok(session_tokens::response(&app, &session, Some(&user), jar, now))
}

/// Counts a wrong answer like a wrong password.
fn record_wrong_answer(
    connection: &Connection,
    client: &Client,
    keys: Option<AttemptKeys>,
    user: &User,
    wrong: &ApiError,
    now: Timestamp,
) -> Result<(), ApiError> {
    keys.map_or(Ok(()), |keys| keys.failed(connection, Some(user.id), now))?;
    let detail = challenge::audit_detail(wrong).unwrap_or("wrong second factor");
    let event = Event::new(client.actor(), Action::LoggedIn).target(user).detail(detail).failed();
    Ok(audit::record(connection, &event, now)?)
}

async fn passkey_options(request: Request<Anyone, NoInput>) -> Result<Response, ApiError> {
    let Request { app, now, client, .. } = request;
    let (challenge, options) = passkey_challenge::issue(&app, &client, now)?;
    Ok(Response::json(&PasskeyOptions { challenge, options }))
}

/// A passkey's answer to [`passkey_options`].
#[derive(ToSchema)]
#[schema(title = "Passkey sign-in")]
#[expect(dead_code, reason = "the fields describe the body; `PasskeySignIn` is what is read from it")]
struct PasskeySignInBody {
    challenge: String,
    /// What `navigator.credentials.get()` returned, as `toJSON()` makes it.
    #[schema(value_type = Object)]
    credential: Value,
}

struct PasskeySignIn {
    challenge: Secret,
    assertion: Box<Assertion>,
}

impl Input for PasskeySignIn {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        let challenge = fields.required("challenge", errors, |value| fields::text(value, MAX_CHALLENGE_CHARS));
        let assertion = fields.required("credential", errors, fields::assertion);
        Some(Self { challenge: Secret::new(challenge?), assertion: Box::new(assertion?) })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<PasskeySignInBody>("application/json");
    }
}

async fn passkey(request: Request<Anyone, PasskeySignIn>) -> Result<Response, ApiError> {
    let app = request.app.clone();
    let outcome = passkey_login(request).await;
    app.metrics.count_login(LoginKind::Passkey, &outcome);
    outcome
}

async fn passkey_login(request: Request<Anyone, PasskeySignIn>) -> Result<Response, ApiError> {
    let Request { app, now, client, input: PasskeySignIn { challenge, assertion }, .. } = request;
    second_factor::relying_party(&app)?;
    let challenge = passkey_challenge::open(&app, &client, &challenge, now)?;
    let id = assertion.credential_id().to_vec();
    let found = app.db.read(move |connection| {
        let Some(passkey) = factors::find_passkey(connection, &id)? else { return Ok(None) };
        Ok::<_, ApiError>(users::find(connection, passkey.user_id)?.map(|user| (passkey, user)))
    });
    let found = found.await?.filter(|(passkey, _)| assertion.user() == Some(passkey.user_id));
    // An unknown passkey counts for the network alone, as there is no account.
    let name = found.as_ref().map_or("", |(_, user)| user.username.as_str());
    let attempt = Attempt::begin(&app, name, client.address).await?;
    let keys = attempt.as_ref().and_then(Attempt::keys);
    let known = found.as_ref().map(|(_, user)| user.id);
    let sha256 = challenge.sha256;
    let is_spent = app.db.read(move |connection| {
        keys.map_or(Ok(false), |keys| keys.check(connection, known, now))?;
        Ok::<_, ApiError>(challenges::is_spent(connection, &sha256)?)
    });
    // An answer that is sent again has an old counter, but isn't a sign of a copied passkey.
    if is_spent.await? {
        return Err(ApiError::ChallengeEnded);
    }
    let Some((passkey, user)) = found else {
        challenge::record_unknown_passkey(&app, &client, keys, now).await?;
        return Err(ApiError::UnknownPasskey);
    };
    let factor = match challenge::check_assertion(&app, passkey, &assertion, &challenge.state, PasskeyUse::Alone) {
        Ok(factor) => factor,
        Err(error) => {
            let recorded = app.db.write(move |connection| {
                record_wrong_answer(connection, &client, keys, &user, &error, now)?;
                Ok(error)
            });
            return Err(recorded.await.unwrap_or_else(|error| error));
        }
    };
    if let Some(refusal) = session_start::refusal_of_inactive(&user) {
        return Err(refusal);
    }
    let spent = Some((challenge.sha256, now + CHALLENGE_LIFETIME));
    let proof = Proof { factor: Some(factor), spent, ..Proof::default() };
    match session_start::start_session(&app, &client, &user, proof, keys, now).await? {
        Ok((session, user)) => {
            let jar = CookieJar::new(&app.config, &client);
            Ok(session_tokens::response(&app, &session, Some(&user), jar, now))
        }
        Err(_) => Err(ApiError::ChallengeEnded),
    }
}
