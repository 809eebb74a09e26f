//! Credentials, and the caller whom they prove. The first credential of a request counts: bearer token, API key in the
//! header, API key in the query, cookie.

use std::ops::Deref;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use chrono::TimeDelta;
use uuid::Uuid;

use crate::auth::api_key;
use crate::auth::token::{Claims, TokenKind};
use crate::domain::audit::Actor;
use crate::domain::caller::{Caller, Credential, Duty, FoundCaller};
use crate::domain::clock::Timestamp;
use crate::domain::second_factor::SecondFactorPolicy;
use crate::domain::user::User;
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::form::FormPairs;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::client::request_origin::require_own_site;
use crate::http::pipeline::cookies;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::remembered_callers::{CredentialKey, Lookup};
use crate::store::{Connection, StoreError, api_keys, factors, sessions, users};

/// What credentials are read from.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The headers.
    pub request: &'a HttpRequest,
    /// The query, which may hold an API key.
    pub query: &'a FormPairs<'a>,
    /// When the request arrived.
    pub now: Timestamp,
}

/// A caller with valid credentials. Dereferences to [`Caller`].
pub struct Authenticated {
    found: FoundCaller,
    now: Timestamp,
}

impl Deref for Authenticated {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.found.caller
    }
}

impl Authenticated {
    /// Who was found, for a request that arrived at `now`.
    pub fn new(found: FoundCaller, now: Timestamp) -> Self {
        Self { found, now }
    }

    /// Returns the account.
    pub fn into_user(self) -> User {
        self.found.caller.user
    }

    /// Returns the actor for the audit log.
    pub fn actor(&self, client: &Client) -> Actor {
        client.actor_for(&self.user)
    }

    /// Returns what the user must do before the session can do anything else.
    pub fn duty(&self) -> Option<Duty> {
        self.found.duty
    }

    /// Refuses a caller who must still set up a second factor, unless it is about their own account.
    pub fn may_act_on(&self, user_id: Uuid) -> Result<(), ApiError> {
        match self.found.duty {
            Some(duty) if !self.is(user_id) => Err(duty.into()),
            _ => Ok(()),
        }
    }

    /// Whether the session's owner proved within this time who they are. True for what can't prove it again.
    pub fn signed_in_within(&self, time: TimeDelta) -> bool {
        self.found.authenticated_at.is_none_or(|at| self.now - at < time)
    }

    /// Writes to the database on behalf of the caller. Inside the transaction it first checks that the caller may still
    /// act: hashing a password can take seconds, and the session may have ended meanwhile.
    pub async fn write<T, F>(&self, app: &App, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, ApiError> + Send + 'static,
    {
        let check = self.still_acts();
        app.db.write(move |connection| check(connection).and_then(|()| work(connection))).await
    }

    /// Returns a check that the caller may still act, for inside a transaction.
    pub fn still_acts(&self) -> impl FnOnce(&Connection) -> Result<(), ApiError> + Send + 'static {
        let FoundCaller { caller: Caller { user, credential }, duty, .. } = &self.found;
        let (user_id, was_superuser, credential, duty, now) =
            (user.id, user.is_superuser, *credential, *duty, self.now);
        move |connection| {
            let user = match credential {
                Credential::Session(id) => match sessions::authenticate(connection, user_id, id, now)? {
                    Some((_, None)) => return Err(ApiError::SessionEnded),
                    // A superuser asked for it meanwhile.
                    Some((user, Some(session)))
                        if user.must_change_password && !session.automatic && duty != Some(Duty::ChangePassword) =>
                    {
                        return Err(ApiError::PasswordChangeRequired);
                    }
                    found => found.map(|(user, _)| user),
                },
                Credential::ApiKey { id, .. } if !api_keys::is_active(connection, id)? => {
                    return Err(ApiError::InvalidApiKey);
                }
                Credential::ApiKey { .. } => users::find(connection, user_id)?,
            };
            let user = user.filter(|user| user.is_active).ok_or(ApiError::UserMissingOrInactive)?;
            if was_superuser && !user.is_superuser { Err(ApiError::NotSuperuser) } else { Ok(()) }
        }
    }
}

/// Returns the `Bearer` token. The scheme's case is ignored (RFC 9110, section 11.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = ascii(headers.get(AUTHORIZATION)?)?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Returns the API key in the `x-api-key` header.
pub fn api_key_header(headers: &HeaderMap) -> Option<&str> {
    ascii(headers.get("x-api-key")?).filter(|key| !key.is_empty())
}

/// Returns a header's text if it is ASCII, like `to_str`, which takes 3,000 instructions for a token.
fn ascii(value: &HeaderValue) -> Option<&str> {
    value.as_bytes().is_ascii().then(|| std::str::from_utf8(value.as_bytes()).ok())?
}

/// A request's credential before it is looked up in the database. Tokens have passed the check of their signature.
#[derive(Clone)]
pub enum UncheckedCredential {
    /// An access token's claims.
    Token(Claims),
    /// Cookies of the access token, if there are several. Other sites of the same domain can add some.
    Cookies(Vec<Claims>),
    /// The hash of an API key.
    ApiKey([u8; 32]),
}

impl UncheckedCredential {
    /// Reads the credential that counts.
    pub fn of(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        let headers = credentials.request.headers();
        let in_query = || credentials.query.get("x-api-key").filter(|key| !key.is_empty());
        match api_key_header(headers).or_else(in_query) {
            Some(key) if bearer(headers).is_none() => Self::api_key(key),
            _ => Self::access_token(app, credentials),
        }
    }

