//! JSON output for programs, including errors, and `usher healthcheck`.

use serde_json::Value;

use crate::helpers::{refused, server, usher};
use crate::support::Program;

/// The JSON error of a failed command.
#[track_caller]
fn failure(program: Program) -> Value {
    let ended = program.finish();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let printed: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("no JSON: {ended:?}"));
    printed
}

#[test]
fn errors_are_printed_as_json_with_the_flag() {
    let server = server();
    std::fs::write(server.dir.path().join("empty"), "").unwrap();
    for (arguments, words) in [
        (&["user", "show", "nobody"][..], "there is no user \"nobody\""),
        (&["user", "delete", "admin"], "pass --yes"),
        (&["user", "demote", "admin"], "last active superuser"),
        (&["session", "list", "nobody"], "there is no user"),
        (&["key", "list", "nobody"], "there is no user"),
        (&["audit", "--user", "nobody"], "there is no user"),
        (&["backup", "data"], "is a directory"),
        (&["restore", "empty", "--yes"], "stop it first"),
        (&["rotate-secret", "--yes"], "stop it first"),
        (&["export", "empty"], "empty exists"),
        (&["import", "langflow", "empty"], "not a Langflow database"),
        (&["config", "--backup-keep", "0"], "whole number from 1 to 10000"),
    ] {
        let said = failure(Program::in_dir(&server.dir, &[arguments, &["--json"]].concat()));
        assert!(said["error"].as_str().is_some_and(|error| error.contains(words)), "{arguments:?}: {said}");
        assert_eq!(said.as_object().unwrap().len(), 1);
    }
    // These errors have further fields.
    let import = failure(Program::in_dir(&server.dir, &["import", "usher", "empty", "--json"]));
    assert_eq!((&import["imported"], import.get("error")), (&serde_json::json!([]), None));
    let doctor = failure(Program::new(&["doctor", "--json"]));
    assert_eq!((&doctor["healthy"], doctor.get("error")), (&Value::Bool(false), None));
    // Without `--json`, errors are text.
    refused(&server.dir, &["user", "show", "nobody"]);
}

#[test]
fn a_healthcheck_reports_problems_as_json() {
    for (url, words) in [
        ("http://127.0.0.1:1", "does not answer"),
        ("127.0.0.1:1", "http://127.0.0.1:1/ does not answer"),
        ("localhost:1", "http://localhost:1/ does not answer"),
        ("https://127.0.0.1", "is not an http URL"),
        ("http://", "is not a URL such as http://127.0.0.1:7860"),
    ] {
        let said = failure(Program::new(&["healthcheck", url, "--json"]));
        assert!(said["error"].as_str().is_some_and(|error| error.contains(words)), "{url}: {said}");
    }
}

#[test]
fn a_healthcheck_accepts_an_address_or_a_port_file() {
    let server = Program::new(&[]).superuser().env("USHER_PORT_FILE", "port.json").start();
    let address = server.address.to_string();
    assert!(usher(&server.dir, &["healthcheck", &address]).status.success());
    // The server listens on a port that the system chose.
    let found = Program::in_dir(&server.dir, &["healthcheck"]).env("USHER_PORT_FILE", "port.json").finish();
    assert_eq!((found.status.code(), found.stdout), (Some(0), format!("http://{address}/ is healthy\n")));
    // The server has recorded its address.
    assert!(usher(&server.dir, &["healthcheck"]).status.success());
    let missing = failure(Program::in_dir(&server.dir, &["healthcheck", &format!("{address}/nothing"), "--json"]));
    assert_eq!((&missing["healthy"], missing["url"].as_str().is_some()), (&Value::Bool(false), true));
    assert!(missing["error"].as_str().unwrap().contains("status 404"), "{missing}");
    let dir = server.dir.clone();
    server.stop();
    assert!(refused(&dir, &["healthcheck"]).contains("name the URL"));
}
