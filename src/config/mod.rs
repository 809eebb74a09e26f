//! The configuration: flags over environment over file over defaults, validated as a whole before anything starts.

mod bind;
mod choices;
mod database;
mod documentation;
mod error;
mod file;
mod flags;
mod forward_auth;
mod inputs;
mod server_record;
mod setting;
mod settings;
mod shown;
mod sources;
#[cfg(test)]
mod tests;
mod values;

pub use bind::Bind;
pub use choices::{CookieSecure, LangflowApi, Signup};
pub use database::password_in;
pub use documentation::{example_file, markdown_tables};
pub use error::{ConfigError, Origin, ValueSource};
pub use flags::flags;
pub use inputs::Inputs;
pub use server_record::{SERVER_RECORD_FILE, ServerRecord};
pub use setting::{Setting, ValueType};
pub use settings::{Config, SETTINGS};
pub use values::ExitWith;

use std::path::{Path, PathBuf};

use crate::domain::notification::EventTarget;
use file::ConfigFile;
use sources::Sources;

/// The search for the configuration file, before a file in the data directory is read.
pub struct ConfigSearch<'a> {
    inputs: &'a Inputs,
    file: Option<ConfigFile>,
    notices: Vec<String>,
    /// The data directory, if anything but a file names it.
    known_dir: Option<PathBuf>,
}

impl<'a> ConfigSearch<'a> {
    /// Reads the file that is named, or is in the working directory.
    ///
    /// # Errors
    /// The first fault.
    pub fn start(inputs: &'a Inputs) -> Result<Self, ConfigError> {
        sources::check_variables(inputs)?;
        let quoted = |name: &str| format!("the value of {name} begins and ends with quotes, which are part of it");
        let mut notices: Vec<String> = sources::quoted_variables(inputs).map(quoted).collect();
        let file = ConfigFile::find_named(inputs, &mut notices)?;
        let known_dir = Sources::new(inputs, None).find_data_dir("data_dir")?;
        Ok(Self { inputs, file, notices, known_dir })
    }

    /// The data directory, if the search goes on there.
    pub fn next_dir(&self) -> Option<&Path> {
        self.known_dir.as_deref().filter(|_| self.file.is_none())
    }

    /// Finds the file and reads and validates every setting. `beside_server` is for commands, which use the settings of
    /// the server that runs or ran on the data directory.
    ///
    /// # Errors
    /// The first fault.
    pub fn finish(mut self, beside_server: bool) -> Result<Config, ConfigError> {
        if self.file.is_none() {
            let record = self.known_dir.as_deref().filter(|_| beside_server).and_then(ServerRecord::read);
            let recorded = record.and_then(|record| record.config_file);
            let dir = self.known_dir.as_deref();
            self.file = ConfigFile::find_unnamed(self.inputs, dir, recorded, &mut self.notices)?;
        }
        let sources = &mut Sources::new(self.inputs, self.file.as_ref());
        let mut config = Config::read(sources)?;
        let file = self.file.as_ref();
        if let Some(file) = file.filter(|file| file.in_data_dir && self.known_dir.as_ref() != Some(&config.data_dir)) {
            let file = error::shown_path(&file.path);
            return Err(ConfigError::DataDirMoved { file, named: error::shown_path(&config.data_dir) });
        }
        config.resolve_base_path(sources)?;
        database::validate(&config, sources)?;
        forward_auth::validate(&config, sources)?;
        config.validate(sources)?;
        sources::read_test_cost(self.inputs, &mut config);
        // SQLite refuses links in the path.
        if let Ok(path) = config.data_dir.canonicalize() {
            config.data_dir = path;
        }
        config.sources = std::mem::take(&mut sources.used);
        config.file = self.file.map(|file| file.path);
        config.notices = self.notices;
        Ok(config)
    }
}

impl Config {
    /// The file that holds the setup link until it is used.
    pub fn setup_link_file(&self) -> PathBuf {
        self.data_dir.join("setup-link")
    }

    /// Finds the file and reads and validates every setting, as a server does.
    ///
    /// # Errors
    /// The first fault.
    pub fn load(inputs: &Inputs) -> Result<Self, ConfigError> {
        ConfigSearch::start(inputs)?.finish(false)
    }

    /// Derives `base_path` from `public_url` if it isn't set. If both are set, they must agree.
    fn resolve_base_path(&mut self, sources: &Sources<'_>) -> Result<(), ConfigError> {
        let Some(url) = &self.public_url else { return Ok(()) };
        let path = values::path_of(url);
        let origin = sources.origin("base_path");
        if origin.source != ValueSource::Default && path != self.base_path {
            let (base, path) = (error::quoted(&self.base_path), error::quoted(path));
            return Err(ConfigError::BasePathMismatch { origin, base, path });
        }
        self.base_path = values::base_path(path).map_err(|_| {
            let wanted = "a URL whose path consists of letters, digits and `-._~`".to_owned();
            ConfigError::Value { origin: sources.origin("public_url"), found: error::quoted(url), wanted }
        })?;
        Ok(())
    }

    /// The rules that need more than one setting.
    fn validate(&self, sources: &Sources<'_>) -> Result<(), ConfigError> {
        let superuser = [
            ("superuser", self.superuser.is_some(), "superuser_password"),
            ("superuser_password", self.superuser_password.is_some(), "superuser"),
        ];
        if let [(name, true, missing), (_, false, _)] | [(_, false, _), (name, true, missing)] = superuser {
            return Err(ConfigError::Incomplete { origin: sources.origin(name), missing });
        }
        let is_url = matches!(self.on_event, Some(EventTarget::Webhook(_)));
        match (self.on_event_secret.is_some(), is_url) {
            (false, true) => {
                return Err(ConfigError::Incomplete { origin: sources.origin("on_event"), missing: "on_event_secret" });
            }
            (true, false) => return Err(ConfigError::EventSecret { origin: sources.origin("on_event_secret") }),
            _ => {}
        }
        let without_effect = [
            ("launch_secret", self.launch_secret.is_some(), "auto_login", self.auto_login),
            ("metrics_token", self.metrics_token.is_some(), "metrics", self.metrics),
        ];
        if let Some((name, _, needs, _)) = without_effect.into_iter().find(|(_, set, _, on)| *set && !on) {
            return Err(ConfigError::NoEffect { origin: sources.origin(name), needs });
        }
        if self.refresh_token_seconds < self.access_token_seconds {
            return Err(ConfigError::Lifetimes {
                refresh: sources.origin("refresh_token_seconds"),
                refresh_seconds: self.refresh_token_seconds,
                access: sources.origin("access_token_seconds"),
                access_seconds: self.access_token_seconds,
            });
        }
        Ok(())
    }
}
