//! The console in headless Chromium, against the real server. These tests take minutes and are ignored unless
//! `USHER_BROWSER_TESTS` is set.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod account;
mod authenticator;
mod careful;
mod docs;
mod driver;
mod entry;
mod factor_pages;
mod factors;
mod faults;
mod gate;
mod invitations;
mod keyboard;
mod links;
mod lists;
mod own_data;
mod pages;
mod people;
mod sign_up;
mod sizes;
mod troubles;
mod users;
