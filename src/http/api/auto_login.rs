//! Automatic sign-in: without a password, for one user on one machine. Requests must come directly from that machine
//! and, if configured, carry the launch secret.

use crate::auth::random;
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Timestamp;
use crate::domain::secret::{PasswordHash, Secret};
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::Anyone;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::client::local_request::is_local_request;
use crate::http::pipeline::cookies::CookieJar;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::error::response::{AutoLoginOff, AutoLoginRefused};
use crate::http::pipeline::metrics::LoginKind;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::FieldErrors;
use crate::http::sign_in::attempt::Attempt;
use crate::http::sign_in::session_tokens::{self, Token};
use crate::store::{Connection, audit, sessions, users};

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/auto_login", auto_login)
            .named("Login", "auto_login_api_v1_auto_login_get", "Sign in automatically")
            .about("Signs in without a password, from this machine only, if the settings allow it.")
            .responds_with::<Token<'_>>(200)
            .fails_with(403, "The request comes from another machine, or has no valid launch secret.")
            .described(|operation| match operation.generation.auto_login_off.0.as_u16() {
                403 => operation.returns_as::<AutoLoginRefused<'_>>(403, "Automatic sign-in is off, or not allowed."),
                status => operation.returns::<AutoLoginOff<'_>>(status),
            })
            .fails_with(429, "Too many wrong launch secrets. `Retry-After` says when to try again."),
    ]
}

/// The name of the user that is created if there is no superuser.
const NAME: &str = "local";
/// The most automatic sessions; the least recently refreshed end first. A program that signs in again instead of
/// refreshing ends its own oldest session.
const MAX_SESSIONS: u32 = 50;
/// The header with the launch secret.
pub const LAUNCH_SECRET: &str = "x-launch-secret";

/// Whether the request is local, and its launch secret.
pub struct LaunchRequest {
    local: bool,
    secret: Option<Secret>,
}

impl Input for LaunchRequest {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        let secret = source.request.headers().get(LAUNCH_SECRET).and_then(|secret| secret.to_str().ok());
        let local = is_local_request(source.request, &source.config.cors_origins);
        Some(Self { local, secret: secret.map(Secret::new) })
    }

    fn describe(operation: &mut Operation) {
        operation.header(LAUNCH_SECRET, "The launch secret, if one is configured.");
    }
}

pub async fn auto_login(request: Request<Anyone, LaunchRequest>) -> Result<Response, ApiError> {
    let app = request.app.clone();
    let outcome = sign_in(request).await;
    app.metrics.count_login(LoginKind::Automatic, &outcome);
    outcome
}

async fn sign_in(request: Request<Anyone, LaunchRequest>) -> Result<Response, ApiError> {
    if !request.app.config.auto_login {
        return Err(ApiError::AutoLoginOff);
    }
    if !request.input.local {
        return Err(ApiError::AutoLoginNotLocal);
    }
    match (&request.app.config.launch_secret, &request.input.secret) {
        (None, _) => {}
        (Some(secret), Some(sent)) if secret == sent => {}
        // Not an attempt: Langflow's pages call this without a secret.
        (Some(_), None) => return Err(ApiError::WrongLaunchSecret),
        (Some(_), Some(_)) => return Err(reject_wrong_secret(&request).await?),
    }
    let Request { app, now, client, .. } = request;
    let new_hash = if app.db.read(local_user).await?.is_some() {
        None
    } else {
        let unguessable = Secret::new(random::url_safe_text()?);
        Some(app.hasher.hash(&unguessable, client.address).await?)
    };
    let state = app.clone();
    let started = app.db.write(move |connection| {
        let user = match (local_user(connection)?, new_hash) {
            (Some(user), _) => user,
            (None, Some(hash)) => create_local_user(connection, &hash, &client, now)?,
            (None, None) => return Err(ApiError::UserMissingOrInactive),
        };
        users::set_last_login(connection, user.id, now)?;
        let session = Session { automatic: true, ..session_tokens::new_session(&state, &user, &client, now) };
        sessions::insert(connection, &session)?;
        sessions::end_older_automatic(connection, user.id, MAX_SESSIONS)?;
        let event = Event::new(client.actor_for(&user), Action::LoggedIn).detail("automatic");
        audit::record(connection, &event, now)?;
        Ok((user, session, client))
    });
    let (user, session, client) = started.await?;
    Ok(session_tokens::response(&app, &session, Some(&user), CookieJar::new(&app.config, &client), now))
}

/// Counts a wrong launch secret. After many from this network, the error says how long to wait; the right secret never
/// waits.
async fn reject_wrong_secret(request: &Request<Anyone, LaunchRequest>) -> Result<ApiError, ApiError> {
    let attempt = Attempt::begin(&request.app, "", request.client.address).await?;
    let (keys, now) = (attempt.as_ref().and_then(Attempt::keys), request.now);
    let event = Event::new(request.client.actor(), Action::LoggedIn).failed().detail("wrong launch secret");
    let noted = request.app.db.write(move |connection| {
        keys.map_or(Ok(()), |keys| keys.failed(connection, None, now))?;
        Ok::<_, ApiError>(audit::record(connection, &event, now)?)
    });
    noted.await.map(|()| ApiError::WrongLaunchSecret)
}

/// Returns the user to sign in: the oldest active superuser.
fn local_user(connection: &Connection) -> Result<Option<User>, ApiError> {
    Ok(users::first_superuser(connection)?)
}

/// Creates the user of this machine, under another name if that one is taken.
fn create_local_user(
    connection: &Connection,
    hash: &PasswordHash,
    client: &Client,
    now: Timestamp,
) -> Result<User, ApiError> {
    let named = |name: &str| User::new(Username::parse(name).expect("the text is a name"), true, true, now);
    let mut user = named(NAME);
    if users::find_by_name(connection, NAME)?.is_some() {
        user.username = named(&format!("{NAME}-{}", user.id.simple())).username;
    }
    users::insert(connection, &user, hash)?;
    let event = Event::new(client.actor(), Action::SetUp).target(&user).detail("automatic log-in");
    audit::record(connection, &event, now)?;
    Ok(user)
}
