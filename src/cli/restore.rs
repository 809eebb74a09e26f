//! `usher restore`.

use std::path::Path;

use serde_json::json;

use crate::cli::context::audit_event;
use crate::cli::output::{notice, print_result};
use crate::cli::progress::{backup_failure, run_backup_work};
use crate::cli::prompt::require_confirmation;
use crate::cli::{Failure, running_server};
use crate::config::Config;
use crate::domain::audit::Action;
use crate::domain::clock::Clock;
use crate::server::secret_key;
use crate::store::backup::restore;

/// Replaces the database with a backup. No server can run meanwhile.
pub fn run(config: &Config, file: &Path, yes: bool, json: bool) -> Result<(), Failure> {
    let path = running_server::database_path(config);
    running_server::announce_database(config);
    let _lock = running_server::require_stopped_server(config)?;
    if let (Ok(file), Ok(path)) = (file.canonicalize(), path.canonicalize())
        && file == path
    {
        return Err(format!("{} is the database itself; name a backup of it", path.display()).into());
    }
    if path.exists() {
        let question = format!("Replace {} with {} and end all sessions?", path.display(), file.display());
        require_confirmation(yes, &question)?;
    }
    let (backup, dir) = (file.to_owned(), config.data_dir.clone());
    let restored = run_backup_work(move |progress| {
        restore::restore(&backup, &dir, &audit_event(Action::Restored), Clock::system().now(), progress)
    })?;
    let kept = restored.map_err(backup_failure)?.map(|path| path.display().to_string());
    let lost = secret_key::lost_store_keys(config)?;
    let shown = json!({ "restored": file.display().to_string(), "kept": kept, "unreadable_store_keys": lost });
    print_result(json, &shown, || {
        let kept = kept.map(|kept| format!("\nthe previous database is kept as {kept}")).unwrap_or_default();
        format!("restored {}; everybody has to sign in again{kept}", file.display())
    })?;
    if let Some(lost) = lost {
        notice(format_args!(
            "warning: this backup belongs to another secret key, and {lost} stored store keys can't be read; put that \
             key back, or run `usher rotate-secret`"
        ));
    }
    Ok(())
}
