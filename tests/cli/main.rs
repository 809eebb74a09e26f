//! The command line, as the real program, beside a really running server on the same data directory or without one.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod as_root;
mod backup;
mod commands;
mod desk;
mod doctor;
mod elsewhere;
mod full_disk;
mod import;
mod import_csv;
mod import_faults;
mod invitations;
mod langflow;
mod lines;
mod lists;
mod names;
mod printing;
mod programs;
mod reset_links;
mod rotate;
mod schedule;
mod settings;
mod stopping;
