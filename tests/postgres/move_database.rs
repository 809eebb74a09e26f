//! `usher move`: from SQLite to PostgreSQL and back.

use std::path::Path;
use std::sync::Arc;

use rusqlite::types::Value as SqliteValue;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::postgres::{connect, empty};
use crate::support::process::ProcessOutput;
use crate::support::wait::until;
use crate::support::{Program, ServerProcess};

/// At least one row in each table, with and without NULL. The user with the largest id is deleted.
const ROWS: &str = "
PRAGMA foreign_keys = ON;
INSERT INTO users VALUES
    (7, x'00112233445566778899aabbccddeeff', 'Ann', 'ann', 'h', NULL, NULL, 1, 1, '2026-01-31 12:00:00+00:00',
        '2026-01-31 12:00:00.500+00:00', NULL, NULL, 'ann', 0),
    (9, x'ffeeddccbbaa99887766554433221100', 'Ł ''\\ 🙂', 'ł ''\\ 🙂', 'h', 'a picture', 'k', 0, 0,
        '1999-12-31 23:59:59.999999+00:00', '2026-01-31 12:00:00.000001+00:00', '2026-01-31 12:00:00.123+00:00', '{}', 'l', 1),
    (12, zeroblob(16), 'gone', 'gone', 'h', NULL, NULL, 1, 0, '2026-01-31 12:00:00+00:00', '2026-01-31 12:00:00+00:00',
        NULL, NULL, 'gone', 0);
DELETE FROM users WHERE id = 12;
INSERT INTO sessions VALUES (3, randomblob(16), 7, '2026-01-31 12:00:00+00:00', '2026-01-31 12:00:00+00:00',
    '2099-01-31 12:00:00+00:00', 5000000000, '::1', NULL, 1, '2026-01-31 12:00:00+00:00', NULL);
INSERT INTO entry_tokens SELECT randomblob(32), uuid, '2026-01-31 12:00:00+00:00', NULL FROM sessions;
INSERT INTO name_keeping VALUES (1, 1);
INSERT INTO former_names VALUES ('zoe', zeroblob(16)), ('ärger', zeroblob(16)), ('Zoe', zeroblob(16));
INSERT INTO reset_links VALUES (1, 9, zeroblob(32), '2026-01-31 12:00:00+00:00', '2026-01-31 12:00:00+00:00');
INSERT INTO api_keys VALUES (4, randomblob(16), 9, NULL, randomblob(32), 'sk-', 46, 0, '2026-01-31 12:00:00+00:00', NULL,
    '2026-01-31 12:00:00+00:00', 3);
