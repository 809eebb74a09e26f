//! What a configuration is read from: the flags, the environment and the platform's directories. Taken from the process
//! once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::ArgMatches;

use crate::config::SETTINGS;
use crate::config::error::{self, ConfigError};
use crate::platform;

/// The sources of a configuration.
#[derive(Clone, Default)]
pub struct Inputs {
    /// The given flags by setting. A secret's flag is the path of a file.
    pub flags: BTreeMap<&'static str, String>,
    /// The environment: every `USHER_*` variable and `STATE_DIRECTORY`.
    pub env: BTreeMap<String, String>,
    /// Where relative paths start, and where `usher.toml` is searched.
    pub working_dir: PathBuf,
    /// The platform's data directory for usher.
    pub platform_data_dir: Option<PathBuf>,
    /// The path given with `--config`.
    pub config_flag: Option<PathBuf>,
    /// The file for the whole machine, which is searched last.
    pub system_file: Option<PathBuf>,
}

impl Inputs {
    /// Takes the flags from `matches`, of a command that has [`flags`](super::flags), and the rest from this process.
    ///
    /// # Errors
    /// If a value isn't UTF-8, or there is no working directory.
    pub fn from_process(matches: &ArgMatches) -> Result<Self, ConfigError> {
        let working_dir =
            std::env::current_dir().map_err(|error| ConfigError::NoWorkingDir { fault: error::io_fault(&error) })?;
        Ok(Self {
            flags: given_flags(matches)?,
            env: process_environment()?,
            working_dir,
            platform_data_dir: platform::data_dir(),
            config_flag: given(matches, "config").and_then(|mut paths| paths.pop()).map(PathBuf::from),
            system_file: cfg!(unix).then(|| PathBuf::from("/etc/usher/config.toml")),
        })
    }

    /// A variable. An empty one counts as unset, because container tools can't unset variables.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The environment can contain secrets, so this prints names only.
impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs")
            .field("flags", &self.flags)
            .field("env", &self.env.keys())
            .field("working_dir", &self.working_dir)
            .field("platform_data_dir", &self.platform_data_dir)
            .field("config_flag", &self.config_flag)
            .field("system_file", &self.system_file)
            .finish()
    }
}

/// The values given for the flag `id`. `None` also for a command without this flag.
fn given(matches: &ArgMatches, id: &str) -> Option<Vec<OsString>> {
    let values = matches.try_get_many::<OsString>(id).ok().flatten()?;
    Some(values.cloned().collect())
}

fn given_flags(matches: &ArgMatches) -> Result<BTreeMap<&'static str, String>, ConfigError> {
    let mut flags = BTreeMap::new();
    for setting in SETTINGS {
        let Some(values) = given(matches, setting.name) else { continue };
        let values: Result<Vec<String>, OsString> = values.into_iter().map(OsString::into_string).collect();
        // Only lists can be repeated. They are split at commas later.
        let text = values.map_err(|_| ConfigError::NotUtf8 { what: format!("--{}", setting.flag()) })?.join(",");
        flags.insert(setting.name, text);
    }
    Ok(flags)
}

#[expect(clippy::disallowed_methods, reason = "this is the only place that reads the environment")]
fn process_environment() -> Result<BTreeMap<String, String>, ConfigError> {
    environment(std::env::vars_os())
}

/// usher's variables. Others can be any bytes.
fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut env = BTreeMap::new();
    for (name, value) in variables {
        let shown = name.to_string_lossy();
        if !shown.starts_with("USHER_") && shown != "STATE_DIRECTORY" {
            continue;
        }
        let value = value
            .into_string()
            .map_err(|_| ConfigError::NotUtf8 { what: error::shown_path(shown.as_ref().as_ref()) })?;
        env.insert(shown.into_owned(), value);
    }
    Ok(env)
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    fn parsed(arguments: &[&str]) -> ArgMatches {
        let command = Command::new("usher").args(super::super::flags());
        let user = Command::new("user").arg(Arg::new("name"));
        command.subcommand(user).try_get_matches_from(arguments).expect("these arguments are right")
    }

    #[test]
    fn flags_count_before_and_after_a_command_and_booleans_do_not_eat_its_name() {
        let matches = parsed(&["usher", "--auto-login", "user", "ann", "--throttle=false", "--bind", "[::1]:0"]);
        let flags = given_flags(&matches).expect("all UTF-8");
        let expected = [("auto_login", "true"), ("bind", "[::1]:0"), ("throttle", "false")];
        assert_eq!(flags, expected.map(|(key, value)| (key, value.to_owned())).into());
        assert_eq!(given(&matches, "no_such_flag"), None);
    }

    #[test]
    fn lists_may_be_repeated_and_secrets_take_files() {
        let matches = parsed(&[
            "usher",
            "--cors-origins",
            "a",
            "--cors-origins=b,c",
            "--secret-key-file",
            "k",
            "--config",
            "x.toml",
        ]);
        let flags = given_flags(&matches).expect("all UTF-8");
        assert_eq!(flags, [("cors_origins", "a,b,c".to_owned()), ("secret_key", "k".to_owned())].into());
        let command = || Command::new("usher").args(super::super::flags());
        assert!(command().try_get_matches_from(["usher", "--bind", "a:1", "--bind", "b:2"]).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn only_ushers_variables_must_be_utf8() {
        use std::os::unix::ffi::OsStringExt as _;
        let bytes = || OsString::from_vec(vec![0xff]);
        assert_eq!(environment([("OTHER".into(), bytes())].into_iter()), Ok(BTreeMap::new()));
        let error = environment([("USHER_SECRET_KEY".into(), bytes())].into_iter()).expect_err("not UTF-8");
        assert_eq!(error.to_string(), "USHER_SECRET_KEY is not UTF-8; write it in UTF-8");
    }

    #[test]
    fn this_process_has_inputs() {
        let inputs = Inputs::from_process(&parsed(&["usher", "--config", "x.toml"])).expect("a plain process");
        assert!(inputs.working_dir.is_absolute());
        assert_eq!(inputs.config_flag, Some(PathBuf::from("x.toml")));
    }
}
