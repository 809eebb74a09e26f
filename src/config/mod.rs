//! Owns the configuration: defaults < `config.toml` < `USHER_*` environment < flags, checked as a whole before anything
//! starts. Must not know what the settings do, and touches the process only in `Inputs::from_process`.

mod error;
mod file;
mod forward_auth;
mod inputs;
mod keys;
mod settings;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;

pub use error::{ConfigError, Place, Source};
pub use inputs::Inputs;
pub use keys::{KEYS, Key, Kind, flags, markdown_table};
pub use values::{Bind, CookieSecure, ExitWith, Signup};

use crate::domain::forward_auth::AccessRules;
use crate::domain::schedule::Schedule;
use crate::domain::secret::Secret;
use file::ConfigFile;
use settings::Settings;

/// How long a secret must be that is given by hand: with less it could be guessed.
const SECRET_CHARACTERS: usize = 32;

/// Every setting, read and checked. [`KEYS`] says what each means.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Absolute; need not exist yet.
    pub data_dir: PathBuf,
    /// May be a name that is still to be looked up.
    pub bind: Bind,
    /// Without a slash at its end; `None` stands for what `bind` becomes.
    pub public_url: Option<String>,
    /// What stands in front of every path: empty, or with a slash at its beginning and none at its end.
    pub base_path: String,
    /// At least 1.
    pub workers: usize,
    /// Says where the server listens while it does. Absolute.
    pub port_file: Option<PathBuf>,
    /// With which program the server ends.
    pub exit_with_parent: ExitWith,
    /// Who may add users.
    pub signup: Signup,
    /// There if and only if `superuser_password` is.
    pub superuser: Option<String>,
    /// Not yet held against the rules for passwords.
    pub superuser_password: Option<Secret>,
    /// At least 32 characters; `None` stands for the generated one.
    pub secret_key: Option<Secret>,
    /// Lifetime of an access token.
    pub access_token_seconds: u32,
    /// Lifetime of a refresh token; not shorter.
    pub refresh_token_seconds: u32,
    /// How long a replaced refresh token still works.
    pub refresh_leeway_seconds: u32,
    /// 10 to 20.
    pub bcrypt_cost: u32,
    /// 1 to 72.
    pub password_min_length: usize,
    /// Whether a new password needs the current one.
    pub require_current_password: bool,
    /// Whether local programs may log in without a password.
    pub auto_login: bool,
    /// What they must send for it, if anything: at least 32 characters. Only with `auto_login`.
    pub launch_secret: Option<Secret>,
    /// Whether cookies carry `Secure`.
    pub cookie_secure: CookieSecure,
    /// Whether scripts may read the access cookie.
    pub access_cookie_readable: bool,
    /// Exact origins, as browsers send them.
    pub cors_origins: Vec<String>,
    /// Networks whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Who may enter which site behind the proxy; none when forward auth is off.
    pub forward_auth: AccessRules,
    /// The domain whose hosts get the cookie that lets people in; `None` stands for the host of `public_url` alone.
    pub cookie_domain: Option<String>,
    /// Whether failed log-ins and sign-ups are slowed down.
    pub throttle: bool,
    /// How many accounts may wait for approval.
    pub signup_max_waiting: u32,
    /// How many days the audit log is kept.
    pub audit_days: u32,
    /// Whether there are metrics.
    pub metrics: bool,
    /// What lets a program read them: at least 32 characters. Only with `metrics`.
    pub metrics_token: Option<Secret>,
    /// When backups are made by themselves.
    pub backup_schedule: Schedule,
    /// At least 1.
    pub backup_keep: u32,
    /// A filter that `env_logger` reads without complaint.
    pub log: String,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
    /// Where each setting came from; every key of [`KEYS`] is there.
    pub origins: BTreeMap<&'static str, Source>,
}

