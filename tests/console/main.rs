//! The console as people meet it: headless Chromium, driven through its driver, against the real server. Without
//! `chromium` and `chromedriver` in the path the tests pass and say that they were skipped. So they do, as they take
//! more than a minute, unless `USHER_BROWSER_TESTS` is set.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod account;
mod docs;
mod driver;
mod entry;
mod faults;
mod gate;
mod keyboard;
mod links;
mod pages;
mod people;
mod sign_up;
mod sizes;
mod troubles;
mod users;
