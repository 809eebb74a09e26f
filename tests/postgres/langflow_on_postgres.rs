//! `usher import langflow` from PostgreSQL.

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::helpers::usher;
use crate::langflow::{outcome, sample, server};
use crate::support::Program;
use crate::support::postgres::{connect, empty};

/// The type that Langflow's migrations give a column on PostgreSQL.
fn type_of(table: &str, column: &str) -> &'static str {
    match (table, column) {
        (_, "id" | "user_id") => "UUID",
        (_, "is_active" | "is_superuser") => "BOOLEAN",
        ("apikey", "created_at" | "expires_at") => "TIMESTAMP WITH TIME ZONE",
        (_, column) if column.ends_with("_at") => "TIMESTAMP WITHOUT TIME ZONE",
        (_, "total_uses") => "INTEGER",
        (_, "optins") => "JSON",
        _ => "CHARACTER VARYING",
    }
}

/// Copies a sample to a PostgreSQL database, as Langflow would have it there. Returns its address.
fn on_postgres(version: &str) -> String {
    let address = empty();
    let mut target = connect(&address);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let source = Connection::open_with_flags(sample(&format!("langflow-{version}.db")), flags).unwrap();
    for table in ["user", "apikey"] {
        let mut statement = source.prepare(&format!("SELECT * FROM {table} ORDER BY rowid")).unwrap();
        let names: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
        let columns: Vec<String> = names.iter().map(|name| format!("{name} {}", type_of(table, name))).collect();
        target.batch_execute(&format!("CREATE TABLE \"{table}\" ({}, PRIMARY KEY (id))", columns.join(", "))).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let literal = |index: usize| match row.get::<_, rusqlite::types::Value>(index).unwrap() {
                rusqlite::types::Value::Null => "NULL".to_owned(),
                rusqlite::types::Value::Integer(number) => format!("'{number}'"),
                rusqlite::types::Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
                other => panic!("{other:?}"),
            };
            let values: Vec<String> = (0..names.len()).map(literal).collect();
            let values = values.join(", ");
            target.batch_execute(&format!("SET TimeZone = 'UTC'; INSERT INTO \"{table}\" VALUES ({values})")).unwrap();
        }
    }
    // usher must not depend on these settings of the database.
    let name = address.rsplit_once('/').unwrap().1.split_once('?').unwrap().0;
    let settings =
        format!("ALTER DATABASE {name} SET DateStyle = 'German'; ALTER DATABASE {name} SET TimeZone = 'Asia/Tokyo'");
    target.batch_execute(&settings).unwrap();
    address
}

#[test]
fn an_import_from_postgresql_has_the_same_report_as_from_sqlite() {
    for version in ["1.3.4", "1.8.4", "1.13.0"] {
        let address = on_postgres(version);
        let report = |from: &str| -> (Value, Vec<Value>) {
            let server = server();
            let key = sample(&format!("langflow-{version}.secret_key"));
            let arguments = ["import", "langflow", from, "--secret-key-file", &key, "--json"];
            let mut report = outcome(&usher(&server.dir, &arguments));
            report["imported"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
            assert!(usher(&server.dir, &["export", "users.jsonl"]).status.success());
            let mut users: Vec<Value> = std::fs::read_to_string(server.dir.path().join("users.jsonl"))
                .unwrap()
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .filter(|user: &Value| user["username"] != "keeper")
                .collect();
            // Encrypted with each server's own key.
            for user in &mut users {
                user["store_api_key"] = user["store_api_key"].is_string().into();
            }
            users.sort_by_key(ToString::to_string);
            (report, users)
        };
        let (file, server) = (report(&sample(&format!("langflow-{version}.db"))), report(&address));
        assert_eq!(file.0, server.0, "{version}");
        assert_eq!(file.1, server.1, "{version}");
        let sql = "SELECT count(*) FROM pg_stat_user_tables WHERE n_tup_upd + n_tup_del > 0";
        assert_eq!(connect(&address).query_one(sql, &[]).unwrap().get::<_, i64>(0), 0, "nothing was changed");
    }
}

#[test]
fn the_password_of_langflows_database_comes_from_a_file_and_is_not_printed() {
    let server = server();
    let address = on_postgres("1.13.0");
    let refused = |from: &str, more: &[&str], why: &str| {
        let ended = usher(&server.dir, &[&["import", "langflow", from], more].concat());
        assert!(!ended.status.success() && ended.stderr.contains(why), "{ended:?}");
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    };
    refused(&address.replace("usher@", "usher:hunter2@"), &[], "contains a password; remove it");
    refused("langflow.db", &["--source-password-file", "x"], "needs the address");
    refused(&address, &["--source-password-file", "missing"], "missing: ");
    std::fs::write(server.dir.path().join("pw"), "hunter2\n").unwrap();
    let elsewhere = address.replace("127.0.0.1", "127.0.0.1:1,127.0.0.1");
    let ended = usher(&server.dir, &["import", "langflow", &elsewhere, "--source-password-file", "pw", "--dry-run"]);
    assert!(ended.status.success(), "{ended:?}");
    let other = empty();
    refused(&other, &[], "is not a Langflow database: it has no table `user`");
    connect(&other).batch_execute("CREATE TABLE \"user\" (id UUID, username TEXT)").unwrap();
    refused(&other, &[], "no table `user` with a column `password`");
    refused(&address.replace("/test", "/missing"), &[], "does not exist");
    let ended = Program::in_dir(&server.dir, &["import", "langflow", &address, "--dry-run"]).finish();
    assert!(ended.status.success(), "{ended:?}");
}
