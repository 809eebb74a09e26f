//! Owns `usher backup` and `usher restore`.

use std::path::Path;

use serde_json::json;

use crate::cli::context::{command_line, confirm, print, tell};
use crate::cli::interrupt::{Interrupted, on_thread, stoppable};
use crate::cli::progress::Progress;
use crate::cli::{Failure, running_server};
use crate::config::Config;
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Clock;
use crate::platform::{self, DirLock};
use crate::server::secret_key;
use crate::store::audit;
use crate::store::backup::error::{BackupError, BackupProgress, BackupStage};
use crate::store::backup::make;
use crate::store::backup::restore;

/// Copies the database, which a server may be writing, to a new file.
pub fn make(config: &Config, file: &Path, as_json: bool) -> Result<(), Failure> {
    running_server::say(config);
    let (database, target) = (running_server::database(config), file.to_owned());
    let made = watched(move |watch| make::make(&database, &target, watch))?;
    note(config, &made);
    let bytes = finished(made)?;
    print(as_json, &json!({ "file": file.display().to_string(), "bytes": bytes }), || {
        format!("checked and written: {} ({bytes} bytes)", file.display())
    })
}

/// Puts a backup in the database's place, while no server runs.
pub fn restore(config: &Config, file: &Path, yes: bool, as_json: bool) -> Result<(), Failure> {
    let path = running_server::database(config);
    running_server::say(config);
    let _lock = alone(config)?;
    if let (Ok(file), Ok(path)) = (file.canonicalize(), path.canonicalize())
        && file == path
    {
        return Err(format!("{} is the database itself; name a backup of it", path.display()).into());
    }
    if path.exists() {
        confirm(yes, &format!("Replace {} by {}, and end all sessions?", path.display(), file.display()))?;
    }
    let (backup, dir) = (file.to_owned(), config.data_dir.clone());
    let restored = watched(move |watch| restore::restore(&backup, &dir, &event(Action::Restored, true), now(), watch))?;
    let kept = finished(restored)?.map(|path| path.display().to_string());
    let lost = secret_key::lost_store_keys(config)?;
    let shown = json!({ "restored": file.display().to_string(), "kept": kept, "unreadable_store_keys": lost });
    print(as_json, &shown, || {
        let kept = kept.map(|kept| format!("\nthe database before is kept as {kept}")).unwrap_or_default();
        format!("restored {}; everybody has to log in again{kept}", file.display())
    })?;
    if let Some(lost) = lost {
        tell(format_args!(
            "warning: this backup goes with another secret key, and {lost} stored store keys cannot be read; put that \
             key back, or run `usher rotate-secret`"
        ));
    }
    Ok(())
}

/// The lock on the data directory, which a running server has.
pub(super) fn alone(config: &Config) -> Result<DirLock, Failure> {
    let dir = &config.data_dir;
    if !dir.is_dir() {
        return Err(format!("{} does not exist; make it, or choose the server's `data_dir`", dir.display()).into());
    }
    let lock = platform::lock_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    lock.ok_or_else(|| format!("a server is running on {}; stop it first", dir.display()).into())
}

/// Does the work on a thread of its own, with a line on the terminal, until it is done or somebody stops it.
fn watched<T: Send + 'static>(
    work: impl FnOnce(&mut BackupProgress) -> Result<T, BackupError> + Send + 'static,
) -> Result<Result<T, BackupError>, Failure> {
    stoppable(async |stop| {
        on_thread(move || {
            let mut line = Progress::new();
            let progress = Box::new(move |stage, done, whole| line.show(label(stage), done, whole));
            work(&mut BackupProgress { stop, progress })
        })
        .await
    })
}

fn label(stage: BackupStage) -> &'static str {
    match stage {
        BackupStage::Copying => "copying",
        BackupStage::Checking => "checking",
        BackupStage::Packing => "packing",
    }
}

fn finished<T>(done: Result<T, BackupError>) -> Result<T, Failure> {
    done.map_err(|error| if matches!(error, BackupError::Stopped) { Interrupted.into() } else { error.into() })
}

fn event(action: Action, success: bool) -> Event {
    Event { actor: command_line(), action, target: None, success, detail: None }
}

fn now() -> crate::domain::clock::Timestamp {
    Clock::system().now()
}

/// Writes to the audit log that a backup was made, or failed for another reason than how it was asked for.
fn note(config: &Config, outcome: &Result<u64, BackupError>) {
    let success = match outcome {
        Ok(_) => true,
        Err(BackupError::NoRoom(_) | BackupError::Unsound { .. }) => false,
        Err(_) => return,
    };
    let noted = audit::record_in_file(&running_server::database(config), &event(Action::BackedUp, success), now());
    if let Err(error) = noted {
        tell(format_args!("warning: this is not in the audit log: {}", error.described()));
    }
}
