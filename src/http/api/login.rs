//! Sign-in, refresh and sign-out.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::auth::hashing_queue::Requester;
use crate::auth::password_hasher::PasswordCheck;
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Timestamp;
use crate::domain::session::{RefreshOutcome, Session};
use crate::domain::user::User;
use crate::http::models::Message;
use crate::http::models::login_form::LoginForm;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::{Anyone, AnyoneOnOwnSite};
use crate::http::pipeline::cookies::{self, CookieJar};
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::error::challenge_offer::SignInRefused;
use crate::http::pipeline::messages;
use crate::http::pipeline::metrics::LoginKind;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::FieldErrors;
use crate::http::sign_in::attempt::{Attempt, AttemptKeys};
use crate::http::sign_in::challenge::{self, FirstProof};
use crate::http::sign_in::second_factor::{self, TypedPassword};
use crate::http::sign_in::session_start::{self, NotStarted, Proof};
use crate::http::sign_in::session_tokens::{self, RequestTokens, Token};
use crate::store::{Connection, audit, sessions, site_tokens, users};

const TAG: &str = "Login";

pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/login", login)
            .named(TAG, "login_to_get_access_token_api_v1_login_post", "Sign in")
            .about(
                "Starts a session with a user name and password, and sets the session's cookies. If the account has a second \
                 factor, a right password alone is a 401 with a `challenge` for `POST /api/v1/login/second-factor`. A password \
                 followed by a code signs in at once: six digits directly after it, or `-` and a recovery code.",
            )
            .responds_with::<Token<'_>>(200)
            .responds_with::<SignInRefused<'_>>(401)
            .fails_with(429, "Too many failed attempts. `Retry-After` says when to try again."),
        Route::post("/api/v1/refresh", refresh)
            .named(TAG, "refresh_token_api_v1_refresh_post", "Refresh the session")
            .about("Replaces the refresh token in the cookie. The old one works for a few more seconds.")
            .responds_with::<Token<'_>>(200)
            .fails_with(401, "The refresh token is missing or not valid."),
        Route::post("/api/v1/logout", logout)
            .named(TAG, "logout_api_v1_logout_post", "Sign out")
            .about("Ends the sessions of all tokens and cookies in the request, and clears the cookies.")
            .responds_with::<Message>(200),
    ]
}

async fn login(request: Request<Anyone, LoginForm>) -> Result<Response, ApiError> {
    let app = request.app.clone();
    let outcome = log_in(request).await;
    app.metrics.count_login(LoginKind::Password, &outcome);
    outcome
}

async fn log_in(request: Request<Anyone, LoginForm>) -> Result<Response, ApiError> {
    let attempt = Attempt::begin(&request.app, &request.input.username, request.client.address).await?;
    // The hash may be replaced while it is verified: by a new password, or by a parallel sign-in that renews the hash.
    // Or the account gets its first second factor. Then verify once more.
    for _ in 0..2 {
        if let Some(response) = try_login(&request, attempt.as_ref()).await? {
            return Ok(response);
        }
    }
    Err(ApiError::InvalidLogin)
}

