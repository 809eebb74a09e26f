//! The real server inside the test's process. The test controls settings, clock and database.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;
use usher::config::{Config, Inputs};
use usher::domain::clock::Clock;
use usher::http::App;
use usher::server::{self, FirstSuperuser, StartError};

use super::client::{Connection, Request};
use super::postgres;
use super::wait::until;

/// The superuser of every server, except with [`Builder::without_superuser`].
pub const ADMIN: (&str, &str) = ("admin", "adminpw123");
/// A password that passes every check.
pub const PASSWORD: &str = "correct horse 1";

/// A server that runs until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// The server's clock. It can be moved after [`Builder::manual_clock`].
    pub clock: Clock,
    /// The state that the server's requests share.
    pub app: Arc<App>,
    /// How the first superuser was created.
    pub first_superuser: FirstSuperuser,
    /// The data directory, deleted with its last clone.
    pub dir: Arc<TempDir>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

/// Both tokens of a sign-in.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

/// Builds a server from settings.
#[must_use]
pub struct Builder {
    settings: BTreeMap<String, String>,
    clock: Clock,
    dir: Option<Arc<TempDir>>,
    bcrypt_cost: u32,
}

impl Builder {
    /// Sets a setting as in `config.toml`. Separate list items with commas.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(format!("USHER_{}", key.to_ascii_uppercase()), value.to_owned());
        self
    }

    /// Removes `superuser` from the settings, so that the server creates a setup link.
    pub fn without_superuser(mut self) -> Self {
        self.settings.retain(|name, _| !name.starts_with("USHER_SUPERUSER"));
        self
    }

    /// Uses a manual clock that starts at noon on June 1, 2026.
    pub fn manual_clock(mut self) -> Self {
        let noon = DateTime::parse_from_rfc3339("2026-06-01T12:00:00Z").unwrap();
        self.clock = Clock::manual(noon.with_timezone(&Utc));
        self
    }

    /// Uses this clock.
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = clock.clone();
        self
    }

    /// Uses the directory of a stopped server.
    pub fn in_dir(mut self, dir: &Arc<TempDir>) -> Self {
        self.dir = Some(Arc::clone(dir));
        self
    }

    /// Sets the bcrypt cost; the default here is 4.
    pub fn bcrypt_cost(mut self, cost: u32) -> Self {
        self.bcrypt_cost = cost;
        self
    }

    /// Starts the server.
    pub fn start(self) -> Server {
        self.try_start().unwrap_or_else(|error| panic!("the server does not start: {error}"))
    }

    /// Starts the server or returns the error.
    pub fn try_start(self) -> Result<Server, StartError> {
        let dir = self.dir.unwrap_or_else(|| Arc::new(TempDir::new().unwrap()));
        let mut env = self.settings;
        env.insert("USHER_DATA_DIR".to_owned(), dir.path().join("data").display().to_string());
        if postgres::IS_ENGINE {
            env.entry("USHER_DATABASE".to_owned()).or_insert_with(|| postgres::address_for(dir.path()));
        }
        let inputs = Inputs { env, working_dir: dir.path().to_owned(), ..Inputs::default() };
        let mut config = Config::load(&inputs).unwrap_or_else(|error| panic!("{error}"));
        // The settings would reject the low bcrypt cost.
        config.bcrypt_cost = self.bcrypt_cost;

        let clock = self.clock;
        let (started, ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn({
            let clock = clock.clone();
            move || {
                System::new().block_on(async move {
                    let built = match server::build(config, clock).await {
                        Ok(built) => built,
                        Err(error) => return started.send(Err(error)).unwrap(),
                    };
                    let app = Arc::clone(built.app());
                    started.send(Ok((built.address, app, built.first_superuser.clone(), built.handle()))).unwrap();
                    built.run().await.unwrap();
                });
            }
        });
        let (address, app, first_superuser, handle) = ready.recv().unwrap()?;
        let url = format!("http://{address}");
        Ok(Server { address, url, clock, app, first_superuser, dir, handle, thread: Some(thread) })
    }
}

impl Server {
    /// Starts a server with the superuser [`ADMIN`], `signup = "approval"` and no throttling.
    pub fn start() -> Self {
        Self::with().start()
    }

    /// Like [`Server::start`], but returns the builder.
    pub fn with() -> Builder {
        let builder = Builder { settings: BTreeMap::new(), clock: Clock::system(), dir: None, bcrypt_cost: 4 };
        builder
            .set("bind", "127.0.0.1:0")
            .set("workers", "2")
            .set("throttle", "false")
            .set("superuser", ADMIN.0)
            .set("superuser_password", ADMIN.1)
    }

