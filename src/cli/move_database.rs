//! `usher move`: copies all data from SQLite to PostgreSQL or back.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::json;

use crate::auth::secret_key::{SECRET_KEY_FILE, fingerprint};
use crate::cli::Failure;
use crate::cli::context::audit_event;
use crate::cli::import::hex::to_hex;
use crate::cli::interrupt::{Interrupted, run_blocking, run_interruptible};
use crate::cli::output::{counted, notice, print_result};
use crate::cli::passwords::read_password;
use crate::cli::progress::Progress;
use crate::cli::running_server::{database_path, require_stopped_server};
use crate::config::{self, Config};
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Clock;
use crate::domain::secret::{Fingerprint, Secret};
use crate::platform::{self, DirLock, files};
use crate::server::{database, secret_key};
use crate::store::inspection::Inspection;
use crate::store::move_database::error::{MoveError, MoveProgress, MoveStage};
use crate::store::move_database::rows::TableChecksum;
use crate::store::{DATABASE_FILE, PostgresServer, move_database};

/// The target of `usher move`.
#[derive(Debug, Args)]
pub struct MoveArguments {
    /// A PostgreSQL database, or a directory.
    #[arg(long, value_name = "URL|DIR", value_hint = ValueHint::DirPath)]
    to: String,
    /// The file with the password for URL.
    #[arg(
        id = "database_password",
        long = "database-password-file",
        value_name = "PATH",
        value_hint = ValueHint::FilePath,
        value_parser = clap::value_parser!(OsString)
    )]
    password_file: Option<OsString>,
}

impl MoveArguments {
    /// Whether the target is a PostgreSQL database.
    pub fn is_to_postgres(&self) -> bool {
        self.to.contains("://")
    }

    /// The files that the command reads.
    pub fn input_files(&self) -> Vec<&Path> {
        self.password_file.iter().map(Path::new).collect()
    }

    /// The target server. The messages don't repeat the address, which may contain a password.
    fn server(&self, config: &Config) -> Result<PostgresServer, Failure> {
        match config::password_in(&self.to) {
            Some(false) => {}
            Some(true) => return Err("--to contains a password; remove it, and use --database-password-file".into()),
            None => return Err("--to is not a PostgreSQL address; write postgres://USER@HOST/DATABASE".into()),
        }
        let password = self.password_file.as_ref().map(|path| read_password(Path::new(path))).transpose()?;
        match &config.database {
            None => Ok(PostgresServer::parse(&self.to, password.as_ref()).map_err(|error| format!("--to is {error}"))?),
            // The settings already name the target.
            Some(database) if *database == self.to => {
                let password = password.as_ref().or(config.database_password.as_ref());
                Ok(PostgresServer::parse(&self.to, password).map_err(|error| format!("--to is {error}"))?)
            }
            Some(_) => Err("the accounts are in PostgreSQL already: `database` is set, to another address; move them \
                 with pg_dump and pg_restore"
                .into()),
        }
    }
}

/// What was moved, and the next steps.
struct Moved {
    from: String,
    to: String,
    sums: Vec<TableChecksum>,
    /// The next steps, a line each.
    next: Vec<String>,
}

pub fn run(config: &Config, arguments: &MoveArguments, json: bool) -> Result<(), Failure> {
    let moved = if arguments.is_to_postgres() {
        to_postgres(config, &arguments.to, arguments.server(config)?)?
    } else {
        to_dir(config, Path::new(&arguments.to))?
    };
    let tables: Vec<_> = moved
        .sums
        .iter()
        .map(|sum| json!({ "table": sum.table, "rows": sum.rows, "sha256": to_hex(&sum.sha256) }))
        .collect();
    let users = moved.sums.iter().find(|sum| sum.table == "users").map_or(0, |sum| sum.rows);
    let shown = json!({ "from": moved.from, "to": moved.to, "users": users, "tables": tables, "next": moved.next });
    print_result(json, &shown, || {
        let rows: u64 = moved.sums.iter().map(|sum| sum.rows).sum();
        let (users, rows) = (counted(as_size(users), "user"), counted(as_size(rows), "row"));
        let tables = counted(moved.sums.len(), "table");
        let first = format!("moved {users} to {}: {rows} in {tables}, all compared by count and checksum", moved.to);
        std::iter::once(first).chain(moved.next.iter().map(|line| format!("- {line}"))).collect::<Vec<_>>().join("\n")
    })
}

fn as_size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn to_postgres(config: &Config, address: &str, server: PostgresServer) -> Result<Moved, Failure> {
    let path = database_path(config);
    announce(&path.display().to_string(), address);
    let _lock = require_stopped_server(config)?;
    let known = Inspection::open(&path, &config.data_dir)?.fingerprint().map_err(|error| error.described())?;
    require_key(config, known)?;
    let from = path.display().to_string();
    let sums = moved("SQLite", {
        let path = path.clone();
        move |event, progress| move_database::to_postgres(&path, &server, event, Clock::system().now(), progress)
    })?;
    let settings = settings_name(config);
    let key = match &config.secret_key {
        Some(_) => "give every server the same `secret_key`".to_owned(),
        None => format!(
            "give every server on another machine a copy of {}, and name it with `secret_key_file`",
            config.data_dir.join(SECRET_KEY_FILE).display()
        ),
    };
    let next = vec![
        format!("set `database = \"{address}\"` and, if it needs one, `database_password_file` in {settings}"),
        key,
        "start the server; `usher doctor` checks the connection".to_owned(),
        format!("{from} stays as it was, and isn't used any more; delete it when the server works"),
    ];
    Ok(Moved { from, to: address.to_owned(), sums, next })
}