impl Config {
    /// Reads and checks every setting.
    ///
    /// # Errors
    /// The first fault found, as a sentence for whoever wrote the setting.
    pub fn load(inputs: &Inputs) -> Result<Self, ConfigError> {
        settings::check_variables(inputs)?;
        // The file may lie in the data directory, and may name one: look with what is known without it.
        let known_dir = Settings::new(inputs, None).data_dir()?;
        let file = ConfigFile::find(inputs, known_dir.as_deref())?;
        let settings = &mut Settings::new(inputs, file.as_ref());
        let data_dir = settings.data_dir()?.ok_or(ConfigError::NoDataDir)?;
        if let Some(file) = file.as_ref().filter(|file| file.in_data_dir && known_dir.as_ref() != Some(&data_dir)) {
            let file = error::shown_path(&file.path);
            return Err(ConfigError::DataDirMoved { file, named: error::shown_path(&data_dir) });
        }

        let mut config = Self {
            data_dir,
            bind: settings.get("bind", values::bind)?,
            public_url: settings.optional("public_url", values::public_url)?,
            base_path: settings.optional("base_path", values::base_path)?.unwrap_or_default(),
            workers: workers(settings.number("workers")?),
            port_file: settings.path("port_file")?,
            exit_with_parent: settings.get("exit_with_parent", values::exit_with)?,
            signup: settings.get("signup", values::choice)?,
            superuser: settings.optional("superuser", |name| Ok(name.to_owned()))?,
            superuser_password: settings.secret("superuser_password", |_| Ok(()))?,
            secret_key: settings.secret("secret_key", long_enough)?,
            access_token_seconds: settings.number("access_token_seconds")?,
            refresh_token_seconds: settings.number("refresh_token_seconds")?,
            refresh_leeway_seconds: settings.number("refresh_leeway_seconds")?,
            bcrypt_cost: settings.number("bcrypt_cost")?,
            password_min_length: settings.number("password_min_length")? as usize,
            require_current_password: settings.get("require_current_password", values::boolean)?,
            auto_login: settings.get("auto_login", values::boolean)?,
            launch_secret: settings.secret("launch_secret", long_enough)?,
            cookie_secure: settings.get("cookie_secure", values::choice)?,
            access_cookie_readable: settings.get("access_cookie_readable", values::boolean)?,
            cors_origins: settings.list("cors_origins", values::origin)?,
            trusted_proxies: settings.list("trusted_proxies", values::network)?,
            forward_auth: AccessRules::default(),
            cookie_domain: settings.optional("cookie_domain", forward_auth::cookie_domain)?,
            throttle: settings.get("throttle", values::boolean)?,
            signup_max_waiting: settings.number("signup_max_waiting")?,
            audit_days: settings.number("audit_days")?,
            metrics: settings.get("metrics", values::boolean)?,
            metrics_token: settings.secret("metrics_token", long_enough)?,
            backup_schedule: settings.get("backup_schedule", values::schedule)?,
            backup_keep: settings.number("backup_keep")?,
            log: settings.get("log", values::log_filter)?,
            file: None,
            origins: BTreeMap::new(),
        };
        config.find_base_path(settings)?;
        let rules = settings.list("forward_auth", forward_auth::rule)?;
        forward_auth::check(&mut config, rules, settings)?;
        config.check(settings)?;
        config.origins = std::mem::take(&mut settings.origins);
        config.file = file.map(|file| file.path);
        Ok(config)
    }

    /// Takes `base_path` from `public_url` where it is not set; where both are, they must say the same.
    fn find_base_path(&mut self, settings: &Settings<'_>) -> Result<(), ConfigError> {
        let Some(url) = &self.public_url else { return Ok(()) };
        let path = values::path_of(url);
        let place = settings.place("base_path");
        if place.source != Source::Default && path != self.base_path {
            let (base, path) = (error::quoted(&self.base_path), error::quoted(path));
            return Err(ConfigError::TwoPaths { place, base, path });
        }
        if !path.is_empty() {
            self.base_path = values::base_path(path).map_err(|_| {
                let wanted = "a URL whose path, if it has one, is of letters, digits and `-._~`".to_owned();
                ConfigError::Value { place: settings.place("public_url"), found: error::quoted(url), wanted }
            })?;
        }
        Ok(())
    }

