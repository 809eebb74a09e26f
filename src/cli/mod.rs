//! The command line: parses it, starts the log, and runs the command.

mod args;
mod audit;
mod backup;
mod completions;
mod config;
mod context;
mod doctor;
mod export;
mod factors;
mod healthcheck;
mod http_client;
mod import;
mod interrupt;
mod invitations;
mod keys;
mod move_database;
mod names;
mod output;
mod output_file;
mod passwords;
mod progress;
mod prompt;
mod reset_link;
mod restore;
mod rotate_secret;
mod running_server;
mod serve;
mod sessions;
mod user_list;
mod users;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use chrono::SecondsFormat;
use clap::{ArgMatches, FromArgMatches};

use crate::config::{Config, ConfigError, ConfigSearch, Inputs, ValueSource};
use crate::domain::clock::Clock;
use crate::domain::printable::printable;
use crate::platform::privileges::{self, DirOwner};
use crate::platform::{files, inspect};
use crate::store::audit::AuditFilter;
use args::{Cli, Command};
use output::{AlreadyPrinted, notice, print_result};
use output_file::OutputFile;
use serve::Sockets;

/// The failure of a command: one sentence.
type Failure = Box<dyn std::error::Error>;

/// The exit status after an interrupt, as shells report SIGINT.
const EXIT_INTERRUPTED: u8 = 130;

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let matches = match args::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage_error(&escaped(error)),
    };
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

/// The error with arguments that can't control the terminal. clap prints them as they are.
fn escaped(error: clap::Error) -> clap::Error {
    let arguments = std::env::args_os().map(|argument| printable(&argument.to_string_lossy()));
    args::command().try_get_matches_from(arguments).err().unwrap_or(error)
}

/// Prints the help, the version, or what is wrong with the command line.
fn usage_error(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let sentence = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ").replace("\n  ", " ");
        // Standard output may be closed. The lines below say the same.
        let _ = print_result(true, &serde_json::json!({ "error": sentence }), String::new);
    }
    // Standard output or error may be closed.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1))
}

fn run_command(cli: Cli, matches: &ArgMatches) -> Result<(), Failure> {
    match cli.command {
        Some(Command::Completions { shell }) => return completions::run(shell, args::command()),
        Some(Command::Man { dir }) => {
            return clap_mangen::generate_to(args::command(), &dir)
                .map_err(|error| format!("{}: {error}", dir.display()).into());
        }
        Some(Command::FinishFile { temporary, target }) => return Ok(files::finish_for(&temporary, &target)?),
        _ => {}
    }
    let mut inputs = Inputs::from_process(matches)?;
    // These flags name the secrets of another server.
    match &cli.command {
        Some(Command::Import { .. }) => drop(inputs.flags.remove("secret_key")),
        Some(Command::Move(arguments)) if arguments.is_to_postgres() => drop(inputs.flags.remove("database_password")),
        _ => {}
    }
    let (json, command) = (cli.json, cli.command.unwrap_or(Command::Serve));
    let mut files = OpenedFiles::default();
    let config = match load(&inputs, &command, &mut files) {
        Err(failure) if matches!(command, Command::Doctor) && failure.is::<ConfigError>() => {
            return doctor::run_without_settings(&failure.to_string(), json);
        }
        loaded => loaded?,
    };
    start_log(&config, &command)?;
    let OpenedFiles { output, sockets } = files;
    match command {
        Command::Serve => serve::run(config, sockets.unwrap_or_default()),
        Command::User { command } => users::run(&config, json, command),
        Command::Session { command } => sessions::run(&config, json, command),
        Command::Key { command } => keys::run(&config, json, command),
        Command::Names { command } => names::run(&config, json, command),
        Command::Invitation { command } => invitations::run(&config, json, command),
        Command::Audit { user, action, address, since, until, failed, limit } => {
            let success = failed.then_some(false);
            let filter =
                AuditFilter { action, address, since, until, success, limit: limit.into(), ..AuditFilter::default() };
            audit::run(&config, json, user, filter)
        }
        Command::Doctor => doctor::run(&config, json),
        Command::Config => config::run(&config, json),
        Command::Healthcheck { url } => healthcheck::run(&config, url.as_deref(), json),
        // Handled above: they need no settings.
        Command::Completions { .. } | Command::Man { .. } | Command::FinishFile { .. } => Ok(()),
        Command::Backup { .. } => output.map_or(Ok(()), |output| backup::run(&config, output, json)),
        Command::Restore { file, options } => restore::run(&config, &file, options, json),
        Command::Import { source } => import::run(&config, source, json),
        Command::Move(arguments) => move_database::run(&config, &arguments, json),
        Command::Export { .. } => output.map_or(Ok(()), |output| export::run(&config, output, json)),
        Command::RotateSecret { old_secret_key_file, yes } => {
            rotate_secret::run(&config, old_secret_key_file.as_deref(), yes, json)
        }
    }
}

