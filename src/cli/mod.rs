//! Owns the command line: reads it, sets up the log, and leads to the commands, each a thin caller of the layers below.

mod access;
mod args;
mod backup;
mod context;
mod doctor;
mod export;
mod import;
mod interrupt;
mod look;
mod progress;
mod reset_link;
mod rotate;
mod running_server;
mod serve;
mod user;

use std::io::Write;
use std::process::ExitCode;

use clap::FromArgMatches;

use crate::config::{Config, Inputs, ValueSource};
use args::{Cli, Command};

/// What a command failed with: one sentence.
type Failure = Box<dyn std::error::Error>;

/// How a command ends that was told to: as a shell says it of SIGINT.
const INTERRUPTED: u8 = 130;

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let matches = args::command().get_matches();
    let outcome = Cli::from_arg_matches(&matches).map_err(Failure::from).and_then(|cli| {
        if let Some(Command::Completions { shell }) = cli.command {
            return look::completions(shell, args::command());
        }
        let mut inputs = Inputs::from_process(&matches)?;
        // Of an import, the flag for a secret key names the other server's: usher's own is where it always is.
        if matches!(cli.command, Some(Command::Import { .. })) {
            inputs.flags.remove("secret_key");
        }
        let config = match Config::load(&inputs) {
            Err(fault) if matches!(cli.command, Some(Command::Doctor)) => {
                return doctor::without_settings(&fault, cli.json);
            }
            loaded => loaded?,
        };
        let (json, command) = (cli.json, cli.command.unwrap_or(Command::Serve));
        start_log(&config, &command)?;
        match command {
            Command::Serve => serve::run(config),
            Command::User { command } => user::run(&config, json, command),
            Command::Session { command } => access::session(&config, json, command),
            Command::Key { command } => access::key(&config, json, command),
            Command::Audit { user, limit } => access::audit(&config, json, user, limit),
            Command::Doctor => doctor::run(&config, json),
            Command::Config => look::config(&config, json),
            Command::Healthcheck { url } => look::healthcheck(&config, url.as_deref(), json),
            // Answered above: it needs no settings.
            Command::Completions { .. } => Ok(()),
            Command::Backup { file } => backup::make(&config, &file, json),
            Command::Restore { file, yes } => backup::restore(&config, &file, yes, json),
            Command::Import { source } => import::run(&config, source, json),
            Command::Export { file } => export::export(&config, &file, json),
            Command::RotateSecret { old_secret_key_file, yes } => {
                rotate::run(&config, old_secret_key_file.as_deref(), yes, json)
            }
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // The server's own lines of JSON on standard output say where it listens, and nothing else.
            let command = matches.subcommand_name().is_some_and(|name| name != "serve");
            if command && matches.get_flag("json") && !failure.is::<context::Printed>() {
                // To nobody in particular when standard output is closed; the sentence below says the same.
                let _ = context::print(true, &serde_json::json!({ "error": failure.to_string() }), String::new);
            }
            // To nobody in particular when standard error is closed.
            let _ = writeln!(std::io::stderr(), "usher: {failure}");
            if failure.is::<interrupt::Interrupted>() { ExitCode::from(INTERRUPTED) } else { ExitCode::FAILURE }
        }
    }
}

fn start_log(config: &Config, command: &Command) -> Result<(), Failure> {
    // A command says itself what it did; it logs that as well only if somebody wishes so.
    let wished = matches!(command, Command::Serve) || config.sources.get("log") != Some(&ValueSource::Default);
    let filter = if wished { config.log.as_str() } else { "warn" };
    // The framework tells of every worker and, as an error, of everything that is no HTTP, which anybody can send at will.
    // Whoever wants to know names `actix_server` or `actix_http` in the filter.
    let mut builder = env_logger::Builder::new();
    builder.filter_module("actix_server", log::LevelFilter::Warn).filter_module("actix_http", log::LevelFilter::Off);
    builder.parse_filters(filter);
    builder.format_timestamp_millis().try_init().map_err(Failure::from)
}
