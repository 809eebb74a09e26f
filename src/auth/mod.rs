//! Passwords, tokens, API keys, and the secret key. This layer doesn't know the store; `http` joins the two.

pub mod api_key;
pub mod common_passwords;
pub mod fernet;
pub mod hashing_queue;
pub mod link_token;
pub mod passkey;
pub mod password_hasher;
pub mod password_policy;
pub mod random;
pub mod recovery_code;
pub mod secret_key;
pub mod throttle_keys;
pub mod token;
pub mod totp;
