//! The security rules that apply to many routes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod attempts_in_flight;
mod cookies;
mod document;
mod guesses;
mod http;
mod limits;
mod logs;
mod origins;
mod remembered_callers;
mod required_factor;
mod required_password;
mod revoked_meanwhile;
mod second_factor;
mod throttle;
