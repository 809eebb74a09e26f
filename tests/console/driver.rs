//! Owns the browser: starts `chromedriver`, and says to it what a person does and sees. Waiting is left to the driver
//! (its implicit wait), so that nothing here sleeps.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::client::{Connection, Request};

/// How long something may take to appear, in milliseconds.
const PATIENCE: u64 = 10_000;
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
];
/// One at a time: several browsers on a small machine slow each other down until they seem broken.
static TURN: Mutex<()> = Mutex::new(());

/// A browser with a profile of its own, which lasts until it is dropped.
pub struct Browser {
    address: SocketAddr,
    session: String,
    driver: Child,
    _profile: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts one at `url`; `None`, and a line on standard error, where there is none to start.
    pub fn open(url: &str) -> Option<Self> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(clippy::disallowed_methods, reason = "which tests run is no setting of usher's")]
        let wanted = std::env::var_os("USHER_BROWSER_TESTS").is_some();
        if !wanted {
            writeln!(std::io::stderr().lock(), "browser test skipped: set USHER_BROWSER_TESTS=1 to run it").unwrap();
            return None;
        }
        let installed = |name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
        if !installed("chromium") || !installed("chromedriver") {
            // Not `eprintln!`, which is only shown for tests that fail.
            writeln!(std::io::stderr().lock(), "browser test skipped: chromium or chromedriver is not installed")
                .unwrap();
            return None;
        }
        let mut driver =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
        });
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.count());
        let address = SocketAddr::from(([127, 0, 0, 1], port.unwrap()));
        let profile = TempDir::new().unwrap();
        let data = format!("--user-data-dir={}", profile.path().display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([data.as_str()]).collect();
        let mut browser = Self { address, session: String::new(), driver, _profile: profile, _turn: turn };
        let capabilities = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "implicit": PATIENCE, "script": 30_000 },
        });
        let made = browser.send("POST", "/session", &json!({ "capabilities": { "alwaysMatch": capabilities } }));
        made["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        browser.go(url);
        Some(browser)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let request = Request::new(self.address, method, path);
        let request = if method == "POST" { request.json(body) } else { request };
        let answer = request.send_on(&mut Connection::open(self.address));
        let value = answer.json()["value"].clone();
        assert_eq!(answer.status, 200, "{path} {body}: {} {}", value["error"], value["message"]);
        value
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.send("POST", &format!("/session/{}{path}", self.session), body)
    }

    /// A command of Chromium's own protocol, for what the standard has no word for.
    pub fn cdp(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Loads an address.
    pub fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Runs a script in the page and gives what it returns; promises are waited for.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The element at an XPath, as soon as there is one.
    fn find(&self, xpath: &str) -> String {
        let found = self.post("/element", &json!({ "using": "xpath", "value": xpath }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Clicks on the button or link that is called so.
    pub fn click(&self, name: &str) {
        let id = self.find(&format!(
            "(//dialog|//body[not(.//dialog)])//*[self::button or self::a][normalize-space()=\"{name}\" or span[2]=\"{name}\" or @aria-label=\"{name}\"]"
        ));
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Clicks on what is at an XPath.
    pub fn press_on(&self, xpath: &str) {
        let id = self.find(xpath);
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Presses keys wherever the focus is; those without a letter as WebDriver writes them.
    pub fn keys(&self, keys: &str) {
        let press = |key: char| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
        let strokes: Vec<Value> = keys.replace('\t', "\u{e004}").chars().flat_map(press).collect();
        self.post("/actions", &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] }));
    }

    /// The field with this label, in the form of this name if there is one of several.
    fn field(&self, label: &str) -> String {
        self.find(&format!(
            "(//dialog|//body[not(.//dialog)])//*[@id=//label[normalize-space()=\"{label}\"]/@for] | //*[@aria-label=\"{label}\" and self::input]"
        ))
    }

    /// Empties the field with this label and types into it.
    pub fn fill(&self, label: &str, text: &str) {
        let id = self.field(label);
        self.post(&format!("/element/{id}/clear"), &json!({}));
        self.post(&format!("/element/{id}/value"), &json!({ "text": text }));
    }

    /// Types into the field with this label, or chooses the option that begins so.
    pub fn choose(&self, label: &str, text: &str) {
        let id = self.field(label);
        self.post(&format!("/element/{id}/value"), &json!({ "text": text }));
    }

    /// What is in the field with this label.
    pub fn value(&self, label: &str) -> String {
        let id = self.field(label);
        let path = format!("/session/{}/element/{id}/property/value", self.session);
        self.send("GET", &path, &Value::Null).as_str().unwrap().to_owned()
    }

    /// Waits until the page shows this text.
    pub fn sees(&self, text: &str) {
        self.find(&format!("//body[contains(normalize-space(.), \"{text}\")]"));
    }

    /// Waits until the page does not show this text.
    pub fn misses(&self, text: &str) {
        self.find(&format!("//body[not(contains(normalize-space(.), \"{text}\"))]"));
    }

    /// Waits until this is the page's heading, and what the page asked for is there.
    pub fn is_at(&self, heading: &str) {
        self.find(&format!("//h1[normalize-space()=\"{heading}\"]"));
        self.find("//body[not(.//*[@aria-busy=\"true\"])]");
    }

    /// Waits until an XPath is met.
    pub fn meets(&self, xpath: &str) {
        self.find(xpath);
    }

    /// Waits until the fault beside the field with this label contains a text.
    pub fn faulted(&self, label: &str, text: &str) {
        self.find(&format!(
            "//div[label[normalize-space()=\"{label}\"]]/p[@class=\"fault\" and contains(normalize-space(.), \"{text}\")]"
        ));
    }

    /// Signs in at the page that asks for it.
    pub fn sign_in(&self, name: &str, password: &str) {
        self.is_at("Sign in");
        self.fill("Name", name);
        self.fill("Password", password);
        self.click("Sign in");
    }

    /// The page as a PNG, in base64.
    pub fn screenshot(&self) -> String {
        self.cdp("Page.captureScreenshot", &json!({}))["data"].as_str().unwrap().to_owned()
    }

    /// What scripts and the policy of the page complained about; refusals that the server sent are no complaint.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().unwrap().iter().filter(|e| e["source"] != "network" && e["level"] == "SEVERE");
        entries.map(|entry| entry["message"].to_string()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let path = format!("/session/{}", self.session);
            let _ = Request::new(self.address, "DELETE", path).try_send();
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
