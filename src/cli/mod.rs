//! The command line: parses it, starts the log, and runs the command.

mod args;
mod audit;
mod backup;
mod completions;
mod config;
mod context;
mod doctor;
mod export;
mod healthcheck;
mod http_client;
mod import;
mod interrupt;
mod keys;
mod output;
mod progress;
mod prompt;
mod reset_link;
mod restore;
mod rotate_secret;
mod running_server;
mod serve;
mod sessions;
mod users;

use std::process::ExitCode;

use clap::{ArgMatches, FromArgMatches};

use crate::config::{Config, Inputs, ValueSource};
use args::{Cli, Command};
use output::{AlreadyPrinted, notice, print_result};

/// The failure of a command: one sentence.
type Failure = Box<dyn std::error::Error>;

/// The exit status after an interrupt, as shells report SIGINT.
const EXIT_INTERRUPTED: u8 = 130;

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let matches = args::command().get_matches();
    let outcome = Cli::from_arg_matches(&matches).map_err(Failure::from).and_then(|cli| run_command(cli, &matches));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // On the server's standard output, programs expect the ready line only.
            let is_serve = matches.subcommand_name().is_none_or(|name| name == "serve");
            if !is_serve && matches.get_flag("json") && !failure.is::<AlreadyPrinted>() {
                // Standard output may be closed. The line below says the same.
                let _ = print_result(true, &serde_json::json!({ "error": failure.to_string() }), String::new);
            }
            notice(format_args!("usher: {failure}"));
            if failure.is::<interrupt::Interrupted>() { ExitCode::from(EXIT_INTERRUPTED) } else { ExitCode::FAILURE }
        }
    }
}

fn run_command(cli: Cli, matches: &ArgMatches) -> Result<(), Failure> {
    if let Some(Command::Completions { shell }) = cli.command {
        return completions::run(shell, args::command());
    }
    let mut inputs = Inputs::from_process(matches)?;
    // `import --secret-key-file` names the other server's key.
    if matches!(cli.command, Some(Command::Import { .. })) {
        inputs.flags.remove("secret_key");
    }
    let config = match Config::load(&inputs) {
        Err(error) if matches!(cli.command, Some(Command::Doctor)) => {
            return doctor::run_without_settings(&error, cli.json);
        }
        loaded => loaded?,
    };
    let (json, command) = (cli.json, cli.command.unwrap_or(Command::Serve));
    start_log(&config, &command)?;
    match command {
        Command::Serve => serve::run(config),
        Command::User { command } => users::run(&config, json, command),
        Command::Session { command } => sessions::run(&config, json, command),
        Command::Key { command } => keys::run(&config, json, command),
        Command::Audit { user, limit } => audit::run(&config, json, user, limit),
        Command::Doctor => doctor::run(&config, json),
        Command::Config => config::run(&config, json),
        Command::Healthcheck { url } => healthcheck::run(&config, url.as_deref(), json),
        // Handled above: it needs no settings.
        Command::Completions { .. } => Ok(()),
        Command::Backup { file } => backup::run(&config, &file, json),
        Command::Restore { file, yes } => restore::run(&config, &file, yes, json),
        Command::Import { source } => import::run(&config, source, json),
        Command::Export { file } => export::run(&config, &file, json),
        Command::RotateSecret { old_secret_key_file, yes } => {
            rotate_secret::run(&config, old_secret_key_file.as_deref(), yes, json)
        }
    }
}

fn start_log(config: &Config, command: &Command) -> Result<(), Failure> {
    // A command prints what it did. It logs that as well only if `log` is set.
    let is_set = config.sources.get("log") != Some(&ValueSource::Default);
    let filter = if matches!(command, Command::Serve) || is_set { config.log.as_str() } else { "warn" };
    // The framework logs every worker, and every malformed request as an error, which clients can send at will. To see
    // these lines, name `actix_server` or `actix_http` in the filter.
    let mut builder = env_logger::Builder::new();
    builder.filter_module("actix_server", log::LevelFilter::Warn).filter_module("actix_http", log::LevelFilter::Off);
    builder.parse_filters(filter);
    builder.format_timestamp_millis().try_init().map_err(Failure::from)
}