INSERT INTO audit VALUES (8, '2026-01-31 12:00:00+00:00', 'login', 0, NULL, NULL, '::1', NULL, NULL, NULL, 2, NULL),
    (9, '2026-01-31 12:00:00+00:00', 'user.add', 1, zeroblob(16), 'Ann', NULL, randomblob(16), 'x', 'line
two', 1, '2026-01-31 12:00:01+00:00');
INSERT INTO attempts VALUES (x'ff000000000000000000000000000000', 1, '2026-01-31 12:00:00+00:00'),
    (x'7f000000000000000000000000000000', 1, '2026-01-31 12:00:00+00:00');
INSERT INTO known_places VALUES (9, zeroblob(16), '2026-01-31 12:00:00+00:00'),
    (7, randomblob(16), '2026-01-31 12:00:00+00:00'), (7, zeroblob(16), '2026-01-31 12:00:00+00:00');
INSERT OR REPLACE INTO heartbeat VALUES (1, '2026-01-31 12:00:00+00:00', NULL);
INSERT INTO factors VALUES (2, randomblob(16), 7, 'totp', 'phone', 'd', NULL, NULL, 4, 1, '2026-01-31 12:00:00+00:00', NULL),
    (5, randomblob(16), 7, 'passkey', 'key', '{}', x'00', 'localhost', NULL, 1, '2026-01-31 12:00:00+00:00', NULL);
INSERT INTO recovery_codes VALUES (1, 7, zeroblob(32), NULL);
INSERT INTO challenges VALUES (1, zeroblob(32), 'login', 7, '::1', '{}', 0, '2026-01-31 12:00:00+00:00', NULL, NULL, 0);
INSERT INTO sign_ups VALUES (9, zeroblob(16), '2026-01-31 12:00:00+00:00');
INSERT INTO invitations VALUES (1, randomblob(16), zeroblob(32), NULL, 3, 1, '2026-01-31 12:00:00+00:00',
    '2026-01-31 12:00:00+00:00');
INSERT INTO deletion_requests VALUES (1, randomblob(16), 9, 'requested', '2026-01-31 12:00:00+00:00', NULL);
INSERT INTO event_position VALUES (1, 9);
";

/// `usher ARGUMENTS` with SQLite.
fn sqlite(dir: &Arc<TempDir>, arguments: &[&str]) -> Program {
    Program::in_dir(dir, arguments).without_env("USHER_DATABASE")
}

/// `usher ARGUMENTS` with PostgreSQL.
fn postgres(dir: &Arc<TempDir>, address: &str, arguments: &[&str]) -> Program {
    Program::in_dir(dir, arguments).env("USHER_DATABASE", address)
}

fn open(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
}

fn file(dir: &TempDir) -> Connection {
    open(&dir.path().join("data/usher.db"))
}

/// A stopped server's directory, with users and rows in all tables.
fn filled() -> Arc<TempDir> {
    let dir = Arc::new(TempDir::new().unwrap());
    sqlite(&dir, &[]).start().stop();
    file(&dir).execute_batch(ROWS).unwrap();
    dir
}

fn done(program: Program) -> Value {
    let ended = program.finish();
    assert!(ended.status.success(), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

/// A move that must be refused.
#[track_caller]
fn refused(program: Program, why: &str) -> ProcessOutput {
    let ended = program.finish();
    assert!(ended.status.code() == Some(1) && ended.stderr.contains(why), "{ended:?}");
    ended
}

fn tables(connection: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_stat1' ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn rows(connection: &Connection, table: &str) -> Vec<Vec<SqliteValue>> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let width = statement.column_count();
    let all = statement.query_map([], |row| (0..width).map(|column| row.get(column)).collect());
    all.unwrap().collect::<Result<_, _>>().unwrap()
}

fn is_without_tables(address: &str) -> bool {
    let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    connect(address).query_one(sql, &[]).unwrap().get::<_, i64>(0) == 0
}

#[test]
fn everything_moves_to_postgresql_and_back_unchanged() {
    let (dir, target) = (filled(), empty());
    let before = file(&dir);
    let moved = done(sqlite(&dir, &["move", "--to", &target, "--json"]));
    for table in tables(&before).iter().filter(|table| !table.starts_with("sqlite_")) {
        let moved = moved["tables"].as_array().unwrap().iter().find(|moved| moved["table"] == **table).unwrap();
        assert_eq!(moved["rows"], rows(&before, table).len(), "{table}");
        assert!(moved["rows"] != 0, "add a row to {table} above");
    }
    let next = |address: &str, sql: &str| connect(address).query_one(sql, &[]).unwrap().get::<_, i64>(0);
    let disabled = "SELECT count(*) FROM pg_trigger WHERE tgenabled = 'D'";
    assert_eq!(next(&target, disabled), 0);
    assert_eq!(next(&target, "SELECT last_value FROM users_id_seq"), 13, "ids of users are never used again");
    assert_eq!(next(&target, "SELECT nextval('sessions_id_seq')"), 4);
    assert_eq!(next(&target, "SELECT nextval('challenges_id_seq')"), 2);
    let back = done(postgres(&dir, &target, &["move", "--to", "back", "--json"]));
    assert_eq!(back["users"], 2);
    let after = open(&dir.path().join("back/usher.db"));
    assert_eq!(tables(&after), tables(&before));
    for table in tables(&before) {
        let (one, mut other) = (rows(&before, &table), rows(&after, &table));
        if table == "audit" {
            let added: Vec<_> =
                other.split_off(one.len()).into_iter().map(|row| (row[2].clone(), row[9].clone())).collect();
            let text = |text: &str| SqliteValue::Text(text.into());
            assert_eq!(added, ["from SQLite", "from PostgreSQL"].map(|from| (text("move"), text(from))));
        }
        assert_eq!(one, other, "{table}");
    }
    let keys = ["data", "back"].map(|data| std::fs::read(dir.path().join(data).join("secret_key")).unwrap());
    assert_eq!(keys[0], keys[1]);
    let mode = |name: &str| crate::support::process::mode(&dir.path().join("back").join(name));
    assert_eq!((mode(""), mode("usher.db"), mode("secret_key")), (0o700, 0o600, 0o600));
}

fn admin(server: &ServerProcess) -> Value {
    let form = [("username", "admin"), ("password", "adminpw123")];
    server.request("POST", "/api/v1/login").form(&form).send().expect(200).json()
}

#[test]
fn sessions_keys_and_etags_survive_a_move_to_postgresql_and_back() {
    let dir = Arc::new(TempDir::new().unwrap());
    let server = sqlite(&dir, &[]).superuser().start();
    let login = admin(&server);
    let token = login["access_token"].as_str().unwrap();
    let body = json!({ "name": "k" });
    let key = server.request("POST", "/api/v1/api_key/").bearer(token).json(&body).send().expect(200).json();
    let key = key["api_key"].as_str().unwrap();
    let whoami =
        |server: &ServerProcess| server.request("GET", "/api/v1/users/whoami").bearer(token).send().expect(200);
    let before = whoami(&server);
    server.stop();
    let target = empty();
    let said = sqlite(&dir, &["move", "--to", &target]).finish();
    assert!(said.stdout.starts_with("moved 1 user to postgres://"), "{said:?}");
    for part in ["database = \"postgres://", "secret_key", "data/usher.db stays as it was"] {
        assert!(said.stdout.contains(part), "{part} {said:?}");
    }
    let check = |server: ServerProcess| {
        let after = whoami(&server);
        assert_eq!(after.json(), before.json());
        assert_eq!(after.header("etag"), before.header("etag"));
        let by_key = server.request("GET", "/api/v1/users/whoami").header("x-api-key", key).send();
        assert_eq!(by_key.status, 200);
        let name = if server.dir.path().join("back").exists() { "second" } else { "first" };
        let body = json!({ "username": name, "password": "a long password" });
        server.request("POST", "/api/v1/users/").bearer(token).json(&body).send().expect(201);
        server.stop();
    };
    check(postgres(&dir, &target, &[]).start());
    done(postgres(&dir, &target, &["move", "--to", "back", "--json"]));
    check(sqlite(&dir, &["--data-dir", "back"]).without_env("USHER_DATA_DIR").start());
}

#[test]
fn a_refused_move_to_postgresql_writes_nothing() {
    let (dir, target) = (filled(), empty());
    let to = ["move", "--to", &target];
    let server = sqlite(&dir, &[]).start();
    refused(sqlite(&dir, &to), "a server is running on");
    server.stop();
    let set = |sql: &str| file(&dir).execute_batch(sql).unwrap();
    set("PRAGMA user_version = 6");
    refused(sqlite(&dir, &to), "has schema version 6");
    set("PRAGMA user_version = 8");
    refused(sqlite(&dir, &to), "has schema version 8");
    set("PRAGMA user_version = 7; UPDATE users SET profile_image = 'a' || char(0) || 'b' WHERE id = 9;
        UPDATE sessions SET expires_at = 'soon'");
    let said = refused(sqlite(&dir, &to), "2 values can't be moved").stderr;
    for fault in
        ["users, id 9: `profile_image` contains the character U+0000", "sessions, id 3: `expires_at` is not a time"]
    {
        assert!(said.contains(fault), "{said}");
    }
    set("UPDATE users SET profile_image = NULL; UPDATE sessions SET expires_at = created_at");
    refused(sqlite(&dir, &["move", "--to", &target.replace("usher@", "usher:pw@")]), "--to contains a password");
    refused(sqlite(&dir, &["move", "--to", "http://host/db"]), "--to is not a PostgreSQL address");
    let (key, aside) = (dir.path().join("data/secret_key"), dir.path().join("aside"));
    std::fs::rename(&key, &aside).unwrap();
    refused(sqlite(&dir, &to), "the secret key is missing");
    std::fs::rename(&aside, &key).unwrap();
    refused(postgres(&dir, &target.replace("test", "other"), &to), "are in PostgreSQL already");
    assert!(is_without_tables(&target));
    // The settings may be those for afterwards already.
    done(postgres(&dir, &target, &["move", "--to", &target, "--json"]));
    let not_empty = "the target isn't empty";
    refused(sqlite(&dir, &to), not_empty);
    let foreign = empty();
    connect(&foreign).batch_execute("CREATE TABLE x ()").unwrap();
    refused(sqlite(&dir, &["move", "--to", &foreign]), "not those of usher");
}

#[test]
fn a_move_to_a_directory_refuses_running_servers_and_existing_databases() {
    let (dir, address) = (Arc::new(TempDir::new().unwrap()), empty());
    let server = postgres(&dir, &address, &[]).start();
    let elsewhere = Arc::new(TempDir::new().unwrap());
    std::fs::create_dir(elsewhere.path().join("data")).unwrap();
    std::fs::copy(server.data_dir().join("secret_key"), elsewhere.path().join("data/secret_key")).unwrap();
    refused(postgres(&elsewhere, &address, &["move", "--to", "back"]), "usher uses the database, from 127.0.0.1");
    refused(postgres(&dir, &address, &["move", "--to", "back"]), "a server is running on");
    server.stop();
    refused(sqlite(&dir, &["move", "--to", "back"]), "`database` isn't set");
    // The file of an earlier move.
    std::fs::write(dir.path().join("data/usher.db"), "old").unwrap();
    refused(postgres(&dir, &address, &["move", "--to", "data"]), "usher.db exists");
    std::fs::create_dir_all(dir.path().join("back")).unwrap();
    std::fs::write(dir.path().join("back/secret_key"), "x".repeat(40)).unwrap();
    refused(postgres(&dir, &address, &["move", "--to", "back"]), "is another secret key");
    let names = |dir: &Path| std::fs::read_dir(dir).unwrap().count();
    assert_eq!(names(&dir.path().join("back")), 1);
    assert!(connect(&address).execute("UPDATE writer SET id = 1", &[]).is_ok(), "nothing stays locked");
}

#[test]
fn an_interrupted_move_leaves_the_target_empty() {
    let dir = filled();
    let fill = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 60000) \
         INSERT INTO audit (at, action, success, detail) \
         SELECT '2026-01-01 00:00:00+00:00', 'login', 1, printf('%.*c', 200, 'x') FROM n";
    file(&dir).execute_batch(fill).unwrap();
    let target = empty();
    let mut moving = sqlite(&dir, &["move", "--to", &target]).begin();
    let copies =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY audit%'";
    let mut watch = connect(&target);
    until("it doesn't copy", || {
        assert!(!moving.has_exited(), "it ended before it could be stopped");
        watch.query_one(copies, &[]).unwrap().get::<_, i64>(0) > 0
    });
    moving.interrupt();
    let ended = moving.wait_for_exit();
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert!(ended.stderr.contains("interrupted; nothing was changed"), "{ended:?}");
    assert!(is_without_tables(&target));
    done(sqlite(&dir, &["move", "--to", &target, "--json"]));
    // Back, it is interrupted while the file has another name.
    let back = dir.path().join("back");
    let mut moving = postgres(&dir, &target, &["move", "--to", "back"]).begin();
    until("it writes no file", || {
        assert!(!moving.has_exited(), "it ended before it could be stopped");
        std::fs::read_dir(&back).map_or(0, Iterator::count) > 0
    });
    moving.interrupt();
    assert_eq!(moving.wait_for_exit().status.code(), Some(130));
    assert_eq!(std::fs::read_dir(&back).unwrap().count(), 0);
}
