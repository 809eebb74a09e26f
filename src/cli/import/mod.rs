//! Owns `usher import`: accounts from a Langflow or another usher. Everything is read and checked before the one
//! transaction, which the writes of a running server wait for.

pub(super) mod hex;
mod insert;
pub(super) mod jsonl;
mod langflow;
mod plan;
mod secrets;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};
use serde_json::json;

use crate::auth::fernet::Fernet;
use crate::auth::random;
use crate::auth::secret_key::fingerprint;
use crate::cli::Failure;
use crate::cli::context::{Context, Printed, out, print};
use crate::cli::interrupt::{Interrupted, on_thread, stoppable};
use crate::cli::progress::Progress;
use crate::config::Config;
use crate::domain::cancel_flag::CancelFlag;
use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;
use crate::server::secret_key;
use crate::store::secret_key as store_key;
use crate::store::transfer::import::ImportedAccount;
use crate::store::transfer::langflow as foreign;
use plan::Finding;
use secrets::Secrets;

/// Where accounts come from.
#[derive(Debug, Subcommand)]
pub enum Source {
    /// A database of Langflow 1.3 to 1.13, which may be running. It is read and never written.
    #[command(after_long_help = "\
Of two names that are one for usher a superuser's stays, else the older account; whoever is here already, by id, stays as
is; rows that make no sense are named and left out, and the rest is taken in, all in one transaction. Again does no harm.

Exit status:
  0    at least one account was taken in, or would be by a dry run
  1    none was

Examples:
  usher import langflow ~/langflow/langflow.db --dry-run
  usher import langflow langflow.db --secret-key-file langflow-secret_key")]
    Langflow {
        /// Its file, `langflow.db`.
        file: PathBuf,
        /// The file with Langflow's secret key (usher's own is not named here), for what Langflow keeps encrypted: store
        /// keys, and API keys of version 1.8 [default: `secret_key` beside FILE, if there is one]
        #[arg(
            id = "secret_key",
            long = "secret-key-file",
            value_name = "PATH",
            value_hint = ValueHint::FilePath,
            value_parser = clap::value_parser!(OsString)
        )]
        their_key: Option<OsString>,
        #[command(flatten)]
        how: How,
    },
    /// A file that `usher export` wrote.
    #[command(after_long_help = "\
Lines that are no account are named by their number and left out, and the rest is taken in, all in one transaction.

Exit status:
  0    at least one account was taken in, or would be by a dry run
  1    none was

Examples:
  usher import usher users.jsonl --dry-run
  usher import usher users.jsonl --secret-key-file other-secret_key")]
    Usher {
        /// The file.
        file: PathBuf,
        /// The file with the secret key of the usher that wrote FILE, for stored store keys [default: this one's own]
        #[arg(
            id = "secret_key",
            long = "secret-key-file",
            value_name = "PATH",
            value_hint = ValueHint::FilePath,
            value_parser = clap::value_parser!(OsString)
        )]
        their_key: Option<OsString>,
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
}

/// What came of an import.
struct Outcome {
    taken: Vec<ImportedAccount>,
    findings: Vec<Finding>,
}

/// Runs an import.
pub fn run(config: &Config, source: Source, as_json: bool) -> Result<(), Failure> {
    let desk = Context::open(config, as_json)?;
    let done = stoppable(async |stop| import(&desk, source, stop).await);
    desk.db.close();
    let (outcome, how) = done?;
    report(&outcome, how, as_json)
}

async fn import(desk: &Context<'_>, source: Source, stop: CancelFlag) -> Result<(Outcome, How), Failure> {
    // The one that the database goes with may be another one than that in force, which encrypts from now on.
    let noted = desk.db.read(store_key::fingerprint).await.map_err(described)?;
    let (from, how, ours, (accounts, mut findings)) = match source {
        Source::Langflow { file, their_key, how } => {
            let theirs = their_secret(&file, their_key.as_deref().map(Path::new))?;
            let ours = own_secret(desk, how).await?;
            let secrets = Secrets { theirs, ours: Fernet::new(&ours) };
            ("langflow", how, ours, read_langflow(desk, file, secrets, stop.clone()).await?)
        }
        Source::Usher { file, their_key, how } => {
            let ours = own_secret(desk, how).await?;
            let theirs = their_key.map(|path| secret_in(Path::new(&path))).transpose()?;
            let theirs = theirs.unwrap_or_else(|| Fernet::new(&ours));
            let (secrets, now) = (Secrets { theirs: Some(theirs), ours: Fernet::new(&ours) }, desk.now);
            ("usher", how, ours, on_thread(move || read_lines(&file, &secrets, now)).await??)
        }
    };
    let (taken, more) = desk.db.read(move |connection| plan::decide(connection, accounts)).await.map_err(described)?;
    findings.extend(more);
    let taken = if how.dry_run || taken.is_empty() {
        taken
    } else {
        let why = format!("{from}: users {}, findings {}", taken.len(), findings.len());
        let fingerprint = noted.unwrap_or_else(|| fingerprint(&ours));
        insert::all(desk, taken, insert::Source { from, summary: why, fingerprint }, stop).await?
    };
    Ok((Outcome { taken, findings }, how))
}