fn to_dir(config: &Config, dir: &Path) -> Result<Moved, Failure> {
    let Some(server) = database::server(config)? else {
        return Err(
            "the accounts are in a SQLite file, and `database` isn't set; to copy the file, run `usher backup`, \
             and to move it to PostgreSQL, pass --to postgres://USER@HOST/DATABASE"
                .into(),
        );
    };
    let from = database::shown(config);
    announce(&from, &dir.display().to_string());
    let _own = require_stopped_server(config)?;
    files::create_private_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    // SQLite refuses links in the path.
    let dir = dir.canonicalize().map_err(|error| format!("{}: {error}", dir.display()))?;
    let _other = lock_other(config, &dir)?;
    let known = Inspection::connect(&server)?.fingerprint().map_err(|error| error.described())?;
    let key = require_key(config, known)?;
    let key_file = key_to_copy(config, &dir, key.as_ref())?;
    let path = dir.join(DATABASE_FILE);
    let sums = moved("PostgreSQL", {
        let path = path.clone();
        move |event, progress| move_database::to_file(&server, &path, event, Clock::system().now(), progress)
    })?;
    let mut next = Vec::new();
    if let Some(from) = key_file {
        let to = dir.join(SECRET_KEY_FILE);
        files::copy_private(&from, &to).map_err(|error| {
            format!("the data was moved, but not the secret key: {}: {error}; copy it there", to.display())
        })?;
        next.push(format!("the secret key was copied to {}", to.display()));
    } else if config.secret_key.is_some() {
        next.push("keep the setting `secret_key` or `secret_key_file`: the database belongs to that key".to_owned());
    }
    let settings = settings_name(config);
    let data_dir =
        if dir == config.data_dir { String::new() } else { format!(", and set `data_dir = \"{}\"`", dir.display()) };
    next.push(format!("remove `database` and `database_password_file` from {settings}{data_dir}"));
    next.push("start one server".to_owned());
    next.push(format!("{from} stays as it was, and isn't used any more; drop it when the server works"));
    Ok(Moved { from, to: path.display().to_string(), sums, next })
}

/// The name of the place where the settings are changed.
fn settings_name(config: &Config) -> String {
    config.file.as_ref().map_or_else(|| "the settings".to_owned(), |file| file.display().to_string())
}

fn announce(from: &str, to: &str) {
    notice(format_args!("from: {from}"));
    notice(format_args!("to: {to}"));
}

/// Copies the tables on a thread of its own, with a progress bar, until it is done or interrupted.
fn moved<F>(source: &'static str, work: F) -> Result<Vec<TableChecksum>, Failure>
where
    F: FnOnce(&Event, &mut MoveProgress<'_>) -> Result<Vec<TableChecksum>, MoveError> + Send + 'static,
{
    let event = Event { detail: Some(format!("from {source}")), ..audit_event(Action::Moved) };
    let outcome = run_interruptible(async |cancel| {
        run_blocking(move || {
            let mut bar = Progress::new();
            let show = move |stage, done, total| bar.show(label(stage), done, total);
            work(&event, &mut MoveProgress::new(cancel, show))
        })
        .await
    })?;
    outcome.map_err(|error| if matches!(error, MoveError::Stopped) { Interrupted.into() } else { error.into() })
}

fn label(stage: MoveStage) -> &'static str {
    match stage {
        MoveStage::Checking => "checking",
        MoveStage::Copying => "copying",
        MoveStage::Comparing => "comparing",
    }
}

/// Locks the target directory, unless it is the data directory, which is locked already.
fn lock_other(config: &Config, dir: &Path) -> Result<Option<DirLock>, Failure> {
    if dir == config.data_dir {
        return Ok(None);
    }
    let lock = platform::lock_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    Ok(Some(lock.ok_or_else(|| format!("a server is running on {}; stop it first", dir.display()))?))
}

/// Returns the secret key, which must be the database's.
fn require_key(config: &Config, known: Option<Fingerprint>) -> Result<Option<Secret>, Failure> {
    let key = secret_key::read_existing(config)?;
    match known {
        Some(known) if key.as_ref().map(fingerprint) != Some(known) => {
            let found =
                if key.is_some() { "this secret key is not the database's" } else { "the secret key is missing" };
            Err(format!("{found}; put the right key back, or run `usher rotate-secret`; nothing was moved").into())
        }
        _ => Ok(key),
    }
}

/// The file of the secret key, if it must be copied to the target directory.
fn key_to_copy(config: &Config, dir: &Path, key: Option<&Secret>) -> Result<Option<PathBuf>, Failure> {
    let Some(key) = key.filter(|_| config.secret_key.is_none() && dir != config.data_dir) else { return Ok(None) };
    let target = dir.join(SECRET_KEY_FILE);
    match crate::auth::secret_key::read(&target)? {
        None => Ok(Some(config.data_dir.join(SECRET_KEY_FILE))),
        Some(there) if there == *key => Ok(None),
        Some(_) => {
            Err(format!("{} is another secret key; move it away, or choose another directory", target.display()).into())
        }
    }
}
