//! Holds the configuration as a whole: precedence, lookup, refusals, and that no secret shows in any of them.

use std::fs;

use tempfile::TempDir;

use crate::config::*;

mod properties;
mod together;
mod values;

const SENTINEL: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";

/// A machine with a working directory, a platform's data directory and nothing in them.
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

    /// The refusal, without the part of paths that differs between runs.
    fn refusal(&self) -> String {
        let error = Config::load(&self.inputs).expect_err("this must be refused");
        assert!(!format!("{error:?} {error}").contains(SENTINEL), "{error:?}");
        error.to_string().replace(&format!("{}/", self.root.path().display()), "/")
    }
}

/// What one step of a test takes away.
type Change = fn(&mut Machine);

fn from_file(text: &str) -> Machine {
    Machine::new().file("work/config.toml", text)
}

#[test]
fn without_any_source_the_defaults_count() {
    let machine = Machine::new();
    let config = machine.load();
    for key in KEYS {
        let expected = match key.name {
            "data_dir" => machine.path("data").display().to_string(),
            "workers" => std::thread::available_parallelism().unwrap().to_string(),
            _ => key.default.to_owned(),
        };
        assert_eq!(config.shown(key.name), expected, "{}", key.name);
        assert_eq!(config.origins.get(key.name), Some(&Source::Default), "{}", key.name);
    }
    assert_eq!((config.file, config.origins.len()), (None, KEYS.len()));
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
    // An empty variable is none.
    assert_eq!(config.log, "debug");
    let file = machine.path("work/config.toml");
    assert_eq!(config.origins["bcrypt_cost"], Source::Flag("bcrypt-cost"));
    assert_eq!(config.origins["signup"], Source::Environment("USHER_SIGNUP".into()));
    assert_eq!(config.origins["throttle"], Source::File(file.clone()));
    assert_eq!(config.file, Some(file));
}

#[test]
fn the_file_is_looked_for_in_four_places_in_order() {
    let mut machine = Machine::new()
        .file("etc/flag.toml", "workers = 1")
        .file("work/env.toml", "workers = 2")
        .file("work/config.toml", "workers = 3")
        .file("data/config.toml", "workers = 4")
        .env("USHER_CONFIG", "env.toml")
        .config("../etc/flag.toml");
    assert_eq!(machine.load().workers, 1);
    machine.inputs.config_flag = None;
    assert_eq!(machine.load().workers, 2);
    machine.inputs.env.clear();
    assert_eq!(machine.load().workers, 3);
    fs::remove_file(machine.path("work/config.toml")).unwrap();
    assert_eq!(machine.load().workers, 4);
    fs::remove_file(machine.path("data/config.toml")).unwrap();
    assert_eq!(machine.load().file, None);
    // "In the data directory" is the one that flag or environment name, too.
    let machine = machine.file("etc/config.toml", "workers = 5").env("USHER_DATA_DIR", "../etc/./");
    assert_eq!(machine.load().workers, 5);
}

#[test]
fn a_file_that_cannot_be_read_is_refused_where_it_is_named_or_there() {
    assert_eq!(
        Machine::new().config("none.toml").refusal(),
        "the configuration file /work/none.toml (named by --config) cannot be read: it does not exist; \
         it must be a readable TOML file"
    );
    assert!(Machine::new().env("USHER_CONFIG", "none.toml").refusal().contains("(named by USHER_CONFIG)"));
    for dir in ["work/config.toml", "data/config.toml"] {
        let machine = Machine::new();
        fs::create_dir(machine.path(dir)).unwrap();
        assert!(machine.refusal().contains("cannot be read: it is a directory"), "{dir}");
    }
    assert!(Machine::new().file("work/config.toml", b"log = '\xff'").refusal().contains("is not UTF-8 text"));
    assert!(from_file(&"#".repeat(2 << 20)).refusal().contains("larger than"));
}

#[test]
fn the_data_directory_has_five_sources() {
    let mut machine = from_file("data_dir = 'by-file'")
        .flag("data_dir", "by-flag")
        .env("USHER_DATA_DIR", "/by/./env")
        .env("STATE_DIRECTORY", "/var/lib/usher:/var/lib/other");
    let file = Source::File(machine.path("work/config.toml"));
    let environment = |name: &str| Source::Environment(name.to_owned());
    // Each step takes the strongest source away.
    let steps: [(&str, Source, Change); 5] = [
        ("work/by-flag", Source::Flag("data-dir"), |m| m.inputs.flags.clear()),
        ("/by/env", environment("USHER_DATA_DIR"), |m| drop(m.inputs.env.remove("USHER_DATA_DIR"))),
        ("work/by-file", file, |m| fs::write(m.path("work/config.toml"), "data_dir = ''").unwrap()),
        ("/var/lib/usher", environment("STATE_DIRECTORY"), |m| m.inputs.env.clear()),
        ("data", Source::Default, |m| m.inputs.platform_data_dir = None),
    ];
    for (dir, source, weaken) in steps {
        let config = machine.load();
        assert_eq!((&config.data_dir, &config.origins["data_dir"]), (&machine.path(dir), &source));
        weaken(&mut machine);
    }
    assert!(machine.refusal().contains("name a data directory by --data-dir or USHER_DATA_DIR"));
}

