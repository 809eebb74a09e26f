//! The command line: the real program, with and without a running server on the same data directory.

mod as_root;
mod backup;
mod backup_schedule;
mod commands;
mod doctor;
mod escaping;
mod full_disk;
mod help;
pub mod helpers;
mod import;
mod import_csv;
mod import_faults;
mod interrupts;
mod invitations;
mod json_output;
mod jsonl;
pub mod langflow;
mod lists;
mod other_database;
mod reset_links;
mod restored_credentials;
mod rotate_secret;
mod settings;
mod user_arguments;
