//! Owns what the doctor says of the database: whether it is sound, goes with the secret key and the clock, and has
//! somebody who administers it.

use std::path::Path;

use crate::auth::secret_key::{self, NEXT_FILE, SECRET_KEY_FILE, fingerprint};
use crate::cli::doctor::{Report, ago};
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::domain::secret::{Fingerprint, Secret};
use crate::server::secret_key::unreadable;
use crate::store::backup::retention;
use crate::store::inspection::Inspection;
use crate::store::secret_key::StoreKey;
use crate::store::{OpenError, SCHEMA_VERSION};

const DATABASE: &str = "database";
const SECRET: &str = "secret key";
const CLOCK: &str = "clock";

/// How many faults of a damaged database are told.
const FAULTS: u32 = 5;
/// How many names are told of many.
const NAMES: usize = 5;
/// What a clock may be behind what was written: it may just have been set right by a little.
const LEEWAY: chrono::TimeDelta = chrono::TimeDelta::minutes(5);
/// The 1st of January 2025: no clock that is right shows less.
const BUILT_AFTER: i64 = 1_735_689_600;

/// Looks at it; gives it for further looks.
pub(super) fn look(config: &Config, now: Timestamp, report: &mut Report) -> Option<Inspection> {
    let path = config.data_dir.join(crate::store::DATABASE_FILE);
    let inspection = match Inspection::open(&path, &config.data_dir) {
        Ok(inspection) => Some(inspection),
        Err(error) => {
            let found = error.to_string();
            match error {
                OpenError::Missing(_) => report.problem(DATABASE, found, "--data-dir chooses the server's"),
                OpenError::NotSqlite(_) | OpenError::NotOurs(_) => report.problem(DATABASE, found, restore(config)),
                OpenError::Newer { .. } => report.problem(DATABASE, found, "install the newer usher again"),
                OpenError::Io { .. } => report.problem(DATABASE, found, "run this as the server's user"),
                OpenError::Store { .. } => report.problem(DATABASE, found, restore(config)),
            }
            None
        }
    };
    if let Some(inspection) = &inspection {
        soundness(config, inspection, report);
    }
    secret(config, inspection.as_ref(), report);
    clock(now, inspection.as_ref(), report);
    inspection
}

/// What to do about a damaged database.
fn restore(config: &Config) -> String {
    let newest = retention::list(&config.data_dir).ok().and_then(|kept| kept.into_iter().next_back());
    let file = newest.map_or_else(|| "FILE".to_owned(), |kept| kept.path.display().to_string());
    format!("stop the server, keep a copy of the directory, and run `usher restore {file}` with a good backup")
}

fn soundness(config: &Config, inspection: &Inspection, report: &mut Report) {
    match inspection.version() {
        Ok(version) if version < SCHEMA_VERSION => {
            let found = format!("it has schema version {version}, and this usher's is {SCHEMA_VERSION}");
            report.warning(DATABASE, found, "restart the server, which brings it up to date and keeps a copy");
        }
        Ok(_) => {}
        Err(error) => report.problem(DATABASE, error.described(), restore(config)),
    }
    match inspection.integrity_errors(FAULTS) {
        Ok(faults) if faults.is_empty() => {}
        Ok(faults) => report.problem(DATABASE, format!("it is damaged: {}", faults.join("; ")), restore(config)),
        Err(error) => report.problem(DATABASE, format!("it cannot be checked: {}", error.described()), restore(config)),
    }
    match inspection.has_superuser() {
        Ok(true) => {}
        Ok(false) => {
            let remedy = "`usher user add NAME --superuser`, `usher user promote NAME` or `usher user activate NAME`; \
                          on a new server, open the setup link";
            report.warning("superuser", "nobody who can sign in administers this server", remedy);
        }
        Err(_) => {}
    }
    let users = inspection.user_count().map_or_else(|_| "some".to_owned(), |users| users.to_string());
    report.ok_unless_said(DATABASE, format!("sound by integrity_check, schema {SCHEMA_VERSION}, users: {users}"));
}

