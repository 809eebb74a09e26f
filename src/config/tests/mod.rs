//! Precedence, lookup, refusals, and that no message contains a secret.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::config::*;
use crate::domain::secret::Secret;

mod properties;
mod together;
mod values;

const SENTINEL: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";

/// A machine with an empty working directory and an empty data directory.
struct Machine {
    root: TempDir,
    inputs: Inputs,
}

impl Machine {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        for dir in ["work", "data", "etc"] {
            fs::create_dir(root.path().join(dir)).unwrap();
        }
        let inputs = Inputs {
            working_dir: root.path().join("work"),
            platform_data_dir: Some(root.path().join("data")),
            ..Inputs::default()
        };
        Self { root, inputs }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.inputs.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn flag(mut self, key: &'static str, value: &str) -> Self {
        self.inputs.flags.insert(key, value.to_owned());
        self
    }

    fn config(mut self, path: &str) -> Self {
        self.inputs.config_flag = Some(path.into());
        self
    }

    fn load(&self) -> Config {
        Config::load(&self.inputs).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The error message, without the part of paths that differs between runs.
    fn refusal(&self) -> String {
        let error = Config::load(&self.inputs).expect_err("this must be refused");
        assert!(!format!("{error:?} {error}").contains(SENTINEL), "{error:?}");
        error.to_string().replace(&format!("{}/", self.root.path().display()), "/")
    }
}

/// One step of a test.
type Change = fn(&mut Machine);

fn from_file(text: &str) -> Machine {
    Machine::new().file("work/usher.toml", text)
}

#[test]
fn the_defaults_apply_without_any_source() {
    let machine = Machine::new();
    let config = machine.load();
    for setting in SETTINGS {
        let expected = match setting.name {
            "data_dir" => machine.path("data").display().to_string(),
            "workers" => std::thread::available_parallelism().unwrap().to_string(),
            _ => setting.default.to_owned(),
        };
        assert_eq!(config.shown(setting.name), expected, "{}", setting.name);
        assert_eq!(config.sources.get(setting.name), Some(&ValueSource::Default), "{}", setting.name);
    }
    assert_eq!((config.file, config.sources.len()), (None, SETTINGS.len()));
}

#[test]
fn flags_beat_the_environment_beats_the_file_beats_defaults() {
    let machine = from_file("bcrypt_cost = 13\nthrottle = false\nsignup = 'open'\nlog = \"debug\"")
        .env("USHER_BCRYPT_COST", "14")
        .env("USHER_SIGNUP", "closed")
        .env("USHER_LOG", "")
        .flag("bcrypt_cost", "15");
    let config = machine.load();
    assert_eq!((config.bcrypt_cost, config.throttle, config.signup), (15, false, Signup::Closed));
    // An empty variable counts as unset.
    assert_eq!(config.log, "debug");
    let file = machine.path("work/usher.toml");
    assert_eq!(config.sources["bcrypt_cost"], ValueSource::Flag("bcrypt-cost".into()));
    assert_eq!(config.sources["signup"], ValueSource::Environment("USHER_SIGNUP".into()));
    assert_eq!(config.sources["throttle"], ValueSource::File(file.clone()));
    assert_eq!(config.file, Some(file));
}

#[test]
fn the_file_is_searched_in_six_places_in_order() {
    let mut machine = Machine::new()
        .file("etc/flag.toml", "workers = 1")
        .file("work/env.toml", "workers = 2")
        .file("work/usher.toml", "workers = 3")
        .file("etc/recorded.toml", "workers = 4")
        .file("data/config.toml", "workers = 5")
        .file("etc/system.toml", "workers = 6")
        .env("USHER_CONFIG", "env.toml")
        .config("../etc/flag.toml");
    machine.inputs.system_file = Some(machine.path("etc/system.toml"));
    let record = |config_file| ServerRecord {
        pid: 1,
        local_url: String::new(),
        public_url: String::new(),
        config_file,
        untrusted_proxy: None,
    };
    record(Some(machine.path("etc/recorded.toml"))).write(&machine.path("data")).unwrap();
    assert_eq!(machine.load().workers, 1);
    machine.inputs.config_flag = None;
    assert_eq!(machine.load().workers, 2);
    machine.inputs.env.clear();
    assert_eq!(machine.load().workers, 3);
    fs::remove_file(machine.path("work/usher.toml")).unwrap();
    // A server decides by itself; commands follow the server.
    assert_eq!(machine.load().workers, 5);
    let command = ConfigSearch::start(&machine.inputs).unwrap().finish(true).unwrap();
    assert_eq!((command.workers, command.notices.len()), (4, 1));
    assert!(command.notices[0].ends_with("/etc/recorded.toml, as the server"), "{:?}", command.notices);
    fs::remove_file(machine.path("etc/recorded.toml")).unwrap();
    let command = ConfigSearch::start(&machine.inputs).unwrap().finish(true).unwrap();
    assert_eq!(command.workers, 5);
    assert!(command.notices[0].contains("doesn't exist any more"), "{:?}", command.notices);
    fs::remove_file(machine.path("data/config.toml")).unwrap();
    assert_eq!(machine.load().workers, 6);
    fs::remove_file(machine.path("etc/system.toml")).unwrap();
    assert_eq!(machine.load().file, None);
    // The data directory can come from a flag or the environment.
    let machine = machine.file("etc/config.toml", "workers = 5").env("USHER_DATA_DIR", "../etc/./");
    assert_eq!(machine.load().workers, 5);
}

#[test]
fn another_programs_config_toml_in_the_working_directory_is_ignored() {
    let machine = Machine::new().file("work/config.toml", "baseURL = 'https://example.org'");
    assert_eq!(machine.load().file, None);
}

#[test]
fn an_unreadable_file_is_refused() {
    assert_eq!(
        Machine::new().config("none.toml").refusal(),
        "the configuration file /work/none.toml (named by --config) can't be read: it doesn't exist; \
         it must be a readable TOML file"
    );
    assert!(Machine::new().env("USHER_CONFIG", "none.toml").refusal().contains("(named by USHER_CONFIG)"));
    let machine = Machine::new();
    fs::create_dir(machine.path("data/config.toml")).unwrap();
    assert!(machine.refusal().contains("can't be read: it is a directory"));
    assert!(Machine::new().file("work/usher.toml", b"log = '\xff'").refusal().contains("is not UTF-8"));
    assert!(from_file(&"#".repeat(2 << 20)).refusal().contains("larger than"));
}

#[test]
fn the_data_directory_has_five_sources() {
    let mut machine = from_file("data_dir = 'by-file'")
        .flag("data_dir", "by-flag")
        .env("USHER_DATA_DIR", "/by/./env")
        .env("STATE_DIRECTORY", "/var/lib/usher:/var/lib/other");
    let file = ValueSource::File(machine.path("work/usher.toml"));
    let environment = |name: &str| ValueSource::Environment(name.to_owned());
    // Each step removes the strongest source.
    let steps: [(&str, ValueSource, Change); 5] = [
        ("work/by-flag", ValueSource::Flag("data-dir".into()), |m| m.inputs.flags.clear()),
        ("/by/env", environment("USHER_DATA_DIR"), |m| drop(m.inputs.env.remove("USHER_DATA_DIR"))),
        ("work/by-file", file, |m| fs::write(m.path("work/usher.toml"), "data_dir = ''").unwrap()),
        ("/var/lib/usher", environment("STATE_DIRECTORY"), |m| m.inputs.env.clear()),
        ("data", ValueSource::Default, |m| m.inputs.platform_data_dir = None),
    ];
    for (dir, source, weaken) in steps {
        let config = machine.load();
        assert_eq!((&config.data_dir, &config.sources["data_dir"]), (&machine.path(dir), &source));
        weaken(&mut machine);
    }
    assert!(machine.refusal().contains("name a data directory with --data-dir or USHER_DATA_DIR"));
}

#[test]
fn a_file_in_the_data_directory_must_not_move_it() {
    let moved = |text: &str| Machine::new().file("data/config.toml", text);
    assert!(moved("data_dir = '../etc'").refusal().starts_with(
        "/data/config.toml was found in the data directory, but its `data_dir` names another directory, /data/../etc;"
    ));
    let same = moved("data_dir = '.'");
    assert_eq!(same.load().data_dir, same.path("data"));
    // A flag overrides the file.
    let flagged = moved("data_dir = '../etc'").flag("data_dir", "../data");
    assert!(flagged.load().data_dir.ends_with("data"));
}

#[test]
fn relative_paths_start_at_the_file_or_else_at_the_working_directory() {
    let machine = Machine::new()
        .file("etc/c.toml", "data_dir = 'd'\nsecret_key_file = 'key'")
        .file("etc/key", SENTINEL)
        .file("work/key", format!("{SENTINEL}-of-work"))
        .config("../etc/c.toml");
    let config = machine.load();
    assert_eq!(config.data_dir, machine.path("work/../etc/d"));
    assert_eq!(config.secret_key, Some(Secret::new(SENTINEL)));
    let key = machine.env("USHER_SECRET_KEY_FILE", "key").load().secret_key;
    assert_eq!(key, Some(Secret::new(format!("{SENTINEL}-of-work"))));
}

#[test]
fn unknown_settings_are_refused_in_every_source() {
    assert_eq!(
        from_file("bnid = '127.0.0.1:1'").refusal(),
        "\"bnid\" in /work/usher.toml is not a setting; did you mean `bind`?"
    );
    assert!(from_file("[server]\nbind = 1").refusal().contains("\"server\" in /work/usher.toml is not a setting"));
    assert!(from_file("bind_file = 'x'").refusal().contains("\"bind_file\" in"));
    assert_eq!(
        Machine::new().env("USHER_SECRET_KEY_FIEL", SENTINEL).refusal(),
        "the environment variable \"USHER_SECRET_KEY_FIEL\" is not a setting; did you mean `USHER_SECRET_KEY_FILE`?"
    );
    assert!(Machine::new().env("USHER_TEST_X", "").refusal().contains("USHER_TEST_X"));
    assert!(Machine::new().env("STATE_DIRECTORY", "").load().file.is_none());
    let unknown = clap::Command::new("usher").args(flags()).try_get_matches_from(["usher", "--bnid=x"]);
    assert!(unknown.unwrap_err().to_string().contains("--bind"));
}

#[test]
fn secrets_come_from_a_file_or_a_source_but_not_from_both() {
    for text in ["{}\n", "{}\r\n", "{}", "{}\n\n", "\u{feff}{} "] {
        let machine = Machine::new().file("work/k", text.replace("{}", SENTINEL)).flag("secret_key", "k");
        let config = machine.load();
        assert!(config.secret_key == Some(Secret::new(SENTINEL)), "{text:?}");
        assert_eq!(config.sources["secret_key"], ValueSource::Flag("secret-key-file".into()));
        assert_eq!(config.shown("secret_key"), "***");
        assert!(!format!("{config:?} {:?}", machine.inputs).contains("hunter2"));
    }
    let both = Machine::new().env("USHER_SECRET_KEY", SENTINEL).env("USHER_SECRET_KEY_FILE", "k");
    assert_eq!(both.refusal(), "both USHER_SECRET_KEY and USHER_SECRET_KEY_FILE are set; keep one of them");
    let both = from_file(&format!("secret_key = '{SENTINEL}'\nsecret_key_file = 'k'"));
    assert!(
        both.refusal().starts_with("both `secret_key` in /work/usher.toml and `secret_key_file` in /work/usher.toml")
    );
    // In different sources the stronger one counts.
    let stronger = from_file("secret_key_file = 'none'").env("USHER_SECRET_KEY", SENTINEL);
    assert!(stronger.load().secret_key.is_some());
    for (text, fault) in
        [(&b"\n"[..], "it is empty"), (b"", "it is empty"), (b"\xff", "it is not UTF-8"), (b"a\nb", "a second line")]
    {
        let refusal = Machine::new().file("work/k", text).env("USHER_SUPERUSER_PASSWORD_FILE", "k").refusal();
        assert!(refusal.starts_with("USHER_SUPERUSER_PASSWORD_FILE names the file /work/k, but"), "{refusal}");
        assert!(refusal.contains(fault), "{refusal}");
    }
    assert!(Machine::new().flag("secret_key", ".").refusal().contains("--secret-key-file names the file"));
}

#[test]
fn the_example_file_shows_every_default_and_changes_nothing() {
    let example = example_file();
    assert!(example.lines().all(|line| (line.is_empty() || line.starts_with('#')) && line.len() <= 120), "{example}");
    let defaults = from_file(&example).load();
    assert!(defaults.sources.values().all(|source| *source == ValueSource::Default));

    let setting = |line: &&str| SETTINGS.iter().any(|setting| line.starts_with(&format!("{} = ", setting.name)));
    let lines: Vec<&str> = example.lines().filter_map(|line| line.strip_prefix("# ")).filter(setting).collect();
    assert_eq!(lines.len(), SETTINGS.len());
    let set = from_file(&lines.join("\n")).load();
    for setting in SETTINGS {
        if setting.name != "data_dir" {
            assert_eq!(set.shown(setting.name), defaults.shown(setting.name), "{}", setting.name);
        }
        let from_file = set.sources[setting.name] != ValueSource::Default;
        assert_eq!(from_file, !setting.default.is_empty(), "{}", setting.name);
    }
}

#[test]
fn every_summary_is_one_sentence_or_more_and_fits_into_a_line_of_help() {
    for setting in SETTINGS {
        let summary = setting.summary();
        assert!(summary.ends_with('.') && summary.len() <= 120 && !summary.contains("  "), "{summary}");
    }
}

#[test]
fn a_variable_whose_value_is_in_quotes_is_reported_without_its_value() {
    let machine = Machine::new().env("USHER_SUPERUSER", "'ann'").env("USHER_SUPERUSER_PASSWORD", "\"hunter2\"");
    let config = machine.load();
    assert_eq!((config.superuser.as_deref(), config.notices.len()), (Some("'ann'"), 2));
    assert!(config.notices.iter().all(|notice| notice.contains("quotes") && !notice.contains("hunter2")));
    assert!(Machine::new().env("USHER_LOG", "info").load().notices.is_empty());
}
