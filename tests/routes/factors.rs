//! Managing second factors.

use serde_json::{Value, json};

use crate::support::requests::{ALICE, with_alice};
use crate::support::server::ADMIN;

#[test]
fn the_first_factor_ends_the_sessions_that_were_signed_in_without_one() {
    let (server, _, id) = with_alice(&[]);
    let stolen = server.login(ALICE.0, ALICE.1).access;
    let access = server.login(ALICE.0, ALICE.1).access;
    let app = server.enroll(&id, &access, ALICE.1);
    let whoami = |access: &str| server.get("/api/v1/users/whoami").bearer(access).send().status;
    assert_eq!((whoami(&stolen), whoami(&access)), (401, 200));
    // A session that was signed in with the factor stays when another is added.
    server.clock.advance(chrono::TimeDelta::seconds(60));
    let with_factor = server.login(ALICE.0, &format!("{}{}", ALICE.1, server.code(&app))).access;
    server.clock.advance(chrono::TimeDelta::seconds(60));
    server.enroll(&id, &access, ALICE.1);
    assert_eq!((whoami(&with_factor), whoami(&access)), (200, 200));
}

#[test]
fn managing_your_own_factors_needs_the_current_password() {
    let (server, _, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    let base = format!("/api/v1/users/{id}/factors");
    for path in ["totp", "passkey/options", "recovery-codes"] {
        let path = format!("{base}/{path}");
        server
            .call("POST", &path, &access, &json!({}))
            .refused(403, "Enter your current password, or sign in with a passkey");
        server
            .call("POST", &path, &access, &json!({ "current_password": "wrong" }))
            .refused(400, "Current password is incorrect");
    }
    server.enroll(&id, &access, ALICE.1);
    let factor = server.factors(&id, &access)["factors"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("{base}/{factor}");
    server.call("DELETE", &path, &access, &json!({})).expect(403);
    server.call("DELETE", &path, &access, &json!({ "current_password": ALICE.1 })).expect(200);
    assert_eq!(server.try_login(ALICE.0, ALICE.1).status, 200);
}

#[test]
fn an_api_key_cannot_manage_factors() {
    let (server, _, id) = with_alice(&[]);
    let key = server.create_key(&server.login(ALICE.0, ALICE.1).access, "script").1;
    let path = format!("/api/v1/users/{id}/factors/totp");
    let refused = server.call_by_key("POST", &path, &key, &json!({ "current_password": ALICE.1 }));
    refused.refused(403, "Sign in interactively to manage second factors");
}

#[test]
fn a_superuser_can_remove_other_users_factors_but_not_add_any() {
    let (server, admin, id) = with_alice(&[]);
    server.enroll(&id, &server.login(ALICE.0, ALICE.1).access, ALICE.1);
    let base = format!("/api/v1/users/{id}/factors");
    server
        .call("POST", &format!("{base}/totp"), &admin, &json!({ "current_password": ADMIN.1 }))
        .refused(403, "Permission denied");
    let factor = server.factors(&id, &admin)["factors"][0]["id"].as_str().unwrap().to_owned();
    server.call("DELETE", &format!("{base}/{factor}"), &admin, &json!({})).expect(200);
    assert_eq!(server.audit(&admin, "factor.remove")[0]["actor_name"], "admin");
    assert_eq!(server.try_login(ALICE.0, ALICE.1).status, 200);
}

#[test]
fn a_superusers_api_key_removes_factors_of_others_but_not_its_owners() {
    let (server, admin, id) = with_alice(&[("throttle", "false")]);
    let access = server.login(ALICE.0, ALICE.1).access;
    server.enroll(&id, &access, ALICE.1);
    let own = server.whoami(&admin).field("id");
    server.enroll(&own, &admin, ADMIN.1);
    let (key, members) = (server.create_key(&admin, "help desk").1, server.create_key(&access, "script").1);
    let path = |user: &str| {
        let factor = server.factors(user, &admin)["factors"][0]["id"].as_str().unwrap().to_owned();
        format!("/api/v1/users/{user}/factors/{factor}")
    };
    let refused = "Sign in interactively to manage second factors";
    let body = json!({ "current_password": ADMIN.1 });
    server.call_by_key("DELETE", &path(&own), &key, &body).refused(403, refused);
    server.call_by_key("DELETE", &path(&id), &members, &Value::Null).refused(403, refused);
    server.call_by_key("DELETE", &path(&own), &members, &Value::Null).refused(403, "Permission denied");
    server.call_by_key("DELETE", &path(&id), &key, &Value::Null).expect(200);
    assert_eq!(server.try_login(ALICE.0, ALICE.1).status, 200);
}

#[test]
fn removing_a_factor_checks_permission_before_the_password() {
    let (server, admin, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    let other = server.member(&admin, "bob").1.access;
    server.enroll(&id, &access, ALICE.1);
    let base = format!("/api/v1/users/{id}/factors");
    let path = format!("{base}/{}", server.factors(&id, &access)["factors"][0]["id"].as_str().unwrap());
    let nil = "00000000-0000-0000-0000-000000000000";
    let wrong = json!({ "current_password": "wrong" });
    for body in [Value::Null, wrong] {
        server.call("DELETE", &path, &other, &body).refused(403, "Permission denied");
        server.call("DELETE", &format!("{base}/{nil}"), &access, &body).refused(404, "Second factor not found");
        server.call("DELETE", &format!("{base}/{nil}"), &admin, &body).refused(404, "Second factor not found");
        let nobody = format!("/api/v1/users/{nil}/factors/{nil}");
        server.call("DELETE", &nobody, &admin, &body).refused(404, "User not found");
    }
    for method in ["totp", "passkey/options", "recovery-codes"] {
        let refused = server.call("POST", &format!("{base}/{method}"), &access, &Value::Null);
        refused.refused(403, "Enter your current password, or sign in with a passkey");
    }
    let refused = server.call("DELETE", &path, &access, &Value::Null);
    refused.refused(403, "Enter your current password, or sign in with a passkey");
    server.call("DELETE", &path, &admin, &Value::Null).expect(200);
    // A recent passkey stands in for the password, so that there is nothing to send.
    let mut passkey = server.add_passkey(&id, &access, ALICE.1);
    let access = server.passkey_login(&mut passkey).expect(200).field("access_token");
    let path = format!("{base}/{}", server.factors(&id, &access)["factors"][0]["id"].as_str().unwrap());
    server.call("DELETE", &path, &access, &Value::Null).expect(200);
}

#[test]
fn others_see_and_change_nothing() {
    let (server, admin, id) = with_alice(&[]);
    let other = server.member(&admin, "bob").1.access;
    let base = format!("/api/v1/users/{id}/factors");
    assert_eq!(server.call("GET", &base, &other, &Value::Null).status, 403);
    server.enroll(&id, &server.login(ALICE.0, ALICE.1).access, ALICE.1);
    let factor = server.factors(&id, &admin)["factors"][0]["id"].as_str().unwrap().to_owned();
    for method in ["PATCH", "DELETE"] {
        let body = json!({ "name": "mine" });
        assert_eq!(server.call(method, &format!("{base}/{factor}"), &other, &body).status, 403);
    }
}

#[test]
fn a_factor_is_renamed_and_recovery_codes_go_with_the_last_factor() {
    let (server, admin, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    server.enroll(&id, &access, ALICE.1);
    server.recovery_codes(&id, &access, ALICE.1);
    let factor = server.factors(&id, &access)["factors"][0].clone();
    assert_eq!(factor["name"], "Authenticator app");
    let path = format!("/api/v1/users/{id}/factors/{}", factor["id"].as_str().unwrap());
    for _ in 0..2 {
        server.call("PATCH", &path, &access, &json!({ "name": "Phone" })).expect(200);
        assert_eq!(server.factors(&id, &access)["factors"][0]["name"], "Phone");
    }
    let [renamed] = &server.audit(&admin, "factor.rename")[..] else { panic!("not one entry") };
    assert_eq!((&renamed["detail"], &renamed["count"]), (&json!("totp: \"Authenticator app\" → \"Phone\""), &json!(1)));
    assert_eq!((&renamed["actor_name"], &renamed["target_name"]), (&json!("alice"), &json!("alice")));
    server.call("DELETE", &path, &access, &json!({ "current_password": ALICE.1 })).expect(200);
    assert_eq!(server.factors(&id, &access)["recovery_codes_left"], 0);
}

#[test]
fn names_of_factors_and_keys_contain_no_control_characters() {
    let (server, _, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    server.enroll(&id, &access, ALICE.1);
    let factors = format!("/api/v1/users/{id}/factors");
    let factor = server.factors(&id, &access)["factors"][0]["id"].as_str().unwrap().to_owned();
    let factor = format!("{factors}/{factor}");
    for name in ["a\nb", "\u{1b}[31mred", "a\u{202e}b", "a\u{2066}b", "a\u{200f}b", "a\u{2028}b", "\u{85}", "a\r", "\t"]
    {
        let with_password = json!({ "current_password": ALICE.1, "name": name });
        let passkey = json!({ "challenge": "x", "credential": {}, "name": name });
        for (method, path, body) in [
            ("PATCH", factor.as_str(), json!({ "name": name })),
            ("POST", &format!("{factors}/totp"), with_password),
            ("POST", &format!("{factors}/passkey"), passkey),
            ("POST", "/api/v1/api_key/", json!({ "name": name })),
        ] {
            let refused = server.call(method, path, &access, &body).expect(422).json();
            let message = "Value error, String should not contain control characters";
            assert_eq!(refused["detail"][0]["msg"], message, "{method} {path} {name:?}");
            assert_eq!(refused["detail"][0]["loc"], json!(["body", "name"]));
        }
    }
    // Joiners are part of words and emoji.
    for name in ["Zoë's 名前", "👩\u{200d}💻", "می\u{200c}خواهم", "שלום"] {
        server.call("PATCH", &factor, &access, &json!({ "name": name })).expect(200);
        assert_eq!(server.factors(&id, &access)["factors"][0]["name"], name);
        server.create_key(&access, name);
    }
}
