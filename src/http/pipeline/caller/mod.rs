//! Authentication. The types here are proofs: a value of type [`Superuser`] can't exist without the check.

pub mod credentials;
pub mod deferred;
pub mod recent_sign_in;

use std::ops::Deref;

use actix_web::HttpRequest;

use crate::config::Config;
use crate::domain::caller::Duty;
use crate::domain::clock::Timestamp;
use crate::http::pipeline::app::App;
use crate::http::pipeline::caller::credentials::{Authenticated, Credentials, UncheckedCredential};
use crate::http::pipeline::client::request_origin::refuse_other_sites;
use crate::http::pipeline::denied_log;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::generation::Generation;

/// Who may call a route. Handlers name an implementation in their signature.
pub trait Authenticate: Sized {
    /// Whether the route needs credentials, for the API description. Without, a page's `Origin` must be usher's own.
    const NEEDS_CREDENTIALS: bool;
    /// Whether sessions need a recent sign-in, for the API description.
    const NEEDS_RECENT_SIGN_IN: bool = false;

    /// Authenticates the request.
    fn authenticate(app: &App, credentials: Credentials<'_>) -> impl Future<Output = Result<Self, ApiError>>;

    /// Looks the caller up now, if that was left for later.
    fn complete(&mut self, _: &App) -> impl Future<Output = Result<(), ApiError>> {
        async { Ok(()) }
    }

    /// Refuses a session whose sign-in is too long ago. Called for sensitive requests only.
    fn check_recent_sign_in(&self, _: &Config) -> Result<(), ApiError> {
        Ok(())
    }
}

/// A check of a caller whose credentials are valid.
pub trait Admit: Deref<Target = Authenticated> + Sized + Send + 'static {
    /// Whether sessions need a recent sign-in, for the API description.
    const NEEDS_RECENT_SIGN_IN: bool = false;

    /// Returns the proof, or why this caller may not call the route.
    fn admit(caller: Authenticated, config: &Config) -> Result<Self, ApiError>;

    /// Refuses a session whose sign-in is too long ago. Called for sensitive requests only.
    fn check_recent_sign_in(&self, _: &Config) -> Result<(), ApiError> {
        Ok(())
    }
}

/// Any client; credentials are ignored.
pub struct Anyone;

/// Any client, but no browser on behalf of another site. For routes that read cookies.
pub struct AnyoneOnOwnSite;

/// A client with valid credentials. Dereferences to [`Authenticated`].
pub struct SignedIn(Authenticated);

/// A client with valid credentials, even if it must still set up a second factor. Dereferences to [`Authenticated`].
pub struct SignedInFactorPending(Authenticated);

/// A client with valid credentials, whatever it must do first. Dereferences to [`Authenticated`].
pub struct SignedInAnyDuty(Authenticated);

/// A client with valid credentials that changes its password. Dereferences to [`Authenticated`].
pub struct PasswordChanger(Authenticated);

/// A superuser with valid credentials. Dereferences to [`Authenticated`].
pub struct Superuser(Authenticated);

/// A client with valid credentials that deletes a user. One generation refuses anybody but superusers here, the other
/// leaves that to [`policy::may_delete`](crate::domain::policy::may_delete). Dereferences to [`Authenticated`].
pub struct UserDeleter(Authenticated);

/// A client with or without credentials; invalid ones count as none.
pub struct MaybeSignedIn(pub Option<Authenticated>);

/// Lets a proof be used as the caller that it is about.
macro_rules! as_authenticated {
    ($($type:ty),+) => {$(
        impl Deref for $type {
            type Target = Authenticated;

            fn deref(&self) -> &Authenticated {
                &self.0
            }
        }
    )+};
}

as_authenticated!(SignedIn, SignedInFactorPending, SignedInAnyDuty, PasswordChanger, Superuser, UserDeleter);

impl Authenticate for Anyone {
    const NEEDS_CREDENTIALS: bool = false;