    /// Reads the access token of a session, in the header or in a cookie.
    pub fn access_token(app: &App, Credentials { request, now, .. }: Credentials<'_>) -> Result<Self, ApiError> {
        let headers = request.headers();
        let check = |token: &str| Ok(app.tokens.check(token, TokenKind::Access, now)?);
        if let Some(token) = bearer(headers) {
            return check(token).map(Self::Token);
        }
        let cookies = cookies::access_tokens(&app.config, headers);
        if cookies.is_empty() {
            return Err(ApiError::MissingCredentials);
        }
        require_own_site(request, &app.config, now)?;
        let (mut valid, mut failure) = (Vec::new(), ApiError::MissingCredentials);
        for cookie in cookies {
            match check(cookie) {
                Ok(claims) => valid.push(claims),
                Err(error) => failure = error,
            }
        }
        match valid.len() {
            0 => Err(failure),
            1 => Ok(Self::Token(valid.remove(0))),
            _ => Ok(Self::Cookies(valid)),
        }
    }

    fn api_key(key: &str) -> Result<Self, ApiError> {
        if key.len() > api_key::MAX_BYTES {
            return Err(ApiError::InvalidApiKey);
        }
        Ok(Self::ApiKey(api_key::sha256(key)))
    }

    /// Finds the caller, in the database unless nothing was committed since the last time.
    pub async fn look_up(self, app: &App, now: Timestamp) -> Result<Authenticated, ApiError> {
        let policy = app.config.second_factor;
        let lookup = self.begin_lookup(app);
        let found = if let Some(found) = app.callers.find(lookup, now) {
            found
        } else {
            let found = app.db.read(move |connection| self.find(connection, policy, now)).await?;
            app.callers.remember(lookup, &found);
            found
        };
        if let Credential::ApiKey { id, .. } = found.caller.credential {
            app.key_uses.count(id, now);
        }
        Ok(Authenticated::new(found, now))
    }

    /// Begins a lookup whose result can be remembered.
    pub fn begin_lookup(&self, app: &App) -> Option<Lookup> {
        let key = match self {
            Self::Token(claims) => CredentialKey::Session { user: claims.sub, session: claims.sid },
            Self::ApiKey(sha256) => CredentialKey::ApiKey(*sha256),
            Self::Cookies(_) => return None,
        };
        Lookup::begin(&app.db, key)
    }

    /// Finds the caller on this connection.
    ///
    /// # Errors
    /// [`ApiError::AmbiguousCookies`] if cookies of two users verify. Cookies that don't verify are ignored.
    pub fn find(
        self,
        connection: &Connection,
        policy: SecondFactorPolicy,
        now: Timestamp,
    ) -> Result<FoundCaller, ApiError> {
        match self {
            Self::Token(claims) => by_session(connection, &claims, policy, now),
            Self::Cookies(cookies) => by_cookies(connection, &cookies, policy, now),
            Self::ApiKey(sha256) => by_key_hash(connection, &sha256, now),
        }
    }
}

fn by_session(
    connection: &Connection,
    claims: &Claims,
    policy: SecondFactorPolicy,
    now: Timestamp,
) -> Result<FoundCaller, ApiError> {
    let found = sessions::authenticate(connection, claims.sub, claims.sid, now)?;
    let (user, session) = found.filter(|(user, _)| user.is_active).ok_or(ApiError::UserMissingOrInactive)?;
    let session = session.ok_or(ApiError::SessionEnded)?;
    let duty = duty_of(connection, policy, &user, session.automatic)?;
    let authenticated_at = (!session.automatic).then_some(session.authenticated_at);
    let caller = Caller { user, credential: Credential::Session(claims.sid) };
    Ok(FoundCaller { caller, duty, authenticated_at, expires_at: Some(session.expires_at) })
}

/// Returns what a user must do before a session can do anything else. An `automatic` session began without a password
/// and has no duties.
pub fn duty_of(
    connection: &Connection,
    policy: SecondFactorPolicy,
    user: &User,
    automatic: bool,
) -> Result<Option<Duty>, StoreError> {
    if user.must_change_password && !automatic {
        return Ok(Some(Duty::ChangePassword));
    }
    Ok(factors::is_missing(connection, policy, user, automatic)?.then_some(Duty::SetUpFactor))
}

fn by_cookies(
    connection: &Connection,
    cookies: &[Claims],
    policy: SecondFactorPolicy,
    now: Timestamp,
) -> Result<FoundCaller, ApiError> {
    let (mut found, mut failure): (Option<FoundCaller>, _) = (None, ApiError::MissingCredentials);
    for claims in cookies {
        match by_session(connection, claims, policy, now) {
            Ok(other) if found.as_ref().is_some_and(|found| !found.caller.is(other.caller.user.id)) => {
                return Err(ApiError::AmbiguousCookies);
            }
            Ok(caller) => found = Some(caller),
            Err(error @ ApiError::Store(_)) => return Err(error),
            Err(error) => failure = error,
        }
    }
    found.ok_or(failure)
}

fn by_key_hash(connection: &Connection, sha256: &[u8; 32], now: Timestamp) -> Result<FoundCaller, ApiError> {
    let found = api_keys::find(connection, sha256)?;
    let (user, key) = found.filter(|(_, key)| key.works_at(now)).ok_or(ApiError::InvalidApiKey)?;
    if !user.is_active {
        return Err(ApiError::InactiveKeyOwner);
    }
    let expires_at = key.expires_at;
    let credential = Credential::ApiKey { id: key.id, expires_at };
    Ok(FoundCaller { caller: Caller { user, credential }, duty: None, authenticated_at: None, expires_at })
}

/// Authenticates by API key.
pub async fn by_api_key(app: &App, key: &str, now: Timestamp) -> Result<Authenticated, ApiError> {
    UncheckedCredential::api_key(key)?.look_up(app, now).await
}
