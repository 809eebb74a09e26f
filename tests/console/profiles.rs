//! Profile pictures, the audit log of one user, and server restarts.

use needs::needs;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::ADMIN;

/// A picture of 200 × 120 pixels as a file.
const BITMAP: (u32, u32) = (200, 120);

fn bitmap() -> Vec<u8> {
    let (width, height) = BITMAP;
    let size = width * height * 3;
    let mut file = b"BM".to_vec();
    for number in [54 + size, 0, 54, 40, width, height, 1 | 24 << 16, 0, size, 0, 0, 0, 0] {
        file.extend(number.to_le_bytes());
    }
    file.extend((0..=u8::MAX).cycle().take(size as usize));
    file
}

#[needs(browser)]
#[test]
fn a_picture_is_scaled_down_by_the_browser_and_removed() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("My account");
    browser.is_at("My account");
    let file = server.dir.path().join("picture.bmp");
    std::fs::write(&file, bitmap()).unwrap();
    browser.choose("Picture file", file.to_str().unwrap());
    browser.announces("The picture was saved.");
    browser.finds("//header//img[starts-with(@src, \"data:image/\")]");
    let length: i64 = server.query("SELECT length(profile_image) FROM users");
    assert!((100..=4096).contains(&length), "{length}");
    browser.click("Remove picture");
    browser.announces("The picture was removed.");
    browser.finds("//body[not(.//img)]");
    browser.has_focus("Choose picture");

    std::fs::write(&file, "no picture").unwrap();
    browser.choose("Picture file", file.to_str().unwrap());
    browser.sees("This isn’t an image");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_audit_log_is_filtered_by_a_typed_user_name() {
    let server = Server::start();
    let admin = server.admin();
    server.add_active(&admin, "erika");
    server.add_active(&admin, "greta");
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("Audit");
    browser.is_at("Audit log");
    browser.finds("//tbody[contains(., \"greta\") and contains(., \"erika\")]");
    browser.fill("User", "erika");
    browser.finds("//tbody[contains(., \"erika\") and not(contains(., \"greta\"))]");
    assert_eq!(browser.value("User"), "erika");
    browser.choose("Action", "User created");
    browser.finds("//tbody[count(tr)=1]//td[contains(., \"User created\")]");
    browser.fill("User", "");
    browser.choose("User", "greta");
    browser.finds("//tbody[count(tr)=1]//td[.=\"greta\"]");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_page_stays_signed_in_when_the_server_restarts() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    let address = server.address.to_string();
    let dir = server.stop();
    browser.click("Audit");
    browser.sees("The server can’t be reached");
    let server = Server::with().set("bind", &address).in_dir(&dir).start();
    browser.does_not_see("The server can’t be reached");
    browser.is_at("Audit log");
    browser.finds("//tbody/tr");
    server.stop();
}
