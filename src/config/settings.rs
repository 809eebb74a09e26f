//! Owns precedence: which of default, file, environment and flag gives a setting its value, and where that value came
//! from. Must not know what a setting is used for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::error::{self, ConfigError, Place, Source};
use crate::config::file::{self, ConfigFile};
use crate::config::inputs::Inputs;
use crate::config::keys::{self, Key, Kind};
use crate::config::values;
use crate::domain::secret::Secret;

/// More than any secret, and little enough to read the wrong file by mistake.
const LARGEST_SECRET: u64 = 64 << 10;

/// The text of one setting, which may be a secret: no `Debug`.
struct Setting<'a> {
    text: &'a str,
    place: Place,
    /// Where it starts if it is a relative path.
    base: &'a Path,
}

impl Setting<'_> {
    fn read<T>(&self, reader: impl FnOnce(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        reader(self.text).map_err(|wanted| ConfigError::Value {
            place: self.place.clone(),
            found: error::quoted(self.text),
            wanted,
        })
    }
}

/// All sources together, and a record of which one each setting was taken from.
pub(super) struct Settings<'a> {
    inputs: &'a Inputs,
    file: Option<&'a ConfigFile>,
    /// Filled while settings are read.
    pub origins: BTreeMap<&'static str, Source>,
}

impl<'a> Settings<'a> {
    pub(super) fn new(inputs: &'a Inputs, file: Option<&'a ConfigFile>) -> Self {
        Self { inputs, file, origins: BTreeMap::new() }
    }

    /// A setting that always has a value, read by `reader`.
    pub(super) fn get<T>(&mut self, name: &str, reader: fn(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        self.take(name)?.read(reader)
    }

    /// A setting that may be empty, which means that it is not set.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        reader: fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let setting = self.take(name)?;
        if setting.text.is_empty() { Ok(None) } else { setting.read(reader).map(Some) }
    }

    /// A path that may be empty, which means that it is not set.
    pub(super) fn path(&mut self, name: &str) -> Result<Option<PathBuf>, ConfigError> {
        let setting = self.take(name)?;
        let base = setting.base;
        if setting.text.is_empty() { Ok(None) } else { setting.read(|text| values::path(text, base)).map(Some) }
    }

    /// A number within the bounds that the table gives.
    pub(super) fn number(&mut self, name: &str) -> Result<u32, ConfigError> {
        let (least, most) = match known(name)?.kind {
            Kind::Number { least, most } => (least, most),
            _ => (0, u32::MAX),
        };
        self.take(name)?.read(|text| values::number(text, least, most))
    }

    /// A list of which `reader` reads one item.
    pub(super) fn list<T: PartialEq>(
        &mut self,
        name: &str,
        reader: fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        self.take(name)?.read(|text| values::list(text, reader))
    }

    /// A secret, from the strongest source that has it as itself or as a file. `check` says what it must do.
    pub(super) fn secret(
        &mut self,
        name: &str,
        check: fn(&str) -> Result<(), &'static str>,
    ) -> Result<Option<Secret>, ConfigError> {
        let key = known(name)?;
        let file_name = format!("{name}_file");
        let found = if let Some(file) = self.flag(key)? {
            Some((from_file(&file)?, file.place))
        } else if let Some(found) = one_of(self.variable(name), self.variable(&file_name))? {
            Some(found)
        } else {
            one_of(self.in_file(name), self.in_file(&file_name))?
        };
        let Some((secret, place)) = found else {
            self.origins.insert(key.name, Source::Default);
            return Ok(None);
        };
        self.origins.insert(key.name, place.source.clone());
        check(secret.expose()).map_err(|wanted| ConfigError::Secret { place, wanted })?;
        Ok(Some(secret))
    }

    /// The data directory, if anything names one. It has two more sources than other settings: what systemd made for
    /// the service, and what the platform is used to.
    pub(super) fn data_dir(&mut self) -> Result<Option<PathBuf>, ConfigError> {
        if let Some(path) = self.path("data_dir")? {
            return Ok(Some(path));
        }
        // systemd names several directories in one variable, ours first.
        let state = self.inputs.variable("STATE_DIRECTORY").and_then(|dirs| std::env::split_paths(dirs).next());
        if let Some(dir) = state.filter(|dir| !dir.as_os_str().is_empty()) {
            self.origins.insert("data_dir", Source::Environment("STATE_DIRECTORY".to_owned()));
            return Ok(Some(values::absolute(&dir, &self.inputs.working_dir)));
        }
        self.origins.insert("data_dir", Source::Default);
        Ok(self.inputs.platform_data_dir.as_ref().map(|dir| values::absolute(dir, &self.inputs.working_dir)))
    }

