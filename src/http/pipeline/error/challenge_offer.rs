//! The response to a right password when a second factor is needed.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::second_factor::AvailableFactors;
use crate::domain::secret::Secret;

/// A challenge and the factors that can answer it.
#[derive(Debug)]
pub struct ChallengeOffer {
    /// The token that the answer must carry.
    pub token: Secret,
    /// The factors that can answer.
    pub factors: AvailableFactors,
    /// What the browser's script needs for a passkey.
    pub passkey: Option<Value>,
}

impl ChallengeOffer {
    /// Returns the JSON body with this message.
    pub fn body(&self, message: &str) -> Value {
        json!(SignInRefused {
            detail: message,
            challenge: Some(self.token.expose()),
            factors: Some(self.factors.names()),
            passkey_options: self.passkey.as_ref(),
        })
    }
}

/// Why a sign-in failed. Only if a second factor is needed, there is a challenge.
#[derive(Serialize, ToSchema)]
#[schema(title = "Sign-in refused")]
pub struct SignInRefused<'a> {
    detail: &'a str,
    /// What the answer to `POST /api/v1/login/second-factor` must carry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    challenge: Option<&'a str>,
    /// `totp`, `passkey` and `recovery`: what this user can answer with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    factors: Option<Vec<&'a str>>,
    /// For `navigator.credentials.get()`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Object)]
    passkey_options: Option<&'a Value>,
}
