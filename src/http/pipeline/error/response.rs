//! The responses to errors: one exhaustive match gives each error its status and message. Causes go to the log, never
//! to the client.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::auth::passkey::{PasskeyError, PasskeysUnavailable};
use crate::auth::password_hasher::HashError;
use crate::domain::policy::Denied;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::messages;
use crate::http::pipeline::validation::{Rejected, ValidationErrorBody};
use crate::store::StoreError;

/// Why the request failed.
#[derive(Serialize, ToSchema)]
#[schema(as = HTTPError, title = "Error")]
pub struct ErrorBody<'a> {
    detail: &'a str,
    /// With status 429: the seconds to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<String>,
    /// With status 403: whether the request succeeds after `POST /api/v1/login/again`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reauthenticate: Option<bool>,
}

impl<'a> ErrorBody<'a> {
    fn new(detail: &'a str) -> Self {
        Self { detail, retry_after: None, reauthenticate: None }
    }
}

/// Automatic sign-in is off.
#[derive(Serialize, ToSchema)]
#[schema(title = "Automatic sign-in is off")]
pub struct AutoLoginOff<'a> {
    #[schema(inline)]
    detail: AutoLogin<'a>,
}

/// Automatic sign-in is off, or not allowed.
#[derive(ToSchema)]
#[schema(title = "Automatic sign-in is refused")]
#[serde(untagged)]
#[expect(dead_code, reason = "describes two responses of one status")]
pub enum AutoLoginRefused<'a> {
    Off(AutoLoginOff<'a>),
    NotAllowed(ErrorBody<'a>),
}

#[derive(Serialize, ToSchema)]
struct AutoLogin<'a> {
    message: &'a str,
    auto_login: bool,
}

