//! Conversion of sessions to tokens and cookies, and back.

use actix_web::http::header::HeaderMap;
use chrono::TimeDelta;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::api_key::sha256;
use crate::auth::token::{Claims, TokenKind};
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::http::pipeline::app::App;
use crate::http::pipeline::caller::credentials::bearer;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::cookies::{self, CookieJar};
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::response::Response;

/// The tokens of a session. The same tokens are set as cookies.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Tokens")]
pub struct Token<'a> {
    access_token: &'a str,
    refresh_token: &'a str,
    #[schema(inline)]
    token_type: TokenType,
}

impl<'a> Token<'a> {
    /// The tokens of a session.
    pub fn new(access_token: &'a str, refresh_token: &'a str) -> Self {
        Self { access_token, refresh_token, token_type: TokenType::Bearer }
    }
}

/// How the access token is sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum TokenType {
    /// `Authorization: Bearer TOKEN`
    Bearer,
}

/// Returns a session that starts now.
pub fn new_session(app: &App, user: &User, client: &Client, now: Timestamp) -> Session {
    Session {
        id: Uuid::new_v4(),
        user_id: user.id,
        created_at: now,
        refreshed_at: now,
        expires_at: refresh_expiry(app, now, now),
        generation: 0,
        address: client.address.to_string(),
        client: client.agent.clone(),
        automatic: false,
        authenticated_at: now,
        passkey_at: None,
    }
}

/// Returns when a refresh token expires that is issued now in a session that began at `created_at`.
pub fn refresh_expiry(app: &App, created_at: Timestamp, now: Timestamp) -> Timestamp {
    let (unused, whole) = (app.config.refresh_token_seconds, app.config.session_max_seconds);
    (now + TimeDelta::seconds(unused.into())).min(created_at + TimeDelta::seconds(whole.into()))
}

/// Returns how long a replaced refresh token still works.
pub fn leeway(app: &App) -> TimeDelta {
    TimeDelta::seconds(app.config.refresh_leeway_seconds.into())
}

/// Returns the response to a sign-in or refresh: both tokens as JSON, and the client's cookies. Langflow's clients get
/// both tokens and the user's store key as cookies, the console only its refresh token. The refresh token is made from
/// the session's row alone, so it is the same each time.
pub fn response(app: &App, session: &Session, user: Option<&User>, jar: CookieJar<'_>, now: Timestamp) -> Response {
    let (access, access_seconds) = access_token(app, session, now);
    let refresh = app.tokens.sign(&Claims {
        sub: session.user_id,
        kind: TokenKind::Refresh,
        exp: session.expires_at.timestamp(),
        iat: session.refreshed_at.timestamp(),
        sid: session.id,
        generation: Some(session.generation),
    });
    let refresh_seconds = u64::try_from((session.expires_at - now).num_seconds()).unwrap_or(0);
    let token = Token::new(access.expose(), refresh.expose());
    let response = Response::json(&token).cookie(&jar.set(jar.refresh_name(), refresh.expose(), refresh_seconds));
    if jar.is_console {
        return response;
    }
    let access = jar.set_access(access.expose(), access_seconds);
    let response = access.fold(response, |response, cookie| response.cookie(&cookie));
    match user.and_then(|user| user.store_api_key.as_deref()) {
        Some(key) => response.cookie(&jar.set(cookies::STORE_KEY, key, refresh_seconds)),
        None => response,
    }
}

fn access_token(app: &App, session: &Session, now: Timestamp) -> (Secret, u64) {
    let seconds = app.config.access_token_seconds;
    let token = app.tokens.sign(&Claims {
        sub: session.user_id,
        kind: TokenKind::Access,
        exp: now.timestamp() + i64::from(seconds),
        iat: now.timestamp(),
        sid: session.id,
        generation: None,
    });
    (token, seconds.into())
}

/// Returns the session id and the generation of a refresh token.
pub fn check_refresh(app: &App, token: &str, now: Timestamp) -> Result<(Uuid, i64), ApiError> {
    let claims = app.tokens.check(token, TokenKind::Refresh, now).map_err(|_| ApiError::InvalidRefreshToken)?;
    Ok((claims.sid, claims.generation.ok_or(ApiError::InvalidRefreshToken)?))
}

/// The tokens in a request's headers and cookies.
pub struct RequestTokens {
    access: Vec<String>,
    refresh: Vec<String>,
    pub has_console_cookie: bool,
    /// The SHA-256 of each site token.
    pub site_tokens: Vec<[u8; 32]>,
}

impl RequestTokens {
    /// Reads the `Authorization` header and all cookies.
    pub fn of(config: &Config, client: &Client, headers: &HeaderMap) -> Self {
        let access = bearer(headers).into_iter().chain(cookies::access_tokens(config, headers));
        let console = cookies::all(headers, CookieJar::new(config, client).console_name());
        let has_console_cookie = !console.is_empty();
        let refresh = cookies::all(headers, cookies::REFRESH).into_iter().chain(console);
        Self {
            access: access.map(ToOwned::to_owned).collect(),
            refresh: refresh.map(ToOwned::to_owned).collect(),
            has_console_cookie,
            site_tokens: cookies::site_tokens(config, headers).into_iter().map(sha256).collect(),
        }
    }

    /// Returns the ids of their sessions, also those of expired tokens.
    pub fn sessions(&self, app: &App) -> Vec<Uuid> {
        let of = |kind, token: &str| app.tokens.check_ignoring_expiry(token, kind).ok().map(|claims| claims.sid);
        let access = self.access.iter().filter_map(|token| of(TokenKind::Access, token));
        let mut ids: Vec<Uuid> =
            access.chain(self.refresh.iter().filter_map(|token| of(TokenKind::Refresh, token))).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
