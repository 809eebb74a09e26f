//! Input has limits that are checked before any work.

use serde_json::json;

use crate::support::requests::{ALICE, start, with_alice};
use crate::support::server::ADMIN;

/// A character that NFKC expands to 18.
const EXPANDING: &str = "\u{fdfa}";

#[test]
fn a_user_name_of_64_kib_is_unknown_and_costs_one_hash() {
    let server = start(&[("throttle", "false")]);
    let form = |name: &str| format!("username={name}&password=quiet-otter-7");
    for name in [EXPANDING.repeat(21_000), EXPANDING.repeat(256), "x".repeat(256)] {
        let before = server.app.hasher.hash_count();
        let login = server.post("/api/v1/login").body("application/x-www-form-urlencoded", form(&name)).send();
        login.refused(401, "Incorrect username or password");
        assert_eq!(server.app.hasher.hash_count() - before, 1);
    }
}

#[test]
fn long_user_names_are_throttled_like_others() {
    let server = start(&[("trusted_proxies", "127.0.0.1")]);
    let sign_in = |length: usize| server.try_login_from("192.0.2.1", &EXPANDING.repeat(length), "wrong").status;
    let statuses: Vec<u16> = (300..317).map(sign_in).collect();
    assert_eq!(statuses, [&[401; 16][..], &[429]].concat());
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).status, 200);
}

#[test]
fn texts_longer_than_any_valid_one_are_refused() {
    let (server, admin, _) = with_alice(&[]);
    let encoded = "%ef%b7%ba".repeat(256);
    let search = server.get(format!("/api/v1/users/?search={encoded}")).bearer(&admin).send().expect(422);
    assert_eq!(search.json()["detail"][0]["loc"], json!(["query", "search"]));
    server.get("/api/v1/users/whoami").key(&"k".repeat(20_000)).send().refused(403, "Invalid or missing API key");
    assert_eq!(server.whoami(&"t".repeat(20_000)).status, 401);
    server.get("/api/v1/session").cookie("access_token_lf", &"c".repeat(20_000)).send().expect(200);
    let reset = json!({ "token": "r".repeat(60_000), "password": "quiet-otter-9" });
    server.post("/api/v1/reset-password").json(&reset).send().expect(403);
    let me = server.whoami(&admin).field("id");
    let tags = vec!["\"x\""; 3000].join(",");
    let patch = server.patch(format!("/api/v1/users/{me}")).bearer(&admin).header("If-Match", tags);
    patch.json(&json!({})).send().expect(412);
}

#[test]
fn a_long_refused_path_is_truncated_in_the_log() {
    let (server, admin, _) = with_alice(&[]);
    let alice = server.login(ALICE.0, ALICE.1).access;
    server.get(format!("/api/v1/users/{}", "x".repeat(9000))).bearer(&alice).send().expect(422);
    server.get("/api/v1/audit".to_owned() + "?x=" + &"y".repeat(9000)).bearer(&alice).send().expect(403);
    let entry = &server.audit(&admin, "access.refuse")[0];
    assert!(entry["detail"].as_str().unwrap().len() < 400);
}