    async fn authenticate(_: &App, _: Credentials<'_>) -> Result<Self, ApiError> {
        Ok(Self)
    }
}

impl Authenticate for AnyoneOnOwnSite {
    const NEEDS_CREDENTIALS: bool = false;

    async fn authenticate(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        refuse_other_sites(credentials.request, &app.config, credentials.now).map(|()| Self)
    }
}

impl Admit for SignedInAnyDuty {
    fn admit(caller: Authenticated, _: &Config) -> Result<Self, ApiError> {
        Ok(Self(caller))
    }
}

impl Admit for SignedInFactorPending {
    fn admit(caller: Authenticated, _: &Config) -> Result<Self, ApiError> {
        match caller.duty() {
            Some(duty @ Duty::ChangePassword) => Err(duty.into()),
            Some(Duty::SetUpFactor) | None => Ok(Self(caller)),
        }
    }
}

impl Admit for PasswordChanger {
    fn admit(caller: Authenticated, _: &Config) -> Result<Self, ApiError> {
        match caller.duty() {
            Some(duty @ Duty::SetUpFactor) => Err(duty.into()),
            Some(Duty::ChangePassword) | None => Ok(Self(caller)),
        }
    }
}

impl Admit for SignedIn {
    fn admit(caller: Authenticated, _: &Config) -> Result<Self, ApiError> {
        caller.duty().map_or(Ok(Self(caller)), |duty| Err(duty.into()))
    }
}

impl Admit for Superuser {
    fn admit(caller: Authenticated, config: &Config) -> Result<Self, ApiError> {
        let SignedIn(caller) = SignedIn::admit(caller, config)?;
        if caller.user.is_superuser { Ok(Self(caller)) } else { Err(ApiError::NotSuperuser) }
    }
}

impl Admit for UserDeleter {
    fn admit(caller: Authenticated, config: &Config) -> Result<Self, ApiError> {
        let SignedIn(caller) = SignedIn::admit(caller, config)?;
        let is_early = Generation::of(config).deletion_checks_caller_first;
        if is_early && !caller.user.is_superuser { Err(ApiError::NotSuperuser) } else { Ok(Self(caller)) }
    }
}

/// Looks the caller up and checks that they may call the route.
pub async fn admit<C: Admit>(
    credential: UncheckedCredential,
    app: &App,
    request: &HttpRequest,
    now: Timestamp,
) -> Result<C, ApiError> {
    admit_found(credential.look_up(app, now).await?, app, request)
}

/// Checks that a caller may call the route.
pub fn admit_found<C: Admit>(caller: Authenticated, app: &App, request: &HttpRequest) -> Result<C, ApiError> {
    denied_log::remember_caller(request, (&caller.user).into());
    C::admit(caller, &app.config)
}

impl<C: Admit> Authenticate for C {
    const NEEDS_CREDENTIALS: bool = true;
    const NEEDS_RECENT_SIGN_IN: bool = C::NEEDS_RECENT_SIGN_IN;

    async fn authenticate(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        admit(UncheckedCredential::of(app, credentials)?, app, credentials.request, credentials.now).await
    }

    fn check_recent_sign_in(&self, config: &Config) -> Result<(), ApiError> {
        Admit::check_recent_sign_in(self, config)
    }
}

impl Authenticate for MaybeSignedIn {
    const NEEDS_CREDENTIALS: bool = false;

    async fn authenticate(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        match SignedIn::authenticate(app, credentials).await {
            Ok(SignedIn(caller)) => Ok(Self(Some(caller))),
            // A superuser must not be treated as a stranger because the database can't be read, or something must be
            // done first.
            Err(
                error @ (ApiError::Store(_)
                | ApiError::Hash(_)
                | ApiError::SecondFactorMissing
                | ApiError::PasswordChangeRequired),
            ) => Err(error),
            Err(_) => Ok(Self(None)),
        }
    }
}
