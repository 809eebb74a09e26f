//! A simulated authenticator app.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use super::Server;

/// An authenticator app with the secret of one account.
pub struct App(Vec<u8>);

impl App {
    /// Creates an app with this base32 secret.
    pub fn with_secret(base32: &str) -> Self {
        Self(Secret::try_from_base32(base32).unwrap().as_ref().to_vec())
    }

    /// The app's code at this time.
    pub fn code(&self, at: DateTime<Utc>) -> String {
        let totp = Builder::new().with_secret(self.0.clone()).build().unwrap();
        totp.generate(u64::try_from(at.timestamp()).unwrap()).to_string()
    }
}

impl Server {
    /// The app's code at the time of the server's clock.
    pub fn code(&self, app: &App) -> String {
        app.code(self.clock.now())
    }

    /// Adds an authenticator app to this account and confirms it, which uses up the current code.
    #[track_caller]
    pub fn enroll(&self, id: &str, access: &str, password: &str) -> App {
        let path = format!("/api/v1/users/{id}/factors/totp");
        let made = self.call("POST", &path, access, &json!({ "current_password": password })).expect(201);
        let app = App::with_secret(&made.field("secret"));
        let code = json!({ "code": self.code(&app) });
        self.call("POST", &format!("{path}/confirm"), access, &code).expect(200);
        app
    }

    /// Lists an account's second factors.
    pub fn factors(&self, id: &str, access: &str) -> Value {
        self.call("GET", &format!("/api/v1/users/{id}/factors"), access, &Value::Null).expect(200).json()
    }

    /// Creates recovery codes.
    #[track_caller]
    pub fn recovery_codes(&self, id: &str, access: &str, password: &str) -> Vec<String> {
        let path = format!("/api/v1/users/{id}/factors/recovery-codes");
        let made = self.call("POST", &path, access, &json!({ "current_password": password })).expect(201).json();
        made["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
    }

    /// Answers a challenge with a code.
    pub fn answer(&self, challenge: &str, code: &str) -> super::Response {
        let body = json!({ "challenge": challenge, "code": code });
        self.post("/api/v1/login/second-factor").json(&body).send()
    }
}
