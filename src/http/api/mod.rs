//! The routes, a file per group. Route files don't import each other.

pub mod api_keys;
pub mod audit;
pub mod auto_login;
pub mod current_session;
pub mod factors;
pub mod health;
pub mod invitations;
pub mod login;
pub mod login_again;
pub mod metrics;
pub mod openapi;
pub mod own_data;
pub mod passkeys;
pub mod passwords;
pub mod recovery_codes;
pub mod reset_links;
pub mod second_factor;
pub mod server;
pub mod sessions;
pub mod setup;
pub mod totp;
pub mod users;
