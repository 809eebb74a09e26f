//! Commands and the log escape control characters in names and paths.

use std::sync::Arc;

use tempfile::TempDir;

use crate::support::Program;

/// Characters that control a terminal or reverse the text around them.
const HOSTILE: &str = "d\u{1b}]0;title\u{7}\u{9b}2J\u{202e}\nspoofed";

#[track_caller]
fn assert_escaped(text: &str) {
    let hostile = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!text.contains(hostile) && !text.lines().any(|line| line.starts_with("spoofed")), "{text:?}");
    assert!(text.contains("\\u{1b}") || text.contains("\\u001b"), "{text:?}");
}

#[test]
fn paths_with_control_characters_are_printed_and_logged_escaped() {
    let dir = Arc::new(TempDir::new().unwrap());
    let at = |arguments: &[&str]| Program::in_dir(&dir, arguments).env("USHER_DATA_DIR", HOSTILE);
    let missing = at(&["user", "list"]).finish();
    assert_eq!(missing.status.code(), Some(1));
    assert_escaped(&missing.stderr);
    let server = at(&[]).superuser().start();
    for arguments in [&["user", "list"][..], &["doctor"], &["config"]] {
        let ended = at(arguments).finish();
        assert_escaped(&format!("{}{}", ended.stdout, ended.stderr));
        let ended = at(&[arguments, &["--json"]].concat()).finish();
        assert_escaped(&format!("{}{}", ended.stdout, ended.stderr));
    }
    let ended = at(&["user", "show", "a\u{1b}[31m\u{202e}"]).finish();
    assert_escaped(&ended.stderr);
    assert_escaped(&server.stop().stderr);
}

#[test]
fn wrong_arguments_and_exports_are_printed_escaped() {
    let server = Program::new(&[]).superuser().env("USHER_SIGNUP", "open").start();
    let dir = Arc::clone(&server.dir);
    for arguments in [&[HOSTILE][..], &["user", HOSTILE], &["audit", "--since", HOSTILE], &["completions", HOSTILE]] {
        let ended = Program::in_dir(&dir, arguments).finish();
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert_escaped(&ended.stderr);
        let ended = Program::in_dir(&dir, &[arguments, &["--json"]].concat()).finish();
        assert_escaped(&ended.stderr);
        assert_escaped(&ended.stdout);
    }
    let body = serde_json::json!({ "username": "ada", "password": "correct horse 1" });
    let made = server.request("POST", "/api/v1/users/").json(&body).send().expect(201).json();
    server.stop();
    let path = dir.path().join("data/usher.db");
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = rusqlite::Connection::open_with_flags(&path, flags).unwrap();
    // As a name that was imported from an old Langflow.
    connection.execute("UPDATE users SET username = ? WHERE username = 'ada'", [HOSTILE]).unwrap();
    drop(connection);
    let ended = Program::in_dir(&dir, &["export", "-"]).finish();
    assert_escaped(&ended.stdout);
    let line = ended.stdout.lines().find(|line| line.contains(made["id"].as_str().unwrap())).unwrap();
    let exported: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(exported["username"], HOSTILE);
}

#[test]
fn a_new_keys_name_with_control_characters_is_refused() {
    let server = Program::new(&[]).superuser().start();
    let add = |name: &str| Program::in_dir(&server.dir, &["key", "add", "admin", "--name", name]).finish();
    let ended = add(HOSTILE);
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.ends_with("usher: the name of a key can't contain control characters\n"), "{ended:?}");
    assert_eq!(add("Zoë's 名前").status.code(), Some(0));
}
