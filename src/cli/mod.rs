//! Owns the command line: reads it, sets up the log, and leads to the commands, each a thin caller of the layers below.

mod access;
mod backup;
mod desk;
mod import;
mod look;
mod progress;
mod reset_link;
mod serve;
mod user;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{self, Config, Inputs};

/// User accounts for self-hosted software: one binary, one SQLite file, Langflow's Users API.
#[derive(Debug, Parser)]
#[command(name = "usher", version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; what `usher` alone does.
    Serve,
    /// Manage users in the database, beside a running server or without one.
    User {
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
        #[command(subcommand)]
        command: user::Command,
    },
    /// See and end sessions.
    Session {
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
        #[command(subcommand)]
        command: access::SessionCommand,
    },
    /// See and delete API keys.
    Key {
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
        #[command(subcommand)]
        command: access::KeyCommand,
    },
    /// Show who did what to whom, newest first.
    Audit {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Only what this user did, or what was done to this user.
        #[arg(long)]
        user: Option<String>,
        /// How many entries at most.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show the settings in force and where each came from, secrets hidden.
    Config {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ask a server whether it works; the one that these settings describe, unless told otherwise.
    Healthcheck {
        /// Such as `http://127.0.0.1:7860`.
        url: Option<String>,
    },
    /// Print the completions of a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Take in accounts from a Langflow or another usher.
    Import {
        #[command(subcommand)]
        source: import::Source,
    },
    /// Copy the database to a new file, compressed and checked, also while the server runs.
    Backup {
        /// The file, which must not exist yet, such as usher.db.gz.
        file: PathBuf,
        /// Print the outcome as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put a backup in the place of the database, which is kept; ends all sessions. No server may run.
    Restore {
        /// The backup.
        file: PathBuf,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Print the outcome as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write all users, with their password hashes, to a file as lines of JSON.
    Export {
        /// The file, which must not exist yet.
        file: PathBuf,
    },
}

/// What a command failed with: one sentence.
type Failure = Box<dyn std::error::Error>;

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let matches = Cli::command().args(config::flags()).get_matches();
    let outcome = Cli::from_arg_matches(&matches).map_err(Failure::from).and_then(|cli| {
        if let Some(Command::Completions { shell }) = cli.command {
            return look::completions(shell, Cli::command().args(config::flags()));
        }
        let mut inputs = Inputs::from_process(&matches)?;
        // Of an import, the flag for a secret key names the other server's: usher's own is where it always is.
        let their_key = match cli.command {
            Some(Command::Import { .. }) => inputs.flags.remove("secret_key").map(PathBuf::from),
            _ => None,
        };
        let config = Config::load(&inputs)?;
        start_log(&config)?;
        match cli.command.unwrap_or(Command::Serve) {
            Command::Serve => serve::run(config),
            Command::User { json, command } => user::run(&config, json, command),
            Command::Session { json, command } => access::session(&config, json, command),
            Command::Key { json, command } => access::key(&config, json, command),
            Command::Audit { json, user, limit } => access::audit(&config, json, user, limit),
            Command::Config { json } => look::config(&config, json),
            Command::Healthcheck { url } => look::healthcheck(&config, url.as_deref()),
            // Answered above: it needs no settings.
            Command::Completions { .. } => Ok(()),
            Command::Backup { file, json } => backup::make(&config, &file, json),
            Command::Restore { file, yes, json } => backup::restore(&config, &file, yes, json),
            Command::Import { source } => import::run(&config, source, their_key.as_deref()),
            Command::Export { file } => import::export(&config, &file),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // To nobody in particular when standard error is closed.
            let _ = writeln!(std::io::stderr(), "usher: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn start_log(config: &Config) -> Result<(), Failure> {
    // The framework tells of every worker and, as an error, of everything that is no HTTP, which anybody can send at will.
    // Whoever wants to know names `actix_server` or `actix_http` in the filter.
    let mut builder = env_logger::Builder::new();
    builder.filter_module("actix_server", log::LevelFilter::Warn).filter_module("actix_http", log::LevelFilter::Off);
    builder.parse_filters(&config.log);
    builder.format_timestamp_millis().try_init().map_err(Failure::from)
}