/// What must be opened before root's privileges are dropped.
#[derive(Default)]
struct OpenedFiles {
    output: Option<OutputFile>,
    sockets: Option<Sockets>,
}

/// Reads the settings. Drops root's privileges before it reads a file in a data directory of another user.
fn load(inputs: &Inputs, command: &Command, files: &mut OpenedFiles) -> Result<Config, Failure> {
    let search = ConfigSearch::start(inputs)?;
    if let Some(dir) = search.next_dir() {
        files.open(dir, command, None)?;
    }
    let config = search.finish(!matches!(command, Command::Serve))?;
    config.notices.iter().for_each(|line| notice(format_args!("{line}")));
    files.open(&config.data_dir, command, Some(&config))?;
    Ok(config)
}

impl OpenedFiles {
    /// Opens what the command needs, and drops the privileges if another user owns the data directory.
    fn open(&mut self, dir: &Path, command: &Command, config: Option<&Config>) -> Result<(), Failure> {
        let owner = privileges::owner_to_become(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        match (command, config) {
            (Command::Backup { file }, _) if self.output.is_none() => {
                self.output = Some(OutputFile::prepare(file, "usher.db.gz", owner.is_some())?);
            }
            (Command::Export { file }, _) if self.output.is_none() => {
                self.output = Some(OutputFile::prepare(file, "users.jsonl", owner.is_some())?);
            }
            (Command::Serve, Some(config)) => self.sockets = Some(Sockets::open(config, owner.is_some())?),
            _ => {}
        }
        owner.map_or(Ok(()), |owner| become_owner(owner, dir, command))
    }
}

/// Drops root's privileges, because the owner of the data directory controls the files in it.
fn become_owner(owner: DirOwner, dir: &Path, command: &Command) -> Result<(), Failure> {
    let refused = |cause: &dyn std::fmt::Display| {
        let (dir, uid) = (dir.display(), owner.uid);
        let remedy = format!("run `sudo -u '#{uid}' usher …` instead");
        Failure::from(format!("{dir} belongs to user {uid}, and root can't work there as that user: {cause}; {remedy}"))
    };
    owner.assume(dir, &command.input_files()).map_err(|error| refused(&error))?;
    let only_looks = matches!(command, Command::Doctor | Command::Config | Command::Healthcheck { .. });
    if only_looks || inspect::may_write(dir) { Ok(()) } else { Err(refused(&"that user can't write to it")) }
}

fn start_log(config: &Config, command: &Command) -> Result<(), Failure> {
    // A command prints what it did. It logs that as well only if `log` is set.
    let is_set = config.sources.get("log") != Some(&ValueSource::Default);
    let is_quiet = !matches!(command, Command::Serve) && !is_set;
    let filter = if is_quiet { "warn" } else { config.log.as_str() };
    // The framework logs every worker, and every malformed request as an error, which clients can send at will. To see
    // these lines, name `actix_server` or `actix_http` in the filter.
    let mut builder = env_logger::Builder::new();
    builder.filter_module("actix_server", log::LevelFilter::Warn).filter_module("actix_http", log::LevelFilter::Off);
    if is_quiet {
        // A command prints why its write failed.
        builder.filter_module("usher::store::engine::writer", log::LevelFilter::Off);
    }
    builder.parse_filters(filter);
    // Names, paths and headers are part of messages. None of them can write a line of its own or control a terminal.
    builder.format(|out, record| {
        let time = Clock::system().now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let style = out.default_level_style(record.level());
        let (level, target) = (record.level(), record.target());
        writeln!(out, "[{time} {style}{level:<5}{style:#} {target}] {}", printable(&record.args().to_string()))
    });
    builder.try_init().map_err(Failure::from)
}