#[test]
fn a_file_in_the_data_directory_may_not_move_it() {
    let moved = |text: &str| Machine::new().file("data/config.toml", text);
    assert!(moved("data_dir = '../etc'").refusal().starts_with(
        "/data/config.toml was found because it lies in the data directory, but its `data_dir` names another one, /data/../etc;"
    ));
    let same = moved("data_dir = '.'");
    assert_eq!(same.load().data_dir, same.path("data"));
    // A flag decides, whatever the file says.
    let flagged = moved("data_dir = '../etc'").flag("data_dir", "../data");
    assert!(flagged.load().data_dir.ends_with("data"));
}

#[test]
fn relative_paths_start_at_the_file_that_names_them_else_at_the_working_directory() {
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
        "there is no setting \"bnid\" (/work/config.toml); did you mean `bind`?"
    );
    assert!(from_file("[server]\nbind = 1").refusal().contains("no setting \"server\""));
    assert!(from_file("bind_file = 'x'").refusal().contains("no setting \"bind_file\""));
    assert_eq!(
        Machine::new().env("USHER_SECRET_KEY_FIEL", SENTINEL).refusal(),
        "there is no setting for the environment variable \"USHER_SECRET_KEY_FIEL\"; did you mean `USHER_SECRET_KEY_FILE`?"
    );
    assert!(Machine::new().env("USHER_TEST_X", "").refusal().contains("USHER_TEST_X"));
    assert!(Machine::new().env("STATE_DIRECTORY", "").load().file.is_none());
    let unknown = clap::Command::new("usher").args(flags()).try_get_matches_from(["usher", "--bnid=x"]);
    assert!(unknown.unwrap_err().to_string().contains("--bind"));
}

#[test]
fn secrets_come_from_a_file_or_a_source_but_not_from_both() {
    for (text, secret) in [("{}\n", ""), ("{}\r\n", ""), ("{}", ""), ("{}\n\n", "\n"), (" {} ", "  ")] {
        let machine = Machine::new().file("work/k", text.replace("{}", SENTINEL)).flag("secret_key", "k");
        let expected = if secret == "  " { format!(" {SENTINEL} ") } else { format!("{SENTINEL}{secret}") };
        let config = machine.load();
        assert!(config.secret_key == Some(Secret::new(expected)), "{text:?}");
        assert_eq!(config.origins["secret_key"], Source::Flag("secret-key-file"));
        assert_eq!(config.shown("secret_key"), "***");
        assert!(!format!("{config:?} {:?}", machine.inputs).contains("hunter2"));
    }
    let both = Machine::new().env("USHER_SECRET_KEY", SENTINEL).env("USHER_SECRET_KEY_FILE", "k");
    assert_eq!(both.refusal(), "both USHER_SECRET_KEY and USHER_SECRET_KEY_FILE are set; keep one of them");
    let both = from_file(&format!("secret_key = '{SENTINEL}'\nsecret_key_file = 'k'"));
    assert!(
        both.refusal().starts_with("both `secret_key` in /work/config.toml and `secret_key_file` in /work/config.toml")
    );
    // Different sources are a matter of precedence.
    let stronger = from_file("secret_key_file = 'none'").env("USHER_SECRET_KEY", SENTINEL);
    assert!(stronger.load().secret_key.is_some());
    for (text, fault) in [(&b"\n"[..], "it is empty"), (b"", "it is empty"), (b"\xff", "it is not UTF-8 text")] {
        let refusal = Machine::new().file("work/k", text).env("USHER_SUPERUSER_PASSWORD_FILE", "k").refusal();
        assert!(refusal.starts_with("USHER_SUPERUSER_PASSWORD_FILE names the file /work/k, but"), "{refusal}");
        assert!(refusal.contains(fault), "{refusal}");
    }
    assert!(Machine::new().flag("secret_key", ".").refusal().contains("--secret-key-file names the file"));
}

#[test]
fn the_shipped_file_changes_nothing_and_shows_every_default() {
    let shipped = include_str!("../../../config.toml");
    assert!(shipped.lines().all(|line| line.is_empty() || line.starts_with('#')));
    let word = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let setting = |line: &'static str| {
        let line = line.strip_prefix("# ")?;
        line.split_once(" = ").is_some_and(|(name, _)| word(name)).then_some(line)
    };
    let settings: Vec<&str> = shipped.lines().filter_map(setting).collect();
    let mut names: Vec<&str> = settings.iter().filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
    let mut keys: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    names.sort_unstable();
    keys.sort_unstable();
    assert_eq!(names, keys);

    let machine = from_file(shipped);
    let defaults = machine.load();
    assert!(defaults.origins.values().all(|source| *source == Source::Default));
    let machine = machine.file("work/config.toml", settings.join("\n"));
    let shown = machine.load();
    for key in KEYS {
        assert_eq!(shown.shown(key.name), defaults.shown(key.name), "{}", key.name);
        let from_file = shown.origins[key.name] != Source::Default;
        assert_eq!(from_file, !key.default.is_empty(), "{}", key.name);
    }
}
