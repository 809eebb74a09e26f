//! The tests of usher with SQLite. They are one program, because `cargo test` runs one program after another: while
//! some tests wait, those of other folders run.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that can't go on panics; figures are printed"
)]

mod cli;
mod faults;
mod routes;
mod security;
mod server;
mod support;

use cli::{helpers, langflow};
use routes::schema;