impl ApiError {
    /// Returns the message for the client.
    pub fn message(&self, generation: &Generation) -> &'static str {
        self.status_and_message(generation).1
    }

    /// Returns the status and the JSON body.
    pub fn status_and_body(&self, generation: &Generation) -> (StatusCode, Value) {
        let (status, message) = self.status_and_message(generation);
        let body = match self {
            Self::Validation(errors) => json!(ValidationErrorBody { detail: &errors.0 }),
            Self::AutoLoginOff => json!(AutoLoginOff { detail: AutoLogin { message, auto_login: false } }),
            Self::SecondFactorRequired(offer) => offer.body(message),
            Self::TooManyRequests(seconds) => {
                json!(ErrorBody { retry_after: Some(seconds.to_string()), ..ErrorBody::new(message) })
            }
            Self::SignInTooOld => json!(ErrorBody { reauthenticate: Some(true), ..ErrorBody::new(message) }),
            Self::Rejected(Rejected(sentence)) => json!(ErrorBody::new(sentence)),
            _ => json!(ErrorBody::new(message)),
        };
        (status, body)
    }

    fn status_and_message(&self, generation: &Generation) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, messages::NOT_FOUND),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, messages::METHOD_NOT_ALLOWED),
            Self::Validation(_) => (StatusCode::UNPROCESSABLE_ENTITY, messages::UNPARSABLE_BODY),
            Self::Rejected(_) => (StatusCode::BAD_REQUEST, messages::REJECTED),
            Self::UnparsableBody => (StatusCode::BAD_REQUEST, messages::UNPARSABLE_BODY),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, messages::BODY_TOO_LARGE),
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, messages::BODY_TOO_SLOW),
            Self::CrossSite => (StatusCode::FORBIDDEN, messages::CROSS_SITE),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, messages::FOREIGN_ORIGIN),
            Self::MissingCredentials => (StatusCode::FORBIDDEN, generation.no_credentials),
            Self::InvalidApiKey => (StatusCode::FORBIDDEN, generation.invalid_api_key),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, generation.invalid_token),
            Self::TokenExpired => (StatusCode::UNAUTHORIZED, generation.token_expired),
            Self::SessionEnded => (StatusCode::UNAUTHORIZED, messages::SESSION_ENDED),
            Self::UserMissingOrInactive => (StatusCode::UNAUTHORIZED, generation.user_missing_or_inactive),
            Self::InactiveUser => (StatusCode::UNAUTHORIZED, messages::INACTIVE_USER),
            Self::InactiveKeyOwner => generation.inactive_key_owner,
            Self::NotSuperuser => (StatusCode::FORBIDDEN, messages::NOT_SUPERUSER),
            Self::Denied(denied) => denied_message(*denied, generation),
            Self::InvalidLogin => (StatusCode::UNAUTHORIZED, messages::INVALID_LOGIN),
            Self::ApprovalPending => (StatusCode::BAD_REQUEST, messages::APPROVAL_PENDING),
            Self::MissingRefreshToken | Self::InvalidRefreshToken => {
                (StatusCode::UNAUTHORIZED, messages::INVALID_REFRESH_TOKEN)
            }
            Self::TooManyApiKeys => (StatusCode::BAD_REQUEST, messages::TOO_MANY_API_KEYS),
            Self::AmbiguousCookies => (StatusCode::UNAUTHORIZED, messages::AMBIGUOUS_COOKIES),
            Self::AutoLoginOff => generation.auto_login_off,
            Self::AutoLoginNotLocal => (StatusCode::FORBIDDEN, messages::AUTO_LOGIN_LOCAL),
            Self::WrongLaunchSecret => (StatusCode::FORBIDDEN, messages::LAUNCH_SECRET),
            Self::UserNotFound => (StatusCode::NOT_FOUND, messages::USER_NOT_FOUND),
            Self::NoDeletionRequest => (StatusCode::NOT_FOUND, messages::NO_DELETION_REQUEST),
            Self::NoPendingDeletionRequest => (StatusCode::NOT_FOUND, messages::NO_PENDING_DELETION_REQUEST),
            Self::UsernameTaken => (StatusCode::BAD_REQUEST, messages::USERNAME_TAKEN),
            Self::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, messages::PRECONDITION_FAILED),
            Self::SignupClosed => (StatusCode::FORBIDDEN, messages::SIGNUP_CLOSED),
            Self::WrongCurrentPassword => (StatusCode::BAD_REQUEST, messages::WRONG_CURRENT),
            Self::SamePassword => (StatusCode::BAD_REQUEST, messages::SAME_PASSWORD),
            Self::ApiKeyNotFound => (StatusCode::BAD_REQUEST, messages::KEY_NOT_FOUND),
            Self::SessionNotFound => (StatusCode::NOT_FOUND, messages::SESSION_NOT_FOUND),
            Self::AmbiguousForwardedRequest => (StatusCode::FORBIDDEN, messages::AMBIGUOUS_FORWARDED_REQUEST),
            Self::SiteForbidden => (StatusCode::FORBIDDEN, messages::SITE_FORBIDDEN),
            Self::InvalidReturnUrl => (StatusCode::FORBIDDEN, messages::INVALID_RETURN_URL),
            Self::SiteNeedsHttps => (StatusCode::FORBIDDEN, messages::SITE_NEEDS_HTTPS),
            Self::BackupRunning => (StatusCode::CONFLICT, messages::BACKUP_RUNNING),
            Self::BackupElsewhere => (StatusCode::CONFLICT, messages::BACKUP_ELSEWHERE),
            Self::BackupFailed => (StatusCode::INTERNAL_SERVER_ERROR, messages::BACKUP_FAILED),
            Self::SetupComplete => (StatusCode::FORBIDDEN, messages::SETUP_COMPLETE),
            Self::TooManyRequests(_) => (StatusCode::TOO_MANY_REQUESTS, messages::TOO_MANY_REQUESTS),
            Self::SecondFactorRequired(_) => (StatusCode::UNAUTHORIZED, messages::SECOND_FACTOR_REQUIRED),
            Self::SecondFactorMissing => (StatusCode::FORBIDDEN, messages::SECOND_FACTOR_MISSING),
            Self::PasswordChangeRequired => (StatusCode::FORBIDDEN, messages::PASSWORD_CHANGE_REQUIRED),
            Self::ChallengeEnded => (StatusCode::UNAUTHORIZED, messages::CHALLENGE_ENDED),
            Self::WrongCode => (StatusCode::UNAUTHORIZED, messages::WRONG_CODE),
            Self::UnknownPasskey => (StatusCode::UNAUTHORIZED, messages::UNKNOWN_PASSKEY),
            Self::Passkey(PasskeyError::Invalid) => (StatusCode::UNAUTHORIZED, messages::INVALID_PASSKEY),
            Self::Passkey(PasskeyError::NotVerified) => (StatusCode::UNAUTHORIZED, messages::UNVERIFIED_PASSKEY),
            Self::Passkey(PasskeyError::Cloned) => (StatusCode::UNAUTHORIZED, messages::CLONED_PASSKEY),
            Self::Passkey(PasskeyError::Failed) => (StatusCode::INTERNAL_SERVER_ERROR, messages::INTERNAL),
            Self::PasskeyTaken => (StatusCode::BAD_REQUEST, messages::PASSKEY_TAKEN),
            Self::PasskeysUnavailable(PasskeysUnavailable::NotHttps) => {
                (StatusCode::BAD_REQUEST, messages::PASSKEYS_NEED_HTTPS)
            }
            Self::PasskeysUnavailable(PasskeysUnavailable::IpAddress) => {
                (StatusCode::BAD_REQUEST, messages::PASSKEYS_NEED_A_DOMAIN)
            }
            Self::FactorNotFound => (StatusCode::NOT_FOUND, messages::FACTOR_NOT_FOUND),
            Self::TooManyFactors => (StatusCode::BAD_REQUEST, messages::TOO_MANY_FACTORS),
            Self::CurrentPasswordNeeded => (StatusCode::FORBIDDEN, messages::CURRENT_PASSWORD_NEEDED),
            Self::SignInTooOld => (StatusCode::FORBIDDEN, messages::SIGN_IN_AGAIN),
            // 401 tells clients that the session has ended.
            Self::WhileSignedIn(error) => (StatusCode::BAD_REQUEST, error.status_and_message(generation).1),
            Self::InvalidResetToken => (StatusCode::FORBIDDEN, messages::RESET_TOKEN),
            Self::InvalidInvitation => (StatusCode::FORBIDDEN, messages::INVALID_INVITATION),
            Self::InvitedName => (StatusCode::FORBIDDEN, messages::INVITED_NAME),
            Self::InvitationNotFound => (StatusCode::NOT_FOUND, messages::INVITATION_NOT_FOUND),
            Self::TooManyInvitations => (StatusCode::BAD_REQUEST, messages::TOO_MANY_INVITATIONS),
            Self::InvalidSetupToken => (StatusCode::FORBIDDEN, messages::SETUP_TOKEN),
            Self::Hash(HashError::Busy) | Self::Store(StoreError::Overloaded) => {
                (StatusCode::SERVICE_UNAVAILABLE, messages::BUSY)
            }
            Self::Store(StoreError::DiskFull(_)) => (StatusCode::INSUFFICIENT_STORAGE, messages::DISK_FULL),
            Self::Store(
                StoreError::Unavailable(_)
                | StoreError::Pool(_)
                | StoreError::NoAnswer
                | StoreError::NotReplicated
                | StoreError::System(_)
                | StoreError::Replaced
                | StoreError::Stopped,
            ) => (StatusCode::SERVICE_UNAVAILABLE, messages::UNAVAILABLE),
            Self::Hash(HashError::Unhashable | HashError::Failed)
            | Self::Store(_)
            | Self::Randomness(_)
            | Self::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, messages::INTERNAL),
        }
    }

    /// Returns the extra header of the response.
    pub fn header(&self, generation: &Generation) -> Option<(HeaderName, String)> {
        match self {
            Self::InvalidLogin | Self::MissingRefreshToken => Some((WWW_AUTHENTICATE, "Bearer".to_owned())),
            Self::InvalidToken | Self::TokenExpired | Self::SessionEnded | Self::UserMissingOrInactive => {
                generation.challenges_for_tokens.then(|| (WWW_AUTHENTICATE, "Bearer".to_owned()))
            }
            Self::TooManyRequests(seconds) => Some((RETRY_AFTER, seconds.to_string())),
            Self::MethodNotAllowed(methods) => Some((ALLOW, (*methods).to_owned())),
            _ if self.status_and_message(generation).0 == StatusCode::SERVICE_UNAVAILABLE => {
                Some((RETRY_AFTER, "1".to_owned()))
            }
            _ => None,
        }
    }

    /// Whether the server is overloaded. Such errors come in large numbers and pass.
    pub fn is_overload(&self) -> bool {
        matches!(self, Self::Hash(HashError::Busy) | Self::Store(StoreError::Overloaded))
    }

    /// Returns the cause for the log, if the server is at fault.
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

