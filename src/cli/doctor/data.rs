//! Checks the database: its integrity, its secret key, the clock, and whether there is a superuser.

use std::path::Path;

use crate::auth::secret_key::{self, NEXT_FILE, SECRET_KEY_FILE, fingerprint};
use crate::cli::doctor::{DATABASE, Report, format_age, postgres, users};
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::domain::new_username::check_new;
use crate::domain::secret::{Fingerprint, Secret};
use crate::server::database;
use crate::server::secret_key::{UndecryptableSecrets, owners, unreadable};
use crate::store::backup::retention;
use crate::store::inspection::Inspection;
use crate::store::secret_key::EncryptedText;
use crate::store::{OpenError, SCHEMA_VERSION};

const SECRET: &str = "secret key";
const APPS: &str = "authenticators";
const CLOCK: &str = "clock";

/// How many faults of a damaged database are listed.
const MAX_FAULTS: u32 = 5;
/// How many names are listed.
const MAX_NAMES: usize = 5;
/// How far the clock can be behind the newest entry, because it may have been corrected a little.
const LEEWAY: chrono::TimeDelta = chrono::TimeDelta::minutes(5);
/// 1 January 2025. A correct clock can't show less.
const EARLIEST_TIME: i64 = 1_735_689_600;

/// Runs the checks. Returns the database for further checks.
pub(super) fn check(config: &Config, now: Timestamp, report: &mut Report) -> Option<Inspection> {
    let inspection = match database::server(config) {
        Ok(None) => open_file(config, report).inspect(|inspection| check_integrity(config, inspection, report)),
        Ok(Some(server)) => postgres::check(&server, report),
        Err(error) => {
            report.problem(DATABASE, format!("`database`: {error}"), "correct it");
            None
        }
    };
    if let Some(inspection) = &inspection {
        check_accounts(inspection, report);
    }
    check_secret_key(config, inspection.as_ref(), report);
    check_clock(now, inspection.as_ref(), report);
    inspection
}

fn open_file(config: &Config, report: &mut Report) -> Option<Inspection> {
    let path = config.data_dir.join(crate::store::DATABASE_FILE);
    let error = match Inspection::open(&path, &config.data_dir) {
        Ok(inspection) => return Some(inspection),
        Err(error) => error,
    };
    let found = error.to_string();
    match error {
        OpenError::Missing(_) => {
            report.problem(DATABASE, found, "choose the server's data directory with --data-dir");
        }
        OpenError::NotSqlite(_) | OpenError::NotOurs(_) => report.problem(DATABASE, found, restore_remedy(config)),
        OpenError::ForeignLog(_) => report.problem(DATABASE, found, "delete the file `usher.db-wal`"),
        OpenError::LogOfFormer(_) => {
            report.problem(DATABASE, found, "keep a copy of the directory, then delete the file `usher.db-wal`");
        }
        OpenError::Newer { .. } => report.problem(DATABASE, found, "install the newer usher again"),
        OpenError::Io { .. } => report.problem(DATABASE, found, "run this command as the server's user"),
        OpenError::Store { .. } => report.problem(DATABASE, found, restore_remedy(config)),
    }
    None
}

/// The remedy for a damaged database.
fn restore_remedy(config: &Config) -> String {
    let newest = retention::list(&config.data_dir).ok().and_then(|kept| kept.into_iter().next_back());
    let file = newest.map_or_else(|| "FILE".to_owned(), |kept| kept.path.display().to_string());
    format!("stop the server, keep a copy of the directory, and run `usher restore {file}` with a good backup")
}

fn check_integrity(config: &Config, inspection: &Inspection, report: &mut Report) {
    match inspection.version() {
        Ok(version) if version < SCHEMA_VERSION => {
            let found = format!("it has schema version {version}, and this program needs {SCHEMA_VERSION}");
            report.warning(DATABASE, found, "restart the server, which upgrades it and keeps a copy");
        }
        Ok(_) => {}
        Err(error) => report.problem(DATABASE, error.described(), restore_remedy(config)),
    }
    match inspection.integrity_errors(MAX_FAULTS) {
        Ok(faults) if faults.is_empty() => {}
        Ok(faults) => report.problem(DATABASE, format!("it is damaged: {}", faults.join("; ")), restore_remedy(config)),
        Err(error) => {
            report.problem(DATABASE, format!("it can't be checked: {}", error.described()), restore_remedy(config));
        }
    }
    report.ok_if_clean(
        DATABASE,
        format!("integrity_check passed, schema {SCHEMA_VERSION}, users: {}", users(inspection)),
    );
}

fn check_accounts(inspection: &Inspection, report: &mut Report) {
    match inspection.has_superuser() {
        Ok(true) => {}
        Ok(false) => {
            let remedy = "`usher user add NAME --superuser`, `usher user promote NAME` or `usher user activate NAME`; \
                          on a new server, open the setup link";
            report.warning("superuser", "there is no active superuser", remedy);
        }
        Err(_) => {}
    }
    check_names(inspection, report);
}

/// Lists names that no new account could have.
fn check_names(inspection: &Inspection, report: &mut Report) {
    match inspection.names(MAX_NAMES, |name| check_new(name).is_err()) {
        Ok((0, _)) | Err(_) => {}
        Ok((count, names)) => {
            let names: Vec<String> = names.iter().map(|name| format!("\"{}\"", escape(name))).collect();
            let more = if count > names.len() { ", …" } else { "" };
            let found = format!("{count} could deceive people: {}{more}", names.join(", "));
            report.warning(
                "user names",
                found,
                "look at these accounts; `usher user rename NAME NEW_NAME` renames one",
            );
        }
    }
}

