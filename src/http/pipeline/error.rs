//! Owns everything that a request can be refused with: one enum, one exhaustive match to status and sentence.
//! Causes go to the log, never to the client.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use crate::auth::password_hasher::HashError;
use crate::auth::random::RandomnessError;
use crate::auth::token::TokenError;
use crate::domain::policy::Denied;
use crate::http::pipeline::messages;
use crate::http::pipeline::validation::{FieldError, FieldErrors, Location};
use crate::store::{StoreError, WriteError};

/// Why a request is refused.
#[derive(Debug)]
pub enum ApiError {
    /// No such path.
    NotFound,
    /// The path exists, with the methods named here.
    MethodNotAllowed(&'static str),
    /// Fields at fault, all of them.
    Invalid(FieldErrors),
    UnparsableBody,
    BodyTooLarge,
    BodyTooSlow,
    /// A browser says that another site sent it.
    CrossSite,
    NoCredentials,
    BadKey,
    BadToken,
    TokenExpired,
    SessionEnded,
    /// The token's user is gone or inactive.
    UserGone,
    /// The API key's user is inactive, or one who gave the right password.
    InactiveUser,
    NotSuperuser,
    Denied(Denied),
    WrongLogin,
    /// The right password of somebody who was never active.
    Waiting,
    /// No refresh cookie came.
    NoRefreshToken,
    BadRefreshToken,
    AutoLoginOff,
    AutoLoginNotLocal,
    /// The launch secret is missing or wrong.
    LaunchSecret,
    UserNotFound,
    UsernameTaken,
    /// The account is not what the client says that it saw.
    ChangedMeanwhile,
    SignupClosed,
    WrongCurrentPassword,
    SamePassword,
    KeyNotFound,
    SessionNotFound,
    /// It cannot be told which site a proxy asks about.
    EntryUnclear,
    /// Not this person, or nobody at all.
    EntryClosed,
    /// Not an address of a site behind the proxy.
    BadReturnTo,
    /// The cookie would not be sent there.
    EntryWithoutHttps,
    SetupDone,
    BadSetupToken,
    /// Too many attempts; the next may be made in so many seconds.
    TooMany(u64),
    BadResetToken,
    Hash(HashError),
    Store(StoreError),
    Randomness(RandomnessError),
    /// A handler panicked; the panic itself is in the log.
    Panicked,
}

impl ApiError {
    /// One field of the body at fault.
    pub fn field(name: &'static str, fault: FieldError) -> Self {
        Self::Invalid(FieldErrors::one(Location::Field(name), fault))
    }

    /// The sentence that the client is told.
    pub fn told(&self) -> &'static str {
        self.sentence().1
    }

    /// The status and the body that the client is sent.
    pub fn reply(&self) -> (StatusCode, Value) {
        let (status, sentence) = self.sentence();
        let body = match self {
            Self::Invalid(faults) => json!({ "detail": faults.0 }),
            Self::AutoLoginOff => json!({ "detail": { "message": sentence, "auto_login": false } }),
            Self::TooMany(seconds) => json!({ "detail": sentence, "retry_after": seconds.to_string() }),
            _ => json!({ "detail": sentence }),
        };
        (status, body)
    }

