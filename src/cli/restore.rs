//! `usher restore`.

use std::path::Path;

use serde_json::json;

use crate::cli::context::audit_event;
use crate::cli::output::{counted, notice, print_result};
use crate::cli::progress::{backup_failure, run_backup_work};
use crate::cli::prompt::require_confirmation;
use crate::cli::{Failure, running_server};
use crate::config::Config;
use crate::domain::audit::Action;
use crate::domain::clock::Clock;
use crate::server::secret_key;
use crate::store::backup::restore;
use crate::store::backup::revocations::KeyRevocation;

/// What the user has agreed to.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct RestoreOptions {
    /// Don't ask for confirmation.
    #[arg(long)]
    yes: bool,
    /// Keep API keys without a database that says which were revoked.
    #[arg(long)]
    keep_keys: bool,
    /// Restore a backup without users.
    #[arg(long)]
    allow_empty: bool,
}

/// Replaces the database with a backup. No server can run meanwhile.
pub fn run(config: &Config, file: &Path, options: RestoreOptions, json: bool) -> Result<(), Failure> {
    running_server::require_sqlite(config)?;
    let path = running_server::database_path(config);
    running_server::announce_database(config);
    let _lock = running_server::require_stopped_server(config)?;
    if let (Ok(file), Ok(path)) = (file.canonicalize(), path.canonicalize())
        && file == path
    {
        return Err(format!("{} is the database itself; name a backup of it", path.display()).into());
    }
    let (backup, dir) = (file.to_owned(), config.data_dir.clone());
    let prepared = run_backup_work(move |progress| restore::prepare(&backup, &dir, progress))?;
    let prepared = prepared.map_err(backup_failure)?;
    let count = prepared.users;
    let users = counted(usize::try_from(count).unwrap_or(0), "user");
    if count == 0 && !options.allow_empty {
        let fault = "the backup has no users; a copy of `usher.db` needs the file `usher.db-wal` beside it";
        return Err(format!("{fault}; pass --allow-empty to restore it all the same").into());
    }
    if path.exists() {
        let (path, file) = (path.display(), file.display());
        let question = format!("Replace {path} with {file} ({users}) and end all sessions?");
        require_confirmation(options.yes, &question)?;
    }
    let event = audit_event(Action::Restored);
    let outcome = prepared.replace(options.keep_keys, &event, Clock::system().now()).map_err(backup_failure)?;
    let kept = outcome.kept.map(|path| path.display().to_string());
    let lost = secret_key::count_undecryptable(config)?;
    let (revoked, disabled) = match outcome.keys {
        KeyRevocation::CarriedOver(count) => (count, 0),
        KeyRevocation::Disabled(count) => (0, count),
        KeyRevocation::Kept => (0, 0),
    };
    let shown = json!({
        "restored": file.display().to_string(), "users": count, "kept": kept,
        "api_keys_revoked": revoked, "api_keys_disabled": disabled, "unreadable_store_keys": lost.map(|lost| lost.store_keys),
        "unreadable_authenticator_apps": lost.map(|lost| lost.authenticator_apps),
    });
    print_result(json, &shown, || {
        let mut lines = vec![format!("restored {} with {users}; everybody has to sign in again", file.display())];
        if revoked > 0 {
            lines.push(format!("API keys that were revoked since the backup stay revoked: {revoked}"));
        }
        if disabled > 0 {
            lines.push(format!(
                "API keys disabled: {disabled}, because no database says which were revoked since; --keep-keys keeps them"
            ));
        }
        lines.extend(kept.map(|kept| format!("the previous database is kept as {kept}")));
        lines.join("\n")
    })?;
    if let Some(lost) = lost {
        notice(format_args!(
            "warning: this backup belongs to another secret key, and {lost} can't be read; put that \
             key back, or run `usher rotate-secret`"
        ));
    }
    Ok(())
}