    /// The rules that need more than one setting.
    fn check(&self, settings: &Settings<'_>) -> Result<(), ConfigError> {
        match (&self.superuser, &self.superuser_password) {
            (Some(_), None) => {
                let place = settings.place("superuser");
                return Err(ConfigError::Alone { place, missing: "superuser_password" });
            }
            (None, Some(_)) => {
                let place = settings.place("superuser_password");
                return Err(ConfigError::Alone { place, missing: "superuser" });
            }
            _ => {}
        }
        let idle = [
            ("launch_secret", self.launch_secret.is_some(), "auto_login", self.auto_login),
            ("metrics_token", self.metrics_token.is_some(), "metrics", self.metrics),
        ];
        if let Some((name, _, needs, _)) = idle.into_iter().find(|(_, set, _, on)| *set && !on) {
            return Err(ConfigError::Idle { place: settings.place(name), needs });
        }
        if self.refresh_token_seconds < self.access_token_seconds {
            return Err(ConfigError::Lifetimes {
                refresh: settings.place("refresh_token_seconds"),
                refresh_seconds: self.refresh_token_seconds,
                access: settings.place("access_token_seconds"),
                access_seconds: self.access_token_seconds,
            });
        }
        Ok(())
    }

    /// The value of a key as people may see it: a secret as `***`, what is not set (or no key) as nothing.
    pub fn shown(&self, key: &str) -> String {
        let secret = |secret: &Option<Secret>| secret.as_ref().map(Secret::to_string).unwrap_or_default();
        match key {
            "data_dir" => error::shown_path(&self.data_dir),
            "bind" => self.bind.to_string(),
            "public_url" => self.public_url.clone().unwrap_or_default(),
            "base_path" => self.base_path.clone(),
            "workers" => self.workers.to_string(),
            "port_file" => self.port_file.as_deref().map(error::shown_path).unwrap_or_default(),
            "exit_with_parent" => self.exit_with_parent.to_string(),
            "signup" => values::word(&self.signup).to_owned(),
            "superuser" => self.superuser.clone().unwrap_or_default(),
            "superuser_password" => secret(&self.superuser_password),
            "secret_key" => secret(&self.secret_key),
            "access_token_seconds" => self.access_token_seconds.to_string(),
            "refresh_token_seconds" => self.refresh_token_seconds.to_string(),
            "refresh_leeway_seconds" => self.refresh_leeway_seconds.to_string(),
            "bcrypt_cost" => self.bcrypt_cost.to_string(),
            "password_min_length" => self.password_min_length.to_string(),
            "require_current_password" => self.require_current_password.to_string(),
            "auto_login" => self.auto_login.to_string(),
            "launch_secret" => secret(&self.launch_secret),
            "cookie_secure" => values::word(&self.cookie_secure).to_owned(),
            "access_cookie_readable" => self.access_cookie_readable.to_string(),
            "cors_origins" => self.cors_origins.join(", "),
            "trusted_proxies" => self.trusted_proxies.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", "),
            "forward_auth" => self.forward_auth.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            "cookie_domain" => self.cookie_domain.clone().unwrap_or_default(),
            "throttle" => self.throttle.to_string(),
            "signup_max_waiting" => self.signup_max_waiting.to_string(),
            "audit_days" => self.audit_days.to_string(),
            "metrics" => self.metrics.to_string(),
            "metrics_token" => secret(&self.metrics_token),
            "backup_schedule" => self.backup_schedule.to_string(),
            "backup_keep" => self.backup_keep.to_string(),
            "log" => self.log.clone(),
            _ => String::new(),
        }
    }
}

fn long_enough(secret: &str) -> Result<(), &'static str> {
    match secret.chars().count() {
        SECRET_CHARACTERS.. => Ok(()),
        _ => Err("give at least 32 characters; `openssl rand -base64 32` makes a good one"),
    }
}

/// How many workers are meant; 0 stands for one each core.
fn workers(number: u32) -> usize {
    match number {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        number => number as usize,
    }
}