fn secret(config: &Config, inspection: Option<&Inspection>, report: &mut Report) {
    let dir = &config.data_dir;
    let known = inspection.and_then(|inspection| inspection.fingerprint().ok().flatten());
    let store_keys = inspection.and_then(|inspection| inspection.store_keys().ok()).unwrap_or_default();
    let key = match &config.secret_key {
        Some(key) => Some(key.clone()),
        None => match secret_key::read(&dir.join(SECRET_KEY_FILE)) {
            Ok(key) => key,
            Err(error) => {
                report.problem(SECRET, error.to_string(), "put the right one back, or `usher rotate-secret`");
                return;
            }
        },
    };
    let remedy = "put the key back that it goes with; if it is lost, run `usher rotate-secret`, after which everybody \
                  has to log in again";
    match (key, known) {
        (None, Some(known)) if waits(dir, known) => interrupted(report),
        (None, Some(_)) => {
            let lost = stored(&store_keys);
            let found = format!("{} is gone{lost}", dir.join(SECRET_KEY_FILE).display());
            report.problem(SECRET, found, remedy);
        }
        (None, None) => report.ok(SECRET, "none yet; the server makes one at its first start"),
        (Some(key), Some(known)) if fingerprint(&key) != known => {
            if config.secret_key.is_none() && waits(dir, known) {
                return interrupted(report);
            }
            let lost = unreadable(&store_keys, &[&key]).len();
            let found = format!(
                "the key {} is another one than the database goes with: nobody's session is valid, and {lost} stored \
                 store keys cannot be read",
                place(config)
            );
            report.problem(SECRET, found, remedy);
        }
        (Some(key), known) => readable(config, &key, known, &store_keys, report),
    }
}

fn readable(config: &Config, key: &Secret, known: Option<Fingerprint>, store_keys: &[StoreKey], report: &mut Report) {
    let lost = unreadable(store_keys, &[key]);
    if lost.is_empty() {
        let goes = if known.is_some() { "goes with the database" } else { "the database has not noted it yet" };
        report.ok(SECRET, format!("{}: {goes}; store keys: {}", place(config), store_keys.len()));
        return;
    }
    let mut names: Vec<&str> = lost.iter().take(NAMES).map(|key| key.username.as_str()).collect();
    if lost.len() > NAMES {
        names.push("…");
    }
    let found = format!("it does not open {} stored store keys, of {}", lost.len(), names.join(", "));
    let remedy = "with an older key at hand: `usher rotate-secret --old-secret-key-file FILE`; else their owners save \
                  theirs again";
    report.warning(SECRET, found, remedy);
}

fn stored(store_keys: &[StoreKey]) -> String {
    match store_keys.len() {
        0 => String::new(),
        count => format!(", and with it what opens {count} stored store keys"),
    }
}

/// Where the key in force comes from.
fn place(config: &Config) -> String {
    match (&config.secret_key, config.sources.get("secret_key")) {
        (Some(_), Some(source)) => format!("from {source}"),
        _ => format!("in {}", config.data_dir.join(SECRET_KEY_FILE).display()),
    }
}

/// Whether the key that the database goes with waits to take the other one's place.
fn waits(dir: &Path, known: Fingerprint) -> bool {
    secret_key::read(&dir.join(NEXT_FILE)).ok().flatten().is_some_and(|next| fingerprint(&next) == known)
}

fn interrupted(report: &mut Report) {
    let remedy = "start the server, or any command, which completes it";
    report.warning(SECRET, "`usher rotate-secret` was cut off at its last step", remedy);
}

fn clock(now: Timestamp, inspection: Option<&Inspection>, report: &mut Report) {
    let shown = now.format("%Y-%m-%d %H:%M:%S UTC");
    let remedy = "set the clock, as by `timedatectl set-ntp true`; until then tokens and sessions end at wrong times";
    if now.timestamp() < BUILT_AFTER {
        report.problem(CLOCK, format!("it shows {shown}, which cannot be"), remedy);
        return;
    }
    match inspection.map(Inspection::latest_timestamp) {
        Some(Ok(Some(latest))) if latest - now > LEEWAY => {
            let found = format!(
                "it shows {shown}, but something was written {} later, at {}: it was wrong then, or is now",
                ago(latest - now),
                latest.format("%Y-%m-%d %H:%M:%S UTC")
            );
            report.problem(CLOCK, found, remedy);
        }
        _ => report.ok(CLOCK, format!("{shown}, not before anything that was written")),
    }
}
