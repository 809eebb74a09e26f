//! What other programs read: JSON on standard output, also of what failed, and whether a server is healthy.

use needs::needs;
use serde_json::Value;

use crate::desk::{refused, server, usher};
use crate::support::Program;

/// What a command that failed printed for a program.
#[track_caller]
fn failure(program: Program) -> Value {
    let ended = program.finish();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let printed: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("no JSON: {ended:?}"));
    printed
}

#[needs(sqlite)]
#[test]
fn what_failed_is_said_in_json_as_well() {
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
    // These say more than that.
    let import = failure(Program::in_dir(&server.dir, &["import", "usher", "empty", "--json"]));
    assert_eq!((&import["imported"], import.get("error")), (&serde_json::json!([]), None));
    let doctor = failure(Program::new(&["doctor", "--json"]));
    assert_eq!((&doctor["healthy"], doctor.get("error")), (&Value::Bool(false), None));
    // Whoever does not ask for JSON gets none.
    refused(&server.dir, &["user", "show", "nobody"]);
}

#[test]
fn a_healthcheck_says_in_json_what_is_wrong() {
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
fn a_healthcheck_finds_the_server_as_people_write_it_and_by_its_port_file() {
    let server = Program::new(&[]).superuser().env("USHER_PORT_FILE", "port.json").start();
    let address = server.address.to_string();
    assert!(usher(&server.dir, &["healthcheck", &address]).status.success());
    // The port was left to the system.
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
