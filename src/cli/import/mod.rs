//! `usher import`: users from Langflow or another usher. Everything is read and checked before the transaction, which a
//! running server's writes wait for.

mod conflicts;
mod csv;
pub(super) mod hex;
mod insert;
pub(super) mod jsonl;
mod langflow;
mod report;
mod secrets;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};
use uuid::Uuid;

use crate::auth::fernet::Fernet;
use crate::auth::random;
use crate::auth::secret_key::fingerprint;
use crate::cli::Failure;
use crate::cli::context::Context;
use crate::cli::interrupt::{Interrupted, run_blocking, run_interruptible};
use crate::cli::passwords::read_password;
use crate::cli::progress::Progress;
use crate::config::{self, Config};
use crate::domain::cancel_flag::CancelFlag;
use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;
use crate::server::secret_key;
use crate::store::transfer::import::AccountRecord;
use crate::store::transfer::langflow as langflow_db;
use crate::store::{self, PostgresServer};
use conflicts::{ImportNotice, ImportPlan};
use insert::ImportRecord;
use secrets::Secrets;

/// The source of an import.
#[derive(Debug, Subcommand)]
pub enum ImportSource {
    /// Import from the database of Langflow 1.3 to 1.13.
    #[command(after_help = "\
Langflow can be running. Its secret key is found beside FILE. Users with known ids stay unchanged. Of two \
names that are equal for usher, a superuser's is imported, else the older one. Invalid rows are listed and \
skipped.

Examples:
  usher import langflow ~/langflow/langflow.db --dry-run
  usher import langflow postgres://langflow@db.example.org/langflow")]
    Langflow {
        /// langflow.db, or the address of a PostgreSQL database.
        #[arg(value_name = "FILE|URL", value_hint = ValueHint::FilePath)]
        from: OsString,
        /// The file with the password for URL.
        #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
        source_password_file: Option<PathBuf>,
        /// The file with Langflow's secret key.
        #[arg(
            id = "secret_key",
            long = "secret-key-file",
            value_name = "PATH",
            value_hint = ValueHint::FilePath,
            value_parser = clap::value_parser!(OsString)
        )]
        other_key: Option<OsString>,
        #[command(flatten)]
        options: ImportOptions,
    },
    /// Import from a CSV file whose first line names the columns.
    #[command(after_help = "\
Columns, separated by commas, semicolons or tabs:
  username                  required
  password                  delete the file afterwards
  password_hash             or its bcrypt hash; without both: a reset link
  is_active, is_superuser   true or false [default: true and false]
If a row is invalid, nothing is imported. Each fault is listed with its line.

Examples:
  usher import csv users.csv --json | jq .links")]
    Csv {
        file: PathBuf,
        #[command(flatten)]
        options: ImportOptions,
    },
    /// Import from a file that `usher export` wrote.
    #[command(after_help = "\
Invalid lines are listed and skipped. The exit status is 1 if no user is imported.

Examples:
  usher import usher users.jsonl --dry-run
  usher import usher users.jsonl --secret-key-file other-secret_key")]
    Usher {
        /// The file.
        file: PathBuf,
        /// The other server's secret key.
        #[arg(
            id = "secret_key",
            long = "secret-key-file",
            value_name = "PATH",
            value_hint = ValueHint::FilePath,
            value_parser = clap::value_parser!(OsString)
        )]
        other_key: Option<OsString>,
        #[command(flatten)]
        options: ImportOptions,
    },
}

impl ImportSource {
    /// The files that the import reads.
    pub fn input_files(&self) -> Vec<&Path> {
        match self {
            Self::Csv { file, .. } => vec![file],
            Self::Langflow { from, other_key, source_password_file, .. } => {
                let file = address(from).is_none().then_some(Path::new(from));
                let password = source_password_file.as_deref();
                file.into_iter().chain(other_key.as_ref().map(Path::new)).chain(password).collect()
            }
            Self::Usher { file, other_key, .. } => {
                std::iter::once(file.as_path()).chain(other_key.as_ref().map(Path::new)).collect()
            }
        }
    }
}

/// The options of an import.
#[derive(Clone, Copy, Debug, Args)]
pub struct ImportOptions {
    /// Only print what would be imported.
    #[arg(long)]
    dry_run: bool,
}

/// The parts of each account that the other server's secret key can't decrypt.
type UnreadableParts = HashMap<Uuid, Vec<String>>;

/// What a file contains.
pub struct ReadAccounts {
    accounts: Vec<AccountRecord>,
    notices: Vec<ImportNotice>,
    unreadable: UnreadableParts,
}

/// Runs an import.
pub fn run(config: &Config, source: ImportSource, json: bool) -> Result<(), Failure> {
    let context = Context::open(config, json)?;
    let outcome = run_interruptible(async |cancel| import(&context, source, cancel).await);
    context.db.close();
    let (outcome, options) = outcome?;
    report::print(&outcome, options, &context.server_url(), json)
}

