//! Owns finding and reading `config.toml`: which file counts, that it is TOML, that its keys are known and its values of
//! their kind. Must not know what the values mean, and must never repeat a line of it: that line may hold a secret.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::config::error::{self, ConfigError, Place, Source};
use crate::config::inputs::Inputs;
use crate::config::keys::{self, Kind};
use crate::config::values;

/// The name of the file where none is named.
const NAME: &str = "config.toml";
/// More than anybody writes by hand, and little enough to read `/dev/zero` by mistake.
const LARGEST: u64 = 1 << 20;

/// A configuration file that was read.
pub(super) struct ConfigFile {
    /// Its absolute path.
    pub path: PathBuf,
    /// Whether it was found only because it lies in the data directory.
    pub in_data_dir: bool,
    /// Its values, in the form that the environment would have.
    texts: BTreeMap<String, String>,
}

impl ConfigFile {
    /// The file that counts: the one named by `--config`, else by `USHER_CONFIG`, else `config.toml` in the working
    /// directory, else in `data_dir`. Only the last two may be missing.
    pub(super) fn find(inputs: &Inputs, data_dir: Option<&Path>) -> Result<Option<Self>, ConfigError> {
        let from_here = |path: &Path| values::absolute(path, &inputs.working_dir);
        if let Some(path) = &inputs.config_flag {
            return Self::read(from_here(path), "named by --config", false).map(Some);
        }
        if let Some(path) = inputs.variable("USHER_CONFIG") {
            return Self::read(from_here(Path::new(path)), "named by USHER_CONFIG", false).map(Some);
        }
        let here = from_here(Path::new(NAME));
        if exists(&here) {
            return Self::read(here, "found in the working directory", false).map(Some);
        }
        match data_dir.map(|dir| dir.join(NAME)).filter(|path| exists(path)) {
            Some(path) => Self::read(path, "found in the data directory", true).map(Some),
            None => Ok(None),
        }
    }

    /// The value of a key, and nothing if the file does not set it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Where the relative paths of this file start.
    pub(super) fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    fn read(path: PathBuf, why_this: &'static str, in_data_dir: bool) -> Result<Self, ConfigError> {
        let bytes = read_whole(&path, LARGEST).map_err(|error| ConfigError::File {
            file: error::shown_path(&path),
            why_this,
            fault: error::io_fault(&error),
        })?;
        let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotUtf8 { what: error::shown_path(&path) })?;
        let texts = texts(&text, &path)?;
        Ok(Self { path, in_data_dir, texts })
    }
}

/// Whether there is anything to read. What cannot even be looked at is there: not reading it could start a server with
/// other settings than the ones written down.
fn exists(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(_) => true,
        // A data directory that is a file is its own mistake, reported where the directory is made.
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput
        ),
    }
}

/// Reads a file that nobody expects to be large.
pub(super) fn read_whole(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    // The length that the file system tells may be wrong (a pipe, a device): count what comes.
    file.take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        return Err(io::Error::other(format!("it is larger than {largest} bytes")));
    }
    Ok(bytes)
}

/// The values of a file's text.
fn texts(text: &str, path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let table = text.parse::<Table>().map_err(|error| {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        // The parser's error prints the line it stumbled over; its message alone does not.
        let message = error.message().trim_end().replace('\n', ", ");
        ConfigError::Syntax { file: error::shown_path(path), line, column, message }
    })?;
    let mut texts = BTreeMap::new();
    for (name, value) in table {
        let kind = keys::kind(&name).ok_or_else(|| ConfigError::UnknownKey {
            file: error::shown_path(path),
            key: error::quoted(&name),
            hint: error::hint(&name, keys::names()),
        })?;
        let text = as_text(kind, &value).map_err(|wanted| ConfigError::Value {
            place: Place { name: name.clone(), source: Source::File(path.to_owned()) },
            found: described(&value).to_owned(),
            wanted: wanted.to_owned(),
        })?;
        texts.insert(name, text);
    }
    Ok(texts)
}

/// A value of the right type as text, or what the type should be.
fn as_text(kind: Kind, value: &Value) -> Result<String, &'static str> {
    match (kind, value) {
        (Kind::Bool, Value::Boolean(value)) => Ok(value.to_string()),
        (Kind::Bool, _) => Err("true or false, without quotes"),
        (Kind::Process, Value::Boolean(value)) => Ok(value.to_string()),
        (Kind::Process, Value::Integer(value)) => Ok(value.to_string()),
        (Kind::Process, _) => Err("true, false or the id of a process, without quotes"),
        (Kind::Number { .. }, Value::Integer(value)) => Ok(value.to_string()),
        (Kind::Number { .. }, _) => Err("a whole number, without quotes"),
        (Kind::List, Value::Array(items)) => {
            let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            items.map(|items| items.join(",")).ok_or("a list of texts in quotes, such as [\"one\", \"two\"]")
        }
        (Kind::List, _) => Err("a list of texts in quotes, such as [\"one\", \"two\"]"),
        // `cookie_secure = true` is what everybody writes.
        (Kind::Choice { words, .. }, Value::Boolean(value)) if words.contains(&"true") => Ok(value.to_string()),
        (_, Value::String(value)) => Ok(value.clone()),
        _ => Err("a text in quotes"),
    }
}

fn described(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date or time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// Line and column of a byte, both from 1, in characters.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_names_line_and_column_and_repeats_nothing() {
        let broken = [
            "secret_key = \"hunter2",
            "secret_key = hunter2",
            "secret_key \"hunter2\"",
            "secret_key = \"\\hunter2\"",
            "secret_key = 'hunter2' hunter2",
            "secret_key = \"a\"\nsecret_key = \"hunter2\"",
            "hunter2",
            "secret_key: hunter2",
            "hunter2 = 1\nhunter2.a = 2",
            "secret_key = 99999999999999999999999999999999999999999999999999",
            "[hunter2]\n[hunter2]",
            "a = 0xhunter2",
            "a = 2020-13-45hunter2",
        ];
        for text in broken {
            let error = texts(&format!("# é\n{text}"), Path::new("/c.toml")).expect_err(text);
            let ConfigError::Syntax { line: 2.., .. } = &error else { panic!("{text}: {error:?}") };
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        let error = texts("log = 'é'\nbind = 'é' x", Path::new("/c.toml")).expect_err("two values");
        assert!(error.to_string().starts_with("/c.toml is not TOML at line 2, column 12: "), "{error}");
    }

    #[test]
    fn comments_and_a_byte_order_mark_are_no_settings() {
        assert_eq!(texts("\u{feff}# bind = 1\n\n#\r\n", Path::new("c")), Ok(BTreeMap::new()));
    }
}
