//! Owns everything that a configuration is read from, taken from the process once, so that reading it touches nothing
//! global. Must not know what any setting means.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::ArgMatches;

use crate::config::error::{self, ConfigError};
use crate::config::keys::KEYS;
use crate::platform;

/// What flags, environment and platform say.
#[derive(Clone, Default)]
pub struct Inputs {
    /// The flags that were given, by the name of their key. A secret's flag holds the path of a file.
    pub flags: BTreeMap<&'static str, String>,
    /// The environment: every `USHER_*` variable and `STATE_DIRECTORY`.
    pub env: BTreeMap<String, String>,
    /// Where relative paths start, and where `config.toml` is looked for first.
    pub working_dir: PathBuf,
    /// Where the platform keeps data, if it says so.
    pub platform_data_dir: Option<PathBuf>,
    /// What `--config` names.
    pub config_flag: Option<PathBuf>,
}

impl Inputs {
    /// Takes the flags from `matches` (of a command that has [`flags`](super::flags)) and the rest from this process.
    ///
    /// # Errors
    /// When a value is not UTF-8, or there is no working directory.
    pub fn from_process(matches: &ArgMatches) -> Result<Self, ConfigError> {
        let working_dir =
            std::env::current_dir().map_err(|error| ConfigError::NoWorkingDir { fault: error::io_fault(&error) })?;
        Ok(Self {
            flags: given_flags(matches)?,
            env: process_environment()?,
            working_dir,
            platform_data_dir: platform::data_dir(),
            config_flag: given(matches, "config").and_then(|mut paths| paths.pop()).map(PathBuf::from),
        })
    }

    /// A variable that is set; an empty one counts as unset, as that is all a container's settings can say.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The environment may hold secrets: names only.
impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs")
            .field("flags", &self.flags)
            .field("env", &self.env.keys())
            .field("working_dir", &self.working_dir)
            .field("platform_data_dir", &self.platform_data_dir)
            .field("config_flag", &self.config_flag)
            .finish()
    }
}

/// What was given for the flag `id`; `None` also for a command that has no such flag.
fn given(matches: &ArgMatches, id: &str) -> Option<Vec<OsString>> {
    let values = matches.try_get_many::<OsString>(id).ok().flatten()?;
    Some(values.cloned().collect())
}

fn given_flags(matches: &ArgMatches) -> Result<BTreeMap<&'static str, String>, ConfigError> {
    let mut flags = BTreeMap::new();
    for key in KEYS {
        let Some(values) = given(matches, key.name) else { continue };
        let values: Result<Vec<String>, OsString> = values.into_iter().map(OsString::into_string).collect();
        // Only lists may be repeated, and those are read from commas again.
        let text = values.map_err(|_| ConfigError::NotUtf8 { what: format!("--{}", key.flag) })?.join(",");
        flags.insert(key.name, text);
    }
    Ok(flags)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where the environment is read")]
fn process_environment() -> Result<BTreeMap<String, String>, ConfigError> {
    environment(std::env::vars_os())
}

/// What concerns usher among all variables. What else there is may be any bytes.
fn environment(all: impl Iterator<Item = (OsString, OsString)>) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut env = BTreeMap::new();
    for (name, value) in all {
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
        let refused =
            command().try_get_matches_from(["usher", "--secret-key=hunter2"]).expect_err("a secret in the open");
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
        assert!(command().try_get_matches_from(["usher", "--bind", "a:1", "--bind", "b:2"]).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn only_our_own_variables_must_be_utf8() {
        use std::os::unix::ffi::OsStringExt as _;
        let bytes = || OsString::from_vec(vec![0xff]);
        assert_eq!(environment([("OTHER".into(), bytes())].into_iter()), Ok(BTreeMap::new()));
        let error = environment([("USHER_SECRET_KEY".into(), bytes())].into_iter()).expect_err("not UTF-8");
        assert_eq!(error.to_string(), "USHER_SECRET_KEY is not UTF-8 text; write it in UTF-8");
    }

    #[test]
    fn this_process_has_inputs() {
        let inputs = Inputs::from_process(&parsed(&["usher", "--config", "x.toml"])).expect("a plain process");
        assert!(inputs.working_dir.is_absolute());
        assert_eq!(inputs.config_flag, Some(PathBuf::from("x.toml")));
    }
}
