//! What commands and the log print of names and paths can't control a terminal.

use std::sync::Arc;

use tempfile::TempDir;

use crate::support::Program;

/// Characters that a terminal would obey, or that turn the text beside them.
const HOSTILE: &str = "d\u{1b}]0;title\u{7}\u{9b}2J\u{202e}\nspoofed";

#[track_caller]
fn is_harmless(text: &str) {
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
    is_harmless(&missing.stderr);
    let server = at(&[]).superuser().start();
    for arguments in [&["user", "list"][..], &["doctor"], &["config"]] {
        let ended = at(arguments).finish();
        is_harmless(&format!("{}{}", ended.stdout, ended.stderr));
        let ended = at(&[arguments, &["--json"]].concat()).finish();
        is_harmless(&format!("{}{}", ended.stdout, ended.stderr));
    }
    let ended = at(&["user", "show", "a\u{1b}[31m\u{202e}"]).finish();
    is_harmless(&ended.stderr);
    is_harmless(&server.stop().stderr);
}
