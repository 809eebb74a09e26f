//! The browser's virtual authenticator: passkeys and security keys without hardware.

use serde_json::{Value, json};

use crate::driver::Browser;

/// A virtual authenticator.
pub struct Authenticator<'a> {
    browser: &'a Browser,
    id: String,
}

impl<'a> Authenticator<'a> {
    /// A phone or laptop that stores passkeys and verifies its user.
    pub fn device(browser: &'a Browser) -> Self {
        Self::add(
            browser,
            &json!({ "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true }),
        )
    }

    /// A security key that stores no passkeys and doesn't verify its user.
    pub fn security_key(browser: &'a Browser) -> Self {
        Self::add(browser, &json!({ "protocol": "ctap1/u2f", "transport": "usb" }))
    }

    fn add(browser: &'a Browser, options: &Value) -> Self {
        let id = browser.webauthn("POST", "authenticator", options);
        Self { browser, id: id.as_str().unwrap().to_owned() }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.browser.webauthn(method, &format!("authenticator/{}/{path}", self.id), body)
    }

    /// Sets whether user verification succeeds.
    pub fn verifies(&self, is_verified: bool) {
        self.ask("POST", "uv", &json!({ "isUserVerified": is_verified }));
    }

    /// The stored credentials.
    pub fn credentials(&self) -> Vec<Value> {
        self.ask("GET", "credentials", &Value::Null).as_array().unwrap().clone()
    }

    /// Adds a credential.
    pub fn put(&self, credential: &Value) {
        self.ask("POST", "credential", credential);
    }

    /// Removes the authenticator from the browser.
    pub fn unplug(self) {
        self.browser.webauthn("DELETE", &format!("authenticator/{}", self.id), &Value::Null);
    }

    /// Replaces the only credential with a changed copy.
    pub fn alter(&self, members: &Value) {
        let mut credential = self.credentials().remove(0);
        let id = credential["credentialId"].as_str().unwrap().to_owned();
        self.ask("DELETE", &format!("credentials/{id}"), &Value::Null);
        credential.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        self.put(&credential);
    }
}
