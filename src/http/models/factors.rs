//! The JSON of second factors.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::second_factor::Factor;
use crate::http::models::{maybe_time, time};

/// A second factor of a user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Second factor")]
pub struct FactorRead<'a> {
    id: Uuid,
    /// `totp` (an authenticator app) or `passkey`.
    kind: &'static str,
    name: &'a str,
    /// False until the first code of an authenticator app was entered.
    confirmed: bool,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
    #[schema(required)]
    #[serde(serialize_with = "maybe_time")]
    last_used_at: Option<DateTime<Utc>>,
    /// False for a passkey that was made at another address of this server, and for an authenticator app that was added
    /// under another secret key.
    usable_here: bool,
}

impl<'a> FactorRead<'a> {
    /// `rp_id` is the domain that passkeys must belong to, and `unreadable` are the authenticator apps that the secret
    /// key can't read.
    pub fn new(factor: &'a Factor, rp_id: Option<&str>, unreadable: &[Uuid]) -> Self {
        Self {
            id: factor.id,
            kind: factor.kind.as_str(),
            name: &factor.name,
            confirmed: factor.is_confirmed,
            created_at: factor.created_at,
            last_used_at: factor.last_used_at,
            usable_here: match &factor.rp_id {
                Some(own) => Some(own.as_str()) == rp_id,
                None => !unreadable.contains(&factor.id),
            },
        }
    }
}

/// The second factors of one user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Second factors")]
pub struct FactorsResponse<'a> {
    /// The factors, oldest first.
    pub factors: Vec<FactorRead<'a>>,
    /// How many recovery codes are left.
    pub recovery_codes_left: u32,
    /// Whether the settings require a second factor of this user.
    pub required: bool,
    /// Why passkeys can't be added at this address; `null` if they can.
    #[schema(required)]
    pub passkeys_unavailable: Option<String>,
}

impl<'a> FactorsResponse<'a> {
    /// What the command line prints. It doesn't know the address that passkeys would be used at, nor the secret key.
    pub fn of_command_line(factors: &'a [Factor], recovery_codes_left: u32, required: bool) -> Self {
        let factors = factors.iter().map(|factor| FactorRead::new(factor, factor.rp_id.as_deref(), &[])).collect();
        Self { factors, recovery_codes_left, required, passkeys_unavailable: None }
    }
}

/// A new authenticator app, to be confirmed by its first code.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "New authenticator app")]
pub struct NewTotp<'a> {
    pub id: Uuid,
    /// The secret in base32, for apps without a camera.
    pub secret: &'a str,
    /// The link that authenticator apps read.
    pub otpauth_url: &'a str,
    /// The link as a QR code.
    pub qr_svg: &'a str,
}

/// What the browser's script needs for a passkey, and the challenge that goes back with its answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Passkey options")]
pub struct PasskeyOptions {
    pub challenge: String,
    /// For `navigator.credentials.create()` or `navigator.credentials.get()`.
    #[schema(value_type = Object)]
    pub options: Value,
}

/// New recovery codes. They aren't shown again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Recovery codes")]
pub struct RecoveryCodes<'a> {
    pub codes: Vec<&'a str>,
}
