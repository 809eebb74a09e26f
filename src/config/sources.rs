//! Precedence: which of flag, environment, file and default gives a setting its value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::config::error::{self, ConfigError, Origin, ValueSource};
use crate::config::file::{self, ConfigFile};
use crate::config::inputs::Inputs;
use crate::config::setting::{self, Setting, ValueType};
use crate::config::values;
use crate::domain::secret::Secret;

/// More than any secret, so that a wrong file isn't read to its end.
const MAX_SECRET_FILE_BYTES: u64 = 64 << 10;

/// The text of one setting. It can be a secret, so there is no `Debug`.
struct RawValue<'a> {
    text: &'a str,
    origin: Origin,
    /// The directory that a relative path starts at.
    base: &'a Path,
}

impl RawValue<'_> {
    fn parse<T>(&self, parser: impl FnOnce(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        parser(self.text).map_err(|wanted| ConfigError::Value {
            origin: self.origin.clone(),
            found: error::quoted(self.text),
            wanted,
        })
    }
}

/// All sources of settings, and which one each setting was read from.
pub(super) struct Sources<'a> {
    inputs: &'a Inputs,
    file: Option<&'a ConfigFile>,
    /// Filled while settings are read.
    pub used: BTreeMap<&'static str, ValueSource>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(inputs: &'a Inputs, file: Option<&'a ConfigFile>) -> Self {
        Self { inputs, file, used: BTreeMap::new() }
    }

    /// A setting that always has a value.
    pub(super) fn get<T>(&mut self, name: &str, parser: fn(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        self.raw(name)?.parse(parser)
    }

    /// A setting that is unset if its text is empty.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        parser: fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let value = self.raw(name)?;
        if value.text.is_empty() { Ok(None) } else { value.parse(parser).map(Some) }
    }

    /// A path that is unset if its text is empty.
    pub(super) fn path(&mut self, name: &str) -> Result<Option<PathBuf>, ConfigError> {
        let value = self.raw(name)?;
        if value.text.is_empty() { Ok(None) } else { value.parse(|text| values::path(text, value.base)).map(Some) }
    }

    /// A list. `parser` reads one item.
    pub(super) fn list<T: PartialEq>(
        &mut self,
        name: &str,
        parser: fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        self.raw(name)?.parse(|text| values::list(text, parser))
    }

    /// A secret, from the strongest source that has it, directly or as a file.
    pub(super) fn secret(&mut self, name: &str, min_chars: usize) -> Result<Option<Secret>, ConfigError> {
        let setting = declared(name)?;
        let file_key = format!("{name}_file");
        let found = if let Some(file) = self.flag(setting)? {
            Some((read_secret(&file)?, file.origin))
        } else if let Some(found) = one_of(self.variable(name), self.variable(&file_key))? {
            Some(found)
        } else {
            one_of(self.in_file(name), self.in_file(&file_key))?
        };
        let Some((secret, origin)) = found else {
            self.used.insert(setting.name, ValueSource::Default);
            return Ok(None);
        };
        self.used.insert(setting.name, origin.source.clone());
        if secret.expose().chars().count() < min_chars {
            return Err(ConfigError::ShortSecret { origin, min_chars });
        }
        Ok(Some(secret))
    }

    /// The data directory. It has two more sources than other settings: systemd and the platform.
    pub(super) fn data_dir(&mut self, name: &'static str) -> Result<PathBuf, ConfigError> {
        self.find_data_dir(name)?.ok_or(ConfigError::NoDataDir)
    }

    /// The data directory, or `None` if nothing names one.
    pub(super) fn find_data_dir(&mut self, name: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        if let Some(path) = self.path(name)? {
            return Ok(Some(path));
        }
        // systemd lists several directories in one variable, the unit's first one in front.
        let state = self.inputs.variable("STATE_DIRECTORY").and_then(|dirs| std::env::split_paths(dirs).next());
        if let Some(dir) = state.filter(|dir| !dir.as_os_str().is_empty()) {
            self.used.insert(name, ValueSource::Environment("STATE_DIRECTORY".to_owned()));
            return Ok(Some(values::absolute(&dir, &self.inputs.working_dir)));
        }
        Ok(self.inputs.platform_data_dir.as_ref().map(|dir| values::absolute(dir, &self.inputs.working_dir)))
    }

    /// Where a setting was read from, for a message about two settings.
    pub(super) fn origin(&self, name: &str) -> Origin {
        let source = self.used.get(name).cloned().unwrap_or(ValueSource::Default);
        Origin { name: name.to_owned(), source }
    }

    /// The text from the strongest source. Records the source.
    fn raw(&mut self, name: &str) -> Result<RawValue<'a>, ConfigError> {
        let setting = declared(name)?;
        let found = self.flag(setting)?.or_else(|| self.variable(name)).or_else(|| self.in_file(name));
        let value = found.unwrap_or_else(|| RawValue {
            text: setting.default,
            origin: Origin { name: name.to_owned(), source: ValueSource::Default },
            base: &self.inputs.working_dir,
        });
        self.used.insert(setting.name, value.origin.source.clone());
        Ok(value)
    }

    fn flag(&self, setting: &'static Setting) -> Result<Option<RawValue<'a>>, ConfigError> {
        let Some(text) = self.inputs.flags.get(setting.name) else { return Ok(None) };
        let origin = Origin { name: setting.name.to_owned(), source: ValueSource::Flag(setting.flag()) };
        // An empty flag is an unset shell variable. Only a list can be meant to be empty.
        if text.is_empty() && setting.value_type != ValueType::List {
            let wanted = "a value; leave the flag out for the default".to_owned();
            return Err(ConfigError::Value { origin, found: "empty".to_owned(), wanted });
        }
        Ok(Some(RawValue { text, origin, base: &self.inputs.working_dir }))
    }

    fn variable(&self, name: &str) -> Option<RawValue<'a>> {
        let variable = setting::variable(name);
        let text = self.inputs.variable(&variable)?;
        let origin = Origin { name: name.to_owned(), source: ValueSource::Environment(variable) };
        Some(RawValue { text, origin, base: &self.inputs.working_dir })
    }

    fn in_file(&self, name: &str) -> Option<RawValue<'a>> {
        let file = self.file?;
        let text = file.text(name)?;
        // If the default is empty, an empty string means the default, as `config.toml` shows it.
        if text.is_empty() && setting::find(name).is_none_or(|setting| setting.default.is_empty()) {
            return None;
        }
        let origin = Origin { name: name.to_owned(), source: ValueSource::File(file.path.clone()) };
        Some(RawValue { text, origin, base: file.dir() })
    }
}