/// Usher's own secret key. A dry run makes none where there is none: what it encrypts is thrown away.
async fn own_secret(desk: &Context<'_>, how: How) -> Result<Secret, Failure> {
    if !how.dry_run {
        return Ok(secret_key::in_force(desk.config, &desk.db, desk.now).await?);
    }
    Ok(match secret_key::present(desk.config)? {
        Some(key) => key,
        None => Secret::new(random::url_safe_text()?),
    })
}

async fn read_langflow(
    desk: &Context<'_>,
    file: PathBuf,
    secrets: Secrets,
    stop: CancelFlag,
) -> Result<(Vec<ImportedAccount>, Vec<Finding>), Failure> {
    let (spare, now) = (desk.config.data_dir.clone(), desk.now);
    let read = on_thread(move || {
        let mut progress = Progress::new();
        let rows = foreign::read(&file, &spare, |done, whole| {
            progress.show("reading", done, whole);
            !stop.is_cancelled()
        });
        rows.map(|rows| langflow::accounts(rows, &secrets, now))
    });
    match read.await? {
        Ok(accounts) => Ok(accounts?),
        Err(foreign::LangflowError::Stopped) => Err(Interrupted.into()),
        Err(error) => Err(error.into()),
    }
}

fn read_lines(file: &Path, secrets: &Secrets, now: Timestamp) -> Result<(Vec<ImportedAccount>, Vec<Finding>), String> {
    let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    jsonl::accounts(&bytes, secrets, now).map_err(|error| error.to_string())
}

fn described(error: crate::store::StoreError) -> String {
    error.described()
}

/// Langflow's secret key, in the file that is named or else lies beside the database.
fn their_secret(file: &Path, named: Option<&Path>) -> Result<Option<Fernet>, Failure> {
    let beside = file.with_file_name("secret_key");
    let Some(path) = named.or_else(|| beside.exists().then_some(beside.as_path())) else { return Ok(None) };
    secret_in(path).map(Some)
}

/// The other server's secret key in this file.
fn secret_in(path: &Path) -> Result<Fernet, Failure> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if text.trim().is_empty() {
        return Err(format!("{} is empty; it should hold the other server's secret key", path.display()).into());
    }
    Ok(Fernet::new(&Secret::new(text.trim())))
}

fn report(outcome: &Outcome, how: How, as_json: bool) -> Result<(), Failure> {
    let Outcome { taken, findings } = outcome;
    let keys: usize = taken.iter().map(|account| account.keys.len()).sum();
    let store_keys = taken.iter().filter(|account| account.user.store_api_key.is_some()).count();
    let verb = if how.dry_run { "would be imported" } else { "imported" };
    if as_json {
        let person = |a: &ImportedAccount| json!({ "id": a.user.id, "username": a.user.username.as_str(), "api_keys": a.keys.len() });
        let whole = json!({
            "dry_run": how.dry_run, "imported": taken.iter().map(person).collect::<Vec<_>>(), "api_keys": keys,
            "store_keys": store_keys, "findings": findings,
        });
        print(true, &whole, String::new)?;
    } else {
        let mut lines: Vec<String> =
            findings.iter().map(|finding| format!("{}: {}", finding.who, finding.what)).collect();
        if how.dry_run {
            lines.extend(taken.iter().map(|a| format!("{}: would be imported{}", plan::label(a), with_it(a))));
        }
        let keys = [counted(keys, "API key"), counted(store_keys, "store key")].join(" and ");
        lines.push(format!("{verb}: {} with {keys}\n", counted(taken.len(), "user")));
        out(lines.join("\n").as_bytes())?;
    }
    if taken.is_empty() {
        let here = findings.iter().filter(|finding| finding.exists).count();
        let would = if how.dry_run { "would be" } else { "was" };
        let why = format!("nothing {would} imported; already here: {here}, other findings: {}", findings.len() - here);
        return Err(Printed(why).into());
    }
    Ok(())
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// What comes with an account.
fn with_it(account: &ImportedAccount) -> String {
    let user = &account.user;
    let facts = [
        (user.is_superuser, "a superuser".to_owned()),
        (!user.is_active, "inactive".to_owned()),
        (!account.keys.is_empty(), format!("API keys: {}", account.keys.len())),
        (user.store_api_key.is_some(), "with its store key".to_owned()),
    ];
    facts.into_iter().filter(|(so, _)| *so).fold(String::new(), |text, (_, fact)| format!("{text}, {fact}"))
}
