//! The errors of requests.

pub mod challenge_offer;
pub mod response;

use crate::auth::passkey::{PasskeyError, PasskeysUnavailable};
use crate::auth::password_hasher::HashError;
use crate::auth::random::RandomnessError;
use crate::auth::token::TokenError;
use crate::domain::caller::Duty;
use crate::domain::policy::Denied;
use crate::http::pipeline::error::challenge_offer::ChallengeOffer;
use crate::http::pipeline::validation::{FieldErrors, Rejected};
use crate::store::{StoreError, WriteError};

/// Why a request fails.
#[derive(Debug)]
pub enum ApiError {
    /// No route has this path.
    NotFound,
    /// The path has routes for these methods only.
    MethodNotAllowed(&'static str),
    /// All validation errors of the request.
    Validation(FieldErrors),
    /// A name or password that usher's own rules refuse.
    Rejected(Rejected),
    UnparsableBody,
    BodyTooLarge,
    BodyTooSlow,
    /// The browser marked the request as cross-site.
    CrossSite,
    /// The request's `Origin` is neither usher's own nor configured.
    ForeignOrigin,
    MissingCredentials,
    InvalidApiKey,
    InvalidToken,
    TokenExpired,
    SessionEnded,
    /// The token's user was deleted or is inactive.
    UserMissingOrInactive,
    /// An inactive user gave the right password.
    InactiveUser,
    /// The API key's user is inactive.
    InactiveKeyOwner,
    NotSuperuser,
    Denied(Denied),
    InvalidLogin,
    /// The right password of a user who has not been approved yet.
    ApprovalPending,
    /// The refresh cookie is missing.
    MissingRefreshToken,
    InvalidRefreshToken,
    /// The user has as many API keys as a user can have.
    TooManyApiKeys,
    /// Cookies of the same name belong to two users.
    AmbiguousCookies,
    AutoLoginOff,
    AutoLoginNotLocal,
    /// The launch secret is missing or wrong.
    WrongLaunchSecret,
    UserNotFound,
    /// The user never asked to delete the account.
    NoDeletionRequest,
    NoPendingDeletionRequest,
    UsernameTaken,
    /// The account doesn't match `If-Match`.
    PreconditionFailed,
    SignupClosed,
    WrongCurrentPassword,
    SamePassword,
    ApiKeyNotFound,
    SessionNotFound,
    /// The proxy's headers don't name one site.
    AmbiguousForwardedRequest,
    /// The user may not enter the site, or no rule allows it.
    SiteForbidden,
    /// `return_to` isn't the URL of a site behind the proxy.
    InvalidReturnUrl,
    /// The cookie needs HTTPS, and the site uses HTTP.
    SiteNeedsHttps,
    SetupComplete,
    /// Another backup is being made.
    BackupRunning,
    /// The accounts are in PostgreSQL, which is backed up by other programs.
    BackupElsewhere,
    /// A backup can't be made. The cause is in the log.
    BackupFailed,
    InvalidSetupToken,
    /// Too many attempts; retry after this many seconds.
    TooManyRequests(u64),
    InvalidResetToken,
    /// The invitation was used up or revoked, or has expired.
    InvalidInvitation,
    /// The invitation is for another user name.
    InvitedName,
    InvitationNotFound,
    /// As many invitations are open as can be.
    TooManyInvitations,
    /// The password was right, and the account has a second factor.
    SecondFactorRequired(Box<ChallengeOffer>),
    /// The settings require a second factor, and the account has none.
    SecondFactorMissing,
    /// A superuser asked for a new password.
    PasswordChangeRequired,
    /// The challenge was answered, has expired, or belongs to another network.
    ChallengeEnded,
    /// A wrong code of an authenticator app, or a wrong recovery code.
    WrongCode,
    UnknownPasskey,
    /// The passkey's answer isn't accepted, for this reason.
    Passkey(PasskeyError),
    /// The passkey belongs to an account already.
    PasskeyTaken,
    PasskeysUnavailable(PasskeysUnavailable),
    FactorNotFound,
    TooManyFactors,
    /// The request has neither the current password nor a recent passkey.
    CurrentPasswordNeeded,
    /// The request needs a recent sign-in.
    SignInTooOld,
    /// A wrong code or passkey in a request of somebody who is signed in.
    WhileSignedIn(Box<Self>),
    Hash(HashError),
    Store(StoreError),
    Randomness(RandomnessError),
    /// A handler panicked; the log holds the panic.
    Panicked,
}

impl ApiError {
    /// The same error where somebody is signed in: a wrong code doesn't mean that the session has ended.
    #[must_use]
    pub fn while_signed_in(self) -> Self {
        match self {
            Self::WrongCode
            | Self::ChallengeEnded
            | Self::UnknownPasskey
            | Self::Passkey(PasskeyError::Invalid | PasskeyError::NotVerified | PasskeyError::Cloned) => {
                Self::WhileSignedIn(Box::new(self))
            }
            other => other,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            // The same message for both: it must not tell who had an account.
            StoreError::UsernameTaken | StoreError::FormerUsername => Self::UsernameTaken,
            other => Self::Store(other),
        }
    }
}

impl WriteError for ApiError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Rejected> for ApiError {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl From<HashError> for ApiError {
    fn from(error: HashError) -> Self {
        Self::Hash(error)
    }
}

impl From<Duty> for ApiError {
    fn from(duty: Duty) -> Self {
        match duty {
            Duty::ChangePassword => Self::PasswordChangeRequired,
            Duty::SetUpFactor => Self::SecondFactorMissing,
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::TokenExpired,
            TokenError::Invalid => Self::InvalidToken,
        }
    }
}

impl From<PasskeyError> for ApiError {
    fn from(error: PasskeyError) -> Self {
        Self::Passkey(error)
    }
}

impl From<RandomnessError> for ApiError {
    fn from(error: RandomnessError) -> Self {
        Self::Randomness(error)
    }
}
