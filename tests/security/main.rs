//! The security rules that concern no single route.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod cookies;
mod document;
mod http;
mod limits;
mod logs;
mod meanwhile;
mod required_factor;
mod second_factor;
mod throttle;
