//! Sign-in: what the routes that check passwords and second factors and start sessions share.

pub mod attempt;
pub mod challenge;
pub mod factor_owner;
pub mod key_revocation;
pub mod passkey_challenge;
pub mod second_factor;
pub mod session_start;
pub mod session_tokens;
