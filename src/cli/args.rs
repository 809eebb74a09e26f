//! The commands, their arguments and their help.

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::audit;
use crate::cli::import::ImportSource;
use crate::cli::invitations::InvitationCommand;
use crate::cli::keys::KeyCommand;
use crate::cli::move_database::MoveArguments;
use crate::cli::names::NamesCommand;
use crate::cli::output_file::HELPER_COMMAND;
use crate::cli::restore::RestoreOptions;
use crate::cli::sessions::SessionCommand;
use crate::cli::users::UserCommand;
use crate::config;
use crate::domain::clock::Timestamp;

/// The place of options that every command has, after its own.
const LAST: usize = 100;

/// User accounts for self-hosted software, with Langflow's Users API.
#[derive(Debug, Parser)]
#[command(
    name = "usher",
    version,
    after_help = "\
Without a command, usher runs the server. Changes that other commands make apply
to a running server at once. Every command takes the flags of all settings.
`usher COMMAND --help` prints details and examples, `usher serve --help` all
settings.

Examples:
  usher                                  run the server on http://127.0.0.1:7860
  usher user set-password admin          reset the password of admin
  usher --data-dir /srv/usher user list  use another data directory

Exit status: 0 success, 1 failure, 2 invalid command line, 130 interrupted."
)]
pub(super) struct Cli {
    /// Print JSON.
    #[arg(long, global = true, display_order = LAST)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server. This is the default.
    #[command(after_long_help = "\
Examples:
  usher serve --bind 127.0.0.1:8000
  usher serve --signup closed --data-dir /srv/usher")]
    Serve,
    /// Manage users.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Invite people to create an account.
    Invitation {
        #[command(subcommand)]
        command: InvitationCommand,
    },
    /// List and end sessions.
    Session {
        #[command(subcommand)]
        command: SessionCommand,
    },
    /// Add, list and delete API keys.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// List and release the reserved names of former users.
    Names {
        #[command(subcommand)]
        command: NamesCommand,
    },
    /// Print the audit log, newest entries first.
    #[command(after_help = "\
Examples:
  usher audit --limit 10
  usher audit --user alice --json
  usher audit --failed --action login --since 2026-01-31")]
    Audit {
        /// Only entries with this user as actor or target.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Only entries with this action, such as `login`.
        #[arg(long)]
        action: Option<String>,
        /// Only entries from this address.
        #[arg(long)]
        address: Option<String>,
        /// Only entries since this time, 2026-01-31 or 2026-01-31T12:00:00Z.
        #[arg(long, value_name = "TIME", value_parser = audit::parse_time)]
        since: Option<Timestamp>,
        /// Only entries before this time.
        #[arg(long, value_name = "TIME", value_parser = audit::parse_time)]
        until: Option<Timestamp>,
        /// Only what failed.
        #[arg(long)]
        failed: bool,
        /// The maximum number of entries.
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: u32,
    },
    /// Write a man page of each command into a directory.
    #[command(hide = true)]
    Man {
        /// The directory.
        dir: PathBuf,
    },
    /// Check the installation, and print a remedy for each finding.
    #[command(after_help = "\
Checks the settings, permissions, free space, the database's integrity, the secret key, superusers, backups, the clock, \
and the running server. Changes nothing, and also works on a damaged database.

Exit status:
  0    no problems; there can be warnings
  1    problems

Examples:
  usher doctor
  usher doctor --json | jq '.findings[] | select(.status != \"ok\")'")]
    Doctor,
    /// Back up the database to a new compressed file.
    #[command(after_help = "\
The server can be running. With the settings `backup_schedule` and `backup_keep`, it backs up by itself.
The backup doesn't contain the secret key. Copy `secret_key` from the data directory to another place.

Examples:
  usher backup /mnt/usb/usher-monday.db.gz
  usher backup \"/mnt/usb/usher-$(date +%F).db.gz\" --json")]
    Backup {
        /// The new file, such as usher.db.gz, or - for standard output.
        file: PathBuf,
    },
    /// Replace the database with a backup and end all sessions.
    #[command(after_help = "\
Stop the server first. The backup is checked, and upgraded if it is older. The replaced database is kept.

Examples:
  usher restore /mnt/usb/usher-monday.db.gz
  usher restore /var/lib/usher/backups/usher-20260131T030000Z.db.gz --yes")]
    Restore {
        /// The backup, or a copy of a database.
        file: PathBuf,
        #[command(flatten)]
        options: RestoreOptions,
    },
    /// Import users from Langflow, a CSV file or another usher.
    Import {
        #[command(subcommand)]
        source: ImportSource,
    },
    /// Export all users to a new file.
    #[command(after_help = "\
