//! A software passkey that runs both WebAuthn ceremonies over HTTP, without a browser.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Response, Server};

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const HAS_CREDENTIAL: u8 = 0x40;

/// A passkey of one account at one site. Tests change its fields to make it misbehave.
#[derive(Clone)]
pub struct Authenticator {
    /// Its key, its id, and its account.
    pub key: SigningKey,
    pub id: [u8; 32],
    pub user: Vec<u8>,
    /// The site that the browser is at.
    pub origin: String,
    /// The domain that the passkey signs for.
    pub rp_id: String,
    /// The counter of its uses.
    pub counter: u32,
    /// Whether it verifies its user, by PIN or fingerprint.
    pub verifies: bool,
    /// What the browser says about the frame that asks: members of the client data.
    pub frame: Value,
}

impl Authenticator {
    /// Creates an authenticator without a passkey, for a browser at this server.
    pub fn at(server: &Server) -> Self {
        let (mut key, mut id) = ([0; 32], [0; 32]);
        getrandom::fill(&mut key).unwrap();
        getrandom::fill(&mut id).unwrap();
        Self {
            key: SigningKey::from_slice(&key).unwrap(),
            id,
            user: vec![],
            origin: server.url.replace("127.0.0.1", "localhost"),
            rp_id: "localhost".to_owned(),
            counter: 0,
            verifies: true,
            frame: json!({ "crossOrigin": false }),
        }
    }

    /// Runs `navigator.credentials.create()`.
    pub fn create(&mut self, options: &Value) -> Value {
        let options = &options["publicKey"];
        self.user = BASE64.decode(options["user"]["id"].as_str().unwrap()).unwrap();
        let point = self.key.verifying_key().to_sec1_point(false);
        let (x, y) = (point.x().unwrap(), point.y().unwrap());
        let mut data = self.data(HAS_CREDENTIAL);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(self.id);
        // A COSE key, as CBOR: {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend_from_slice(x);
        data.extend([0x22, 0x58, 0x20]);
        data.extend_from_slice(y);
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        attestation.push(u8::try_from(data.len()).unwrap());
        attestation.extend(data);
        let response = json!({
            "attestationObject": BASE64.encode(attestation),
            "clientDataJSON": BASE64.encode(self.client_data("webauthn.create", options)),
            "transports": ["internal"],
        });
        self.answer(response)
    }

    /// Answers `navigator.credentials.get()`.
    pub fn get(&mut self, options: &Value) -> Value {
        let data = self.data(0);
        let client_data = self.client_data("webauthn.get", &options["publicKey"]);
        let signed = [data.as_slice(), &Sha256::digest(&client_data)].concat();
        let signature: Signature = self.key.sign(&signed);
        let response = json!({
            "authenticatorData": BASE64.encode(data),
            "clientDataJSON": BASE64.encode(client_data),
            "signature": BASE64.encode(signature.to_der()),
            "userHandle": BASE64.encode(&self.user),
        });
        self.answer(response)
    }

    fn answer(&mut self, response: Value) -> Value {
        let id = BASE64.encode(self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {} })
    }

    /// The authenticator data, with its counter raised.
    fn data(&mut self, flags: u8) -> Vec<u8> {
        self.counter += 1;
        let mut data = Sha256::digest(&self.rp_id).to_vec();
        data.push(flags | USER_PRESENT | if self.verifies { USER_VERIFIED } else { 0 });
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let mut data = json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin });
        data.as_object_mut().unwrap().extend(self.frame.as_object().unwrap().clone());
        data.to_string().into_bytes()
    }
}

impl Server {
    /// Asks for the options of a new passkey.
    #[track_caller]
    pub fn passkey_options(&self, id: &str, access: &str, password: &str) -> Value {
        let path = format!("/api/v1/users/{id}/factors/passkey/options");
        self.call("POST", &path, access, &json!({ "current_password": password })).expect(200).json()
    }

    /// Sends a new passkey.
    pub fn send_passkey(&self, id: &str, access: &str, challenge: &Value, credential: &Value) -> Response {
        let body = json!({ "challenge": challenge, "credential": credential, "name": "Laptop" });
        self.call("POST", &format!("/api/v1/users/{id}/factors/passkey"), access, &body)
    }

    /// Adds a passkey to this account.
    #[track_caller]
    pub fn add_passkey(&self, id: &str, access: &str, password: &str) -> Authenticator {
        let mut authenticator = Authenticator::at(self);
        let offered = self.passkey_options(id, access, password);
        let credential = authenticator.create(&offered["options"]);
        self.send_passkey(id, access, &offered["challenge"], &credential).expect(201);
        authenticator
    }

    /// Asks for the options of a sign-in with a passkey alone.
    #[track_caller]
    pub fn ask_for_passkey(&self) -> Value {
        self.post("/api/v1/login/passkey/options").send().expect(200).json()
    }

    /// Sends a passkey's answer to a challenge.
    pub fn send_assertion(&self, path: &str, challenge: &Value, credential: &Value) -> Response {
        self.post(path).json(&json!({ "challenge": challenge, "credential": credential })).send()
    }

    /// Signs in with a passkey alone.
    pub fn passkey_login(&self, authenticator: &mut Authenticator) -> Response {
        let offered = self.ask_for_passkey();
        let credential = authenticator.get(&offered["options"]);
        self.send_assertion("/api/v1/login/passkey", &offered["challenge"], &credential)
    }
}
