//! The console in headless Chromium, against the real server. These tests take minutes and are ignored unless
//! `USHER_BROWSER_TESTS` is set.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod account;
mod authenticator;
mod confirmations;
mod docs;
mod driver;
mod errors;
mod factor_pages;
mod factors;
mod failures;
mod fake_proxy;
mod invitations;
mod keyboard;
mod large_data;
mod links;
mod lists;
mod own_data;
mod pages;
mod passkeys;
mod profiles;
mod required_password;
mod sign_in;
mod sign_up;
mod users;