fn denied_message(denied: Denied, generation: &Generation) -> (StatusCode, &'static str) {
    match denied {
        Denied::DeactivateSelf => (StatusCode::FORBIDDEN, messages::DEACTIVATE_SELF),
        Denied::Permission => (StatusCode::FORBIDDEN, messages::PERMISSION_DENIED),
        Denied::PromoteSelf => (StatusCode::FORBIDDEN, generation.promotes_self),
        Denied::DeleteAsUser => (StatusCode::FORBIDDEN, generation.deletes_as_user),
        Denied::PasswordByPatch => (StatusCode::BAD_REQUEST, messages::PASSWORD_BY_PATCH),
        Denied::AnothersPassword => (generation.anothers_password, messages::ANOTHERS_PASSWORD),
        Denied::PasswordByApiKey => (StatusCode::FORBIDDEN, messages::PASSWORD_BY_API_KEY),
        Denied::SessionsByApiKey => (StatusCode::FORBIDDEN, messages::SESSIONS_BY_API_KEY),
        Denied::BackupsByApiKey => (StatusCode::FORBIDDEN, messages::BACKUPS_BY_API_KEY),
        Denied::SiteAccessByApiKey => (StatusCode::FORBIDDEN, messages::SITE_ACCESS_BY_API_KEY),
        Denied::RenameSelf => (StatusCode::FORBIDDEN, messages::RENAME_SELF),
        Denied::DeleteSelf => (StatusCode::BAD_REQUEST, messages::DELETE_SELF),
        Denied::LastSuperuser => (StatusCode::FORBIDDEN, messages::LAST_SUPERUSER),
        Denied::KeyOutlivesKey => (StatusCode::FORBIDDEN, messages::KEY_OUTLIVES),
        Denied::OwnDataByApiKey => (StatusCode::FORBIDDEN, messages::OWN_DATA_BY_API_KEY),
        Denied::LastSuperuserLeaves => (StatusCode::CONFLICT, messages::LAST_SUPERUSER_LEAVES),
        Denied::FactorsByApiKey => (StatusCode::FORBIDDEN, messages::FACTORS_BY_API_KEY),
        Denied::AgainByApiKey => (StatusCode::FORBIDDEN, messages::AGAIN_BY_API_KEY),
        Denied::AnothersFactors => (StatusCode::FORBIDDEN, messages::PERMISSION_DENIED),
    }
}
