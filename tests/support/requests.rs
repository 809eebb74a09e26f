//! Servers with throttling and a manual clock, and short forms of requests.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::server::{ADMIN, Builder};
use super::{Request, Response, Server};

/// Starts a server with these additional settings.
pub fn start(settings: &[(&str, &str)]) -> Server {
    with(settings).start()
}

/// Trusts a proxy on loopback, so that a test can send requests from any address. The clock starts at
/// 2026-06-01T12:00:00Z.
pub fn with(settings: &[(&str, &str)]) -> Builder {
    let defaults = Server::with().manual_clock().set("throttle", "true").set("trusted_proxies", "127.0.0.1");
    settings.iter().fold(defaults, |builder, (key, value)| builder.set(key, value))
}

impl Server {
    /// A request that the trusted proxy forwards from this address.
    pub fn from(&self, address: &str, method: &str, path: &str) -> Request {
        self.request(method, path).header("x-forwarded-for", address)
    }

    /// Tries to sign in from an address.
    pub fn try_login_from(&self, address: &str, name: &str, password: &str) -> Response {
        self.from(address, "POST", "/api/v1/login").form(&[("username", name), ("password", password)]).send()
    }

    /// Sends JSON with an access token; `null` means no body.
    pub fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> Response {
        with_body(self.request(method, path).bearer(token), body).send()
    }

    /// Sends JSON with an API key.
    pub fn call_by_key(&self, method: &str, path: &str, key: &str, body: &Value) -> Response {
        with_body(self.request(method, path).key(key), body).send()
    }

    /// Refreshes with a cookie.
    pub fn refresh(&self, token: &str) -> Response {
        self.post("/api/v1/refresh").cookie("refresh_token_lf", token).send()
    }

    /// Adds an active user with this password and returns the id.
    pub fn add(&self, admin: &str, name: &str, password: &str) -> String {
        let body = json!({ "username": name, "password": password });
        let id = self.call("POST", "/api/v1/users/", admin, &body).expect(201).field("id");
        self.call("PATCH", &format!("/api/v1/users/{id}"), admin, &json!({ "is_active": true })).expect(200);
        id
    }

    /// The newest audit log entries with this action.
    pub fn audit(&self, admin: &str, action: &str) -> Vec<Value> {
        let path = format!("/api/v1/audit?limit=100&action={action}");
        self.call("GET", &path, admin, &Value::Null).json()["entries"].as_array().unwrap().clone()
    }

    /// Advances the server's clock.
    pub fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }
}

fn with_body(request: Request, body: &Value) -> Request {
    if body.is_null() { request } else { request.json(body) }
}

/// The user name and password of the user that [`with_alice`] adds.
pub const ALICE: (&str, &str) = ("alice", "quiet-otter-7");

/// Starts a server with one user. Returns the server, the superuser's token and the user's id.
pub fn with_alice(settings: &[(&str, &str)]) -> (Server, String, String) {
    let server = start(settings);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let id = server.add(&admin, "alice", "quiet-otter-7");
    (server, admin, id)
}
