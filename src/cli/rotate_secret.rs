//! `usher rotate-secret`: replaces the secret key.
//!
//! A power cut at any moment leaves a key and a database that belong together. The new key is written beside the old
//! one, then one transaction re-encrypts the database, then the new key is renamed over the old one. If a power cut
//! prevents the rename, [`secret_key::load_or_create`] finds the right key by its fingerprint and completes the
//! rotation.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::auth::fernet::Fernet;
use crate::auth::secret_key::{self, SECRET_KEY_FILE, fingerprint};
use crate::cli::Failure;
use crate::cli::context::{CommandError, Context, audit_event, with_context};
use crate::cli::prompt::require_confirmation;
use crate::cli::running_server::require_stopped_server;
use crate::config::{Config, ValueSource};
use crate::domain::audit::{Action, Event};
use crate::domain::secret::Secret;
use crate::server::secret_key::{owners, unreadable};
use crate::store::secret_key::{EncryptedText, EncryptedTexts};
use crate::store::{audit, secret_key as stored_key, sessions};

/// What the transaction changed.
struct Rotation {
    sessions: usize,
    encrypted: usize,
    /// The users whose store keys can't be decrypted.
    lost: Vec<String>,
    encrypted_apps: usize,
    /// The users whose authenticator apps can't be decrypted. They need `usher user reset-factors`.
    lost_apps: Vec<String>,
}

pub fn run(config: &Config, old: Option<&Path>, yes: bool, json: bool) -> Result<(), Failure> {
    with_context(config, json, async |context| {
        let _lock = require_stopped_server(config)?;
        rotate(context, old, yes).await
    })
}

async fn rotate(context: &Context<'_>, old: Option<&Path>, yes: bool) -> Result<(), Failure> {
    let config = context.config;
    let dir = &config.data_dir;
    let known = context.db.read(stored_key::fingerprint).await.map_err(CommandError::Store)?;
    // A new key of an interrupted rotation would be overwritten below.
    secret_key::complete_rotation(dir, known, context.now)?;
    // The keys that may have encrypted the stored store keys.
    let mut olds: Vec<Secret> = Vec::new();
    if let Some(path) = old {
        olds.push(secret_key::read(path)?.ok_or_else(|| format!("{} doesn't exist", path.display()))?);
    }
    if let Some(key) = &config.secret_key {
        if known == Some(fingerprint(key)) {
            return Err(change_setting_first(config).into());
        }
        olds.push(key.clone());
    }
    // An unreadable key can't decrypt anything. The file is kept anyway.
    olds.extend(secret_key::read(&dir.join(SECRET_KEY_FILE)).ok().flatten());
    require_confirmation(yes, "Replace the secret key? Everybody has to sign in again.")?;
    let (new, next) = match &config.secret_key {
        Some(key) => (key.clone(), false),
        None => (secret_key::make_next(dir)?, true),
    };
    let Rotation { sessions, encrypted, lost, encrypted_apps, lost_apps } = reencrypt(context, new, olds).await?;
    let kept: Option<PathBuf> = if next { secret_key::promote_next(dir, context.now)? } else { None };
    let kept = kept.map(|path| path.display().to_string());
    let shown = json!({
        "sessions_ended": sessions, "store_keys_encrypted": encrypted, "store_keys_unreadable_of": lost,
        "authenticator_apps_encrypted": encrypted_apps, "authenticator_apps_unreadable_of": lost_apps, "kept": kept,
    });
    context.print(&shown, || {
        let mut lines = vec![format!("secret key rotated; sessions ended: {sessions}")];
        if encrypted > 0 {
            lines.push(format!("store keys re-encrypted: {encrypted}"));
        }
        if encrypted_apps > 0 {
            lines.push(format!("authenticator apps re-encrypted: {encrypted_apps}"));
        }
        if !lost.is_empty() {
            lines.push(format!("store keys that can't be read, and are unchanged: {}", lost.join(", ")));
            lines.push(
                "to read them, pass the key that encrypted them with --old-secret-key-file; else their owners have to \
                 save them again"
                    .to_owned(),
            );
        }
        if !lost_apps.is_empty() {
            lines.push(format!("authenticator apps that can't be read, and are unchanged: {}", lost_apps.join(", ")));
            lines.push(
                "to read them, pass the key that encrypted them with --old-secret-key-file; else their owners sign in \
                 another way and add them again, or you run `usher user reset-factors NAME`"
                    .to_owned(),
            );
        }
        if let Some(kept) = kept {
            lines.push(format!(
                "the previous key is kept as {kept}; backups made before need it, so delete it with them"
            ));
        }
        lines.join("\n")
    })
}

/// The refusal if the key is a setting that hasn't been changed yet.
fn change_setting_first(config: &Config) -> String {
    let source = match config.sources.get("secret_key") {
        Some(ValueSource::File(path)) => format!("`secret_key` or `secret_key_file` in {}", path.display()),
        Some(source) => source.to_string(),
        None => "the settings".to_owned(),
    };
    format!(
        "the secret key comes from {source} and is already in use. Save it to a file, set a new one there (`openssl \
         rand -base64 32` prints one), and run `usher rotate-secret --old-secret-key-file FILE`; nothing was changed"
    )
}

/// Re-encrypts the store keys and ends all sessions, in one transaction.
async fn reencrypt(context: &Context<'_>, new: Secret, olds: Vec<Secret>) -> Result<Rotation, Failure> {
    let now = context.now;
    let done = context.db.write(move |connection| {
        let EncryptedTexts { store_keys, authenticator_apps } = EncryptedTexts::read(connection)?;
        let all: Vec<&Secret> = std::iter::once(&new).chain(&olds).collect();
        let lost = owners(&unreadable(&store_keys, &all));
        let lost_apps = owners(&unreadable(&authenticator_apps, &all));
        let (new_fernet, old_fernets) = (Fernet::new(&new), olds.iter().map(Fernet::new).collect::<Vec<_>>());
        // Those that can be read under an old key only.
        let renewed = |texts: Vec<EncryptedText>| {
            let texts = texts.into_iter().filter(|text| new_fernet.decrypt(&text.token).is_none());
            let decrypted = texts.filter_map(|EncryptedText { id, token, .. }| {
                old_fernets.iter().find_map(|fernet| fernet.decrypt(&token)).map(|text| (id, text))
            });
            decrypted.map(|(id, text)| Ok((id, new_fernet.encrypt(text.expose(), now)?))).collect()
        };
        let (store_keys, apps): (Result<Vec<_>, CommandError>, Result<Vec<_>, CommandError>) =
            (renewed(store_keys), renewed(authenticator_apps));
        let (store_keys, apps) = (store_keys?, apps?);
        for (id, token) in &store_keys {
            stored_key::set_store_key(connection, *id, token)?;
        }
        for (id, token) in &apps {
            stored_key::set_authenticator_app(connection, *id, token)?;
        }
        let (encrypted, encrypted_apps) = (store_keys.len(), apps.len());
        let sessions = sessions::end_all(connection)?;
        stored_key::clear_keyed_counts(connection)?;
        stored_key::set_fingerprint(connection, &fingerprint(&new))?;
        let detail = format!(
            "sessions {sessions}, store keys {encrypted}, unreadable {}, authenticator apps {encrypted_apps}, unreadable of {}",
            lost.len(),
            lost_apps.len()
        );
        let event = Event { detail: Some(detail), ..audit_event(Action::SecretRotated) };
        audit::record(connection, &event, now)?;
        Ok::<_, CommandError>(Rotation { sessions, encrypted, lost, encrypted_apps, lost_apps })
    });
    Ok(done.await?)
}