/// Lowers the bcrypt cost below what the setting allows, for the tests that start the real program. Release builds
/// refuse this variable as unknown.
const TEST_COST: Option<&str> = if cfg!(debug_assertions) { Some("USHER_TEST_BCRYPT_COST") } else { None };

/// Applies [`TEST_COST`].
pub(super) fn read_test_cost(inputs: &Inputs, config: &mut Config) {
    if let Some(cost) = TEST_COST.and_then(|name| inputs.variable(name)?.parse().ok()) {
        config.bcrypt_cost = cost;
    }
}

/// Refuses every `USHER_*` variable that isn't a setting, so that a misspelled one isn't ignored.
pub(super) fn check_variables(inputs: &Inputs) -> Result<(), ConfigError> {
    let known = || setting::keys().map(|key| setting::variable(&key)).chain(["USHER_CONFIG".to_owned()]);
    let is_known = |name: &str| TEST_COST == Some(name) || known().any(|known| known == name);
    let unknown = |name: &&String| name.starts_with("USHER_") && !is_known(name);
    match inputs.env.keys().find(unknown) {
        None => Ok(()),
        Some(name) => Err(ConfigError::UnknownVariable { name: error::quoted(name), hint: error::hint(name, known()) }),
    }
}

/// The variables whose values are in quotes, which some readers of environment files keep.
pub(super) fn quoted_variables(inputs: &Inputs) -> impl Iterator<Item = &str> {
    let is_quoted =
        |value: &str| ['"', '\''].into_iter().any(|q| value.len() > 1 && value.starts_with(q) && value.ends_with(q));
    inputs.env.iter().filter(move |(_, value)| is_quoted(value)).map(|(name, _)| name.as_str())
}

/// The declaration of a setting. The tests read every setting, so the error can't happen.
fn declared(name: &str) -> Result<&'static Setting, ConfigError> {
    setting::find(name).ok_or_else(|| ConfigError::UnknownKey {
        file: "usher itself".to_owned(),
        key: error::quoted(name),
        hint: error::hint(name, setting::keys()),
    })
}

/// The secret of one source, which must not have it both directly and as a file.
fn one_of(direct: Option<RawValue<'_>>, file: Option<RawValue<'_>>) -> Result<Option<(Secret, Origin)>, ConfigError> {
    match (direct, file) {
        (Some(direct), Some(file)) => Err(ConfigError::SecretTwice { direct: direct.origin, file: file.origin }),
        (Some(direct), None) => Ok(Some((Secret::new(direct.text), direct.origin))),
        (None, Some(file)) => Ok(Some((read_secret(&file)?, file.origin))),
        (None, None) => Ok(None),
    }
}

/// The secret in the file that a setting names.
fn read_secret(value: &RawValue<'_>) -> Result<Secret, ConfigError> {
    let path = value.parse(|text| values::path(text, value.base))?;
    let refused =
        |fault: String| ConfigError::SecretFile { origin: value.origin.clone(), path: error::shown_path(&path), fault };
    let bytes = file::read_whole(&path, MAX_SECRET_FILE_BYTES).map_err(|error| refused(error::io_fault(&error)))?;
    Secret::from_file(bytes).map_err(|fault| refused(fault.to_owned()))
}
