//! Authentication. The types here are proofs: a value of type [`Superuser`] can't exist without the check.
//! The first credential of a request counts: bearer token, API key in the header, API key in the query, cookie.

use std::ops::Deref;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use chrono::TimeDelta;
use uuid::Uuid;

use crate::auth::api_key;
use crate::auth::token::TokenKind;
use crate::domain::audit::Actor;
use crate::domain::caller::{Caller, Credential};
use crate::domain::clock::Timestamp;
use crate::domain::user::User;
use crate::http::pipeline::app::App;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::cookies;
use crate::http::pipeline::denied_log;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::form::FormPairs;
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::request_origin::{refuse_other_sites, require_own_site};
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

/// Who may call a route. Handlers name an implementation in their signature.
pub trait Authenticate: Sized {
    /// Whether the route needs credentials, for the API description.
    const NEEDS_CREDENTIALS: bool;
    /// Whether sessions need a recent sign-in, for the API description.
    const NEEDS_RECENT_SIGN_IN: bool = false;

    /// Authenticates the request.
    fn authenticate(app: &App, credentials: Credentials<'_>) -> impl Future<Output = Result<Self, ApiError>>;

    /// Refuses a session whose sign-in is too long ago. Called for sensitive requests only.
    fn check_recent_sign_in(&self, _: &App) -> Result<(), ApiError> {
        Ok(())
    }
}

/// Any client; credentials are ignored.
pub struct Anyone;

/// Any client, but no browser on behalf of another site. For routes that read cookies.
pub struct AnyoneOnOwnSite;

/// A client with valid credentials. Dereferences to [`Caller`].
pub struct SignedIn {
    caller: Caller,
    now: Timestamp,
    /// Whether the settings require a second factor that the account doesn't have.
    lacks_factor: bool,
    /// When the session's owner last proved who they are. `None` if there is nothing that could prove it again: for API
    /// keys and automatic sign-in.
    authenticated_at: Option<Timestamp>,
}

/// A client with valid credentials, even if it must still set up a second factor. Dereferences to [`SignedIn`].
pub struct SignedInWithoutFactor(SignedIn);

/// A superuser with valid credentials. Dereferences to [`SignedIn`].
pub struct Superuser(SignedIn);

/// A client with valid credentials that deletes a user. One generation refuses anybody but superusers here, the other
/// leaves that to [`policy::may_delete`](crate::domain::policy::may_delete). Dereferences to [`SignedIn`].
pub struct Deleter(SignedIn);

/// A client with or without credentials; invalid ones count as none.
pub struct MaybeSignedIn(pub Option<SignedIn>);

impl Deref for SignedIn {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// Lets the types that hold a [`SignedIn`] be used as one.
macro_rules! as_signed_in {
    ($($type:ty),+) => {$(
        impl Deref for $type {
            type Target = SignedIn;

            fn deref(&self) -> &SignedIn {
                &self.0
            }
        }

        impl AsRef<SignedIn> for $type {
            fn as_ref(&self) -> &SignedIn {
                self
            }
        }
    )+};
}

as_signed_in!(SignedInWithoutFactor, Superuser, Deleter);

impl AsRef<SignedIn> for SignedIn {
    fn as_ref(&self) -> &SignedIn {
        self
    }
}

impl SignedInWithoutFactor {
    /// Refuses a caller who must still set up a second factor, unless it is about their own account.
    pub fn may_act_on(&self, user_id: Uuid) -> Result<(), ApiError> {
        if self.0.lacks_factor && !self.0.is(user_id) { Err(ApiError::SecondFactorMissing) } else { Ok(()) }
    }
}

impl SignedIn {
    /// Returns the account.
    pub fn into_user(self) -> User {
        self.caller.user
    }

    /// Returns the actor for the audit log.
    pub fn actor(&self, client: &Client) -> Actor {
        client.actor_for(&self.caller.user)
    }

    /// Whether the settings require a second factor that the account doesn't have.
    pub fn lacks_factor(&self) -> bool {
        self.lacks_factor
    }

    /// Whether the session's owner proved within this time who they are. True for what can't prove it again.
    pub fn signed_in_within(&self, time: TimeDelta) -> bool {
        self.authenticated_at.is_none_or(|at| self.now - at < time)
    }

    /// Writes to the database on behalf of the caller. Inside the transaction it first checks that the caller may still
    /// act: hashing a password can take seconds, and the session may have ended meanwhile.
    pub async fn write<T, F>(&self, app: &App, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, ApiError> + Send + 'static,
    {
        let Self { caller: Caller { user, credential }, now, .. } = self;
        let (user_id, was_superuser, credential, now) = (user.id, user.is_superuser, *credential, *now);
        let write = app.db.write(move |connection| {
            let user = match credential {
                Credential::Session(id) => match sessions::authenticate(connection, user_id, id, now)? {
                    Some((_, None)) => return Err(ApiError::SessionEnded),
                    found => found.map(|(user, _)| user),
                },
                Credential::ApiKey { id, .. } if !api_keys::is_active(connection, id)? => {
                    return Err(ApiError::InvalidApiKey);
                }
                Credential::ApiKey { .. } => users::find(connection, user_id)?,
            };
            let user = user.filter(|user| user.is_active).ok_or(ApiError::UserMissingOrInactive)?;
            if was_superuser && !user.is_superuser { Err(ApiError::NotSuperuser) } else { work(connection) }
        });
        write.await
    }
}

impl Authenticate for Anyone {
    const NEEDS_CREDENTIALS: bool = false;

    async fn authenticate(_: &App, _: Credentials<'_>) -> Result<Self, ApiError> {
        Ok(Self)
    }
}

impl Authenticate for AnyoneOnOwnSite {
    const NEEDS_CREDENTIALS: bool = false;

