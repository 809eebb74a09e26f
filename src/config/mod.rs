//! The configuration: flags over environment over file over defaults, validated as a whole before anything starts.

mod documentation;
mod error;
mod file;
mod flags;
mod forward_auth;
mod inputs;
mod setting;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod values;

pub use documentation::{example_file, markdown_tables};
pub use error::{ConfigError, Origin, ValueSource};
pub use flags::flags;
pub use inputs::Inputs;
pub use setting::{Setting, ValueType};
pub use settings::{Config, SETTINGS};
pub use values::{Bind, CookieSecure, ExitWith, LangflowApi, Signup};

use file::ConfigFile;
use sources::Sources;

impl Config {
    /// The file that holds the setup link until it is used.
    pub fn setup_link_file(&self) -> std::path::PathBuf {
        self.data_dir.join("setup-link")
    }

    /// Reads and validates every setting.
    ///
    /// # Errors
    /// The first fault.
    pub fn load(inputs: &Inputs) -> Result<Self, ConfigError> {
        sources::check_variables(inputs)?;
        // The file can be in the data directory, and can name the data directory: search with what is known without it.
        let known_dir = Sources::new(inputs, None).find_data_dir("data_dir")?;
        let file = ConfigFile::find(inputs, known_dir.as_deref())?;
        let sources = &mut Sources::new(inputs, file.as_ref());
        let mut config = Self::read(sources)?;
        if let Some(file) =
            file.as_ref().filter(|file| file.in_data_dir && known_dir.as_ref() != Some(&config.data_dir))
        {
            let file = error::shown_path(&file.path);
            return Err(ConfigError::DataDirMoved { file, named: error::shown_path(&config.data_dir) });
        }
        config.resolve_base_path(sources)?;
        forward_auth::validate(&config, sources)?;
        config.validate(sources)?;
        config.sources = std::mem::take(&mut sources.used);
        config.file = file.map(|file| file.path);
        Ok(config)
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
