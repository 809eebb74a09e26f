//! Creating, reading, listing and changing users.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::requests::start;
use crate::support::server::{ADMIN, PASSWORD};

#[test]
fn the_signup_setting_decides_who_can_sign_up() {
    let new = |name: &str| json!({"username": name, "password": "quiet-otter-7"});
    for (signup, anyone, active) in [("approval", 201, false), ("open", 201, true), ("closed", 403, true)] {
        let server = Server::with().set("signup", signup).start();
        let answer = server.post("/api/v1/users/").json(&new("anyone")).send().expect(anyone);
        if anyone == 201 {
            assert_eq!(answer.json()["is_active"], active);
            let id = answer.json()["id"].as_str().unwrap().to_owned();
            assert_eq!(answer.header("location"), Some(format!("/api/v1/users/{id}").as_str()));
        } else {
            answer.refused(403, "Public user registration is disabled.");
            // An invalid credential counts as absent, and field errors come first.
            server.post("/api/v1/users/").bearer("x").json(&new("x")).send().expect(403);
            server.post("/api/v1/users/").json(&json!({})).send().expect(422);
        }
        let added = server.post("/api/v1/users/").bearer(&server.admin()).json(&new("added")).send().expect(201);
        assert_eq!(added.json()["is_active"], active, "{signup}");
    }
}

#[test]
fn the_last_superuser_stays_one_and_users_cannot_deactivate_themselves() {
    let server = Server::start();
    let admin = server.admin();
    let me = server.whoami(&admin).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/users/{me}");
    let change = |body| server.patch(&path).bearer(&admin).json(&body).send();
    change(json!({"is_active": false})).refused(403, "You can't deactivate your own user account");
    change(json!({"is_superuser": false})).refused(403, "The last active superuser can't be demoted or deactivated");
    let (other, _) = server.member(&admin, "alice");
    server
        .patch(format!("/api/v1/users/{other}"))
        .bearer(&admin)
        .json(&json!({"is_superuser": true}))
        .send()
        .expect(200);
    change(json!({"is_superuser": false})).expect(200);
}

#[test]
fn a_user_is_readable_by_superusers_and_the_user() {
    let server = Server::start();
    let admin = server.admin();
    let ((alice, tokens), (bob, _)) = (server.member(&admin, "alice"), server.member(&admin, "bob"));
    let read = |id: &str, token: &str| server.get(format!("/api/v1/users/{id}")).bearer(token).send();
    assert_eq!(read(&alice, &tokens.access).expect(200).json()["username"], "alice");
    assert_eq!(read(&bob, &admin).expect(200).json()["username"], "bob");
    read(&bob, &tokens.access).refused(403, "Permission denied");
    let nobody = "00000000-0000-4000-8000-000000000000";
    read(nobody, &tokens.access).refused(403, "Permission denied");
    read(nobody, &admin).refused(404, "User not found");
}

#[test]
fn signing_up_costs_the_same_with_a_taken_and_a_free_name() {
    let server = start(&[]);
    for (name, status) in [("free", 201), (ADMIN.0, 400), ("ADMIN", 400)] {
        let before = server.app.hasher.hash_count();
        let body = json!({"username": name, "password": "quiet-otter-7"});
        let answer = server.post("/api/v1/users/").json(&body).send();
        assert_eq!(answer.status, status);
        assert_eq!(server.app.hasher.hash_count() - before, 1, "{name}");
    }
}

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
    for search in ["STRASSE", "zo%20s", "e%CC%88%20s", "zo%C3%8B"] {
        let found = server.get(format!("/api/v1/users/?search={search}")).bearer(&admin).send().expect(200).json();
        assert_eq!(found["total_count"], i64::from(search != "zo%20s"), "{search}");
    }
    // A new spelling of the user's own name isn't a conflict.
    let id = server.get("/api/v1/users/?search=stra").bearer(&admin).send().json()["users"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let renamed =
        server.patch(format!("/api/v1/users/{id}")).bearer(&admin).json(&json!({"username": "ZOË straße"})).send();
    assert_eq!(renamed.expect(200).json()["username"], "ZOË straße");
}

#[test]
fn invisible_and_deceptive_names_are_refused() {
    let server = Server::start();
    let (empty, forbidden) = (
        "Username should have at least 1 character",
        "Username should not contain control, format or private-use characters",
    );
    let (spaces, mixed) =
        ("Username should separate words by single spaces", "Username should not mix letters of different scripts");
    for (name, sentence) in [
        ("", empty),
        ("  ", empty),
        ("a\0b", forbidden),
        ("a\u{202e}b", forbidden),
        ("a\u{200b}b", forbidden),
        ("\u{3164}", "Username should contain visible characters"),
        ("\u{e000}", forbidden),
        ("admin \u{3164}", "Username should not contain invisible characters"),
        ("admin\u{2800}", "Username should not contain invisible characters"),
        ("\u{301}", "Username should not begin a word with a combining mark"),
        ("аdmin", mixed),
        ("ad  min", spaces),
        ("ad\u{a0}min", spaces),
        ("Command Line", "Username is reserved"),
        ("schedule", "Username is reserved"),
    ] {
        let new = json!({"username": name, "password": "quiet-otter-7"});
        server.post("/api/v1/users/").json(&new).send().refused(400, sentence);
    }
    let long = |n: usize| {
        server.post("/api/v1/users/").json(&json!({"username": "é".repeat(n), "password": "quiet-otter-7"})).send()
    };
    long(256).refused(400, "Username should have at most 255 characters");
    long(255).expect(201);
}