    async fn authenticate(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        refuse_other_sites(credentials.request, &app.config).map(|()| Self)
    }
}

impl Authenticate for SignedInWithoutFactor {
    const NEEDS_CREDENTIALS: bool = true;

    async fn authenticate(app: &App, Credentials { request, query, now }: Credentials<'_>) -> Result<Self, ApiError> {
        let headers = request.headers();
        let key = || api_key_header(headers).or_else(|| query.get("x-api-key").filter(|key| !key.is_empty()));
        let caller = if let Some(token) = bearer(headers) {
            by_token(app, token, now).await?
        } else if let Some(key) = key() {
            by_api_key(app, key, now).await?
        } else if cookies::access_tokens(&app.config, headers).is_empty() {
            return Err(ApiError::MissingCredentials);
        } else {
            require_own_site(request, &app.config)?;
            by_cookie(app, headers, now).await?
        };
        denied_log::remember_caller(request, &caller.user);
        Ok(Self(caller))
    }
}

impl Authenticate for SignedIn {
    const NEEDS_CREDENTIALS: bool = true;

    async fn authenticate(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        let SignedInWithoutFactor(caller) = SignedInWithoutFactor::authenticate(app, credentials).await?;
        if caller.lacks_factor { Err(ApiError::SecondFactorMissing) } else { Ok(caller) }
    }
}

impl Authenticate for Superuser {
    const NEEDS_CREDENTIALS: bool = true;

    async fn authenticate(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        let caller = SignedIn::authenticate(app, credentials).await?;
        if caller.user.is_superuser { Ok(Self(caller)) } else { Err(ApiError::NotSuperuser) }
    }
}

impl Authenticate for Deleter {
    const NEEDS_CREDENTIALS: bool = true;

    async fn authenticate(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        let caller = SignedIn::authenticate(app, credentials).await?;
        let is_early = Generation::of(&app.config).deletion_checks_caller_first;
        if is_early && !caller.user.is_superuser { Err(ApiError::NotSuperuser) } else { Ok(Self(caller)) }
    }
}

impl Authenticate for MaybeSignedIn {
    const NEEDS_CREDENTIALS: bool = false;

    async fn authenticate(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        match SignedIn::authenticate(app, credentials).await {
            Ok(caller) => Ok(Self(Some(caller))),
            // A superuser must not be treated as a stranger because the database can't be read, or a factor is missing.
            Err(error @ (ApiError::Store(_) | ApiError::Hash(_) | ApiError::SecondFactorMissing)) => Err(error),
            Err(_) => Ok(Self(None)),
        }
    }
}

/// Returns the `Bearer` token. The scheme's case is ignored (RFC 9110, section 11.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Returns the API key in the `x-api-key` header.
pub fn api_key_header(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-api-key")?.to_str().ok().filter(|key| !key.is_empty())
}

/// Authenticates by access token.
pub async fn by_token(app: &App, token: &str, now: Timestamp) -> Result<SignedIn, ApiError> {
    let claims = app.tokens.check(token, TokenKind::Access, now)?;
    let policy = app.config.second_factor;
    let found = app.db.read(move |connection| {
        let found = sessions::authenticate(connection, claims.sub, claims.sid, now)?;
        let lacks_factor = match &found {
            Some((user, Some(session))) => factors::is_missing(connection, policy, user, session.automatic)?,
            _ => false,
        };
        Ok::<_, StoreError>((found, lacks_factor))
    });
    match found.await? {
        (Some((user, Some(session))), lacks_factor) if user.is_active => {
            let caller = Caller { user, credential: Credential::Session(claims.sid) };
            let authenticated_at = (!session.automatic).then_some(session.authenticated_at);
            Ok(SignedIn { caller, now, lacks_factor, authenticated_at })
        }
        (Some((user, None)), _) if user.is_active => Err(ApiError::SessionEnded),
        _ => Err(ApiError::UserMissingOrInactive),
    }
}

/// Authenticates by the access token's cookie. Cookies that don't verify are ignored, because other sites of the same domain
/// can add some.
///
/// # Errors
/// [`ApiError::AmbiguousCookies`] if cookies of two users verify, [`ApiError::MissingCredentials`] without a cookie.
pub async fn by_cookie(app: &App, headers: &HeaderMap, now: Timestamp) -> Result<SignedIn, ApiError> {
    let (mut found, mut failure): (Option<SignedIn>, _) = (None, ApiError::MissingCredentials);
    for token in cookies::access_tokens(&app.config, headers) {
        match by_token(app, token, now).await {
            Ok(caller) if found.as_ref().is_some_and(|other| other.user.id != caller.user.id) => {
                return Err(ApiError::AmbiguousCookies);
            }
            Ok(caller) => found = Some(caller),
            Err(error @ ApiError::Store(_)) => return Err(error),
            Err(error) => failure = error,
        }
    }
    found.ok_or(failure)
}

/// Authenticates by API key.
pub async fn by_api_key(app: &App, key: &str, now: Timestamp) -> Result<SignedIn, ApiError> {
    if key.len() > api_key::MAX_BYTES {
        return Err(ApiError::InvalidApiKey);
    }
    let hash = api_key::sha256(key);
    let found = app.db.read(move |connection| api_keys::find(connection, &hash));
    let (user, key) = found.await?.filter(|(_, key)| key.works_at(now)).ok_or(ApiError::InvalidApiKey)?;
    if !user.is_active {
        return Err(ApiError::InactiveKeyOwner);
    }
    app.key_uses.count(key.id, now);
    let credential = Credential::ApiKey { id: key.id, expires_at: key.expires_at };
    Ok(SignedIn { caller: Caller { user, credential }, now, lacks_factor: false, authenticated_at: None })
}
