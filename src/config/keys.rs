//! Owns the table of every setting: its name, kind, default and meaning. The flags, the README's table and the defaults
//! all come from it. Must not know how a value is found or what it is used for.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::{Arg, ArgAction};

/// What a value looks like.
#[expect(missing_docs, reason = "the variants' comments say what their fields are")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A path, relative to the directory of the file that names it, else to the working directory.
    Path,
    /// A host and a port.
    Address,
    /// An http or https URL.
    Url,
    /// The beginning of a URL's path.
    Prefix,
    /// Any text.
    Text,
    /// A text that nobody may see: no flag of its own, only one that names a file.
    Secret,
    /// True or false.
    Bool,
    /// True or false, or the id of a process.
    Process,
    /// One of a few words; `shown` is how help names them.
    Choice { words: &'static [&'static str], shown: &'static str },
    /// A whole number within these bounds.
    Number { least: u32, most: u32 },
    /// Texts: an array in the file, comma-separated elsewhere.
    List,
    /// A filter as `env_logger` reads it.
    LogFilter,
    /// When something is done by itself.
    Schedule,
}

impl Kind {
    /// What help calls the value of the flag.
    fn value_name(self) -> &'static str {
        match self {
            Self::Path | Self::Secret => "PATH",
            Self::Address => "HOST:PORT",
            Self::Url => "URL",
            Self::Prefix => "/PREFIX",
            Self::Text => "NAME",
            Self::Bool => "true|false",
            Self::Process => "true|false|ID",
            Self::Choice { shown, .. } => shown,
            Self::Number { .. } => "NUMBER",
            Self::List => "LIST",
            Self::LogFilter => "FILTER",
            Self::Schedule => "SCHEDULE",
        }
    }
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As the file spells it; the environment writes it in capitals after `USHER_`.
    pub name: &'static str,
    /// As the command line spells it, without the dashes. A secret's flag names a file.
    pub flag: &'static str,
    /// What its values look like.
    pub kind: Kind,
    /// The default as one would write it in the environment; empty for none.
    pub default: &'static str,
    /// What the default means, where that is not plain.
    pub note: &'static str,
    /// What it does, in one sentence.
    pub help: &'static str,
}

impl Key {
    /// The variable of this setting.
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// Whether its value must never be shown.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }

    /// The default as people should read it.
    fn shown_default(&self) -> String {
        match (self.default, self.note) {
            (default, "") => default.to_owned(),
            ("", note) => note.to_owned(),
            (default, note) => format!("{default}, {note}"),
        }
    }
}

/// The variable in which the environment carries what the file calls `name`.
pub(super) fn variable(name: &str) -> String {
    format!("USHER_{}", name.to_ascii_uppercase())
}

const fn key(
    name: &'static str,
    flag: &'static str,
    kind: Kind,
    default: &'static str,
    note: &'static str,
    help: &'static str,
) -> Key {
    Key { name, flag, kind, default, note, help }
}

const SIGNUP: Kind = Kind::Choice { words: &["approval", "open", "closed"], shown: "approval|open|closed" };
const COOKIE_SECURE: Kind = Kind::Choice { words: &["auto", "true", "false"], shown: "auto|true|false" };
/// Up to ten years, so that every expiry stays a date that clients can read.
const LIFETIME: Kind = Kind::Number { least: 1, most: 315_360_000 };
/// From what the issue of password hashing asks for, up to what answers within about a minute.
const BCRYPT_COST: Kind = Kind::Number { least: 10, most: 20 };
/// bcrypt reads no more than 72 bytes, so that a longer minimum would refuse every password.
const PASSWORD_MIN_LENGTH: Kind = Kind::Number { least: 1, most: 72 };

