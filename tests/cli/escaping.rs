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
