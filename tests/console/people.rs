//! What is left of the pages: pictures, the log of one person, and a server that restarts.

use needs::needs;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::ADMIN;

/// A picture of 200 × 120 in a file, as the browser would be given one.
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
fn a_picture_is_made_small_by_the_browser_and_taken_away_again() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("My account");
    browser.is_at("My account");
    let file = server.dir.path().join("picture.bmp");
    std::fs::write(&file, bitmap()).unwrap();
    browser.choose("Picture file", file.to_str().unwrap());
    browser.is_told("The picture was saved.");
    browser.meets("//header//img[starts-with(@src, \"data:image/\")]");
    let length: i64 = server.query("SELECT length(profile_image) FROM users");
    assert!((100..=4096).contains(&length), "{length}");
    browser.click("Remove picture");
    browser.is_told("The picture was removed.");
    browser.meets("//body[not(.//img)]");
    browser.has_focus("Choose picture");

    std::fs::write(&file, "no picture").unwrap();
    browser.choose("Picture file", file.to_str().unwrap());
    browser.sees("This isn’t an image");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_log_is_narrowed_to_a_person_whom_one_types() {
    let server = Server::start();
    let admin = server.admin();
    server.add_active(&admin, "erika");
    server.add_active(&admin, "greta");
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("Audit");
    browser.is_at("Audit log");
    browser.meets("//tbody[contains(., \"greta\") and contains(., \"erika\")]");
    browser.fill("User", "erika");
    browser.meets("//tbody[contains(., \"erika\") and not(contains(., \"greta\"))]");
    assert_eq!(browser.value("User"), "erika");
    browser.choose("Action", "User created");
    browser.meets("//tbody[count(tr)=1]//td[contains(., \"User created\")]");
    browser.fill("User", "");
    browser.choose("User", "greta");
    browser.meets("//tbody[count(tr)=1]//td[.=\"greta\"]");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_server_that_restarts_finds_the_page_signed_in_as_before() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    let address = server.address.to_string();
    let dir = server.stop();
    browser.click("Audit");
    browser.sees("The server can’t be reached");
    let server = Server::with().set("bind", &address).in_dir(&dir).start();
    browser.misses("The server can’t be reached");
    browser.is_at("Audit log");
    browser.meets("//tbody/tr");
    server.stop();
}
