//! Owns proofs: passwords, tokens, keys, and the secret behind them. Does not know the store; `http` joins the two.

pub mod api_key;
pub mod common;
pub mod fernet;
pub mod gate;
pub mod password;
pub mod random;
pub mod rules;
pub mod secret_key;
pub mod throttle;
pub mod token;
