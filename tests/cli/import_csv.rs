//! `usher import csv`: imports all rows of a table or none.

use std::fs;

use serde_json::{Value, json};

use crate::helpers::{PASSWORD, json as printed, server, sign_in, usher};
use crate::support::process::ServerProcess;

/// The hash of "brave-badger-3", with cost 10.
const HASH: &str = "$2b$10$H20aEDdUaioJsgt5GnyynO3zHLeQ2gLFT51fNYP.MLXNZt9gW0x5m";

fn write(server: &ServerProcess, text: &str) {
    fs::write(server.dir.path().join("users.csv"), text).unwrap();
}

fn names(server: &ServerProcess) -> Vec<String> {
    let listed = printed(&server.dir, &["user", "list"]);
    listed.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_row_of_a_table_has_a_password_a_hash_or_a_reset_link() {
    let server = server();
    let text = format!(
        "\u{feff}username;password;password_hash;is_superuser;is_active\r\nada;{PASSWORD};;yes;\r\n\"Grace Hopper\";;{HASH};;1\r\n\
         eve;;;false;true\r\nbob;{PASSWORD};;;0\r\n"
    );
    write(&server, &text);
    let dry = printed(&server.dir, &["import", "csv", "users.csv", "--dry-run"]);
    assert_eq!((dry["imported"].as_array().unwrap().len(), &dry["links"]), (4, &json!([])));
    assert_eq!(names(&server), ["admin"]);

    let report = printed(&server.dir, &["import", "csv", "users.csv"]);
    assert_eq!((&report["dry_run"], &report["findings"]), (&json!(false), &json!([])));
    assert_eq!(names(&server), ["admin", "ada", "Grace Hopper", "eve", "bob"]);
    let session = sign_in(&server, "ada", PASSWORD).expect(200).field("access_token");
    server.request("GET", "/api/v1/users/").bearer(&session).send().expect(200);
    sign_in(&server, "grace hopper", "brave-badger-3").expect(200);
    sign_in(&server, "bob", PASSWORD).refused(400, "Waiting for approval");
    let links = report["links"].as_array().unwrap();
    assert_eq!((links.len(), &links[0]["username"]), (1, &json!("eve")));
    let token = links[0]["link"].as_str().unwrap().split_once("/reset#token=").unwrap().1;
    let body = json!({ "token": token, "password": PASSWORD });
    server.request("POST", "/api/v1/reset-password").json(&body).send().expect(200);
    sign_in(&server, "eve", PASSWORD).expect(200);
    let entries = printed(&server.dir, &["audit", "--user", "eve"]);
    let actions: Vec<&Value> = entries.as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert!(actions.contains(&&json!("user.add")) && actions.contains(&&json!("reset_link.add")), "{actions:?}");
}

#[test]
fn one_invalid_row_stops_the_import_and_each_error_has_line_and_column() {
    let server = server();
    let text = format!(
        "username,password,password_hash,is_active\nada,{PASSWORD},,\nADMIN,{PASSWORD},,\nADA,{PASSWORD},,\nx,short,,maybe\n\
         \"two\nlines\",,,\ny,{PASSWORD},{HASH},\nz,,md5,\nv,,,maybe\nw,{PASSWORD}\n"
    );
    write(&server, &text);
    let ended = usher(&server.dir, &["import", "csv", "users.csv", "--json"]);
    assert_eq!(ended.status.code(), Some(1));
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let found: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|one| one["who"].as_str().unwrap()).collect();
    let expected = [
        "line 3, column username",
        "line 4, column username",
        "line 5, column password",
        "line 5, column is_active",
        "line 6, column username",
        "line 8, column password_hash",
        "line 9, column password_hash",
        "line 10, column is_active",
        "line 11",
    ];
    assert_eq!(found, expected, "{report}");
    assert_eq!((&report["imported"], names(&server)), (&json!([]), vec!["admin".to_owned()]));
    assert!(!ended.stdout.contains(PASSWORD) && !ended.stderr.contains(PASSWORD), "{ended:?}");
}

#[test]
fn a_table_with_unknown_or_missing_columns_or_too_many_rows_is_refused_whole() {
    let server = server();
    let refused = |text: &str| {
        write(&server, text);
        let ended = usher(&server.dir, &["import", "csv", "users.csv"]);
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        ended.stderr
    };
    assert!(
        refused("username,emial\nada,x\n")
            .contains("line 1 has an unknown column, \"emial\"; the columns are username")
    );
    assert!(refused("password\nx\n").contains("line 1 must name the columns, among them username"));
    assert!(refused("username,username\nada,ada\n").contains("line 1 has the column username twice"));
    let many: Vec<String> = (0..10_001).map(|n| format!("user-{n}")).collect();
    assert!(refused(&format!("username\n{}", many.join("\n"))).contains("more than 10000 users; split it"));
    fs::write(server.dir.path().join("users.csv"), b"username\nada\n\xff\n").unwrap();
    let ended = usher(&server.dir, &["import", "csv", "users.csv"]);
    assert!(ended.stderr.contains("users.csv: line 3 is not UTF-8"), "{ended:?}");
    assert!(usher(&server.dir, &["import", "csv", "missing.csv"]).stderr.contains("missing.csv: No such file"));
}
