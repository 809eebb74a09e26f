//! The routes, with a file for each file in `src/http/api`, and the recorded conversations in `wire`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod api_keys;
mod audit;
mod auto_login;
mod current_session;
mod factors;
mod health;
mod invitations;
mod login;
mod login_again;
mod login_forms;
mod long_lists;
mod metrics;
mod openapi;
mod optins;
mod own_data;
mod pages;
mod passkeys;
mod passwords;
mod recovery_codes;
mod reset_links;
mod schema;
mod second_factor;
mod server;
mod sessions;
mod setup;
mod totp;
mod users;
mod wire;
