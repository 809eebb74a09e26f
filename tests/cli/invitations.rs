//! The commands for invitations.

use serde_json::json;

use crate::helpers::{PASSWORD, done, json as printed, refused, server, sign_in, usher};

#[test]
fn invitations_are_created_listed_used_and_revoked() {
    let server = server();
    let dir = &server.dir;
    let link = done(dir, &["invitation", "add", "--uses", "2", "--days", "1"]);
    let token = link.trim().split_once("/invitation#token=").unwrap().1;
    assert!(link.starts_with(&format!("http://{}/", server.address)), "{link}");
    let body = json!({ "token": token, "username": "ada", "password": PASSWORD });
    server.request("POST", "/api/v1/invitations/accept").json(&body).send().expect(201);
    sign_in(&server, "ada", PASSWORD).expect(200);
    let listed = printed(dir, &["invitation", "list"]);
    assert_eq!((&listed[0]["uses"], &listed[0]["max_uses"]), (&json!(1), &json!(2)));
    assert!(done(dir, &["invitation", "list"]).contains("1 of 2"));
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(done(dir, &["invitation", "revoke", id]), format!("revoked invitation {id}\n"));
    assert!(refused(dir, &["invitation", "revoke", id]).contains("no such open invitation; nothing was changed"));
    let body = json!({ "token": token, "username": "eve", "password": PASSWORD });
    server.request("POST", "/api/v1/invitations/accept").json(&body).send().expect(403);
    let entries = printed(dir, &["audit"]);
    let of = |action: &str| entries.as_array().unwrap().iter().filter(|entry| entry["action"] == action).count();
    assert_eq!([of("invitation.add"), of("invitation.use"), of("invitation.revoke")], [1, 1, 1]);
}

#[test]
fn an_invitation_for_a_taken_name_or_with_other_limits_is_refused() {
    let server = server();
    let dir = &server.dir;
    assert!(refused(dir, &["invitation", "add", "--username", "ADMIN"]).contains("\"ADMIN\" is taken"));
    let made = printed(dir, &["invitation", "add", "--username", "ada"]);
    assert_eq!((&made["invitation"]["username"], &made["invitation"]["max_uses"]), (&json!("ada"), &json!(1)));
    for arguments in [&["--uses", "101"][..], &["--uses", "0"], &["--days", "366"], &["--username", "a", "--uses", "1"]]
    {
        let ended = usher(dir, &[&["invitation", "add"], arguments].concat());
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
    }
}
