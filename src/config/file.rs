//! Finds and reads the configuration file. Messages never repeat a line of it, because the line can contain a secret.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::config::error::{self, ConfigError, Origin, ValueSource};
use crate::config::inputs::Inputs;
use crate::config::setting::{self, ValueType};
use crate::config::values;
use crate::platform::files;

/// The file's name in the data directory.
const FILE_NAME: &str = "config.toml";
/// The file's name in the working directory, where another program may have a config.toml.
const WORKING_DIR_FILE: &str = "usher.toml";
/// More than a configuration needs. Bounds the reading of a wrong file, such as /dev/zero.
const MAX_BYTES: u64 = 1 << 20;

/// A configuration file's values.
pub(super) struct ConfigFile {
    /// The absolute path.
    pub path: PathBuf,
    /// Whether it was found in the data directory.
    pub in_data_dir: bool,
    /// The values in the form of environment variables.
    texts: BTreeMap<String, String>,
}

impl ConfigFile {
    /// Reads the file named by `--config`, else by `USHER_CONFIG`, else `usher.toml` in the working directory, if that
    /// belongs to the user.
    pub(super) fn find_named(inputs: &Inputs, notices: &mut Vec<String>) -> Result<Option<Self>, ConfigError> {
        let from_here = |path: &Path| values::absolute(path, &inputs.working_dir);
        if let Some(path) = &inputs.config_flag {
            return Self::read(from_here(path), "named by --config").map(Some);
        }
        if let Some(path) = inputs.variable("USHER_CONFIG") {
            return Self::read(from_here(Path::new(path)), "named by USHER_CONFIG").map(Some);
        }
        let here = from_here(Path::new(WORKING_DIR_FILE));
        if !exists(&here) {
            return Ok(None);
        }
        // Anyone may have put a file into a shared directory.
        if !files::belongs_to_this_user(&here) {
            notices.push(format!("{} is ignored, because it belongs to another user", error::shown_path(&here)));
            return Ok(None);
        }
        Self::read(here, "found in the working directory").map(Some)
    }

    /// Reads the `recorded` file, which the server has read, else `config.toml` in `data_dir`, else the file for the
    /// whole machine.
    pub(super) fn find_unnamed(
        inputs: &Inputs,
        data_dir: Option<&Path>,
        recorded: Option<PathBuf>,
        notices: &mut Vec<String>,
    ) -> Result<Option<Self>, ConfigError> {
        if let Some(path) = recorded {
            let shown = error::shown_path(&path);
            if exists(&path) {
                notices.push(format!("settings: {shown}, as the server"));
                let in_data_dir = data_dir.is_some_and(|dir| path == dir.join(FILE_NAME));
                return Self::read(path, "used by the server").map(|file| Some(Self { in_data_dir, ..file }));
            }
            notices.push(format!("the server's settings file {shown} doesn't exist any more"));
        }
        let in_data_dir = data_dir.map(|dir| dir.join(FILE_NAME));
        if let (Some(dir), Some(path)) = (data_dir, &in_data_dir)
            && path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        {
            return Err(ConfigError::DataDirUnreadable { dir: error::shown_path(dir) });
        }
        if let Some(path) = in_data_dir.filter(|path| exists(path)) {
            let file = Self::read(path, "found in the data directory")?;
            return Ok(Some(Self { in_data_dir: true, ..file }));
        }
        match inputs.system_file.clone().filter(|path| exists(path)) {
            Some(path) => Self::read(path, "found there").map(Some),
            None => Ok(None),
        }
    }

    /// The value of a key, if the file sets it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// The directory that relative paths in this file start at.
    pub(super) fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    fn read(path: PathBuf, why_this: &'static str) -> Result<Self, ConfigError> {
        let bytes = read_whole(&path, MAX_BYTES).map_err(|error| ConfigError::File {
            file: error::shown_path(&path),
            why_this,
            fault: error::io_fault(&error),
        })?;
        let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotUtf8 { what: error::shown_path(&path) })?;
        let texts = texts(&text, &path)?;
        Ok(Self { path, in_data_dir: false, texts })
    }
}

/// Whether the file exists. An error other than absence counts as existing: to skip the file would ignore settings that
/// somebody wrote.
fn exists(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(_) => true,
        // A data directory that is a file is reported where the directory is created.
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput
        ),
    }
}

/// Reads a file of at most `max_bytes`.
pub(super) fn read_whole(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    files::read_at_most(file, max_bytes)
}

/// Parses the text of a file.
fn texts(text: &str, path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let table = text.parse::<Table>().map_err(|error| {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        // The parser's error displays the line, its message doesn't.
        let message = error.message().trim_end().replace('\n', ", ");
        ConfigError::Syntax { file: error::shown_path(path), line, column, message }
    })?;
    let mut texts = BTreeMap::new();
    for (name, value) in table {
        let value_type = setting::value_type(&name).ok_or_else(|| ConfigError::UnknownKey {
            file: error::shown_path(path),
            key: error::quoted(&name),
            hint: error::hint(&name, setting::keys()),
        })?;
        let text = as_text(value_type, &value).map_err(|wanted| ConfigError::Value {
            origin: Origin { name: name.clone(), source: ValueSource::File(path.to_owned()) },
            found: described(&value).to_owned(),
            wanted: wanted.to_owned(),
        })?;
        texts.insert(name, text);
    }
    Ok(texts)
}

/// A value as text, or the type that it must have.
fn as_text(value_type: ValueType, value: &Value) -> Result<String, &'static str> {
    match (value_type, value) {
        (ValueType::Bool, Value::Boolean(value)) => Ok(value.to_string()),
        (ValueType::Bool, _) => Err("true or false, without quotes"),
        (ValueType::BoolOrNumber, Value::Boolean(value)) => Ok(value.to_string()),
        (ValueType::BoolOrNumber, Value::Integer(value)) => Ok(value.to_string()),
        (ValueType::BoolOrNumber, _) => Err("true, false or a process id, without quotes"),
        (ValueType::Number, Value::Integer(value)) => Ok(value.to_string()),
        (ValueType::Number, _) => Err("a whole number, without quotes"),
        (ValueType::List, Value::Array(items)) => {
            let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            items.map(|items| items.join(",")).ok_or("a list of strings in quotes, such as [\"one\", \"two\"]")
        }
        (ValueType::List, _) => Err("a list of strings in quotes, such as [\"one\", \"two\"]"),
        // `cookie_secure = true` without quotes.
        (ValueType::Choice(words), Value::Boolean(value)) if words.contains("true") => Ok(value.to_string()),
        (_, Value::String(value)) => Ok(value.clone()),
        _ => Err("a string in quotes"),
    }
}

fn described(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date or time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// The line and column of a byte offset, from 1, in characters.
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
    fn a_syntax_error_has_line_and_column_but_no_input() {
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
    fn comments_and_a_byte_order_mark_are_ignored() {
        assert_eq!(texts("\u{feff}# bind = 1\n\n#\r\n", Path::new("c")), Ok(BTreeMap::new()));
    }
}
