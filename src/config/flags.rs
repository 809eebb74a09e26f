//! The flags of all settings.

use std::ffi::OsString;

use clap::{Arg, ArgAction};

use crate::config::SETTINGS;
use crate::config::setting::{Setting, ValueType};

/// A flag for every setting, and `--config`. Values are parsed later, together with those of the file and the
/// environment, so that all three get the same error messages.
pub fn flags() -> Vec<Arg> {
    let config = Arg::new("config")
        .long("config")
        .value_name("PATH")
        .help("The configuration file [default: see docs/settings.md]");
    std::iter::once(config)
        .chain(SETTINGS.iter().map(flag))
        .map(|arg| arg.global(true).help_heading("Settings").value_parser(clap::value_parser!(OsString)))
        .collect()
}

fn flag(setting: &Setting) -> Arg {
    let file = if setting.is_secret() { " The flag names the file." } else { "" };
    let default = match (setting.default, setting.note) {
        (default, "") => default.to_owned(),
        ("", note) => note.to_owned(),
        (default, note) => format!("{default}, {note}"),
    };
    let arg = Arg::new(setting.name)
        .long(setting.flag())
        .value_name(value_name(setting.value_type))
        .help(format!("{}{file} [default: {default}]", setting.summary()))
        // `-h` is about the command; `--help` lists every setting.
        .hide_short_help(setting.name != "data_dir");
    match setting.value_type {
        // `--auto-login` means true. The equals sign keeps it from taking a command's name for its value.
        ValueType::Bool | ValueType::BoolOrNumber => {
            arg.num_args(0..=1).require_equals(true).default_missing_value("true")
        }
        ValueType::List => arg.action(ArgAction::Append),
        _ => arg,
    }
}

fn value_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Text(name) | ValueType::Choice(name) => name,
        ValueType::Secret => "PATH",
        ValueType::Bool => "true|false",
        ValueType::BoolOrNumber => "true|false|PID",
        ValueType::Number => "NUMBER",
        ValueType::List => "LIST",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_flag_and_secrets_only_one_for_a_file() {
        assert_eq!(flags().len(), SETTINGS.len() + 1);
        clap::Command::new("usher").args(flags()).debug_assert();
        let refused = clap::Command::new("usher").args(flags()).try_get_matches_from(["usher", "--secret-key=hunter2"]);
        assert!(!refused.unwrap_err().to_string().contains("hunter2"));
    }
}