#[test]
fn an_account_with_a_no_longer_allowed_name_keeps_working() {
    let server = Server::start();
    let admin = server.admin();
    let id = server.add_active(&admin, "old");
    let sql = "UPDATE users SET username = 'аdmin', username_folded = 'аdmin' WHERE username = 'old'";
    server.execute(sql);
    let own = server.login("АDMIN", PASSWORD).access;
    let patch = |body: &Value| server.patch(format!("/api/v1/users/{id}")).bearer(&own).json(body).send();
    patch(&json!({ "username": "аdmin", "profile_image": "x" })).expect(200);
    patch(&json!({ "username": "Аdmin" })).refused(400, "Username should not mix letters of different scripts");
    patch(&json!({ "username": "ada" })).expect(200);
}

#[test]
fn a_refused_name_is_reported_after_permission_and_existence() {
    let server = Server::start();
    let admin = server.admin();
    let (id, alice) = server.member(&admin, "alice");
    let rename = |id: &str, token: &str, body: serde_json::Value| {
        server.patch(format!("/api/v1/users/{id}")).bearer(token).json(&body).send()
    };
    let nobody = "00000000-0000-4000-8000-000000000000";
    let invisible = json!({ "username": "\u{3164}" });
    rename(nobody, &alice.access, invisible.clone()).refused(403, "Permission denied");
    rename(nobody, &admin, invisible.clone()).refused(404, "User not found");
    rename(&id, &alice.access, invisible).refused(400, "Username should contain visible characters");
    rename(&id, &admin, json!({ "password": "alice" })).refused(400, "Password should have at least 8 characters");
    let both = json!({ "username": "quiet-otter-7", "password": "QUIET-OTTER-7" });
    rename(&id, &admin, both).refused(400, "Password should not be the username");
    // Langflow's errors stay lists.
    assert_eq!(rename(&id, &admin, json!({ "username": 1 })).validation_errors(), ["body.username string_type"]);
}

