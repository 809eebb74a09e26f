//! Owns what can be wrong with a configuration, each as one sentence for the person who wrote it: where the value came
//! from, what is wrong, what would be right. Must not hold the text of any secret, nor a line of any file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// How much of a bad value a message repeats.
const LONGEST_QUOTE: usize = 80;

/// Where a value came from, weakest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The configuration file at this path.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// The flag of this name, without its dashes.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => f.write_str(&shown_path(path)),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// One setting in one source, as a message names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The key as the source spells it, such as `secret_key_file`.
    pub name: String,
    /// Where it stands.
    pub source: Source,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Default => write!(f, "the default of `{}`", self.name),
            Source::File(path) => write!(f, "`{}` in {}", self.name, shown_path(path)),
            // A variable or a flag names its key already.
            named => named.fmt(f),
        }
    }
}

/// Why usher does not start with this configuration.
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value that is no secret is wrong. `found` is quoted or described already.
    #[error("{place} is {found}; it must be {wanted}")]
    Value { place: Place, found: String, wanted: String },
    /// A secret is wrong; what it is stays unsaid.
    #[error("{place} must {wanted}")]
    Secret { place: Place, wanted: &'static str },
    /// A file that should hold a secret gives none.
    #[error("{place} names the file {path}, but {fault}; it must be a readable file that holds the secret alone")]
    SecretFile { place: Place, path: String, fault: String },
    /// A secret comes both as itself and as a file, and nothing says which one counts.
    #[error("both {plain} and {file} are set; keep one of them")]
    SecretTwice { plain: Place, file: Place },
    /// The configuration file names something that is no setting.
    #[error("there is no setting {key} ({file}); {hint}")]
    UnknownKey { file: String, key: String, hint: String },
    /// The environment names something that is no setting.
    #[error("there is no setting for the environment variable {name}; {hint}")]
    UnknownVariable { name: String, hint: String },
    /// A text from outside is not UTF-8.
    #[error("{what} is not UTF-8 text; write it in UTF-8")]
    NotUtf8 { what: String },
    /// The configuration file is there, or was asked for, and cannot be read.
    #[error("the configuration file {file} ({why_this}) cannot be read: {fault}; it must be a readable TOML file")]
    File { file: String, why_this: &'static str, fault: String },
    /// The configuration file is not TOML. The message is the parser's and repeats nothing of the file.
    #[error(
        "{file} is not TOML at line {line}, column {column}: {message}; write `key = value` lines as in config.toml"
    )]
    Syntax { file: String, line: usize, column: usize, message: String },
    /// The superuser's name and password only make sense together.
    #[error("{place} is set, but `{missing}` is not; set both or neither")]
    Alone { place: Place, missing: &'static str },
    /// A setting without which another one does nothing is off: it would seem to be in force.
    #[error("{place} is set, but `{needs}` is not on; set `{needs} = true` as well, or leave it out")]
    Idle { place: Place, needs: &'static str },
    /// A session could not outlive its first access token.
    #[error(
        "{refresh} gives {refresh_seconds} seconds, less than the {access_seconds} of {access}; \
         `refresh_token_seconds` must be at least `access_token_seconds`"
    )]
    Lifetimes { refresh: Place, refresh_seconds: u32, access: Place, access_seconds: u32 },
    /// Links and answers would lead to different places.
    #[error("{place} is {base}, but the path of `public_url` is {path}; make them the same, or leave `base_path` out")]
    TwoPaths { place: Place, base: String, path: String },
    /// The rules of forward auth are wrong together, or do not fit the other settings.
    #[error("{place} {fault}")]
    ForwardAuth { place: Place, fault: String },
    /// The file that was found in the data directory says that the data directory is another one.
    #[error(
        "{file} was found because it lies in the data directory, but its `data_dir` names another one, {named}; \
         remove `data_dir` from it, or name the file by --config"
    )]
    DataDirMoved { file: String, named: String },
    /// Nothing says where the data should be.
    #[error("there is no home directory to keep data in; name a data directory by --data-dir or USHER_DATA_DIR")]
    NoDataDir,
    /// The process has no working directory that relative paths could start from.
    #[error("the working directory cannot be used: {fault}; start usher in a directory that exists")]
    NoWorkingDir { fault: String },
}

/// A bad value for a message: in quotes, control characters escaped, cut.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = escaped(text.chars().take(LONGEST_QUOTE));
    if text.chars().nth(LONGEST_QUOTE).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

/// A path for a message. It is not cut, as people must be able to find it.
pub(super) fn shown_path(path: &Path) -> String {
    escaped(path.to_string_lossy().chars())
}

/// Keeps a value from writing lines or colours of its own to a terminal or log.
fn escaped(text: impl Iterator<Item = char>) -> String {
    text.fold(String::new(), |mut shown, c| {
        // Beyond the control characters, these turn or hide what stands beside them.
        let invisible =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if c.is_control() || invisible || c == '"' {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
        shown
    })
}

/// What an I/O error means for somebody who wrote a path.
pub(super) fn io_fault(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission is denied; run usher as whoever it belongs to, or as root".to_owned()
        }
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// The end of a message about `unknown`: the one of `known` that was likely meant, or where to look them up.
pub(super) fn hint(unknown: &str, known: impl Iterator<Item = String>) -> String {
    // Longer ones are no typing errors, and the distance costs the product of the lengths.
    let unknown: Vec<char> = unknown.chars().take(64).collect();
    let nearest = known.map(|name| (distance(&unknown, &name), name)).min();
    match nearest {
        Some((steps, name)) if steps <= 2.max(unknown.len() / 3) => format!("did you mean `{name}`?"),
        _ => "`usher --help` and config.toml list the settings".to_owned(),
    }
}

/// How many letters must be added, removed or replaced to turn one word into the other (Levenshtein).
fn distance(left: &[char], right: &str) -> usize {
    let mut row: Vec<usize> = (0..=left.len()).collect();
    for (i, r) in right.chars().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        for (cell, l) in row.iter_mut().skip(1).zip(left) {
            last = (*cell + 1).min(last + 1).min(diagonal + usize::from(!l.eq_ignore_ascii_case(&r)));
            diagonal = std::mem::replace(cell, last);
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_known_name_is_offered_and_a_far_one_is_not() {
        let known = || ["bind", "workers", "secret_key"].into_iter().map(str::to_owned);
        assert_eq!(hint("bnid", known()), "did you mean `bind`?");
        assert_eq!(hint("SECRETKEY", known()), "did you mean `secret_key`?");
        assert_eq!(hint("", known()), "`usher --help` and config.toml list the settings");
        assert!(!hint("zzzzzzzz", known()).contains("did you mean"));
        let kitten: Vec<char> = "kitten".chars().collect();
        assert_eq!((distance(&kitten, "sitting"), distance(&kitten, ""), distance(&[], "abc")), (3, 6, 3));
    }

    #[test]
    fn quotes_are_cut_and_cannot_write_lines_of_their_own() {
        assert_eq!(quoted("a\"b\n\u{1b}[31m\u{202e}é"), r#""a\"b\n\u{1b}[31m\u{202e}é""#);
        assert_eq!(quoted(&"x".repeat(80)).chars().count(), 82);
        assert_eq!(quoted(&"x".repeat(81)), format!("\"{}…\"", "x".repeat(80)));
    }
}
