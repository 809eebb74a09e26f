//! A client that keeps its connection and its token between requests.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::client::{Connection, Request, Response};
use crate::support::server::ADMIN;

/// One client.
pub struct Client {
    address: SocketAddr,
    connection: Option<Connection>,
    /// The token to send with each request.
    pub token: Option<String>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, connection: None, token: None }
    }

    /// Creates a client with a token.
    pub fn with_token(address: SocketAddr, token: Option<String>) -> Self {
        Self { token, ..Self::new(address) }
    }

    /// Creates another client of the same server.
    pub fn again(&self, token: Option<String>) -> Self {
        Self::with_token(self.address, token)
    }

    /// Creates a client that is signed in as the superuser.
    pub fn admin(address: SocketAddr) -> Self {
        let mut client = Self::new(address);
        let answer = client.login(ADMIN.0, ADMIN.1).unwrap().expect(200);
        client.token = answer.json()["access_token"].as_str().map(ToOwned::to_owned);
        client
    }

    pub fn login(&mut self, name: &str, password: &str) -> Option<Response> {
        self.send(self.request("POST", "/api/v1/login").form(&[("username", name), ("password", password)]))
    }

    pub fn get(&mut self, path: &str) -> Option<Response> {
        self.send(self.request("GET", path))
    }

    /// A request without a body.
    pub fn ask(&mut self, method: &str, path: &str) -> Option<Response> {
        self.send(self.request(method, path))
    }

    pub fn json(&mut self, method: &str, path: &str, body: &Value) -> Option<Response> {
        self.send(self.request(method, path).json(body))
    }

    /// Starts a request with the token.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let request = Request::new(self.address, method, path);
        match &self.token {
            Some(token) => request.bearer(token),
            None => request,
        }
    }

    /// Sends a request and reads the response; `None` if the server is gone. Doesn't reuse a connection that failed or
    /// that the server closes.
    pub fn send(&mut self, request: Request) -> Option<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::try_open(self.address)?,
        };
        connection.write(&request.bytes(true));
        let answer = connection.read(request.is_head())?;
        if answer.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Some(answer)
    }
}

/// A superuser's client that changes its picture and calls the health check.
pub struct Admin {
    pub client: Client,
    /// The superuser's own account.
    pub path: String,
}

impl Admin {
    pub fn of(address: SocketAddr) -> Self {
        let mut client = Client::admin(address);
        let me = client.get("/api/v1/users/whoami").unwrap().json();
        Self { path: format!("/api/v1/users/{}", me["id"].as_str().unwrap()), client }
    }

    pub fn set_picture(&mut self, picture: &str) -> Response {
        self.client.json("PATCH", &self.path, &json!({ "profile_image": picture })).unwrap()
    }

    pub fn picture(&mut self) -> String {
        let me = self.client.get("/api/v1/users/whoami").unwrap().expect(200).json();
        me["profile_image"].as_str().unwrap_or_default().to_owned()
    }

    /// The health check's status and its text about the database.
    pub fn health(&mut self) -> (u16, String) {
        let answer = self.client.get("/health_check").unwrap();
        (answer.status, answer.json()["db"].as_str().unwrap().to_owned())
    }
}

/// The body of a sign-up.
pub fn new_user(name: &str, password: &str) -> Value {
    json!({ "username": name, "password": password })
}