/// Escapes all but ASCII, so that letters that look alike can be told apart.
fn escape(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

fn check_secret_key(config: &Config, inspection: Option<&Inspection>, report: &mut Report) {
    let dir = &config.data_dir;
    let known = inspection.and_then(|inspection| inspection.fingerprint().ok().flatten());
    let texts = inspection.and_then(|inspection| inspection.encrypted_texts().ok()).unwrap_or_default();
    let key = match &config.secret_key {
        Some(key) => Some(key.clone()),
        None => match secret_key::read(&dir.join(SECRET_KEY_FILE)) {
            Ok(key) => key,
            Err(error) => {
                report.problem(SECRET, error.to_string(), "put the right key back, or run `usher rotate-secret`");
                return;
            }
        },
    };
    let remedy = "put the database's key back; if it is lost, run `usher rotate-secret`, after which everybody has to \
                  sign in again";
    match (key, known) {
        (None, Some(known)) if is_next(dir, known) => rotation_interrupted(report),
        (None, Some(_)) => {
            let lost = UndecryptableSecrets::of(&texts, &[]);
            let found = format!("{} is missing, and {lost} can't be read", dir.join(SECRET_KEY_FILE).display());
            report.problem(SECRET, found, remedy);
            check_authenticator_apps(None, &texts.authenticator_apps, report);
        }
        (None, None) => report.ok(SECRET, "none yet; the server creates one at its first start"),
        (Some(key), Some(known)) if fingerprint(&key) != known => {
            if config.secret_key.is_none() && is_next(dir, known) {
                return rotation_interrupted(report);
            }
            let lost = UndecryptableSecrets::of(&texts, &[&key]);
            let found = format!(
                "the key {} is not the database's key: no session is valid, and {lost} can't be read",
                key_source(config)
            );
            report.problem(SECRET, found, remedy);
            check_authenticator_apps(Some(&key), &texts.authenticator_apps, report);
        }
        (Some(key), known) => {
            check_store_keys(config, &key, known, &texts.store_keys, report);
            check_authenticator_apps(Some(&key), &texts.authenticator_apps, report);
        }
    }
}

fn check_store_keys(
    config: &Config,
    key: &Secret,
    known: Option<Fingerprint>,
    store_keys: &[EncryptedText],
    report: &mut Report,
) {
    let lost = unreadable(store_keys, &[key]);
    if lost.is_empty() {
        let belongs = if known.is_some() { "is the database's key" } else { "the database has no key yet" };
        report.ok(SECRET, format!("{}: {belongs}; store keys: {}", key_source(config), store_keys.len()));
        return;
    }
    let found = format!("it can't decrypt {} stored store keys, of {}", lost.len(), some_owners(&lost));
    let remedy = "if you have an older key, run `usher rotate-secret --old-secret-key-file FILE`; else their owners \
                  have to save them again";
    report.warning(SECRET, found, remedy);
}

/// The names of the owners, at most [`MAX_NAMES`].
fn some_owners(texts: &[&EncryptedText]) -> String {
    let mut names = owners(texts);
    if names.len() > MAX_NAMES {
        names.truncate(MAX_NAMES);
        names.push("…".to_owned());
    }
    names.join(", ")
}

/// Names the users whose authenticator apps can't be read.
fn check_authenticator_apps(key: Option<&Secret>, apps: &[EncryptedText], report: &mut Report) {
    let lost = unreadable(apps, &key.into_iter().collect::<Vec<_>>());
    if lost.is_empty() {
        return;
    }
    let found = format!("the secret key can't read {} of {}, of {}", lost.len(), apps.len(), some_owners(&lost));
    let remedy = "put the database's key back, or run `usher rotate-secret --old-secret-key-file FILE` with the older one; \
                  if it is lost, let their owners sign in another way and add them again, and run \
                  `usher user reset-factors NAME` for users who can't";
    report.warning(APPS, found, remedy);
}

/// Where the key comes from.
fn key_source(config: &Config) -> String {
    match (&config.secret_key, config.sources.get("secret_key")) {
        (Some(_), Some(source)) => format!("from {source}"),
        _ => format!("in {}", config.data_dir.join(SECRET_KEY_FILE).display()),
    }
}

/// Whether the database's key is the new one of an interrupted rotation.
fn is_next(dir: &Path, known: Fingerprint) -> bool {
    secret_key::read(&dir.join(NEXT_FILE)).ok().flatten().is_some_and(|next| fingerprint(&next) == known)
}

fn rotation_interrupted(report: &mut Report) {
    let remedy = "start the server or run any command, which completes it";
    report.warning(SECRET, "`usher rotate-secret` was interrupted at its last step", remedy);
}

fn check_clock(now: Timestamp, inspection: Option<&Inspection>, report: &mut Report) {
    let shown = now.format("%Y-%m-%d %H:%M:%S UTC");
    let remedy = "set the clock, for example with `timedatectl set-ntp true`; tokens and sessions expire at wrong times until then";
    if now.timestamp() < EARLIEST_TIME {
        report.problem(CLOCK, format!("it shows {shown}, which is wrong"), remedy);
        return;
    }
    match inspection.map(Inspection::latest_timestamp) {
        Some(Ok(Some(latest))) if latest - now > LEEWAY => {
            let found = format!(
                "it shows {shown}, but the newest entry is {} later, at {}: the clock was wrong then, or is wrong now",
                format_age(latest - now),
                latest.format("%Y-%m-%d %H:%M:%S UTC")
            );
            report.problem(CLOCK, found, remedy);
        }
        _ => report.ok(CLOCK, format!("{shown}, later than every entry")),
    }
}
