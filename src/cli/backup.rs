//! `usher backup`.

use std::path::Path;

use serde_json::json;

use crate::cli::context::{audit_event, warn_not_recorded};
use crate::cli::output::print_result;
use crate::cli::progress::{backup_failure, run_backup_work};
use crate::cli::{Failure, running_server};
use crate::config::Config;
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Clock;
use crate::store::audit;
use crate::store::backup::error::BackupError;
use crate::store::backup::make;

/// Copies the database to a new file. A server can use the database meanwhile.
pub fn run(config: &Config, file: &Path, json: bool) -> Result<(), Failure> {
    running_server::announce_database(config);
    let (database, target) = (running_server::database_path(config), file.to_owned());
    let made = run_backup_work(move |progress| make::make(&database, &target, progress))?;
    record(config, &made);
    let bytes = made.map_err(backup_failure)?;
    print_result(json, &json!({ "file": file.display().to_string(), "bytes": bytes }), || {
        format!("checked and written: {} ({bytes} bytes)", file.display())
    })
}

/// Records in the audit log that the backup was made, or failed. A wrong argument isn't recorded.
fn record(config: &Config, outcome: &Result<u64, BackupError>) {
    let success = match outcome {
        Ok(_) => true,
        Err(BackupError::NoRoom(_) | BackupError::Unsound { .. }) => false,
        Err(_) => return,
    };
    let event = Event { success, ..audit_event(Action::BackedUp) };
    if let Err(error) = audit::record_in_file(&running_server::database_path(config), &event, Clock::system().now()) {
        warn_not_recorded(&error);
    }
}