#[test]
fn the_list_filters_by_exact_name_and_refuses_unknown_filters() {
    let server = Server::start();
    let admin = server.admin();
    for name in ["bob", "bobby"] {
        server.sign_up(name);
    }
    let list = |query: &str| server.get(format!("/api/v1/users/?{query}")).bearer(&admin).send();
    let names = |query: &str| -> Vec<String> {
        let page = list(query).expect(200).json();
        let names = page["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned());
        names.collect()
    };
    assert_eq!(names("username=bob"), ["bob"]);
    assert_eq!(names("username=BOB"), ["bob"]);
    assert_eq!(list("username=bob&skip=1").json()["total_count"], 1);
    for none in
        ["username=bo", "username=", "username=bob&skip=1", "username=bob&state=active", "username=bob&search=y"]
    {
        assert_eq!(names(none), [""; 0], "{none}");
    }
    assert_eq!(list("role_name=admin").validation_errors(), ["query.role_name value_error"]);
    list("unknown=1").expect(200);
}

#[test]
fn the_list_is_in_order_of_creation_with_the_number_of_matches() {
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

#[test]
fn if_match_prevents_overwriting_an_unseen_change() {
    let server = Server::start();
    let admin = server.admin();
    let id = server.add_active(&admin, "erika");
    let path = format!("/api/v1/users/{id}");
    let shown = server.get(&path).bearer(&admin).send().expect(200);
    let tag = shown.header("etag").unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", shown.json()["updated_at"].as_str().unwrap()));
    let rename = |name: &str, tag: &str| {
        server.patch(&path).bearer(&admin).header("if-match", tag).json(&json!({ "username": name })).send()
    };
    let changed = rename("rika", &tag).expect(200);
    let newer = changed.header("etag").unwrap();
    assert_ne!(newer, tag);
    rename("ika", &tag).refused(412, "The user was changed since you read it; reload and try again");
    rename("ika", "rubbish").refused(412, "The user was changed since you read it; reload and try again");
    assert_eq!(server.get(&path).bearer(&admin).send().json()["username"], "rika");
    rename("ika", &format!("\"another\" , {newer}")).expect(200);
    rename("ka", "*").expect(200);
    server.patch(&path).bearer(&admin).json(&json!({ "username": "a" })).send().expect(200);
}

#[test]
fn validation_errors_come_before_a_failed_if_match() {
    let server = Server::start();
    let admin = server.admin();
    let (id, erika) = server.member(&admin, "erika");
    let ask = |id: &str, token: &str, body| {
        server.patch(format!("/api/v1/users/{id}")).bearer(token).header("if-match", "\"old\"").json(&body).send()
    };
    assert_eq!(ask(&id, &admin, json!({ "is_active": "maybe" })).validation_errors(), ["body.is_active bool_parsing"]);
    ask(&id, &erika.access, json!({ "is_superuser": true })).refused(403, "Permission denied");
    let nobody = "00000000-0000-4000-8000-000000000000";
    ask(nobody, &admin, json!({ "username": "x" })).refused(404, "User not found");
    ask(&id, &admin, json!({ "username": "admin" }))
        .refused(412, "The user was changed since you read it; reload and try again");
}

#[test]
fn the_list_shows_second_factors_and_filters_users_without_one() {
    let server = Server::start();
    let admin = server.admin();
    for name in ["carol", "dora"] {
        server.add_active(&admin, name);
    }
    let (id, alice) = server.member(&admin, "alice");
    let begun = json!({ "current_password": PASSWORD });
    server.call("POST", &format!("/api/v1/users/{id}/factors/totp"), &alice.access, &begun).expect(201);
    let list = |query: &str| server.get(format!("/api/v1/users/?{query}")).bearer(&admin).send().expect(200).json();
    let names = |query: &str| -> Vec<String> {
        let page = list(query);
        let users = page["users"].as_array().unwrap();
        assert_eq!(page["total_count"], users.len(), "{query}");
        users.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        names("state=no_second_factor"),
        ["admin", "carol", "dora", "alice"],
        "an unconfirmed app doesn't count"
    );
    server.enroll(&id, &alice.access, PASSWORD);
    assert_eq!(names("state=no_second_factor"), ["admin", "carol", "dora"]);
    assert_eq!(names("state=no_second_factor&sort=last_login&order=desc"), ["admin", "dora", "carol"]);
    assert_eq!(names("state=no_second_factor&sort=name&search=a"), ["admin", "carol", "dora"]);
    assert_eq!(names("state=no_second_factor&username=carol"), ["carol"]);
    assert_eq!(names("state=no_second_factor&username=alice"), [""; 0]);
    let second_factors = |query: &str| -> Vec<Value> {
        list(query)["users"].as_array().unwrap().iter().map(|user| user["has_second_factor"].clone()).collect()
    };
    assert_eq!(second_factors("include=second_factor&sort=name"), [false, true, false, false]);
    assert_eq!(second_factors(""), [(); 4].map(|()| Value::Null));
    let wrong = server.get("/api/v1/users/?include=all").bearer(&admin).send();
    assert_eq!(wrong.expect(422).json()["detail"][0]["msg"], "Input should be 'second_factor'");
}

#[test]
fn a_name_or_a_search_text_with_nul_is_refused_or_unknown() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    for query in ["search=a%00b", "username=a%00b"] {
        let found = server.get(format!("/api/v1/users/?{query}")).bearer(&admin).send().expect(422).json();
        assert_eq!(found["detail"][0]["msg"], "Value error, String should not contain NUL characters", "{found}");
    }
    assert_eq!(server.try_login("a\0b", "quiet-otter-7").status, 401);
}

#[test]
fn search_and_order_ignore_accents_and_ids_are_found() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let ids = ["Zoe", "Łucja", "Jürgen", "Ångström", "john.doe", "Lucja"]
        .map(|name| (name, server.add(&admin, name, "quiet-otter-7")));
    let names = |query: &str| -> Vec<String> {
        let listed = server.call("GET", &format!("/api/v1/users/?{query}"), &admin, &Value::Null).expect(200).json();
        let names =
            listed["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned());
        names.collect()
    };
    assert_eq!(names("sort=name"), ["admin", "Ångström", "john.doe", "Jürgen", "Łucja", "Lucja", "Zoe"]);
    assert_eq!(names("sort=name&order=desc&limit=3"), ["Zoe", "Lucja", "Łucja"]);
    for (search, found) in [
        ("jurgen", &["Jürgen"][..]),
        ("J%C3%BCRGEN", &["Jürgen"]),
        ("j%C3%BBrg", &["Jürgen"]),
        ("lucja", &["Łucja", "Lucja"]),
        ("%C5%82u", &["Łucja", "Lucja"]),
        ("john.doe%20", &["john.doe"]),
        (&ids[0].1, &["Zoe"]),
        (&ids[1].1.to_uppercase(), &["Łucja"]),
        (&format!("{}&state=waiting", ids[0].1), &[]),
        ("00000000-0000-4000-8000-000000000000", &[]),
    ] {
        assert_eq!(names(&format!("search={search}")), found, "{search}");
    }
    // The name itself stays what it is.
    server
        .post("/api/v1/users/")
        .bearer(&admin)
        .json(&json!({"username": "Jurgen", "password": "quiet-otter-7"}))
        .send()
        .expect(201);
}
