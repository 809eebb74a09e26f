//! How commands find users, and passwords from standard input.

use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::helpers::{PASSWORD, done, json, names, refused, server, sign_in, token, whoami};
use crate::support::Program;
use crate::support::process::ProcessOutput;

fn add(dir: &Arc<TempDir>, name: &str, input: impl AsRef<[u8]>) -> ProcessOutput {
    Program::in_dir(dir, &["user", "add", "--json", "--", name]).input(input).finish()
}

/// Adds a user and returns the id.
#[track_caller]
fn added(dir: &Arc<TempDir>, name: &str) -> String {
    let ended = add(dir, name, PASSWORD);
    let user: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    user["id"].as_str().unwrap().to_owned()
}

#[test]
fn an_id_finds_its_user_even_if_another_users_name_equals_it() {
    let server = server();
    let dir = &server.dir;
    let ann = added(dir, "ann");
    // This user's name is ann's id.
    let impostor = added(dir, &ann);
    assert_eq!(json(dir, &["user", "show", &ann])["username"], "ann");
    assert_eq!(json(dir, &["user", "show", &ann.replace('-', "").to_uppercase()])["username"], "ann");
    assert_eq!(json(dir, &["user", "show", &impostor])["username"], ann.as_str());
    let session = token(&server, "ann", PASSWORD);
    let listed = json(dir, &["session", "list", &ann]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert!(done(dir, &["user", "promote", &ann]).starts_with("ann is now a superuser"));
    assert_eq!(json(dir, &["audit", "--user", &ann])[0]["target_name"], "ann");
    assert_eq!(json(dir, &["key", "list", &ann]), serde_json::json!([]));
    done(dir, &["session", "end", &ann, "--all", "--yes"]);
    assert_eq!(whoami(&server, &session), 401);
    assert!(done(dir, &["user", "delete", &ann, "--yes"]).starts_with("deleted ann ("));
    // No user has this id any more, so the argument matches the name.
    assert_eq!(json(dir, &["user", "show", &ann])["id"], impostor.as_str());
}

#[test]
fn unusual_names_work_and_names_with_a_dash_follow_two_dashes() {
    let server = server();
    let dir = &server.dir;
    for name in ["-dash", "o'brien \"x\" $(id)", "%s\\n", "../../etc", "Zoë Straße", "名前"] {
        added(dir, name);
        let shown = done(dir, &["user", "show", "--", name]);
        let first = shown.lines().next().unwrap().strip_prefix("name").unwrap();
        assert_eq!(first.trim_start(), name);
        sign_in(&server, name, PASSWORD).expect(200);
        assert_eq!(json(dir, &["user", "list", &format!("--search={name}")])[0]["username"], name);
        done(dir, &["user", "delete", "--yes", "--", &name.to_uppercase()]);
    }
    for (name, why) in [
        ("", "at least 1 character"),
        ("tab\tname", "control, format or private-use"),
        (&"n".repeat(1000), "at most 255 characters"),
    ] {
        let ended = add(dir, name, PASSWORD);
        assert!(ended.status.code() == Some(1) && ended.stderr.contains(why), "{ended:?}");
    }
}

#[test]
fn a_password_is_the_first_line_of_standard_input() {
    let server = server();
    let dir = &server.dir;
    for (name, input) in [
        ("plain", &b"quiet-otter-7"[..]),
        ("windows", b"quiet-otter-7\r\nsecond line\r\n"),
        ("marked", b"\xef\xbb\xbfquiet-otter-7\n"),
    ] {
        assert!(add(dir, name, input).status.success(), "{name}");
        sign_in(&server, name, PASSWORD).expect(200);
    }
    for (input, why) in [
        (&b""[..], "standard input has no password"),
        (b"quiet\xff-otter-7\n", "is not UTF-8"),
        (b"\n", "at least 8 characters"),
        (b"password\n", "among the 10,000 most common"),
        (&[b'x'; 8192], "at most 72 bytes"),
    ] {
        let ended = add(dir, "nobody", input);
        assert!(ended.status.code() == Some(1) && ended.stderr.contains(why), "{ended:?}");
    }
    assert!(refused(dir, &["user", "show", "nobody"]).contains("there is no user"));
}

#[test]
fn an_unknown_user_is_reported_before_any_prompt() {
    let server = server();
    let dir = &server.dir;
    let id = "0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b";
    for arguments in [
        &["session", "end", "nemo", "--all"][..],
        &["session", "end", "nemo", id],
        &["key", "delete", "nemo", id],
        &["user", "delete", "nemo"],
    ] {
        assert!(refused(dir, arguments).contains("there is no user \"nemo\""), "{arguments:?}");
    }
    assert!(refused(dir, &["session", "end", "admin", "--all", "--yes"]).contains("admin has no sessions"));
    let ended = Program::in_dir(dir, &["session", "end", "admin"]).finish();
    assert!(ended.status.code() == Some(2) && ended.stderr.contains("(<ID> | --all)"), "{ended:?}");
    assert_eq!(names(dir.path()), ["data"]);
}