    /// Stops the server, which writes everything to disk. Returns the directory for another server.
    pub fn stop(mut self) -> Arc<TempDir> {
        self.end();
        Arc::clone(&self.dir)
    }

    fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            drop(self.handle.stop(false));
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server's thread panicked");
        }
    }

    /// The directory of `usher.db` and `secret_key`.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A separate connection to the database. The server writes key-use counts to it with a delay.
    pub fn database(&self) -> rusqlite::Connection {
        #[expect(clippy::disallowed_methods, reason = "a test looks behind the two doors")]
        rusqlite::Connection::open(self.data_dir().join("usher.db")).unwrap()
    }

    /// Queries the first value from the database.
    pub fn query<T: rusqlite::types::FromSql + ::postgres::types::FromSqlOwned>(&self, sql: &str) -> T {
        self.query_all(sql).into_iter().next().unwrap()
    }

    /// A column out of the database.
    pub fn query_all<T: rusqlite::types::FromSql + ::postgres::types::FromSqlOwned>(&self, sql: &str) -> Vec<T> {
        if postgres::IS_ENGINE {
            let rows = postgres::connect(&postgres::address_for(self.dir.path())).query(sql, &[]).unwrap();
            return rows.iter().map(|row| row.get(0)).collect();
        }
        let database = self.database();
        let mut statement = database.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// Changes the database behind the server's back.
    pub fn execute(&self, sql: &str) {
        if postgres::IS_ENGINE {
            return postgres::connect(&postgres::address_for(self.dir.path())).batch_execute(sql).unwrap();
        }
        self.database().execute_batch(sql).unwrap();
    }

    /// A request to this server.
    pub fn request(&self, method: &str, path: impl AsRef<[u8]>) -> Request {
        Request::new(self.address, method, path)
    }

    pub fn get(&self, path: impl AsRef<[u8]>) -> Request {
        self.request("GET", path)
    }

    pub fn post(&self, path: impl AsRef<[u8]>) -> Request {
        self.request("POST", path)
    }

    pub fn patch(&self, path: impl AsRef<[u8]>) -> Request {
        self.request("PATCH", path)
    }

    pub fn delete(&self, path: impl AsRef<[u8]>) -> Request {
        self.request("DELETE", path)
    }

    /// Opens a connection for arbitrary bytes.
    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Tries to sign in.
    pub fn try_login(&self, username: &str, password: &str) -> super::Response {
        self.post("/api/v1/login").form(&[("username", username), ("password", password)]).send()
    }

    /// Signs in.
    #[track_caller]
    pub fn login(&self, username: &str, password: &str) -> Tokens {
        let answer = self.try_login(username, password).expect(200).json();
        let token = |name: &str| answer[name].as_str().unwrap().to_owned();
        Tokens { access: token("access_token"), refresh: token("refresh_token") }
    }

    /// Signs in as the superuser and returns the access token.
    #[track_caller]
    pub fn admin(&self) -> String {
        self.login(ADMIN.0, ADMIN.1).access
    }

    /// Signs up without approval and returns the new user.
    #[track_caller]
    pub fn sign_up(&self, username: &str) -> Value {
        let body = json!({ "username": username, "password": PASSWORD });
        self.post("/api/v1/users/").json(&body).send().expect(201).json()
    }

    /// Adds an active user with [`PASSWORD`], with the superuser's token, and returns the id.
    #[track_caller]
    pub fn add_active(&self, admin: &str, username: &str) -> String {
        let body = json!({ "username": username, "password": PASSWORD });
        let user = self.post("/api/v1/users/").bearer(admin).json(&body).send().expect(201).json();
        let id = user["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/users/{id}");
        self.patch(path).bearer(admin).json(&json!({ "is_active": true })).send().expect(200);
        id
    }

    /// Adds an active user and signs in as the user. Returns the id and the tokens.
    #[track_caller]
    pub fn member(&self, admin: &str, username: &str) -> (String, Tokens) {
        let id = self.add_active(admin, username);
        (id, self.login(username, PASSWORD))
    }

    /// Creates an API key. Returns its id and the key.
    #[track_caller]
    pub fn create_key(&self, bearer: &str, name: &str) -> (String, String) {
        let answer = self.post("/api/v1/api_key/").bearer(bearer).json(&json!({ "name": name })).send();
        let answer = answer.expect(200).json();
        let text = |field: &str| answer[field].as_str().unwrap().to_owned();
        (text("id"), text("api_key"))
    }

    /// Waits until the server can read and write again.
    #[track_caller]
    pub fn recovers(&self) {
        until("the server doesn't recover", || self.get("/health_check").send().status == 200);
    }

    /// Requests `whoami` with an access token.
    pub fn whoami(&self, access: &str) -> super::Response {
        self.get("/api/v1/users/whoami").bearer(access).send()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