The file has the hashes of passwords and API keys.

Examples:
  usher export users.jsonl
  usher --data-dir /srv/other import usher users.jsonl")]
    Export {
        /// The new file, with one JSON object per line, or - for standard output.
        file: PathBuf,
    },
    /// Move all data from SQLite to PostgreSQL or back.
    #[command(after_help = "\
Stop the server first. URL is the address of an empty PostgreSQL database; DIR gets a new SQLite file. All tables are \
copied in one transaction, with sessions, keys and audit log, and compared before it is committed. The source stays as \
it is. Afterwards, change the setting `database`, as the command says.

Examples:
  usher move --to postgres://usher@db.example.org/usher \\
    --database-password-file /etc/usher/database_password
  usher move --to /var/lib/usher-sqlite")]
    Move(MoveArguments),
    /// Replace the secret key and end all sessions.
    #[command(after_help = "\
Stop the server first. A key in the data directory is replaced, and the old one is kept beside it, because older \
backups need it.

If `secret_key` or `secret_key_file` is set, save the old key to a file and change the setting first. The command \
then re-encrypts the stored store keys and authenticator apps. Without the old key, those that can't be decrypted are \
listed and stay unchanged.

Examples:
  usher rotate-secret
  usher rotate-secret --old-secret-key-file /run/secrets/old --yes")]
    RotateSecret {
        /// A file with the old key.
        #[arg(long, value_name = "PATH")]
        old_secret_key_file: Option<PathBuf>,
        /// Don't ask for confirmation.
        #[arg(long)]
        yes: bool,
    },
    /// Print the settings and their sources.
    #[command(after_help = "\
Secrets are hidden.

Examples:
  usher config
  usher --config /etc/usher/config.toml config --json")]
    Config,
    /// Ask a server whether it can use its database.
    #[command(after_help = "\
Exit status:
  0    the server can read and write its database
  1    it can't, or nothing answers

Examples:
  usher healthcheck
  usher healthcheck 127.0.0.1:8000")]
    Healthcheck {
        /// The server's address, such as 127.0.0.1:7860 [default: the address in the settings]
        url: Option<String>,
    },
    /// Finish the file of a command that has dropped root's privileges.
    #[command(name = HELPER_COMMAND, hide = true)]
    FinishFile {
        /// The file.
        temporary: PathBuf,
        /// Its name when it is complete.
        target: PathBuf,
    },
    /// Print the completion script of a shell.
    #[command(after_help = "\
Examples:
  usher completions bash > /etc/bash_completion.d/usher
  usher completions zsh > \"${fpath[1]}/_usher\"
  usher completions fish > ~/.config/fish/completions/usher.fish")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// The files that the command reads, apart from the data directory.
    pub fn input_files(&self) -> Vec<&Path> {
        match self {
            Self::Restore { file, .. } => vec![file],
            Self::Import { source } => source.input_files(),
            Self::Move(arguments) => arguments.input_files(),
            Self::RotateSecret { old_secret_key_file: Some(file), .. } => vec![file],
            _ => Vec::new(),
        }
    }
}

/// The command line. Every command takes the flags of all settings, as the configuration file can depend on them. Only
/// the help of `serve` lists them all.
pub(super) fn command() -> clap::Command {
    let global = config::flags().into_iter().map(|flag| {
        let flag = flag.help_heading(None::<&str>).hide_short_help(false).display_order(LAST);
        match flag.get_id().as_str() {
            "config" => flag.help("The configuration file"),
            "data_dir" => flag.help("The data directory"),
            _ => flag.hide(true),
        }
    });
    Cli::command()
        .args(global)
        .mut_subcommand("serve", |serve| serve.args(config::flags()))
        .mut_subcommands(|command| if command.has_subcommands() { with_group_help(command) } else { command })
}

/// Gives a group of commands a help without options, which the help of each command lists.
fn with_group_help(group: clap::Command) -> clap::Command {
    let name = format!("usher {}", group.get_name());
    let after = format!("`{name} COMMAND --help` prints options and examples.");
    group
        .override_usage(format!("{name} <COMMAND>"))
        .help_template("{about-with-newline}\n{usage-heading} {usage}\n\nCommands:\n{subcommands}{after-help}\n")
        .after_help(after)
}