    fn sentence(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, messages::NOT_FOUND),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, messages::METHOD_NOT_ALLOWED),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, messages::UNPARSABLE_BODY),
            Self::UnparsableBody => (StatusCode::BAD_REQUEST, messages::UNPARSABLE_BODY),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, messages::BODY_TOO_LARGE),
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, messages::BODY_TOO_SLOW),
            Self::CrossSite => (StatusCode::FORBIDDEN, messages::CROSS_SITE),
            Self::NoCredentials => (StatusCode::FORBIDDEN, messages::NO_CREDENTIALS),
            Self::BadKey => (StatusCode::FORBIDDEN, messages::BAD_KEY),
            Self::BadToken => (StatusCode::UNAUTHORIZED, messages::BAD_TOKEN),
            Self::TokenExpired => (StatusCode::UNAUTHORIZED, messages::TOKEN_EXPIRED),
            Self::SessionEnded => (StatusCode::UNAUTHORIZED, messages::SESSION_ENDED),
            Self::UserGone => (StatusCode::UNAUTHORIZED, messages::USER_GONE),
            Self::InactiveUser => (StatusCode::UNAUTHORIZED, messages::INACTIVE_USER),
            Self::NotSuperuser => (StatusCode::FORBIDDEN, messages::NO_SUPERUSER),
            Self::Denied(denied) => refused(*denied),
            Self::WrongLogin => (StatusCode::UNAUTHORIZED, messages::WRONG_LOGIN),
            Self::Waiting => (StatusCode::BAD_REQUEST, messages::WAITING),
            Self::NoRefreshToken | Self::BadRefreshToken => (StatusCode::UNAUTHORIZED, messages::BAD_REFRESH_TOKEN),
            Self::AutoLoginOff => (StatusCode::BAD_REQUEST, messages::AUTO_LOGIN_OFF),
            Self::AutoLoginNotLocal => (StatusCode::FORBIDDEN, messages::AUTO_LOGIN_LOCAL),
            Self::LaunchSecret => (StatusCode::FORBIDDEN, messages::LAUNCH_SECRET),
            Self::UserNotFound => (StatusCode::NOT_FOUND, messages::USER_NOT_FOUND),
            Self::UsernameTaken => (StatusCode::BAD_REQUEST, messages::USERNAME_TAKEN),
            Self::ChangedMeanwhile => (StatusCode::PRECONDITION_FAILED, messages::CHANGED_MEANWHILE),
            Self::SignupClosed => (StatusCode::FORBIDDEN, messages::SIGNUP_CLOSED),
            Self::WrongCurrentPassword => (StatusCode::BAD_REQUEST, messages::WRONG_CURRENT),
            Self::SamePassword => (StatusCode::BAD_REQUEST, messages::SAME_PASSWORD),
            Self::KeyNotFound => (StatusCode::BAD_REQUEST, messages::KEY_NOT_FOUND),
            Self::SessionNotFound => (StatusCode::NOT_FOUND, messages::SESSION_NOT_FOUND),
            Self::EntryUnclear => (StatusCode::FORBIDDEN, messages::ENTRY_UNCLEAR),
            Self::EntryClosed => (StatusCode::FORBIDDEN, messages::ENTRY_CLOSED),
            Self::BadReturnTo => (StatusCode::FORBIDDEN, messages::BAD_RETURN_TO),
            Self::EntryWithoutHttps => (StatusCode::FORBIDDEN, messages::ENTRY_WITHOUT_HTTPS),
            Self::SetupDone => (StatusCode::FORBIDDEN, messages::SETUP_DONE),
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, messages::TOO_MANY),
            Self::BadResetToken => (StatusCode::FORBIDDEN, messages::RESET_TOKEN),
            Self::BadSetupToken => (StatusCode::FORBIDDEN, messages::SETUP_TOKEN),
            Self::Hash(HashError::Busy) | Self::Store(StoreError::Overloaded) => {
                (StatusCode::SERVICE_UNAVAILABLE, messages::BUSY)
            }
            Self::Store(StoreError::DiskFull(_)) => (StatusCode::INSUFFICIENT_STORAGE, messages::DISK_FULL),
            Self::Store(StoreError::Unavailable(_) | StoreError::Replaced | StoreError::Stopped) => {
                (StatusCode::SERVICE_UNAVAILABLE, messages::UNAVAILABLE)
            }
            Self::Hash(HashError::Unfit | HashError::Failed)
            | Self::Store(_)
            | Self::Randomness(_)
            | Self::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, messages::INTERNAL),
        }
    }

    /// The header that goes with the refusal.
    pub fn header(&self) -> Option<(HeaderName, String)> {
        match self {
            Self::BadToken
            | Self::TokenExpired
            | Self::SessionEnded
            | Self::UserGone
            | Self::WrongLogin
            | Self::NoRefreshToken => Some((WWW_AUTHENTICATE, "Bearer".to_owned())),
            Self::TooMany(seconds) => Some((RETRY_AFTER, seconds.to_string())),
            Self::MethodNotAllowed(methods) => Some((ALLOW, (*methods).to_owned())),
            _ if self.sentence().0 == StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, "1".to_owned())),
            _ => None,
        }
    }

    /// Whether more is asked of the server than it can do, which comes by the thousands and passes.
    pub fn is_overload(&self) -> bool {
        matches!(self, Self::Hash(HashError::Busy) | Self::Store(StoreError::Overloaded))
    }

    /// What the log is told, when it is the server's own fault.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Store(error) => Some(error.described()),
            Self::Hash(error) => Some(error.to_string()),
            Self::Randomness(error) => Some(error.to_string()),
            Self::Panicked => Some("a panic".to_owned()),
            _ => None,
        }
    }
}

fn refused(denied: Denied) -> (StatusCode, &'static str) {
    match denied {
        Denied::DeactivateSelf => (StatusCode::FORBIDDEN, messages::DEACTIVATE_SELF),
        Denied::Permission => (StatusCode::FORBIDDEN, messages::PERMISSION_DENIED),
        Denied::PasswordByPatch => (StatusCode::BAD_REQUEST, messages::PASSWORD_BY_PATCH),
        Denied::AnothersPassword => (StatusCode::BAD_REQUEST, messages::ANOTHERS_PASSWORD),
        Denied::PasswordByApiKey => (StatusCode::FORBIDDEN, messages::PASSWORD_BY_API_KEY),
        Denied::SessionsByApiKey => (StatusCode::FORBIDDEN, messages::SESSIONS_BY_API_KEY),
        Denied::SiteAccessByApiKey => (StatusCode::FORBIDDEN, messages::SITE_ACCESS_BY_API_KEY),
        Denied::RenameSelf => (StatusCode::FORBIDDEN, messages::RENAME_SELF),
        Denied::DeleteSelf => (StatusCode::BAD_REQUEST, messages::DELETE_SELF),
        Denied::LastSuperuser => (StatusCode::FORBIDDEN, messages::LAST_SUPERUSER),
        Denied::KeyOutlivesKey => (StatusCode::FORBIDDEN, messages::KEY_OUTLIVES),
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            // In the same words: who has been here is nobody's business.
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

impl From<HashError> for ApiError {
    fn from(error: HashError) -> Self {
        Self::Hash(error)
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
            TokenError::Invalid => Self::BadToken,
        }
    }
}

impl From<RandomnessError> for ApiError {
    fn from(error: RandomnessError) -> Self {
        Self::Randomness(error)
    }
}
