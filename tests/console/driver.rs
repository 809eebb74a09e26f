//! A browser controlled through `chromedriver`. The driver's implicit wait does all the waiting, so tests don't sleep.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::client::{Connection, Request};

/// How long an element can take to appear, in milliseconds, even on a busy machine.
const TIMEOUT_MS: u64 = 30_000;
/// How long the driver can take for one response.
const DRIVER_TIMEOUT: Duration = Duration::from_mins(2);
/// Errors that mean that the page was redrawn since the element was found.
const TRANSIENT_ERRORS: [&str; 3] =
    ["stale element reference", "element click intercepted", "element not interactable"];
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
/// One browser at a time: several would slow each other down until tests time out.
static ONE_BROWSER: Mutex<()> = Mutex::new(());

/// The part of the page that accepts input: an open dialog, or else the page.
const TOP: &str = "//dialog|//body[not(.//dialog)]";

/// The XPath of the button or link with this name.
fn named(name: &str) -> String {
    format!(
        "({TOP})//*[self::button or self::a][normalize-space()=\"{name}\" or text()[normalize-space()=\"{name}\"] \
         or .//bdi=\"{name}\" or @aria-label=\"{name}\"]"
    )
}

/// The XPath of the field with this label.
fn field(label: &str) -> String {
    format!(
        "({TOP})//*[@id=//label[normalize-space()=\"{label}\"]/@for] | ({TOP})//*[@aria-label=\"{label}\" and (self::input or self::select or self::textarea)]"
    )
}

/// Starts the driver. Returns its port, or `None` if it exited because another process took the port that it had found.
fn start_driver() -> Option<(Child, u16)> {
    let mut command = Command::new("chromedriver");
    let mut driver = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| {
        let line = line.unwrap();
        line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
    });
    let Some(port) = port else {
        driver.wait().unwrap();
        return None;
    };
    // Reads on, so that later output doesn't fill the pipe.
    std::thread::spawn(move || lines.count());
    Some((driver, port))
}

/// A browser with its own profile, closed when dropped.
pub struct Browser {
    address: SocketAddr,
    session: String,
    driver: Child,
    _profile: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts a browser at `url`.
    pub fn open(url: &str) -> Self {
        Self::open_with(&[], url)
    }

