//! A real server on a free port, with its own database and a clock that stands still until a test moves it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use usher::config::{Config, Inputs};
use usher::domain::clock::Clock;
use usher::http::app::App;

/// The first superuser's name and password.
pub const ADMIN: (&str, &str) = ("admin", "adminpw123");

/// A running server; it stops when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub clock: Clock,
    pub app: Arc<App>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {self:?}")).to_owned()
    }

    /// The value of a cookie that is set.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let mut cookies = self.headers.iter().filter(|(known, _)| known == "set-cookie");
        let found = cookies.find_map(|(_, value)| value.strip_prefix(&format!("{name}=")));
        found.map(|value| value.split(';').next().unwrap().to_owned())
    }
}

/// Starts a server in `dir` with [`ADMIN`], a trusted proxy on loopback (so that a test can come from any address), and
/// these settings besides.
pub fn start(dir: &Path, settings: &[(&str, &str)]) -> Server {
    start_at(dir, settings, 0)
}

/// The same, so many seconds later.
pub fn start_at(dir: &Path, settings: &[(&str, &str)], seconds: i64) -> Server {
    let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap());
    let defaults = [
        ("USHER_DATA_DIR", dir.to_str().unwrap()),
        ("USHER_BIND", "127.0.0.1:0"),
        ("USHER_WORKERS", "1"),
        ("USHER_SUPERUSER", ADMIN.0),
        ("USHER_SUPERUSER_PASSWORD", ADMIN.1),
        ("USHER_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let env: BTreeMap<String, String> =
        defaults.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut config = Config::load(&Inputs { env, working_dir: dir.to_owned(), ..Inputs::default() }).unwrap();
    // The settings refuse a cost this low; tests need not wait.
    config.bcrypt_cost = 4;
    let (sender, receiver) = mpsc::channel();
    let own = clock.clone();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            let built = usher::server::build(config, own).await.unwrap();
            sender.send((built.address, built.handle(), Arc::clone(built.app()))).unwrap();
            built.run().await.unwrap();
        });
    });
    let (address, handle, app) = receiver.recv().unwrap();
    Server { address, clock, app, handle, thread: Some(thread) }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The command is sent when `stop` is called; the thread ends when it has been carried out.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Server {
    /// Sends a request on a connection of its own.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n").unwrap();
        for (name, value) in headers {
            write!(stream, "{name}: {value}\r\n").unwrap();
        }
        write!(stream, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let headers = headers.collect();
        Answer { status, headers, body: serde_json::from_str(body).unwrap_or(Value::Null) }
    }

    /// Sends JSON with an access token.
    pub fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &[("authorization", &bearer), ("content-type", "application/json")], &body)
    }

    /// Sends JSON with an API key.
    pub fn call_by_key(&self, method: &str, path: &str, key: &str, body: &Value) -> Answer {
        self.send(method, path, &[("x-api-key", key), ("content-type", "application/json")], &body.to_string())
    }

    /// Tries to log in from an address.
    pub fn try_login(&self, from: &str, name: &str, password: &str) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded"), ("x-forwarded-for", from)];
        self.send("POST", "/api/v1/login", &form, &format!("username={name}&password={password}"))
    }

    /// Logs in and returns the access and the refresh token.
    pub fn login(&self, (name, password): (&str, &str)) -> (String, String) {
        let answer = self.try_login("192.0.2.200", name, password);
        (answer.text("access_token"), answer.text("refresh_token"))
    }

    /// Refreshes with a cookie.
    pub fn refresh(&self, token: &str) -> Answer {
        self.send("POST", "/api/v1/refresh", &[("cookie", &format!("refresh_token_lf={token}"))], "")
    }

    /// Adds an active user and returns the id.
    pub fn add(&self, admin: &str, name: &str, password: &str) -> String {
        let id =
            self.call("POST", "/api/v1/users/", admin, &json!({"username": name, "password": password})).text("id");
        let approved = self.call("PATCH", &format!("/api/v1/users/{id}"), admin, &json!({"is_active": true}));
        assert_eq!(approved.status, 200);
        id
    }

    /// Whether the token still opens the API.
    pub fn whoami(&self, token: &str) -> u16 {
        self.call("GET", "/api/v1/users/whoami", token, &Value::Null).status
    }

    /// The newest entries of the audit log of this kind.
    pub fn audit(&self, admin: &str, action: &str) -> Vec<Value> {
        let answer = self.call("GET", &format!("/api/v1/audit?limit=100&action={action}"), admin, &Value::Null);
        answer.body["entries"].as_array().unwrap_or_else(|| panic!("{answer:?}")).clone()
    }

    /// Moves the server's clock.
    pub fn wait(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }
}
