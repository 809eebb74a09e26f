//! Owns `usher import` and `usher export`: accounts from a Langflow or another usher, and to one.

mod langflow;
mod lines;
mod plan;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::Failure;
use super::progress::Progress;
use crate::auth::fernet::Fernet;
use crate::auth::secret_key;
use crate::config::Config;
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Clock;
use crate::domain::secret::Secret;
use crate::platform;
use crate::store::import::{self, Account};
use crate::store::langflow as foreign;
use crate::store::{Db, Options, StoreError, users};
use langflow::Secrets;
use plan::Finding;

/// Where accounts come from.
#[derive(Debug, Subcommand)]
pub enum Source {
    /// A database of Langflow 1.3 to 1.13, which may be running; nothing is written to it. Here `--secret-key-file`
    /// names the file with Langflow's secret key, for what it keeps encrypted; without it, that is `secret_key` beside
    /// the database.
    Langflow {
        /// Its file, `langflow.db`.
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// A file that `usher export` wrote.
    Usher {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
}

/// How it is done.
#[derive(Clone, Copy, Debug, Args)]
pub struct How {
    /// Show what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs an import; `their_key` is the file that `--secret-key-file` named.
pub fn run(config: &Config, source: Source, their_key: Option<&Path>) -> Result<(), Failure> {
    let db = Db::open(&Options { data_dir: config.data_dir.clone(), readers: 1, create: false })?;
    writeln!(io::stderr(), "database: {}", config.data_dir.join(crate::store::DATABASE_FILE).display())?;
    let done = import_from(config, &db, source, their_key);
    db.close();
    done
}

fn import_from(config: &Config, db: &Db, source: Source, their_key: Option<&Path>) -> Result<(), Failure> {
    let (accounts, mut findings, from, how) = match source {
        Source::Langflow { file, how } => {
            let rows = foreign::read(&file)?;
            let secrets = secrets(config, &file, their_key)?;
            let (accounts, findings) = langflow::accounts(rows, &secrets, Clock::system().now())?;
            (accounts, findings, "langflow", how)
        }
        Source::Usher { file, how } => {
            let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let (accounts, findings) = lines::accounts(&text);
            (accounts, findings, "usher", how)
        }
    };
    let (taken, more) = actix_web::rt::System::new().block_on(take(db, accounts, from, how.dry_run))?;
    findings.extend(more);
    report(&taken, &findings, how)
}

fn secrets(config: &Config, file: &Path, named: Option<&Path>) -> Result<Secrets, Failure> {
    let beside = file.with_file_name("secret_key");
    let path = named.or_else(|| beside.exists().then_some(beside.as_path()));
    let theirs = match path {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Some(Fernet::new(&Secret::new(text.trim())))
        }
        None => None,
    };
    let ours = match &config.secret_key {
        Some(key) => key.clone(),
        None => secret_key::load_or_create(&config.data_dir)?,
    };
    Ok(Secrets { theirs, ours: Fernet::new(&ours) })
}

/// Decides and, unless it is only to be shown, adds; all in one transaction.
async fn take(
    db: &Db,
    accounts: Vec<Account>,
    from: &'static str,
    dry_run: bool,
) -> Result<(Vec<Account>, Vec<Finding>), Failure> {
    let now = Clock::system().now();
    let done = if dry_run {
        db.read(move |connection| plan::decide(connection, accounts)).await
    } else {
        let add = db.write(move |connection| {
            let (taken, mut findings) = plan::decide(connection, accounts)?;
            let mut progress = Progress::new();
            for (at, account) in taken.iter().enumerate() {
                let event = Event {
                    actor: super::desk::command_line(),
                    action: Action::UserAdded,
                    target: Some((account.user.id, account.user.username.to_string())),
                    success: true,
                    detail: Some(format!("import {from}")),
                };
                for key in import::add(connection, account, &event, now)? {
                    let what = "not imported: it is here already, or twice in the file";
                    findings.push(Finding::new(format!("API key {key}"), what));
                }
                progress.show(at + 1, taken.len());
            }
            Ok::<_, StoreError>((taken, findings))
        });
        add.await
    };
    done.map_err(|error| error.described().into())
}

fn report(taken: &[Account], findings: &[Finding], how: How) -> Result<(), Failure> {
    let keys: usize = taken.iter().map(|account| account.keys.len()).sum();
    let mut out = io::BufWriter::new(io::stdout().lock());
    if how.json {
        let people: Vec<_> =
            taken.iter().map(|a| json!({ "id": a.user.id, "username": a.user.username.as_str() })).collect();
        let whole = json!({ "dry_run": how.dry_run, "imported": people, "api_keys": keys, "findings": findings });
        writeln!(out, "{whole}")?;
    } else {
        for finding in findings {
            writeln!(out, "{}: {}", finding.who, finding.what)?;
        }
        if how.dry_run {
            for account in taken {
                writeln!(out, "{}: would be imported, API keys: {}", plan::label(account), account.keys.len())?;
            }
        }
        let verb = if how.dry_run { "would be imported" } else { "imported" };
        writeln!(out, "{verb}: {} users with {keys} API keys", taken.len())?;
    }
    out.flush()?;
    // All that are here already is what was wished for.
    if taken.is_empty() && findings.iter().any(|finding| !finding.exists) {
        return Err("nothing was imported".into());
    }
    Ok(())
}

/// Writes all accounts as lines of JSON to a new file that only its owner can read.
pub fn export(config: &Config, file: &Path) -> Result<(), Failure> {
    let db = Db::open(&Options { data_dir: config.data_dir.clone(), readers: 1, create: false })?;
    writeln!(io::stderr(), "database: {}", config.data_dir.join(crate::store::DATABASE_FILE).display())?;
    let all: Result<_, StoreError> = actix_web::rt::System::new().block_on(db.read(users::all_with_hashes));
    db.close();
    let all = all.map_err(|error| error.described())?;
    if file.exists() {
        return Err(format!("{} exists; move it away or choose another name", file.display()).into());
    }
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = file.with_file_name(name);
    let write = || -> io::Result<()> {
        let handle = platform::create_private(&beside)?;
        handle.set_len(0)?;
        let mut out = io::BufWriter::new(handle);
        for (user, hash) in &all {
            writeln!(out, "{}", lines::written(user, hash)?)?;
        }
        out.into_inner()?.sync_all()?;
        fs::rename(&beside, file)?;
        platform::sync_dir(&std::path::absolute(file)?.parent().map_or_else(PathBuf::new, Path::to_owned))
    };
    write().map_err(|error| format!("{}: {error}", file.display()))?;
    let what = "it holds their password hashes, so keep it as you would keep the database";
    writeln!(io::stdout(), "exported {} users to {}; {what}", all.len(), file.display())?;
    Ok(())
}
