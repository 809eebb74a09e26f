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

/// User accounts for self-hosted software: one binary, one SQLite file, Langflow's Users API.
///
/// Without a command, usher runs the server. The other commands use the database in the data directory, whether or not
/// a server is running. Their changes apply to the running server at once. Each command prints on standard error which
/// database it uses. Only the server creates a database.
#[derive(Debug, Parser)]
#[command(name = "usher", version, after_help = "`usher COMMAND --help` prints details and examples.")]
#[command(after_long_help = "\
Examples:
  usher                                     run the server on http://127.0.0.1:7860
  usher user set-password admin             reset the password of admin
  usher --data-dir /srv/usher user list     use another data directory
  usher config                              print the settings and their sources

Exit status:
  0    success
  1    failure: nothing was changed, and standard error says why
  2    invalid command line
  130  interrupted by Ctrl-C or SIGTERM: nothing was changed

Flags override USHER_* variables, which override config.toml, which overrides the defaults. `usher serve --help` lists
them all.")]
pub(super) struct Cli {
    /// Print JSON.
    #[arg(long, global = true)]
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
    #[command(after_long_help = "\
Examples:
  usher user add alice                      ask for the password
  usher user add ci --superuser < password  read the password from a file's first line
  usher user list --search ali --json
  usher user set-password admin             also ends the sessions of admin
  usher user reset-link alice               print a link that works once, for a day
  usher user delete alice --yes             don't ask for confirmation")]
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Invite people to create an account, and list and revoke invitations.
    #[command(after_long_help = "\
Examples:
  usher invitation add
  usher invitation add --username alice
  usher invitation add --uses 20 --days 1
  usher invitation revoke 0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b")]
    Invitation {
        #[command(subcommand)]
        command: InvitationCommand,
    },
    /// List and end sessions.
    #[command(after_long_help = "\
Examples:
  usher session list alice
  usher session end alice 0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b
  usher session end alice --all --yes")]
    Session {
        #[command(subcommand)]
        command: SessionCommand,
    },
    /// Add, list and delete API keys.
    #[command(after_long_help = "\
Examples:
  usher key add alice --name deploy
  usher key list alice
  usher key delete alice 0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b")]
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// List and release the names of former users, which forward auth reserves.
    #[command(after_long_help = "\
Examples:
  usher names list
  usher names release bob")]
    Names {
        #[command(subcommand)]
        command: NamesCommand,
    },
    /// Print the audit log, newest entries first.
    #[command(after_long_help = "\
Examples:
  usher audit --limit 10
  usher audit --user alice --json
  usher audit --failed --action login --since 2026-01-31")]
    Audit {
        /// Print only entries with this user as actor or target.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Print only entries with this action, such as `login`.
        #[arg(long)]
        action: Option<String>,
        /// Print only entries from this address.
        #[arg(long)]
        address: Option<String>,
        /// Print only entries since this time, such as 2026-01-31 or 2026-01-31T12:00:00Z.
        #[arg(long, value_name = "TIME", value_parser = audit::parse_time)]
        since: Option<Timestamp>,
        /// Print only entries before this time.
        #[arg(long, value_name = "TIME", value_parser = audit::parse_time)]
        until: Option<Timestamp>,
        /// Print only what failed.
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
    /// Check the installation, and print a remedy for each finding. Changes nothing.
    #[command(long_about = "\
Check the installation, and print a remedy for each finding: settings, permissions, free space, the database's \
integrity, the secret key, superusers, backups, the clock, and the running server. Changes nothing, and also works on a \
damaged database.")]
    #[command(after_long_help = "\
Exit status:
  0    no problems; there can be warnings
  1    problems

Examples:
  usher doctor
  usher doctor --json | jq '.findings[] | select(.status != \"ok\")'")]
    Doctor,
    /// Back up the database to a new compressed file. The server can be running.
    #[command(after_long_help = "\
The backup doesn't contain the secret key. Copy `secret_key` from the data directory to another place.
The settings `backup_schedule` and `backup_keep` make the server back up by itself.

Examples:
  usher backup /mnt/usb/usher-monday.db.gz
  usher backup \"/mnt/usb/usher-$(date +%F).db.gz\" --json")]
    Backup {
        /// The new file, such as usher.db.gz, or - for standard output.
        file: PathBuf,
    },
    /// Replace the database with a backup and end all sessions. Stop the server first.
    #[command(after_long_help = "\
The backup is checked first, and upgraded if it is older. The replaced database is kept.

Examples:
  usher restore /mnt/usb/usher-monday.db.gz
  usher restore /var/lib/usher/backups/usher-20260131T030000Z.db.gz --yes")]
    Restore {
        /// The backup, or a copy of a database.
        file: PathBuf,
        #[command(flatten)]
        options: RestoreOptions,
    },
    /// Import users from Langflow or another usher.
    #[command(after_long_help = "\
Examples:
  usher import langflow ~/langflow/langflow.db --dry-run
  usher import usher users.jsonl")]
    Import {
        #[command(subcommand)]
        source: ImportSource,
    },
    /// Export all users to a new file, with the hashes of their passwords and API keys.
    #[command(after_long_help = "\
Examples:
  usher export users.jsonl
  usher --data-dir /srv/other import usher users.jsonl")]
    Export {
        /// The new file, with one JSON object per line, or - for standard output.
        file: PathBuf,
    },
    /// Move all data from SQLite to PostgreSQL or back. Stop the server first.
    #[command(after_long_help = "\
With the address of an empty PostgreSQL database, the database of the data directory is copied there. With a directory, the
database in the settings is copied to a new SQLite file there. All tables are copied in one transaction, with sessions, keys
and audit log, and compared before it is committed. The source stays as it is. Afterwards, change the setting `database`, as
the command says.

Examples:
  usher move --to postgres://usher@db.example.org/usher --database-password-file /etc/usher/database_password
  usher move --to /var/lib/usher-sqlite")]
    Move(MoveArguments),
    /// Replace the secret key and end all sessions. Stop the server first.
    #[command(after_long_help = "\
If `secret_key` isn't set, the key is in the data directory. The command creates a new one there and keeps the old one
beside it, because older backups need it.

If `secret_key` or `secret_key_file` is set, save the old key to a file and change the setting first. The command then
re-encrypts the stored store keys and authenticator apps. If the old key is lost, leave out --old-secret-key-file:
those that can't be decrypted are listed and stay unchanged.

Examples:
  usher rotate-secret
  USHER_SECRET_KEY_FILE=/run/secrets/new usher rotate-secret --old-secret-key-file /run/secrets/old --yes")]
    RotateSecret {
        /// A file with the old key, if it isn't in the data directory.
        #[arg(long, value_name = "PATH")]
        old_secret_key_file: Option<PathBuf>,
        /// Don't ask for confirmation.
        #[arg(long)]
        yes: bool,
    },
    /// Print the settings and their sources, with secrets hidden.
    #[command(after_long_help = "\
Examples:
  usher config
  usher --config /etc/usher/config.toml config --json")]
    Config,
    /// Ask a server whether it can use its database.
    #[command(after_long_help = "\
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
    #[command(after_long_help = "\
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
    let everywhere = ["config", "data_dir"];
    let quiet = config::flags().into_iter().map(|flag| {
        let hide = !everywhere.contains(&flag.get_id().as_str());
        flag.hide(hide)
    });
    Cli::command().args(quiet).mut_subcommand("serve", |serve| serve.args(config::flags()))
}
