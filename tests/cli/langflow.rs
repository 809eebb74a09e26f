//! Langflow databases, recorded and generated, and helpers to import them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, params};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::ProcessOutput;
use crate::support::{self, Program, ServerProcess};

pub fn sample(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name).display().to_string()
}

/// Starts a server without the sample's users.
pub fn server() -> ServerProcess {
    Program::new(&[]).env("USHER_SUPERUSER", "keeper").env("USHER_SUPERUSER_PASSWORD", "keeper pw 123").start()
}

pub fn import_sample(dir: &Arc<TempDir>, more: &[&str]) -> ProcessOutput {
    let (database, key) = (sample("langflow-1.3.4.db"), sample("langflow-1.3.4.secret_key"));
    let first = ["import", "langflow", &database, "--secret-key-file", &key];
    Program::in_dir(dir, &[&first[..], more].concat()).finish()
}

pub fn outcome(ended: &ProcessOutput) -> Value {
    assert!(ended.status.success(), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

pub fn login(server: &ServerProcess, username: &str, password: &str) -> support::Response {
    server.request("POST", "/api/v1/login").form(&[("username", username), ("password", password)]).send()
}

/// Creates an empty database like Langflow 1.13's.
pub fn newer(dir: &TempDir) -> (PathBuf, Connection) {
    let path = dir.path().join("langflow.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags(&path, flags).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE user (id CHAR(32) NOT NULL PRIMARY KEY, username VARCHAR, password VARCHAR, profile_image VARCHAR,
                 is_active BOOLEAN, is_superuser BOOLEAN, create_at DATETIME, updated_at DATETIME, last_login_at DATETIME,
                 store_api_key VARCHAR, optins JSON, retired_at DATETIME);
             CREATE TABLE apikey (id CHAR(32) NOT NULL PRIMARY KEY, name VARCHAR, api_key VARCHAR, api_key_hash VARCHAR,
                 user_id CHAR(32), is_active BOOLEAN, total_uses INTEGER, last_used_at DATETIME, created_at DATETIME,
                 expires_at DATETIME);",
        )
        .unwrap();
    (path, connection)
}

pub const HASH: &str = "$2b$12$cqZbkovU64WekS.FurFqYuNPObPC4ii7N/DRILUBZ6Vmd2wobD8/K";

pub fn add_user(connection: &Connection, n: u32, name: &str, hash: &str) {
    let sql = "INSERT INTO user (id, username, password, is_active, is_superuser, create_at, updated_at, optins) \
         VALUES (?, ?, ?, 1, 0, '2026-01-01 00:00:00', '2026-01-01 00:00:00.5', '{}')";
    connection.prepare_cached(sql).unwrap().execute(params![format!("{n:032x}"), name, hash]).unwrap();
}

pub fn add_key(connection: &Connection, n: u32, api_key: &str, hash: Option<String>, expires_at: Option<&str>) {
    let sql = "INSERT INTO apikey (id, name, api_key, api_key_hash, user_id, is_active, total_uses, created_at, expires_at) \
         VALUES (?, 'k', ?, ?, ?, 1, 0, '2026-01-01 00:00:00', ?)";
    let bound = params![format!("{n:032x}"), api_key, hash, format!("{:032x}", 1), expires_at];
    connection.execute(sql, bound).unwrap();
}
