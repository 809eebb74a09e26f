//! Owns automatic log-in: for one person on one machine, without a password, only for requests that come straight from
//! that machine, and if so configured only for programs that were told the launch secret.

use crate::auth::random;
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Timestamp;
use crate::domain::secret::{PasswordHash, Secret};
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::http::models::Token;
use crate::http::pipeline::attempt::Attempt;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::Anyone;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::cookies::CookieJar;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::loopback::is_local;
use crate::http::pipeline::metrics::LoginKind;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::schema::{boolean, object, string};
use crate::http::pipeline::session_start;
use crate::http::pipeline::validation::FieldErrors;
use crate::store::{Connection, audit, sessions, users};

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/auto_login", auto_login)
            .named("Login", "auto_login_api_v1_auto_login_get", "Auto Login")
            .about("Signs in without a password, on this machine and where the settings say so.")
            .gives::<Token<'_>>(200)
            .replies(400, "Not configured", off_schema)
            .refuses(403, "Not from this machine, or without the launch secret")
            .refuses(429, "Too many wrong launch secrets; `Retry-After` says when to try again"),
    ]
}

/// What the person is called where nobody was made before.
const NAME: &str = "local";
/// How many automatic sessions are kept, those refreshed last: a program that signs in again instead of refreshing
/// ends its own oldest ones.
const MOST_SESSIONS: u32 = 50;
/// The header with the launch secret.
pub const LAUNCH_SECRET: &str = "x-launch-secret";

/// Where a request for it comes from, and what it knows.
pub struct Launch {
    local: bool,
    secret: Option<Secret>,
}

impl Input for Launch {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        let secret = source.request.headers().get(LAUNCH_SECRET).and_then(|secret| secret.to_str().ok());
        let local = is_local(source.request, &source.config.cors_origins);
        Some(Self { local, secret: secret.map(Secret::new) })
    }

    fn describe(operation: &mut Operation) {
        operation.header(LAUNCH_SECRET, "The launch secret, where one is configured.");
    }
}

/// The original's refusal, whose `detail` is an object.
pub fn off_schema() -> serde_json::Value {
    let detail = object(&[("message", string(), true), ("auto_login", boolean(), true)]);
    object(&[("detail", detail, true)])
}

pub async fn auto_login(request: Request<Anyone, Launch>) -> Result<Response, ApiError> {
    let app = request.app.clone();
    let outcome = enter(request).await;
    app.metrics.count_login(LoginKind::Automatic, &outcome);
    outcome
}

async fn enter(request: Request<Anyone, Launch>) -> Result<Response, ApiError> {
    if !request.app.config.auto_login {
        return Err(ApiError::AutoLoginOff);
    }
    if !request.input.local {
        return Err(ApiError::AutoLoginNotLocal);
    }
    match (&request.app.config.launch_secret, &request.input.secret) {
        (None, _) => {}
        (Some(secret), Some(sent)) if secret == sent => {}
        // No attempt: pages of the original ask without knowing whether they may.
        (Some(_), None) => return Err(ApiError::LaunchSecret),
        (Some(_), Some(_)) => return Err(refuse_guess(&request).await?),
    }
    let Request { app, now, client, .. } = request;
    let newcomer = if app.db.read(person).await?.is_some() {
        None
    } else {
        let unguessable = Secret::new(random::text()?);
        Some(app.hasher.hash(&unguessable, client.address).await?)
    };
    let state = app.clone();
    let started = app.db.write(move |connection| {
        let user = match (person(connection)?, newcomer) {
            (Some(user), _) => user,
            (None, Some(hash)) => add(connection, &hash, &client, now)?,
            (None, None) => return Err(ApiError::UserGone),
        };
        users::set_last_login(connection, user.id, now)?;
        let session = Session { automatic: true, ..session_start::new_session(&state, &user, &client, now) };
        sessions::insert(connection, &session)?;
        sessions::end_older_automatic(connection, user.id, MOST_SESSIONS)?;
        let event = Event::new(client.actor_for(&user), Action::LoggedIn).detail("automatic");
        audit::record(connection, &event, now)?;
        Ok((user, session, client))
    });
    let (user, session, client) = started.await?;
    Ok(session_start::reply(&app, &session, Some(&user), CookieJar::new(&app.config, client.https), now))
}

/// Notes a wrong launch secret, or says how long to wait when there were many from this address. The right one is never
/// kept waiting.
async fn refuse_guess(request: &Request<Anyone, Launch>) -> Result<ApiError, ApiError> {
    let attempt = Attempt::begin(&request.app, "", request.client.address).await;
    let (keys, now) = (attempt.as_ref().and_then(Attempt::keys), request.now);
    let event = Event::new(request.client.actor(), Action::LoggedIn).failed().detail("wrong launch secret");
    let noted = request.app.db.write(move |connection| {
        if let Some(keys) = keys {
            keys.check(connection, None, now)?;
            keys.failed(connection, now)?;
        }
        Ok::<_, ApiError>(audit::record(connection, &event, now)?)
    });
    noted.await.map(|()| ApiError::LaunchSecret)
}

/// Who is signed in: the oldest active superuser.
fn person(connection: &Connection) -> Result<Option<User>, ApiError> {
    Ok(users::first_superuser(connection)?)
}

/// Makes the person of this machine, under another name if somebody took that one.
fn add(connection: &Connection, hash: &PasswordHash, client: &Client, now: Timestamp) -> Result<User, ApiError> {
    let called = |name: &str| User::new(Username::parse(name).expect("the text is a name"), true, true, now);
    let mut user = called(NAME);
    if users::find_by_name(connection, NAME)?.is_some() {
        user.username = called(&format!("{NAME}-{}", user.id.simple())).username;
    }
    users::insert(connection, &user, hash)?;
    let event = Event::new(client.actor(), Action::SetUp).target(&user).detail("automatic log-in");
    audit::record(connection, &event, now)?;
    Ok(user)
}
