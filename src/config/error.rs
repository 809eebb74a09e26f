//! Configuration errors. Each message names the setting and its source, the fault, and the remedy. Messages never
//! contain a secret or a line of a file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::domain::printable::printable;

/// How many characters of a bad value a message repeats.
const MAX_QUOTE_CHARS: usize = 80;

/// Where a value comes from, weakest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueSource {
    /// The declaration.
    Default,
    /// The configuration file at this path.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// The flag of this name, without its dashes.
    Flag(String),
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => f.write_str(&shown_path(path)),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A setting and its source, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The key in that source, such as `secret_key_file`.
    pub name: String,
    /// The source.
    pub source: ValueSource,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            ValueSource::Default => write!(f, "the default of `{}`", self.name),
            ValueSource::File(path) => write!(f, "`{}` in {}", self.name, shown_path(path)),
            // A variable and a flag contain the key.
            named => named.fmt(f),
        }
    }
}

/// Why a configuration is refused.
#[expect(missing_docs, reason = "each message says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value is invalid. `found` is quoted or described.
    #[error("{origin} is {found}; it must be {wanted}")]
    Value { origin: Origin, found: String, wanted: String },
    /// A secret could be guessed. The message doesn't contain it.
    #[error("{origin} must have at least {min_chars} characters; `openssl rand -base64 32` prints a good one")]
    ShortSecret { origin: Origin, min_chars: usize },
    /// A secret's file can't be read or contains no secret.
    #[error("{origin} names the file {path}, but {fault}; it must be a readable file that contains only the secret")]
    SecretFile { origin: Origin, path: String, fault: String },
    /// One source has a secret both directly and as a file.
    #[error("both {direct} and {file} are set; keep one of them")]
    SecretTwice { direct: Origin, file: Origin },
    /// The configuration file has an unknown key.
    #[error("{key} in {file} is not a setting; {hint}")]
    UnknownKey { file: String, key: String, hint: String },
    /// The environment has an unknown `USHER_*` variable.
    #[error("the environment variable {name} is not a setting; {hint}")]
    UnknownVariable { name: String, hint: String },
    /// A text from outside isn't UTF-8.
    #[error("{what} is not UTF-8; write it in UTF-8")]
    NotUtf8 { what: String },
    /// The configuration file can't be read.
    #[error("the configuration file {file} ({why_this}) can't be read: {fault}; it must be a readable TOML file")]
    File { file: String, why_this: &'static str, fault: String },
    /// The data directory belongs to another user.
    #[error("the data directory {dir} can't be read: permission is denied; run usher as its owner or as root")]
    DataDirUnreadable { dir: String },
    /// The configuration file isn't TOML. The message is the parser's and repeats nothing of the file.
    #[error("{file} is not TOML at line {line}, column {column}: {message}; write lines of the form `key = value`")]
    Syntax { file: String, line: usize, column: usize, message: String },
    /// A setting needs another one's value.
    #[error("{origin} is set, but `{missing}` is not; set both or neither")]
    Incomplete { origin: Origin, missing: &'static str },
    /// A setting has no effect unless another one is on.
    #[error("{origin} is set, but `{needs}` is off; set `{needs} = true`, or remove the setting")]
    NoEffect { origin: Origin, needs: &'static str },
    /// There is nothing to sign.
    #[error("{origin} is set, but `on_event` is not a URL; set it to a URL, or remove the setting")]
    EventSecret { origin: Origin },
    /// A session would end before its first access token.
    #[error(
        "{refresh} is {refresh_seconds} seconds, less than {access}, {access_seconds}; `refresh_token_seconds` must be \
         at least `access_token_seconds`"
    )]
    Lifetimes { refresh: Origin, refresh_seconds: u32, access: Origin, access_seconds: u32 },
    /// `base_path` and the path of `public_url` differ.
    #[error("{origin} is {base}, but the path of `public_url` is {path}; make them equal, or remove `base_path`")]
    BasePathMismatch { origin: Origin, base: String, path: String },
    /// The setting contradicts itself or others.
    #[error("{origin} {fault}")]
    Invalid { origin: Origin, fault: String },
    /// The file in the data directory names another data directory.
    #[error(
        "{file} was found in the data directory, but its `data_dir` names another directory, {named}; remove \
         `data_dir` from it, or name the file with --config"
    )]
    DataDirMoved { file: String, named: String },
    /// Nothing names a data directory.
    #[error("there is no home directory to keep data in; name a data directory with --data-dir or USHER_DATA_DIR")]
    NoDataDir,
    /// The process has no working directory.
    #[error("the working directory can't be used: {fault}; start usher in a directory that exists")]
    NoWorkingDir { fault: String },
}

/// A value for a message: quoted, escaped and truncated.
pub(super) fn quoted(text: &str) -> String {
    let start: String = text.chars().take(MAX_QUOTE_CHARS).collect();
    let more = if text.chars().nth(MAX_QUOTE_CHARS).is_some() { "…" } else { "" };
    format!("\"{}{more}\"", printable(&start).replace('"', "\\\""))
}

/// A path for a message. It isn't truncated, so that people can find the file.
pub(super) fn shown_path(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// An I/O error in plain words, for the person who wrote the path.
pub(super) fn io_fault(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it doesn't exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission is denied; run usher as the file's owner or as root".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// The remedy for an unknown name: the known name that is most similar, or where to look.
pub(super) fn hint(unknown: &str, known: impl Iterator<Item = String>) -> String {
    // The distance costs the product of the lengths, and a longer name isn't a typing error.
    let unknown = unknown.chars().take(64).collect::<String>().to_ascii_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&unknown, &name.to_ascii_lowercase());
    match known.map(|name| (distance(&name), name)).min() {
        Some((edits, name)) if edits <= 2.max(unknown.chars().count() / 3) => format!("did you mean `{name}`?"),
        _ => "`usher --help` and config.toml list the settings".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_name_is_suggested_if_it_is_close() {
        let known = || ["bind", "workers", "secret_key"].into_iter().map(str::to_owned);
        assert_eq!(hint("bnid", known()), "did you mean `bind`?");
        assert_eq!(hint("SECRETKEY", known()), "did you mean `secret_key`?");
        assert_eq!(hint("", known()), "`usher --help` and config.toml list the settings");
        assert!(!hint("zzzzzzzz", known()).contains("did you mean"));
    }

    #[test]
    fn quoted_input_is_truncated_and_cannot_inject_lines() {
        assert_eq!(quoted("a\"b\n\u{1b}[31m\u{202e}é"), r#""a\"b\n\u{1b}[31m\u{202e}é""#);
        assert_eq!(quoted(&"x".repeat(80)).chars().count(), 82);
        assert_eq!(quoted(&"x".repeat(81)), format!("\"{}…\"", "x".repeat(80)));
    }
}
