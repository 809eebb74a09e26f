//! Data downloads and account deletion requests.

use needs::needs;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

#[needs(browser)]
#[test]
fn a_user_downloads_data_and_requests_and_cancels_deletion() {
    let server = Server::start();
    let admin = server.admin();
    server.member(&admin, "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in("erika", PASSWORD);
    browser.is_at("My account");
    browser.click("Download my data");
    browser.announces("Your data was downloaded.");
    browser.click("Request deletion");
    browser.finds("//dialog[contains(., \"An administrator decides\")]");
    browser.click("Request deletion");
    browser.announces("Your request was sent.");
    browser.sees("You asked for the deletion of your account");
    browser.click("Withdraw request");
    browser.announces("Your request was withdrawn.");
    browser.click("Request deletion");
    browser.click("Cancel");
    browser.finds("//body[not(.//dialog)]");
    let states: String = server.query("SELECT group_concat(state) FROM deletion_requests");
    assert_eq!(states, "withdrawn");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn superusers_grant_or_decline_deletion_requests() {
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
    browser.finds("//tr[contains(., \"erika\") and contains(., \"Wants deletion\")]");
    browser.choose("Show", "Deletion requested");
    browser.finds("//tbody[count(tr)=3 and not(contains(., \"rosa\"))]");
    browser.click("Decline the deletion of erika");
    browser.announces("erika keeps the account.");
    browser.finds("//tbody[count(tr)=2 and not(contains(., \"erika\"))]");
    browser.click("Grant the deletion of greta");
    browser.click("Delete permanently");
    browser.announces("greta was deleted.");
    browser.finds("//tbody[count(tr)=1]");
    browser.click("hanna");
    browser.is_at("hanna");
    browser.sees("hanna asked for the deletion of this account");
    browser.click("Grant the deletion of hanna");
    browser.click("Delete permanently");
    browser.announces("hanna was deleted.");
    browser.is_at("Users");
    let left: String = server.query("SELECT group_concat(username) FROM users");
    assert_eq!(left, format!("{},erika,rosa", ADMIN.0));
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn with_self_deletion_users_confirm_with_a_word_and_are_signed_out() {
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
    assert_eq!(browser.console_errors(), [""; 0]);
}