    /// Starts a browser at `url` with additional arguments.
    pub fn open_with(more: &[&str], url: &str) -> Self {
        let turn = ONE_BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
        let (driver, port) = (0..10).find_map(|_| start_driver()).expect("chromedriver starts");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let profile = TempDir::new().unwrap();
        let data = format!("--user-data-dir={}", profile.path().display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([data.as_str()]).chain(more.iter().copied()).collect();
        let mut browser = Self { address, session: String::new(), driver, _profile: profile, _turn: turn };
        let capabilities = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "implicit": TIMEOUT_MS, "script": 60_000 },
        });
        let made = browser.send("POST", "/session", &json!({ "capabilities": { "alwaysMatch": capabilities } }));
        made["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        browser.go(url);
        browser
    }

    /// Sends a command to the driver. Returns whether it succeeded, and the response.
    fn ask(&self, method: &str, path: &str, body: &Value) -> (bool, Value) {
        let request = Request::new(self.address, method, path);
        let request = if method == "POST" { request.json(body) } else { request };
        let answer = request.send_on(&mut Connection::open(self.address).patient(DRIVER_TIMEOUT));
        (answer.status == 200, answer.json()["value"].clone())
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let (done, value) = self.ask(method, path, body);
        assert!(done, "{path} {body}: {} {}", value["error"], value["message"]);
        value
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.send("POST", &format!("/session/{}{path}", self.session), body)
    }

    /// Performs an action on the element at an XPath. Finds it again if the page was redrawn.
    fn perform(&self, xpath: &str, action: &str, body: &Value) {
        let end = Instant::now() + Duration::from_millis(TIMEOUT_MS);
        loop {
            let path = format!("/session/{}/element/{}/{action}", self.session, self.find(xpath));
            let (done, value) = self.ask("POST", &path, body);
            if done {
                return;
            }
            let passing = value["error"].as_str().is_some_and(|error| TRANSIENT_ERRORS.contains(&error));
            assert!(passing && Instant::now() < end, "{action} {xpath}: {} {}", value["error"], value["message"]);
        }
    }

    /// Sends a command of Chromium's DevTools protocol, for actions that WebDriver lacks.
    pub fn cdp(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// A command of WebDriver's extension for WebAuthn.
    pub fn webauthn(&self, method: &str, path: &str, body: &Value) -> Value {
        self.send(method, &format!("/session/{}/webauthn/{path}", self.session), body)
    }

    /// Loads an address.
    pub fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Resets the emulated screen size and waits until the page is drawn, so that clicks hit their target.
    pub fn reset_screen_size(&self) {
        self.cdp("Emulation.clearDeviceMetricsOverride", &json!({}));
        self.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))");
    }

    /// Switches to the `n`th tab.
    pub fn to_tab(&self, n: usize) {
        let tabs = self.send("GET", &format!("/session/{}/window/handles", self.session), &Value::Null);
        self.post("/window", &json!({ "handle": tabs[n] }));
    }

    /// Runs a script in the page and returns its result. Waits for promises.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits for the element at an XPath and returns it.
    fn find(&self, xpath: &str) -> String {
        let path = format!("/session/{}/element", self.session);
        let (done, found) = self.ask("POST", &path, &json!({ "using": "xpath", "value": xpath }));
        assert!(done, "{xpath}: {} in {}", found["error"], self.run("return document.body.innerText"));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Clicks the button or link with this name.
    pub fn click(&self, name: &str) {
        self.click_at(&named(name));
    }

    /// Clicks the element at an XPath.
    pub fn click_at(&self, xpath: &str) {
        self.perform(xpath, "click", &json!({}));
    }

    /// Presses keys at the focus. Special keys are WebDriver's code points.
    pub fn keys(&self, keys: &str) {
        let press = |key: char| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
        let strokes: Vec<Value> = keys.replace('\t', "\u{e004}").chars().flat_map(press).collect();
        self.post("/actions", &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] }));
    }

    /// Clears the field with this label and types into it.
    pub fn fill(&self, label: &str, text: &str) {
        self.perform(&field(label), "clear", &json!({}));
        self.choose(label, text);
    }

    /// Types into the field with this label, or chooses the option with this prefix.
    pub fn choose(&self, label: &str, text: &str) {
        self.perform(&field(label), "value", &json!({ "text": text }));
    }

    /// The text of the element at an XPath.
    pub fn text(&self, xpath: &str) -> String {
        let path = format!("/session/{}/element/{}/text", self.session, self.find(xpath));
        self.send("GET", &path, &Value::Null).as_str().unwrap().to_owned()
    }

    /// The value of the field with this label.
    pub fn value(&self, label: &str) -> String {
        let path = format!("/session/{}/element/{}/property/value", self.session, self.find(&field(label)));
        self.send("GET", &path, &Value::Null).as_str().unwrap().to_owned()
    }

    /// Waits until the page shows this text.
    pub fn sees(&self, text: &str) {
        self.find(&format!("//body[contains(normalize-space(.), \"{text}\")]"));
    }

    /// Waits until the page does not show this text.
    pub fn does_not_see(&self, text: &str) {
        self.find(&format!("//body[not(contains(normalize-space(.), \"{text}\"))]"));
    }

    /// Waits until the page has this heading and has finished loading.
    pub fn is_at(&self, heading: &str) {
        self.find(&format!("//h1[normalize-space()=\"{heading}\"]"));
        self.find("//body[not(.//*[@aria-busy=\"true\"])]");
    }

    /// Waits until an element matches an XPath.
    pub fn finds(&self, xpath: &str) {
        self.find(xpath);
    }

    /// Waits until the error at the field with this label contains a text.
    pub fn sees_field_error(&self, label: &str, text: &str) {
        self.find(&format!(
            "//div[label[normalize-space()=\"{label}\"]]/p[@class=\"field-error\" and contains(normalize-space(.), \"{text}\")]"
        ));
    }

    /// Signs in at the sign-in page.
    pub fn sign_in(&self, name: &str, password: &str) {
        self.is_at("Sign in");
        self.fill("User name", name);
        self.fill("Password", password);
        self.click("Sign in");
    }

    /// Focuses the button or link with this name.
    pub fn focus(&self, name: &str) {
        let xpath = named(name);
        self.find(&xpath);
        let script = "document.evaluate(arguments[0], document, null, 9).singleNodeValue.focus()";
        self.post("/execute/sync", &json!({ "script": script, "args": [xpath] }));
    }

    /// Waits until the focused element has this name.
    pub fn has_focus(&self, name: &str) {
        let look = "const [name, patience] = arguments, end = performance.now() + patience;
            const called = (one) => one.ariaLabel ?? one.labels?.[0]?.textContent ?? one.textContent;
            return new Promise((done) => {
                const look = () => {
                    const now = called(document.activeElement).trim();
                    if (now === name || performance.now() > end) done(now);
                    else setTimeout(look, 10);
                };
                look();
            });";
        let found = self.post("/execute/sync", &json!({ "script": look, "args": [name, TIMEOUT_MS / 2] }));
        let body: String = found.as_str().unwrap().chars().take(200).collect();
        assert_eq!(body, name);
    }

    /// Waits until a status line, which screen readers announce, contains the text.
    pub fn announces(&self, text: &str) {
        self.find(&format!("//*[@role=\"status\" and contains(normalize-space(.), \"{text}\")]"));
    }

    /// The page as a PNG, in base64.
    pub fn screenshot(&self) -> String {
        self.cdp("Page.captureScreenshot", &json!({}))["data"].as_str().unwrap().to_owned()
    }

    /// Errors in the browser's console, except responses with an error status.
    pub fn console_errors(&self) -> Vec<String> {
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