/// Returns `None` if what the password was verified against was replaced meanwhile.
async fn try_login(
    request: &Request<Anyone, LoginForm>,
    attempt: Option<&Attempt>,
) -> Result<Option<Response>, ApiError> {
    let keys = attempt.and_then(Attempt::keys);
    let (app, now) = (&request.app, request.now);
    let LoginForm { username, password } = &request.input;
    let (state, name, typed) = (app.clone(), username.clone(), password.clone());
    let found = app.db.read(move |connection| {
        let found = users::find_by_name(connection, &name)?;
        let id = found.as_ref().map(|(user, _)| user.id);
        let is_known = keys.map_or(Ok(false), |keys| keys.check(connection, id, now))?;
        let Some((user, hash)) = found else { return Ok((None, TypedPassword::whole(typed), is_known)) };
        let typed = second_factor::read_typed_password(connection, &state, user.id, typed, now)?;
        let asks_factor = second_factor::is_needed(connection, &state, user.id)?;
        Ok::<_, ApiError>((Some((user, hash, asks_factor)), typed, is_known))
    });
    let (account, TypedPassword { password, factor }, is_known) = found.await?;
    let from = Requester { address: request.client.address, is_known };
    let hash = account.as_ref().map(|(_, hash, _)| hash.clone());
    let verification = app.hasher.verify(&password, hash, from);
    let check = Attempt::verify(attempt, verification).await?;
    let Some((user, verified, asks_factor)) = account else {
        record_failure(request, keys, None, "unknown name").await?;
        return Err(ApiError::InvalidLogin);
    };
    if check == PasswordCheck::Wrong {
        record_failure(request, keys, Some(&user), "wrong password").await?;
        return Err(ApiError::InvalidLogin);
    }
    if let Some(refusal) = session_start::refusal_of_inactive(&user) {
        record_failure(request, keys, Some(&user), INACTIVE).await?;
        return Err(refusal);
    }
    if asks_factor && factor.is_none() {
        let proof = FirstProof::Password(verified);
        let offer = challenge::open_challenge(app, &request.client, &user, proof, keys, now).await?;
        return offer.map_or(Ok(None), |offer| Err(ApiError::SecondFactorRequired(Box::new(offer))));
    }
    let renewed = match check {
        PasswordCheck::CorrectNeedsRehash => Some(app.hasher.hash(&password, from).await?),
        _ => None,
    };
    let proof = Proof { verified: Some(verified), renewed, factor, ..Proof::default() };
    match session_start::start_session(app, &request.client, &user, proof, keys, now).await? {
        Ok((session, user)) => {
            let jar = CookieJar::new(&app.config, &request.client);
            Ok(Some(session_tokens::response(app, &session, Some(&user), jar, now)))
        }
        Err(NotStarted::PasswordChanged | NotStarted::FactorMissing) => Ok(None),
        // The code was used by another request a moment ago.
        Err(NotStarted::FactorUsed) => {
            record_failure(request, keys, Some(&user), "used second factor").await?;
            Err(ApiError::InvalidLogin)
        }
    }
}

/// Why a right password didn't sign in, in the audit log.
const INACTIVE: &str = "inactive";

/// Records a failed sign-in with the account's name, but never with the typed name: users type passwords there.
async fn record_failure(
    request: &Request<Anyone, LoginForm>,
    keys: Option<AttemptKeys>,
    user: Option<&User>,
    why: &'static str,
) -> Result<(), ApiError> {
    let target = user.map(|user| (user.id, user.username.to_string()));
    let event = Event { target, ..Event::new(request.client.actor(), Action::LoggedIn).failed().detail(why) };
    let (id, now) = (user.map(|user| user.id), request.now);
    let recorded = request.app.db.write(move |connection| {
        match keys {
            Some(keys) if why == INACTIVE => keys.confirm(connection, id, now)?,
            Some(keys) => keys.failed(connection, id, now)?,
            None => {}
        }
        Ok::<_, ApiError>(audit::record(connection, &event, now)?)
    });
    recorded.await
}

/// The refresh cookies of the client: the console's or Langflow's. Several can have the same name.
struct RefreshCookies(Vec<String>);

impl Input for RefreshCookies {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        let name = CookieJar::new(source.config, source.client).refresh_name();
        Some(Self(cookies::all(source.request.headers(), name).into_iter().map(ToOwned::to_owned).collect()))
    }

    fn describe(_: &mut Operation) {}
}

