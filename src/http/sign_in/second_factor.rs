//! Checking second factors: codes, alone or after the password, and using them up.

use uuid::Uuid;

use crate::auth::passkey::RelyingParty;
use crate::auth::recovery_code;
use crate::auth::totp::{self, TotpSecret};
use crate::domain::clock::Timestamp;
use crate::domain::second_factor::{AvailableFactors, FactorKind, StoredCredential};
use crate::domain::secret::Secret;
use crate::http::pipeline::app::App;
use crate::http::pipeline::error::ApiError;
use crate::store::factors::TotpFactor;
use crate::store::{Connection, StoreError, factors};

/// The longest code that is looked at, in bytes: a recovery code with a hyphen after every character.
const MAX_CODE_BYTES: usize = 64;

/// A factor whose code or answer was right. It is used up by [`UsedFactor::accept`], inside of the transaction that the
/// sign-in is written in.
#[derive(Clone, Debug)]
pub enum UsedFactor {
    /// A code of an authenticator app.
    Totp {
        /// The factor's id.
        id: Uuid,
        /// The code's step.
        step: i64,
    },
    /// A recovery code, by its hash.
    Recovery([u8; 32]),
    Passkey {
        /// The factor's id.
        id: Uuid,
        /// The credential that the answer was checked against.
        before: StoredCredential,
        /// The credential with its new counter.
        after: StoredCredential,
    },
}

impl UsedFactor {
    /// Uses the factor up; false if another request used it meanwhile.
    pub fn accept(&self, connection: &Connection, user_id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        match self {
            Self::Totp { id, step } => factors::accept_step(connection, *id, *step, now),
            Self::Recovery(hash) => factors::use_recovery_code(connection, user_id, hash, now),
            Self::Passkey { id, before, after } => factors::accept_assertion(connection, *id, before, after, now),
        }
    }

    /// The factor's name for the audit log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Totp { .. } => FactorKind::Totp.as_str(),
            Self::Recovery(_) => "recovery code",
            Self::Passkey { .. } => FactorKind::Passkey.as_str(),
        }
    }
}

/// The content of a password field: a password, and perhaps a code after it.
pub struct TypedPassword {
    /// The part that is hashed.
    pub password: Secret,
    /// The right code after it.
    pub factor: Option<UsedFactor>,
}

impl TypedPassword {
    /// A password without a code.
    pub fn whole(password: Secret) -> Self {
        Self { password, factor: None }
    }
}

/// Splits a password field. A code counts only if it is right for this account, so a password that merely ends in six
/// digits is hashed whole.
pub fn read_typed_password(
    connection: &Connection,
    app: &App,
    user_id: Uuid,
    typed: Secret,
    now: Timestamp,
) -> Result<TypedPassword, StoreError> {
    if !app.config.second_factor.is_on() {
        return Ok(TypedPassword::whole(typed));
    }
    let text = typed.expose();
    let split = text.len().checked_sub(totp::DIGITS).and_then(|at| text.split_at_checked(at));
    if let Some((password, code)) = split
        && let Some(factor) = find_totp(connection, app, user_id, code, now)?
    {
        return Ok(TypedPassword { password: Secret::new(password), factor: Some(factor) });
    }
    if let Some((password, hash)) = recovery_code::split(text)
        && factors::has_recovery_code(connection, user_id, &hash)?
    {
        return Ok(TypedPassword { password: Secret::new(password), factor: Some(UsedFactor::Recovery(hash)) });
    }
    Ok(TypedPassword::whole(typed))
}

/// Finds the factor that a code belongs to: an authenticator app, or else a recovery code.
pub fn find_code(
    connection: &Connection,
    app: &App,
    user_id: Uuid,
    code: &Secret,
    now: Timestamp,
) -> Result<Option<UsedFactor>, StoreError> {
    let code = code.expose().trim();
    if code.len() > MAX_CODE_BYTES {
        return Ok(None);
    }
    // Apps show their codes in two groups.
    let digits: String = code.chars().filter(|char| *char != ' ').collect();
    if let Some(factor) = find_totp(connection, app, user_id, &digits, now)? {
        return Ok(Some(factor));
    }
    let Some(hash) = recovery_code::hash(code) else { return Ok(None) };
    Ok(factors::has_recovery_code(connection, user_id, &hash)?.then_some(UsedFactor::Recovery(hash)))
}

fn find_totp(
    connection: &Connection,
    app: &App,
    user_id: Uuid,
    code: &str,
    now: Timestamp,
) -> Result<Option<UsedFactor>, StoreError> {
    if code.len() != totp::DIGITS || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    for factor in factors::totp_of_user(connection, user_id)?.into_iter().filter(|factor| factor.is_confirmed) {
        let Some(secret) = totp_secret(app, &factor) else {
            log::error!("the authenticator app {} can't be read with this secret key", factor.id);
            continue;
        };
        if let Some(step) = secret.step_of(code, factor.last_step, now) {
            return Ok(Some(UsedFactor::Totp { id: factor.id, step }));
        }
    }
    Ok(None)
}

/// Whether a sign-in of this user needs a second factor.
pub fn is_needed(connection: &Connection, app: &App, user_id: Uuid) -> Result<bool, StoreError> {
    Ok(app.config.second_factor.is_on() && factors::is_enrolled(connection, user_id)?)
}

/// Returns the factors that can finish a sign-in. Skips apps that this secret key can't decrypt.
pub fn available_factors(connection: &Connection, app: &App, user_id: Uuid) -> Result<AvailableFactors, StoreError> {
    let rp_id = app.relying_party.as_ref().ok().map(RelyingParty::id);
    let available = factors::available(connection, user_id, rp_id)?;
    let totp = available.totp && {
        let apps = factors::totp_of_user(connection, user_id)?;
        apps.iter().any(|factor| factor.is_confirmed && totp_secret(app, factor).is_some())
    };
    Ok(AvailableFactors { totp, ..available })
}

/// The ids of a user's authenticator apps that this secret key can't read, because another one encrypted them.
pub fn unreadable_apps(connection: &Connection, app: &App, user_id: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let apps = factors::totp_of_user(connection, user_id)?;
    Ok(apps.iter().filter(|factor| totp_secret(app, factor).is_none()).map(|factor| factor.id).collect())
}

/// The secret of an authenticator app, if this secret key can read it.
pub fn totp_secret(app: &App, factor: &TotpFactor) -> Option<TotpSecret> {
    app.fernet.decrypt(&factor.encrypted_secret).and_then(|text| TotpSecret::from_base32(&text))
}

/// Refuses requests about second factors if they are off in the settings.
///
/// # Errors
/// [`ApiError::NotFound`], as if the route didn't exist.
pub fn require_offered(app: &App) -> Result<(), ApiError> {
    if app.config.second_factor.is_on() { Ok(()) } else { Err(ApiError::NotFound) }
}

/// The relying party that passkeys belong to.
///
/// # Errors
/// When passkeys can't be used at this server's address.
pub fn relying_party(app: &App) -> Result<&RelyingParty, ApiError> {
    require_offered(app)?;
    app.relying_party.as_ref().map_err(|why| ApiError::PasskeysUnavailable(*why))
}
