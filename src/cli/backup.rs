//! `usher backup`.

use serde_json::json;

use crate::cli::context::{audit_event, warn_not_recorded};
use crate::cli::output::{notice, print_result};
use crate::cli::output_file::OutputFile;
use crate::cli::progress::{backup_failure, run_backup_work};
use crate::cli::{Failure, running_server};
use crate::config::Config;
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Clock;
use crate::store::audit;
use crate::store::backup::error::{BackupError, io_error};
use crate::store::backup::make;

/// Copies the database to a new file. A server can use the database meanwhile.
pub fn run(config: &Config, mut output: OutputFile, json: bool) -> Result<(), Failure> {
    running_server::require_sqlite(config)?;
    running_server::announce_database(config);
    let database = running_server::database_path(config);
    let (path, data_dir, is_stdout) = (output.path().to_owned(), config.data_dir.clone(), output.is_stdout());
    let made = run_backup_work(move |progress| {
        let target = output.path().to_owned();
        let failed = |error| io_error(&target, error);
        let file = output.open(&data_dir).map_err(failed)?;
        let bytes = make::make(&database, &file, &target, output.scratch(&data_dir), progress)?;
        output.publish().map_err(failed)?;
        Ok(bytes)
    })?;
    record(config, &made);
    let bytes = made.map_err(backup_failure)?;
    if is_stdout {
        notice(format_args!("checked and written ({bytes} bytes)"));
        return Ok(());
    }
    print_result(json, &json!({ "file": path.display().to_string(), "bytes": bytes }), || {
        format!("checked and written: {} ({bytes} bytes)", path.display())
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
