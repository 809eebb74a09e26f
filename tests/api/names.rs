//! User names: kept as typed, compared as people read them.

use serde_json::json;

use crate::support::Server;

#[test]
fn names_that_differ_only_in_case_or_unicode_form_are_one_name() {
    let server = Server::with().set("signup", "open").start();
    let add =
        |name: &str| server.post("/api/v1/users/").json(&json!({"username": name, "password": "quiet-otter-7"})).send();
    assert_eq!(add("  Zoë Straße\t").expect(201).json()["username"], "Zoë Straße");
    for same in ["zoë straße", "ZOË STRASSE", "Zoe\u{308} Straße", "ＺＯË straße", "ADMIN"] {
        add(same).refused(400, "This username is unavailable.");
    }
    for spelling in ["zoe\u{308} strasse", "ZOË STRASSE", " Zoë Straße "] {
        assert_eq!(server.try_login(spelling, "quiet-otter-7").status, 200, "{spelling}");
    }
    let admin = server.admin();
    for search in ["STRASSE", "o%CC%88", "e%CC%88%20s", "zo%C3%8B"] {
        let found = server.get(format!("/api/v1/users/?search={search}")).bearer(&admin).send().expect(200).json();
        let wanted = i64::from(search != "o%CC%88");
        assert_eq!(found["total_count"], wanted, "{search}");
    }
    // A new spelling of one's own name is no conflict.
    let id = server.get("/api/v1/users/?search=stra").bearer(&admin).send().json()["users"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let renamed =
        server.patch(format!("/api/v1/users/{id}")).bearer(&admin).json(&json!({"username": "ZOË straße"})).send();
    assert_eq!(renamed.expect(200).json()["username"], "ZOË straße");
}

#[test]
fn names_that_cannot_be_seen_or_would_deceive_are_refused() {
    let server = Server::start();
    for (name, kind) in [
        ("", "string_too_short"),
        ("  ", "string_too_short"),
        ("a\0b", "value_error"),
        ("a\u{202e}b", "value_error"),
        ("a\u{200b}b", "value_error"),
        ("\u{3164}", "value_error"),
        ("\u{e000}", "value_error"),
    ] {
        let answer = server.post("/api/v1/users/").json(&json!({"username": name, "password": "quiet-otter-7"})).send();
        assert_eq!(answer.faults(), [format!("body.username {kind}")], "{name:?}");
    }
    let long = |n: usize| {
        server.post("/api/v1/users/").json(&json!({"username": "é".repeat(n), "password": "quiet-otter-7"})).send()
    };
    assert_eq!(long(256).faults(), ["body.username string_too_long"]);
    long(255).expect(201);
}

#[test]
fn the_list_is_in_order_of_creation_and_counts_what_matches() {
    let server = Server::start();
    let admin = server.admin();
    for name in ["carol", "alice", "Alicia", "bob"] {
        server.sign_up(name);
    }
    let list = |query: &str| server.get(format!("/api/v1/users/?{query}")).bearer(&admin).send().expect(200).json();
    let names = |page: &serde_json::Value| -> Vec<String> {
        page["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&list("")), ["admin", "carol", "alice", "Alicia", "bob"]);
    assert_eq!(names(&list("skip=3&limit=5")), ["Alicia", "bob"]);
    let page = list("search=ALI&limit=1&skip=1");
    assert_eq!((names(&page), page["total_count"].as_i64()), (vec!["Alicia".to_owned()], Some(2)));
    assert_eq!(list("search=%25")["total_count"], 0, "no pattern language");
    assert_eq!(list("search=")["total_count"], 5);
}
