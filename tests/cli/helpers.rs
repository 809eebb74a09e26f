//! Helpers that run commands beside a server and check the result.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::factors::App;
use crate::support::postgres;
use crate::support::process::{ProcessOutput, Program, ServerProcess};
use crate::support::{Request, Response};

/// A password that passes every check.
pub const PASSWORD: &str = "quiet-otter-7";

/// Starts a server with the superuser admin / adminpw123.
pub fn server() -> ServerProcess {
    Program::new(&[]).superuser().start()
}

/// Runs a command in the server's directory.
pub fn usher(dir: &Arc<TempDir>, arguments: &[&str]) -> ProcessOutput {
    Program::in_dir(dir, arguments).finish()
}

/// Runs a command that must succeed. Returns its output.
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

/// Like [`done`], with `--json`.
#[track_caller]
pub fn json(dir: &Arc<TempDir>, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(dir, &[arguments, &["--json"]].concat())).unwrap()
}

/// Runs a command that must fail without output. Returns the error message.
#[track_caller]
pub fn refused(dir: &Arc<TempDir>, arguments: &[&str]) -> String {
    let ended = usher(dir, arguments);
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{arguments:?}: {ended:?}");
    ended.stderr
}

/// Tries to sign in.
pub fn sign_in(server: &ServerProcess, name: &str, password: &str) -> Response {
    server.request("POST", "/api/v1/login").form(&[("username", name), ("password", password)]).send()
}

/// Signs in and returns the access token.
#[track_caller]
pub fn token(server: &ServerProcess, name: &str, password: &str) -> String {
    sign_in(server, name, password).expect(200).json()["access_token"].as_str().unwrap().to_owned()
}

/// Adds an authenticator app to the account of this token.
#[track_caller]
pub fn enroll(server: &ServerProcess, token: &str, password: &str) {
    let id = server.request("GET", "/api/v1/users/whoami").bearer(token).send().expect(200).field("id");
    let path = format!("/api/v1/users/{id}/factors/totp");
    let body = serde_json::json!({ "current_password": password });
    let made = server.request("POST", &path).bearer(token).json(&body).send().expect(201);
    let code = App::with_secret(&made.field("secret")).code(usher::domain::clock::Clock::system().now());
    let body = serde_json::json!({ "code": code });
    server.request("POST", &format!("{path}/confirm")).bearer(token).json(&body).send().expect(200);
}

/// The status of `whoami` with this token.
pub fn whoami(server: &ServerProcess, token: &str) -> u16 {
    server.request("GET", "/api/v1/users/whoami").bearer(token).send().status
}

/// A separate connection to the database.
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

/// Stores a store key for the user of this token.
pub fn store_key(server: &ServerProcess, bearer: &str, key: &str) {
    let body = serde_json::json!({ "api_key": key });
    server.request("POST", "/api/v1/api_key/store").bearer(bearer).json(&body).send().expect(200);
}

/// A GET request.
pub fn get(server: &ServerProcess, path: &str) -> Request {
    server.request("GET", path)
}
