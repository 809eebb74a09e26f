//! What these tests share: commands beside a server, and what came of them.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::postgres;
use crate::support::process::{Ended, Program, Running};
use crate::support::{Request, Response};

/// A password that every rule allows.
pub const PASSWORD: &str = "quiet-otter-7";

/// A server with the superuser admin / adminpw123.
pub fn server() -> Running {
    Program::new(&[]).superuser().start()
}

/// A command in the server's directory, whatever comes of it.
pub fn usher(dir: &Arc<TempDir>, arguments: &[&str]) -> Ended {
    Program::in_dir(dir, arguments).finish()
}

/// A command that must succeed, and what it printed.
#[track_caller]
pub fn done(dir: &Arc<TempDir>, arguments: &[&str]) -> String {
    let ended = usher(dir, arguments);
    assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    assert!(ended.stderr.contains(&format!("database: {}", shown_database(dir))), "{ended:?}");
    ended.stdout
}

/// What commands print of the database of a directory.
pub fn shown_database(dir: &Arc<TempDir>) -> String {
    if postgres::IS_ENGINE {
        return postgres::address_for(dir.path());
    }
    dir.path().join("data/usher.db").display().to_string()
}

/// The same, printed for programs.
#[track_caller]
pub fn json(dir: &Arc<TempDir>, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(dir, &[arguments, &["--json"]].concat())).unwrap()
}

/// A command that must do nothing, and why.
#[track_caller]
pub fn refused(dir: &Arc<TempDir>, arguments: &[&str]) -> String {
    let ended = usher(dir, arguments);
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{arguments:?}: {ended:?}");
    ended.stderr
}

/// A log-in, whatever comes of it.
pub fn log_in(server: &Running, name: &str, password: &str) -> Response {
    server.request("POST", "/api/v1/login").form(&[("username", name), ("password", password)]).send()
}

/// An access token.
#[track_caller]
pub fn token(server: &Running, name: &str, password: &str) -> String {
    log_in(server, name, password).expect(200).json()["access_token"].as_str().unwrap().to_owned()
}

/// The status that this token gets.
pub fn whoami(server: &Running, token: &str) -> u16 {
    server.request("GET", "/api/v1/users/whoami").bearer(token).send().status
}

/// The database, behind the server's back.
pub fn database(dir: &Arc<TempDir>) -> rusqlite::Connection {
    #[expect(clippy::disallowed_methods, reason = "a test looks behind the two doors")]
    rusqlite::Connection::open(dir.path().join("data/usher.db")).unwrap()
}

/// The names in a directory, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let entries =
        std::fs::read_dir(dir).map(|entries| entries.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>());
    let mut names: Vec<_> =
        entries.unwrap_or_default().into_iter().map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Stores alice's store key, and gives the text that the database keeps of it.
pub fn store_key(server: &Running, bearer: &str, key: &str) {
    let body = serde_json::json!({ "api_key": key });
    server.request("POST", "/api/v1/api_key/store").bearer(bearer).json(&body).send().expect(200);
}

/// A request of its own connection.
pub fn get(server: &Running, path: &str) -> Request {
    server.request("GET", path)
}
