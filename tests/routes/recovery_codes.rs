//! Recovery codes.

use serde_json::json;

use crate::support::requests::{ALICE, with_alice};

#[test]
fn a_recovery_code_signs_in_once_in_either_form() {
    let (server, _, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    server.enroll(&id, &access, ALICE.1);
    let codes = server.recovery_codes(&id, &access, ALICE.1);
    assert_eq!((codes.len(), &server.factors(&id, &access)["recovery_codes_left"]), (10, &json!(10)));
    server.login(ALICE.0, &format!("{}-{}", ALICE.1, codes[0]));
    server.try_login(ALICE.0, &format!("{}-{}", ALICE.1, codes[0])).expect(401);
    let asked = server.try_login(ALICE.0, ALICE.1).expect(401);
    assert_eq!(asked.json()["factors"], json!(["totp", "recovery"]));
    server.answer(&asked.field("challenge"), &codes[1].replace('-', "").to_uppercase()).expect(200);
    assert_eq!(server.factors(&id, &access)["recovery_codes_left"], 8);
    let stored: Vec<u8> = server.query("SELECT sha256 FROM recovery_codes LIMIT 1");
    assert_eq!(stored.len(), 32);
}

#[test]
fn new_recovery_codes_replace_the_old_ones() {
    let (server, admin, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    server.enroll(&id, &access, ALICE.1);
    let old = server.recovery_codes(&id, &access, ALICE.1);
    let new = server.recovery_codes(&id, &access, ALICE.1);
    assert_eq!(server.factors(&id, &access)["recovery_codes_left"], 10);
    server.try_login(ALICE.0, &format!("{}-{}", ALICE.1, old[0])).expect(401);
    server.login(ALICE.0, &format!("{}-{}", ALICE.1, new[0]));
    assert_eq!(server.audit(&admin, "recovery_codes.add")[0]["target_name"], "alice");
}

#[test]
fn an_account_without_a_factor_gets_no_recovery_codes() {
    let (server, _, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    let path = format!("/api/v1/users/{id}/factors/recovery-codes");
    let refused = server.call("POST", &path, &access, &json!({ "current_password": ALICE.1 }));
    refused.refused(404, "Second factor not found");
}