async fn import(
    context: &Context<'_>,
    source: ImportSource,
    cancel: CancelFlag,
) -> Result<(ImportPlan, ImportOptions), Failure> {
    // The database's key can differ from the current key, which encrypts the imported store keys.
    let recorded = context.db.read(store::secret_key::fingerprint).await.map_err(describe)?;
    let (from, options, key, read) = match source {
        ImportSource::Csv { file, options } => {
            let key = own_key(context, options).await?;
            let plan = csv::plan(context, &file, options, &cancel).await?;
            let record = ImportRecord {
                source: "csv",
                unreadable: UnreadableParts::default(),
                summary: format!("csv: users {}", plan.accounts.len()),
                fingerprint: recorded.unwrap_or_else(|| fingerprint(&key)),
            };
            let done = options.dry_run || plan.is_empty();
            let plan = if done { plan } else { insert::insert_all(context, plan, record, cancel).await? };
            return Ok((plan, options));
        }
        ImportSource::Langflow { from, other_key, source_password_file, options } => {
            let database = langflow_database(&from, source_password_file.as_deref())?;
            let theirs = langflow_key(&database, other_key.as_deref().map(Path::new))?;
            let key = own_key(context, options).await?;
            let secrets = Secrets { theirs, ours: Fernet::new(&key) };
            ("langflow", options, key, read_langflow(context, database, secrets, cancel.clone()).await?)
        }
        ImportSource::Usher { file, other_key, options } => {
            let key = own_key(context, options).await?;
            let theirs = other_key.map(|path| read_key(Path::new(&path))).transpose()?;
            let theirs = theirs.unwrap_or_else(|| Fernet::new(&key));
            let (secrets, now) = (Secrets { theirs: Some(theirs), ours: Fernet::new(&key) }, context.now);
            ("usher", options, key, run_blocking(move || read_lines(&file, &secrets, now)).await??)
        }
    };
    let ReadAccounts { accounts, mut notices, unreadable } = read;
    let plan = context.db.read(move |connection| conflicts::resolve(connection, accounts)).await.map_err(describe)?;
    notices.extend(plan.notices);
    let plan = ImportPlan { notices, ..plan };
    if options.dry_run || plan.is_empty() {
        return Ok((plan, options));
    }
    let summary = format!("{from}: users {}, findings {}", plan.accounts.len(), plan.notices.len());
    let fingerprint = recorded.unwrap_or_else(|| fingerprint(&key));
    let record = ImportRecord { source: from, unreadable, summary, fingerprint };
    Ok((insert::insert_all(context, plan, record, cancel).await?, options))
}

/// This server's secret key. A dry run doesn't create one, because it discards what it encrypts.
async fn own_key(context: &Context<'_>, options: ImportOptions) -> Result<Secret, Failure> {
    if !options.dry_run {
        return Ok(secret_key::load(context.config, &context.db, context.now).await?);
    }
    Ok(match secret_key::read_existing(context.config)? {
        Some(key) => key,
        None => Secret::new(random::url_safe_text()?),
    })
}

/// Where Langflow's database is.
enum LangflowDatabase {
    File(PathBuf),
    Server(PostgresServer, String),
}

/// The address of a PostgreSQL database, if it isn't a file.
fn address(from: &OsStr) -> Option<&str> {
    from.to_str().filter(|from| {
        ["postgres", "postgresql"]
            .iter()
            .any(|scheme| from.split_once("://").is_some_and(|(found, _)| found == *scheme))
    })
}

/// Finds the database. The messages don't repeat an address with a password.
fn langflow_database(from: &OsStr, password_file: Option<&Path>) -> Result<LangflowDatabase, Failure> {
    let Some(address) = address(from) else {
        return match password_file {
            None => Ok(LangflowDatabase::File(PathBuf::from(from))),
            Some(_) => Err("--source-password-file needs the address of a PostgreSQL database".into()),
        };
    };
    if config::password_in(address) == Some(true) {
        return Err("the address contains a password; remove it, and use --source-password-file".into());
    }
    let password = password_file.map(read_password).transpose()?;
    let server =
        PostgresServer::parse(address, password.as_ref()).map_err(|error| format!("the address is {error}"))?;
    Ok(LangflowDatabase::Server(server, address.to_owned()))
}

async fn read_langflow(
    context: &Context<'_>,
    database: LangflowDatabase,
    secrets: Secrets,
    cancel: CancelFlag,
) -> Result<ReadAccounts, Failure> {
    let (data_dir, now) = (context.config.data_dir.clone(), context.now);
    let read = run_blocking(move || {
        let mut progress = Progress::new();
        let on_progress = |done, total| {
            progress.show("reading", done, total);
            !cancel.is_cancelled()
        };
        let rows = match database {
            LangflowDatabase::File(file) => {
                // The database is opened without following links, and the name can be one.
                let file = file.canonicalize().unwrap_or(file);
                langflow_db::sqlite::read(&file, &data_dir, on_progress)
            }
            LangflowDatabase::Server(server, address) => langflow_db::postgres::read(&server, &address, on_progress),
        };
        rows.map(|rows| langflow::accounts(rows, &secrets, now))
    });
    match read.await? {
        Ok(accounts) => Ok(accounts?),
        Err(langflow_db::LangflowError::Stopped) => Err(Interrupted.into()),
        Err(error) => Err(error.into()),
    }
}

fn read_lines(file: &Path, secrets: &Secrets, now: Timestamp) -> Result<ReadAccounts, String> {
    let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    jsonl::accounts(&bytes, secrets, now).map_err(|error| error.to_string())
}

fn describe(error: store::StoreError) -> String {
    error.described()
}

/// Langflow's secret key, from the given file or the one beside a SQLite file.
fn langflow_key(database: &LangflowDatabase, named: Option<&Path>) -> Result<Option<Fernet>, Failure> {
    let beside = match database {
        LangflowDatabase::File(file) => Some(file.with_file_name("secret_key")).filter(|beside| beside.exists()),
        LangflowDatabase::Server(..) => None,
    };
    named.or(beside.as_deref()).map(read_key).transpose()
}

/// Reads the other server's secret key.
fn read_key(path: &Path) -> Result<Fernet, Failure> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let key = Secret::from_file(bytes)
        .map_err(|fault| format!("{}: {fault}; the file must contain the other server's secret key", path.display()))?;
    Ok(Fernet::new(&key))
}