/// Every setting there is, in the order of `config.toml`.
#[rustfmt::skip] // One setting is one line of facts and one of help; that is how the table stays readable.
pub static KEYS: &[Key] = &[
    key("data_dir", "data-dir", Kind::Path, "", "`$STATE_DIRECTORY`, else the platform's data directory",
        "Where the database and the secret key are kept."),
    key("bind", "bind", Kind::Address, "127.0.0.1:7860", "",
        "The address and port to listen on; port 0 picks a free one."),
    key("public_url", "public-url", Kind::Url, "", "made from `bind`",
        "What people type to get here, used in links."),
    key("base_path", "base-path", Kind::Prefix, "", "the path of `public_url`",
        "The part of the path in front of every address, where a proxy has usher below another site, such as `/usher`."),
    key("workers", "workers", Kind::Number { least: 0, most: 256 }, "0", "one for each core",
        "How many threads answer requests."),
    key("port_file", "port-file", Kind::Path, "", "none",
        "A file that says, from readiness to stop, where the server listens; for the program that starts it."),
    key("exit_with_parent", "exit-with-parent", Kind::Process, "false", "",
        "Whether the server stops when the program that started it ends; its process id instead rules out that it ended before."),
    key("signup", "signup", SIGNUP, "approval", "",
        "Who may add users: anyone but inactive until approved, anyone and active at once (open), or superusers only (closed)."),
    key("superuser", "superuser", Kind::Text, "", "none",
        "The name of the first superuser, made at start if there is no superuser yet; needs `superuser_password`."),
    key("superuser_password", "superuser-password-file", Kind::Secret, "", "none",
        "The first superuser's password; `superuser_password_file` reads it from a file."),
    key("secret_key", "secret-key-file", Kind::Secret, "", "generated and kept in the data directory",
        "The key that signs tokens, at least 32 characters; `secret_key_file` reads it from a file."),
    key("access_token_seconds", "access-token-seconds", LIFETIME, "3600", "",
        "How long an access token is valid."),
    key("refresh_token_seconds", "refresh-token-seconds", LIFETIME, "604800", "",
        "How long a refresh token is valid, and with it a session that nobody uses."),
    key("refresh_leeway_seconds", "refresh-leeway-seconds", Kind::Number { least: 0, most: 300 }, "10", "",
        "How long a replaced refresh token still works, as two tabs of a browser refresh at once."),
    key("bcrypt_cost", "bcrypt-cost", BCRYPT_COST, "12", "",
        "How hard passwords are to guess from their hashes: each step doubles the work of a log-in."),
    key("password_min_length", "password-min-length", PASSWORD_MIN_LENGTH, "8", "",
        "How many characters a new password needs."),
    key("require_current_password", "require-current-password", Kind::Bool, "false", "as the original's clients send none",
        "Whether setting a new password needs the current one."),
    key("auto_login", "auto-login", Kind::Bool, "false", "",
        "Whether programs on this machine may log in without a password."),
    key("launch_secret", "launch-secret-file", Kind::Secret, "", "none",
        "What programs must send to log in without a password, at least 32 characters; `launch_secret_file` reads it from a file."),
    key("cookie_secure", "cookie-secure", COOKIE_SECURE, "auto", "",
        "Whether cookies are sent over HTTPS alone; auto: if the request came by HTTPS."),
    key("access_cookie_readable", "access-cookie-readable", Kind::Bool, "false", "",
        "Whether scripts may read the access token's cookie, as web clients of Langflow 1.3 do."),
    key("cors_origins", "cors-origins", Kind::List, "", "none",
        "Origins of other sites whose pages may call, such as `https://app.example.org`."),
    key("trusted_proxies", "trusted-proxies", Kind::List, "", "none",
        "Addresses or networks of proxies whose forwarded headers are believed."),
    key("forward_auth", "forward-auth", Kind::List, "", "off",
        "Who may enter which site behind the proxy, such as `*.example.org = signed-in`; needs `public_url` and `trusted_proxies`."),
    key("cookie_domain", "cookie-domain", Kind::Text, "", "the host of `public_url` alone",
        "The domain with usher and those sites in it, such as `example.org`."),
    key("throttle", "throttle", Kind::Bool, "true", "",
        "Whether repeated failed log-ins and sign-ups are slowed down."),
    key("signup_max_waiting", "signup-max-waiting", Kind::Number { least: 1, most: 1_000_000 }, "100", "",
        "How many accounts may wait for approval before sign-ups are refused; `throttle = false` turns it off."),
    key("audit_days", "audit-days", Kind::Number { least: 1, most: 36500 }, "365", "",
        "How many days the audit log is kept."),
    key("metrics", "metrics", Kind::Bool, "false", "",
        "Whether `GET /metrics` answers, to superusers and to whoever has `metrics_token`."),
    key("metrics_token", "metrics-token-file", Kind::Secret, "", "none",
        "What Prometheus sends to read the metrics, at least 32 characters; `metrics_token_file` reads it from a file."),
    key("backup_schedule", "backup-schedule", Kind::Schedule, "off", "",
        "When the server makes a backup by itself, into `backups` in the data directory: `off`, `hourly`, `daily 03:00`, `weekly sunday 03:00`, `every 6h`."),
    key("backup_keep", "backup-keep", Kind::Number { least: 1, most: 10_000 }, "7", "",
        "How many of these backups are kept; the oldest go first."),
    key("log", "log", Kind::LogFilter, "info", "",
        "What is logged: error, warn, info, debug, trace or off, for parts too, such as `info,usher::http=debug`."),
];

