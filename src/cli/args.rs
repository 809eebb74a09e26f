//! Owns what can be typed after `usher`: the commands, their arguments and their help.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::{access, import, user};
use crate::config;

/// User accounts for self-hosted software: one binary, one SQLite file, Langflow's Users API.
///
/// Without a command it runs the server. Every other command works on the database in the data directory, beside a
/// running server or without one; what it changes holds at once in the server. Each says on standard error which
/// database it works on, and none makes one by mistake.
#[derive(Debug, Parser)]
#[command(name = "usher", version, after_help = "`usher COMMAND --help` tells more, with examples.")]
#[command(after_long_help = "\
Examples:
  usher                                     run the server on http://127.0.0.1:7860
  usher user set-password admin             a way back in for whoever has the machine
  usher --data-dir /srv/usher user list     another data directory, as for every command
  usher config                              the settings in force and where each came from

Exit status:
  0    it was done
  1    nothing was done, and a sentence on standard error says why
  2    the command line cannot be understood
  130  it was stopped by Ctrl-C or SIGTERM; nothing was changed

Settings come from flags, USHER_* variables, config.toml and defaults, the first of these that has one.")]
pub(super) struct Cli {
    /// Print for programs, as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server; what `usher` alone does.
    Serve,
    /// Manage users.
    #[command(after_long_help = "\
Examples:
  usher user add alice                      asks for the password, which never stands on a command line
  usher user add ci --superuser < password  reads its first line where standard input is no terminal
  usher user list --search ali --json
  usher user set-password admin             ends all sessions of admin
  usher user reset-link alice               prints a link that works once, for a day
  usher user delete alice --yes             does not ask")]
    User {
        #[command(subcommand)]
        command: user::Command,
    },
    /// See and end sessions.
    #[command(after_long_help = "\
Examples:
  usher session list alice
  usher session end alice 0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b
  usher session end alice --all --yes")]
    Session {
        #[command(subcommand)]
        command: access::SessionCommand,
    },
    /// See and delete API keys.
    #[command(after_long_help = "\
Examples:
  usher key list alice
  usher key delete alice 0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b")]
    Key {
        #[command(subcommand)]
        command: access::KeyCommand,
    },
    /// Show who did what to whom, newest first.
    #[command(after_long_help = "\
Examples:
  usher audit --limit 10
  usher audit --user alice --json")]
    Audit {
        /// Only what this user did, or what was done to this user.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// How many entries at most.
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: u32,
    },
    /// Look for what is wrong or soon will be, and say what to do about it. Changes nothing.
    #[command(long_about = "\
Look for what is wrong or soon will be, and say what to do about it: settings, permissions, the database's integrity, \
free space, whether the secret key goes with the database, superusers, backups, the clock, and which server runs. \
Changes nothing, makes nothing, and works beside a running server and on a damaged database.")]
    #[command(after_long_help = "\
Exit status:
  0    nothing is wrong; there may be warnings
  1    something is wrong

Examples:
  usher doctor
  usher doctor --json | jq '.findings[] | select(.status != \"ok\")'")]
    Doctor,
    /// Copy the database to a new file, compressed and checked, also while the server runs.
    #[command(after_long_help = "\
The secret key is not in it: keep a copy of `secret_key` in the data directory as well, but elsewhere.
Settings `backup_schedule` and `backup_keep` make backups by themselves.

Examples:
  usher backup /mnt/usb/usher-monday.db.gz
  usher backup \"/mnt/usb/usher-$(date +%F).db.gz\" --json")]
    Backup {
        /// The file, which must not exist yet, such as usher.db.gz.
        file: PathBuf,
    },
    /// Put a backup in the place of the database, which is kept; ends all sessions. No server may run.
    #[command(after_long_help = "\
The backup is checked before anything is touched. One of an older version is brought up to date.

Examples:
  usher restore /mnt/usb/usher-monday.db.gz
  usher restore /var/lib/usher/backups/usher-20260131T030000Z.db.gz --yes")]
    Restore {
        /// The backup: what `usher backup` wrote, or a plain database of usher's.
        file: PathBuf,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Take in accounts from a Langflow or another usher.
    #[command(after_long_help = "\
Examples:
  usher import langflow ~/langflow/langflow.db --dry-run
  usher import usher users.jsonl")]
    Import {
        #[command(subcommand)]
        source: import::Source,
    },
    /// Write all users, with the hashes of their passwords and API keys, to a file as lines of JSON.
    #[command(after_long_help = "\
Examples:
  usher export users.jsonl
  usher --data-dir /srv/other import usher users.jsonl")]
    Export {
        /// The file, which must not exist yet.
        file: PathBuf,
    },
    /// Make a new secret key: ends all sessions and encrypts stored store keys anew. No server may run.
    #[command(after_long_help = "\
Where `secret_key` is not set, the key lies in the data directory: a new one is made, and the one before is kept beside
it, as older backups go with it.

Where `secret_key` or `secret_key_file` is set, change it there first and keep the old one in a file; then this command
takes the database from the old one to the new one. A key that was lost needs no old file: store keys that it encrypted
stay as they are and are named.

Examples:
  usher rotate-secret
  USHER_SECRET_KEY_FILE=/run/secrets/new usher rotate-secret --old-secret-key-file /run/secrets/old --yes")]
    RotateSecret {
        /// A file with the key before, where it is not in the data directory any more.
        #[arg(long, value_name = "PATH")]
        old_secret_key_file: Option<PathBuf>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Show the settings in force and where each came from, secrets hidden.
    #[command(after_long_help = "\
Examples:
  usher config
  usher --config /etc/usher/config.toml config --json")]
    Config,
    /// Ask a server whether it works; the one that these settings describe, unless told otherwise.
    #[command(after_long_help = "\
Exit status:
  0    it can read and write its database
  1    it cannot, or nothing answers

Examples:
  usher healthcheck
  usher healthcheck 127.0.0.1:8000")]
    Healthcheck {
        /// Such as `http://127.0.0.1:7860`, or `127.0.0.1:7860` for short.
        url: Option<String>,
    },
    /// Print the completions of a shell.
    #[command(after_long_help = "\
Examples:
  usher completions bash > /etc/bash_completion.d/usher
  usher completions zsh > \"${fpath[1]}/_usher\"
  usher completions fish > ~/.config/fish/completions/usher.fish")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// The whole command line, with a flag for every setting.
pub(super) fn command() -> clap::Command {
    Cli::command().args(config::flags())
}
