//! Owns who is calling. The types here are proofs: a value of type [`Superuser`] cannot exist without the check.
//! Cookies alone never authorize, so that no other site can act through a browser.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use uuid::Uuid;

use crate::auth::api_key;
use crate::auth::token::TokenKind;
use crate::domain::audit::Actor;
use crate::domain::clock::Timestamp;
use crate::domain::user::User;
use crate::http::pipeline::app::App;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::denied_log;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::form::FormPairs;
use crate::store::{Connection, api_keys, sessions, users};

/// By what somebody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An access token of this session, that somebody got with a password.
    Session(Uuid),
    /// An API key, and its end.
    Key(Uuid, Option<Timestamp>),
}

/// Authenticate may call a route. Implemented by the types that handlers name in their signatures.
pub trait Authenticate: Sized {
    /// Whether the route needs credentials, for its description.
    const NEEDS_CREDENTIALS: bool;

    /// Finds out who is calling, or refuses.
    fn identify(
        app: &App,
        request: &HttpRequest,
        query: &FormPairs<'_>,
    ) -> impl Future<Output = Result<Self, ApiError>>;
}

/// Nobody in particular; credentials are not looked at.
pub struct Anyone;

/// Somebody with valid credentials.
pub struct SignedIn {
    /// The account, as it is now.
    pub user: User,
    /// By what it is known.
    pub via: Credential,
}

/// Somebody with valid credentials who is a superuser.
pub struct Superuser(pub SignedIn);

/// Somebody, if the credentials are valid; bad ones count as none.
pub struct MaybeSignedIn(pub Option<SignedIn>);

impl SignedIn {
    /// The session, unless it is an API key.
    pub fn session(&self) -> Option<Uuid> {
        match self.via {
            Credential::Session(id) => Some(id),
            Credential::Key(..) => None,
        }
    }

    /// What a write looks at again.
    pub fn standing(&self) -> Revalidation {
        Revalidation { user: self.user.id, was_superuser: self.user.is_superuser, via: self.via }
    }

    /// For the audit log.
    pub fn actor(&self, client: &Client) -> Actor {
        client.actor_for(&self.user)
    }
}

/// Authenticate somebody was when the request was taken up.
#[derive(Clone, Copy, Debug)]
pub struct Revalidation {
    user: Uuid,
    was_superuser: bool,
    via: Credential,
}

impl Revalidation {
    /// That the caller is still who they were, inside the transaction that acts for them: hashing a password may take
    /// seconds, and a session that was ended meanwhile does nothing more.
    pub fn check(&self, connection: &Connection, now: Timestamp) -> Result<(), ApiError> {
        let user = match self.via {
            Credential::Session(id) => match sessions::authenticate(connection, self.user, id, now)? {
                Some((user, true)) => Some(user),
                Some((_, false)) => return Err(ApiError::SessionEnded),
                None => None,
            },
            Credential::Key(id, _) if !api_keys::is_active(connection, id)? => return Err(ApiError::BadKey),
            Credential::Key(..) => users::find(connection, self.user)?,
        };
        let user = user.filter(|user| user.is_active).ok_or(ApiError::UserGone)?;
        if self.was_superuser && !user.is_superuser { Err(ApiError::NotSuperuser) } else { Ok(()) }
    }
}

impl Authenticate for Anyone {
    const NEEDS_CREDENTIALS: bool = false;

    async fn identify(_: &App, _: &HttpRequest, _: &FormPairs<'_>) -> Result<Self, ApiError> {
        Ok(Self)
    }
}

impl Authenticate for SignedIn {
    const NEEDS_CREDENTIALS: bool = true;

    async fn identify(app: &App, request: &HttpRequest, query: &FormPairs<'_>) -> Result<Self, ApiError> {
        let headers = request.headers();
        if let Some(token) = bearer(headers) {
            return by_token(app, token).await.inspect(|caller| denied_log::keep(request, &caller.user));
        }
        let key = headers.get("x-api-key").and_then(|key| key.to_str().ok()).filter(|key| !key.is_empty());
        let key = key.or_else(|| query.get("x-api-key").filter(|key| !key.is_empty()));
        let caller = by_key(app, key.ok_or(ApiError::NoCredentials)?).await;
        caller.inspect(|caller| denied_log::keep(request, &caller.user))
    }
}

impl Authenticate for Superuser {
    const NEEDS_CREDENTIALS: bool = true;

    async fn identify(app: &App, request: &HttpRequest, query: &FormPairs<'_>) -> Result<Self, ApiError> {
        let caller = SignedIn::identify(app, request, query).await?;
        if caller.user.is_superuser { Ok(Self(caller)) } else { Err(ApiError::NotSuperuser) }
    }
}

impl Authenticate for MaybeSignedIn {
    const NEEDS_CREDENTIALS: bool = false;

    async fn identify(app: &App, request: &HttpRequest, query: &FormPairs<'_>) -> Result<Self, ApiError> {
        match SignedIn::identify(app, request, query).await {
            Ok(caller) => Ok(Self(Some(caller))),
            // Not knowing is no reason to treat somebody as a stranger.
            Err(error @ (ApiError::Store(_) | ApiError::Hash(_))) => Err(error),
            Err(_) => Ok(Self(None)),
        }
    }
}

/// The token behind `Bearer`, in any case (RFC 9110, section 11.1); `None` for other schemes and for none.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Authenticate has this access token.
pub async fn by_token(app: &App, token: &str) -> Result<SignedIn, ApiError> {
    let now = app.clock.now();
    let claims = app.tokens.check(token, TokenKind::Access, now)?;
    let found = app.db.read(move |connection| sessions::authenticate(connection, claims.sub, claims.sid, now));
    match found.await? {
        Some((user, true)) if user.is_active => Ok(SignedIn { user, via: Credential::Session(claims.sid) }),
        Some((user, false)) if user.is_active => Err(ApiError::SessionEnded),
        _ => Err(ApiError::UserGone),
    }
}

/// Authenticate has this API key.
pub async fn by_key(app: &App, key: &str) -> Result<SignedIn, ApiError> {
    let now = app.clock.now();
    let hash = api_key::sha256(key);
    let found = app.db.read(move |connection| api_keys::find(connection, &hash));
    let (user, key) = found.await?.filter(|(_, key)| key.works_at(now)).ok_or(ApiError::BadKey)?;
    if !user.is_active {
        return Err(ApiError::InactiveUser);
    }
    app.key_uses.count(key.id, now);
    Ok(SignedIn { user, via: Credential::Key(key.id, key.expires_at) })
}