async fn refresh(request: Request<AnyoneOnOwnSite, RefreshCookies>) -> Result<Response, ApiError> {
    let Request { app, now, client, input: RefreshCookies(cookies), .. } = request;
    if cookies.is_empty() {
        return Err(ApiError::MissingRefreshToken);
    }
    let checked = cookies.iter().map(|cookie| session_tokens::check_refresh(&app, cookie, now));
    let tokens: Vec<_> = checked.filter_map(Result::ok).collect();
    if tokens.is_empty() {
        return Err(ApiError::InvalidRefreshToken);
    }
    let (state, leeway) = (app.clone(), session_tokens::leeway(&app));
    let jar = CookieJar::new(&app.config, &client);
    let done = app.db.write(move |connection| {
        let found = choose_session(connection, &tokens, now, leeway)?;
        let Some((mut session, user, outcome)) = found else { return Ok(None) };
        match outcome {
            RefreshOutcome::Rotate => {
                let ends = session_tokens::refresh_expiry(&state, session.created_at, now);
                // The setting was lowered.
                if ends <= now {
                    sessions::end(connection, session.id)?;
                    return Ok(None);
                }
                (session.refreshed_at, session.expires_at) = (now, ends);
                session.generation += 1;
                session.address = client.address.to_string();
                sessions::rotate(connection, &session)?;
            }
            RefreshOutcome::Repeat => {}
            RefreshOutcome::Unknown => return Ok(None),
            RefreshOutcome::Reuse => {
                sessions::end(connection, session.id)?;
                let event = Event::new(client.actor(), Action::RefreshReused).target(&user).failed();
                audit::record(connection, &event, now)?;
                return Ok(None);
            }
        }
        Ok::<_, ApiError>(Some((session, user)))
    });
    let (session, user) = done.await?.ok_or(ApiError::InvalidRefreshToken)?;
    Ok(session_tokens::response(&app, &session, Some(&user), jar, now))
}

/// Chooses among several refresh tokens. Another site of the same domain can add cookies of the same name, so those
/// that don't work are ignored if one does.
///
/// # Errors
/// [`ApiError::AmbiguousCookies`] if tokens of two users work.
fn choose_session(
    connection: &Connection,
    tokens: &[(Uuid, i64)],
    now: Timestamp,
    leeway: TimeDelta,
) -> Result<Option<(Session, User, RefreshOutcome)>, ApiError> {
    let mut found = Vec::new();
    for &(id, generation) in tokens {
        let alive = sessions::find(connection, id, now)?.filter(|(_, user)| user.is_active);
        found.extend(alive.map(|(session, user)| {
            let outcome = session.refresh(generation, now, leeway);
            (session, user, outcome)
        }));
    }
    let works = |outcome: RefreshOutcome| matches!(outcome, RefreshOutcome::Rotate | RefreshOutcome::Repeat);
    let mut owners = found.iter().filter(|(_, _, outcome)| works(*outcome)).map(|(_, user, _)| user.id);
    if let Some(first) = owners.next()
        && owners.any(|other| other != first)
    {
        return Err(ApiError::AmbiguousCookies);
    }
    Ok(found.into_iter().max_by_key(|(session, _, outcome)| {
        (works(*outcome), session.refreshed_at, *outcome == RefreshOutcome::Rotate)
    }))
}

/// Every token of the request.
struct LogoutTokens(RequestTokens);

impl Input for LogoutTokens {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        Some(Self(RequestTokens::of(source.config, source.client, source.request.headers())))
    }

    fn describe(_: &mut Operation) {}
}

async fn logout(request: Request<AnyoneOnOwnSite, LogoutTokens>) -> Result<Response, ApiError> {
    let Request { app, now, client, input: LogoutTokens(tokens), .. } = request;
    let ids = tokens.sessions(&app);
    let clears_console_cookie = client.is_console || tokens.has_console_cookie;
    if !ids.is_empty() || !tokens.site_tokens.is_empty() {
        let from = client.clone();
        let ended = app.db.write(move |connection| {
            tokens.site_tokens.iter().try_for_each(|token| site_tokens::end(connection, token))?;
            for id in ids {
                let Some(owner) = sessions::end(connection, id)? else { continue };
                let Some(user) = users::find(connection, owner)? else { continue };
                audit::record(connection, &Event::new(from.actor_for(&user), Action::LoggedOut), now)?;
            }
            Ok::<_, ApiError>(())
        });
        ended.await?;
    }
    let jar = CookieJar::new(&app.config, &client);
    let mut reply = Response::json(&Message { message: messages::LOGGED_OUT });
    if !app.config.forward_auth.is_empty() {
        reply = reply.cookie(&cookies::set_site_token(&app.config, "", 0));
    }
    if clears_console_cookie {
        reply = reply.cookie(&jar.clear(jar.console_name()));
    }
    let cleared = [cookies::REFRESH, cookies::STORE_KEY].map(|name| jar.clear(name)).into_iter();
    Ok(cleared.chain(jar.set_access("", 0)).fold(reply, |reply, cookie| reply.cookie(&cookie)))
}
