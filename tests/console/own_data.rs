//! Downloading one's own data, and leaving.

use needs::needs;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

#[needs(browser)]
#[test]
fn a_user_downloads_their_data_asks_to_leave_and_withdraws() {
    let server = Server::start();
    let admin = server.admin();
    server.member(&admin, "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in("erika", PASSWORD);
    browser.is_at("My account");
    browser.click("Download my data");
    browser.is_told("Your data was downloaded.");
    browser.click("Request deletion");
    browser.meets("//dialog[contains(., \"An administrator decides\")]");
    browser.click("Request deletion");
    browser.is_told("Your request was sent.");
    browser.sees("You asked for the deletion of your account");
    browser.click("Withdraw request");
    browser.is_told("Your request was withdrawn.");
    browser.click("Request deletion");
    browser.click("Cancel");
    browser.meets("//body[not(.//dialog)]");
    let states: String = server.query("SELECT group_concat(state) FROM deletion_requests");
    assert_eq!(states, "withdrawn");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn superusers_find_deletion_requests_and_grant_or_decline_them() {
    let server = Server::start();
    let admin = server.admin();
    for name in ["erika", "greta", "hanna"] {
        let (_, tokens) = server.member(&admin, name);
        server.post("/api/v1/users/me/deletion-request").bearer(&tokens.access).send().expect(201);
    }
    server.add_active(&admin, "rosa");
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.meets("//tr[contains(., \"erika\") and contains(., \"Wants deletion\")]");
    browser.choose("Show", "Deletion requested");
    browser.meets("//tbody[count(tr)=3 and not(contains(., \"rosa\"))]");
    browser.click("Decline the deletion of erika");
    browser.is_told("erika keeps the account.");
    browser.meets("//tbody[count(tr)=2 and not(contains(., \"erika\"))]");
    browser.click("Grant the deletion of greta");
    browser.click("Delete permanently");
    browser.is_told("greta was deleted.");
    browser.meets("//tbody[count(tr)=1]");
    browser.click("hanna");
    browser.is_at("hanna");
    browser.sees("hanna asked for the deletion of this account");
    browser.click("Grant the deletion of hanna");
    browser.click("Delete permanently");
    browser.is_told("hanna was deleted.");
    browser.is_at("Users");
    let left: String = server.query("SELECT group_concat(username) FROM users");
    assert_eq!(left, format!("{},erika,rosa", ADMIN.0));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn where_people_may_delete_themselves_they_type_a_word_and_are_signed_out() {
    let server = Server::with().set("self_deletion", "true").start();
    let admin = server.admin();
    server.member(&admin, "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in("erika", PASSWORD);
    browser.is_at("My account");
    browser.click("Delete my account");
    browser.fill("Type “delete” to confirm", "delete");
    browser.click("Delete permanently");
    browser.is_at("Sign in");
    browser.sees("Your account was deleted.");
    server.try_login("erika", PASSWORD).expect(401);
    assert_eq!(browser.complaints(), [""; 0]);
}