/// The setting of this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Every name that a file may use, and in capitals the environment: the keys, and for each secret the key of its file.
pub(super) fn names() -> impl Iterator<Item = String> {
    let files = KEYS.iter().filter(|key| key.is_secret()).map(|key| format!("{}_file", key.name));
    KEYS.iter().map(|key| key.name.to_owned()).chain(files)
}

/// The kind of value behind one of [`names`].
pub(super) fn kind(name: &str) -> Option<Kind> {
    let secret_file = || name.strip_suffix("_file").and_then(find).filter(|key| key.is_secret()).map(|_| Kind::Path);
    find(name).map(|key| key.kind).or_else(secret_file)
}

/// The flags of every setting, for every command. Values come as they are: they are checked where those of the file
/// and the environment are, so that all three are refused in the same words.
pub fn flags() -> Vec<Arg> {
    let config = Arg::new("config")
        .value_name("PATH")
        .help("The configuration file [default: config.toml in the working directory, else in the data directory]");
    let settings = KEYS.iter().map(|key| {
        let arg = Arg::new(key.name).value_name(key.kind.value_name());
        // A command line is readable by every process of the machine, so a secret never stands on it.
        let help =
            if key.is_secret() { format!("{} This flag names the file.", key.help) } else { key.help.to_owned() };
        let arg = arg.help(format!("{help} [default: {}]", key.shown_default())).long(key.flag);
        // `-h` is about the command; `--help` shows every setting.
        let arg = arg.hide_short_help(key.name != "data_dir");
        match key.kind {
            // `--auto-login` alone means true; the equals sign keeps it from eating a command's name.
            Kind::Bool | Kind::Process => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
            Kind::List => arg.action(ArgAction::Append),
            _ => arg,
        }
    });
    std::iter::once(config.long("config"))
        .chain(settings)
        .map(|arg| arg.global(true).help_heading("Settings").value_parser(clap::value_parser!(OsString)))
        .collect()
}

/// The README's table of settings.
pub fn markdown_table() -> String {
    let mut table = "| key | default | meaning |\n|---|---|---|\n".to_owned();
    for key in KEYS {
        let default = match (key.default, key.note) {
            ("", note) => note.to_owned(),
            (default, "") => format!("`{default}`"),
            (default, note) => format!("`{default}`, {note}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| `{}` | {default} | {} |", key.name, key.help);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_the_keys_with_dashes_and_secrets_name_files() {
        for key in KEYS {
            let dashed = key.name.replace('_', "-");
            assert_eq!(key.flag, if key.is_secret() { format!("{dashed}-file") } else { dashed });
            assert!(!key.help.contains('|') && !key.note.contains('|') && key.help.ends_with('.'), "{}", key.name);
        }
        assert_eq!(flags().len(), KEYS.len() + 1);
        clap::Command::new("usher").args(flags()).debug_assert();
    }

    #[test]
    fn the_readme_table_has_a_row_for_every_key() {
        let table = markdown_table();
        assert_eq!(table.lines().count(), KEYS.len() + 2);
        assert!(table.lines().all(|line| line.matches('|').count() == 4), "{table}");
        assert!(table.contains("| `bind` | `127.0.0.1:7860` | The address"));
    }
}