    /// Where a setting was read from, for a message about two settings at once.
    pub(super) fn place(&self, name: &str) -> Place {
        let source = self.origins.get(name).cloned().unwrap_or(Source::Default);
        Place { name: name.to_owned(), source }
    }

    /// The setting from its strongest source, which is recorded.
    fn take(&mut self, name: &str) -> Result<Setting<'a>, ConfigError> {
        let key = known(name)?;
        let found = self.flag(key)?.or_else(|| self.variable(name)).or_else(|| self.in_file(name));
        let default = || Setting {
            text: key.default,
            place: Place { name: name.to_owned(), source: Source::Default },
            base: &self.inputs.working_dir,
        };
        let setting = found.unwrap_or_else(default);
        self.origins.insert(key.name, setting.place.source.clone());
        Ok(setting)
    }

    fn flag(&self, key: &'static Key) -> Result<Option<Setting<'a>>, ConfigError> {
        let Some(text) = self.inputs.flags.get(key.name) else { return Ok(None) };
        let place = Place { name: key.name.to_owned(), source: Source::Flag(key.flag) };
        // An empty flag is a shell variable that was not set; an empty list is a wish.
        if text.is_empty() && key.kind != Kind::List {
            let wanted = "a value; leave the flag out for the default".to_owned();
            return Err(ConfigError::Value { place, found: "empty".to_owned(), wanted });
        }
        Ok(Some(Setting { text, place, base: &self.inputs.working_dir }))
    }

    fn variable(&self, name: &str) -> Option<Setting<'a>> {
        let variable = keys::variable(name);
        let text = self.inputs.variable(&variable)?;
        let place = Place { name: name.to_owned(), source: Source::Environment(variable) };
        Some(Setting { text, place, base: &self.inputs.working_dir })
    }

    fn in_file(&self, name: &str) -> Option<Setting<'a>> {
        let file = self.file?;
        let text = file.text(name)?;
        // Where the default is none, an empty text in the file says so: the lines of config.toml mean what they show.
        if text.is_empty() && keys::find(name).is_none_or(|key| key.default.is_empty()) {
            return None;
        }
        let place = Place { name: name.to_owned(), source: Source::File(file.path.clone()) };
        Some(Setting { text, place, base: file.dir() })
    }
}

/// Refuses every `USHER_*` variable that is no setting: a setting with a typing error must not be lost in silence.
pub(super) fn check_variables(inputs: &Inputs) -> Result<(), ConfigError> {
    let known = || keys::names().map(|name| keys::variable(&name)).chain(["USHER_CONFIG".to_owned()]);
    let ours = |name: &&String| name.starts_with("USHER_");
    match inputs.env.keys().filter(ours).find(|name| !known().any(|known| known == **name)) {
        None => Ok(()),
        Some(name) => Err(ConfigError::UnknownVariable { name: error::quoted(name), hint: error::hint(name, known()) }),
    }
}

/// A name that is in the table; the tests read every setting, so that no other gets here.
fn known(name: &str) -> Result<&'static Key, ConfigError> {
    keys::find(name).ok_or_else(|| ConfigError::UnknownKey {
        file: "usher itself".to_owned(),
        key: error::quoted(name),
        hint: error::hint(name, keys::names()),
    })
}

/// The secret of one source, which may have it in one of two ways but not in both.
fn one_of(plain: Option<Setting<'_>>, file: Option<Setting<'_>>) -> Result<Option<(Secret, Place)>, ConfigError> {
    match (plain, file) {
        (Some(plain), Some(file)) => Err(ConfigError::SecretTwice { plain: plain.place, file: file.place }),
        (Some(plain), None) => Ok(Some((Secret::new(plain.text), plain.place))),
        (None, Some(file)) => Ok(Some((from_file(&file)?, file.place))),
        (None, None) => Ok(None),
    }
}

/// The secret in the file that a setting names. One newline at its end belongs to the editor, not to the secret.
fn from_file(setting: &Setting<'_>) -> Result<Secret, ConfigError> {
    let path = setting.read(|text| values::path(text, setting.base))?;
    let refused =
        |fault: String| ConfigError::SecretFile { place: setting.place.clone(), path: error::shown_path(&path), fault };
    let bytes = file::read_whole(&path, LARGEST_SECRET).map_err(|error| refused(error::io_fault(&error)))?;
    let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8 text".to_owned()))?;
    let secret = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if secret.is_empty() { Err(refused("it is empty".to_owned())) } else { Ok(Secret::new(secret)) }
}
