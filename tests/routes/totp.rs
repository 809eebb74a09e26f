//! Adding an authenticator app.

use serde_json::json;

use crate::support::factors::App;
use crate::support::requests::{ALICE, with_alice};

#[test]
fn an_app_is_a_factor_only_after_its_first_code() {
    let (server, admin, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    let path = format!("/api/v1/users/{id}/factors/totp");
    let made = server.call("POST", &path, &access, &json!({ "current_password": ALICE.1 })).expect(201);
    let url = made.field("otpauth_url");
    assert!(url.starts_with("otpauth://totp/usher:alice?secret=") && url.contains("issuer=usher"), "{url}");
    assert!(made.field("qr_svg").contains("<svg") && made.field("secret").len() == 32);
    assert_eq!(server.try_login(ALICE.0, ALICE.1).status, 200, "it isn't confirmed yet");
    server
        .call("POST", &format!("{path}/confirm"), &access, &json!({ "code": "000000" }))
        .refused(400, "Incorrect code");
    let app = App::with_secret(&made.field("secret"));
    let code = json!({ "code": server.code(&app) });
    let confirmed = server.call("POST", &format!("{path}/confirm"), &access, &code).expect(200).json();
    assert_eq!((&confirmed["kind"], &confirmed["confirmed"]), (&json!("totp"), &json!(true)));
    assert_eq!(server.try_login(ALICE.0, ALICE.1).detail(), "Second factor required");
    assert_eq!(server.audit(&admin, "factor.add")[0]["target_name"], "alice");
}

#[test]
fn the_secret_is_stored_encrypted() {
    let (server, _, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    let path = format!("/api/v1/users/{id}/factors/totp");
    let secret =
        server.call("POST", &path, &access, &json!({ "current_password": ALICE.1 })).expect(201).field("secret");
    let stored: String = server.query("SELECT data FROM factors");
    assert!(stored.starts_with("gAAAA") && !stored.contains(&secret));
}
