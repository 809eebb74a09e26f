//! Owns `usher rotate-secret`: another secret key for the database. The order is such that a cut at any moment leaves
//! either the old key and a database that goes with it, or the new ones: the new key is laid beside the old one, then
//! one transaction takes the database over, then the new key takes the old one's name. Between the last two,
//! [`secret_key::load_or_create`] finds by the fingerprint which of the two keys is meant, and finishes.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::auth::fernet::Fernet;
use crate::auth::secret_key::{self, SECRET_KEY_FILE, fingerprint};
use crate::cli::Failure;
use crate::cli::backup::alone;
use crate::cli::context::{CommandError, Context, command_line, confirm};
use crate::config::{Config, ValueSource};
use crate::domain::audit::{Action, Event};
use crate::domain::secret::Secret;
use crate::server::secret_key::unreadable;
use crate::store::secret_key::StoreKey;
use crate::store::{audit, secret_key as noted, sessions};

/// What became of the database.
struct Rotated {
    sessions: usize,
    encrypted: usize,
    /// Whose store key no key at hand opens.
    lost: Vec<String>,
}

/// Runs the command.
pub fn run(config: &Config, old: Option<&Path>, yes: bool, as_json: bool) -> Result<(), Failure> {
    let desk = Context::open(config, as_json)?;
    let done = alone(config).and_then(|_lock| actix_web::rt::System::new().block_on(rotate(&desk, old, yes)));
    desk.db.close();
    done
}

async fn rotate(desk: &Context<'_>, old: Option<&Path>, yes: bool) -> Result<(), Failure> {
    let config = desk.config;
    let dir = &config.data_dir;
    let known = desk.db.read(noted::fingerprint).await.map_err(CommandError::Store)?;
    // A key that waits would be overwritten below.
    secret_key::complete_rotation(dir, known, desk.now)?;
    // The keys that may have encrypted what is stored.
    let mut olds: Vec<Secret> = Vec::new();
    if let Some(path) = old {
        olds.push(secret_key::read(path)?.ok_or_else(|| format!("{} does not exist", path.display()))?);
    }
    if let Some(key) = &config.secret_key {
        if known == Some(fingerprint(key)) {
            return Err(how_to(config).into());
        }
        olds.push(key.clone());
    }
    // What cannot be read opens nothing, and is kept all the same.
    olds.extend(secret_key::read(&dir.join(SECRET_KEY_FILE)).ok().flatten());
    confirm(yes, "Use another secret key from now on? Everybody has to log in again.")?;
    let (new, next) = match &config.secret_key {
        Some(key) => (key.clone(), false),
        None => (secret_key::make_next(dir)?, true),
    };
    let Rotated { sessions, encrypted, lost } = take_over(desk, new, olds).await?;
    let kept: Option<PathBuf> = if next { secret_key::promote_next(dir, desk.now)? } else { None };
    let kept = kept.map(|path| path.display().to_string());
    let shown = json!({
        "sessions_ended": sessions, "store_keys_encrypted": encrypted, "store_keys_unreadable_of": lost,
        "kept": kept,
    });
    desk.print(&shown, || {
        let mut lines = vec![format!("the secret key is another one now; sessions ended: {sessions}")];
        if encrypted > 0 {
            lines.push(format!("store keys encrypted anew: {encrypted}"));
        }
        if !lost.is_empty() {
            lines.push(format!("store keys that cannot be read, and stay as they are: {}", lost.join(", ")));
            lines.push(
                "with the key that encrypted them, --old-secret-key-file reads them; else their owners save \
                        theirs again"
                    .to_owned(),
            );
        }
        if let Some(kept) = kept {
            lines.push(format!(
                "the key before is kept as {kept}, for backups that go with it; delete it when you need none of them"
            ));
        }
        lines.join("\n")
    })
}

/// Why nothing is done where the key is a setting, and what to do instead.
fn how_to(config: &Config) -> String {
    let source = match config.sources.get("secret_key") {
        Some(ValueSource::File(path)) => format!("`secret_key` or `secret_key_file` in {}", path.display()),
        Some(source) => source.to_string(),
        None => "the settings".to_owned(),
    };
    format!(
        "the secret key comes from {source} and is the one that the database goes with. Keep it in a file, set \
         another one there (`openssl rand -base64 32` makes one), and run `usher rotate-secret \
         --old-secret-key-file FILE`; nothing was changed"
    )
}

/// Takes the database from the old keys to the new one, all in one transaction.
async fn take_over(desk: &Context<'_>, new: Secret, olds: Vec<Secret>) -> Result<Rotated, Failure> {
    let now = desk.now;
    let done = desk.db.write(move |connection| {
        let stored = noted::store_keys(connection)?;
        let all: Vec<&Secret> = std::iter::once(&new).chain(&olds).collect();
        let lost: Vec<String> = unreadable(&stored, &all).into_iter().map(|key| key.username.clone()).collect();
        let (ours, theirs) = (Fernet::new(&new), olds.iter().map(Fernet::new).collect::<Vec<_>>());
        let mut encrypted = 0;
        for StoreKey { user_id, token, .. } in stored.iter().filter(|key| ours.decrypt(&key.token).is_none()) {
            let Some(text) = theirs.iter().find_map(|fernet| fernet.decrypt(token)) else { continue };
            let token = ours.encrypt(text.expose(), now)?;
            noted::set_store_key(connection, *user_id, &token)?;
            encrypted += 1;
        }
        let sessions = sessions::end_all(connection)?;
        noted::clear_keyed_counts(connection)?;
        noted::set_fingerprint(connection, &fingerprint(&new))?;
        let detail = format!("sessions {sessions}, store keys {encrypted}, unreadable {}", lost.len());
        let event = Event {
            actor: command_line(),
            action: Action::SecretRotated,
            target: None,
            success: true,
            detail: Some(detail),
        };
        audit::record(connection, &event, now)?;
        Ok::<_, CommandError>(Rotated { sessions, encrypted, lost })
    });
    Ok(done.await?)
}
