//! Events for `on_event`: contents, delivery, retries.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use needs::needs;
use serde_json::{Value, json};
use usher::domain::clock::Clock;

use crate::support::process::Program;
use crate::support::server::{ADMIN, Builder, PASSWORD};
use crate::support::{Response, Server};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Longer than any delivery takes.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A receiver of events. It responds with these statuses in turn, and then with 200.
struct Hook {
    address: SocketAddr,
    received: Receiver<(String, Value)>,
}

impl Hook {
    fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (send, received) = channel();
        std::thread::spawn(move || {
            let mut statuses = statuses.iter();
            for stream in listener.incoming().map_while(Result::ok) {
                let mut stream = BufReader::new(stream);
                let (head, body) = read_request(&mut stream);
                let status = statuses.next().unwrap_or(&200);
                write!(stream.get_mut(), "HTTP/1.1 {status} OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                if send.send((head, serde_json::from_slice(&body).unwrap())).is_err() {
                    return;
                }
            }
        });
        Self { address, received }
    }

    fn url(&self) -> String {
        format!("http://{}/hooks/usher?from=home", self.address)
    }

    /// The head and the body of the next event's request.
    fn next(&self) -> (String, Value) {
        self.received.recv_timeout(TIMEOUT).unwrap()
    }

    fn next_event_name(&self) -> String {
        self.next().1["event"].as_str().unwrap().to_owned()
    }
}

fn read_request(stream: &mut impl BufRead) -> (String, Vec<u8>) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = header(&head, "content-length").parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let is = |line: &&str| line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
    head.lines().find(is).unwrap().split_once(':').unwrap().1.trim()
}

fn with_hook(hook: &Hook) -> Builder {
    Server::with().set("on_event", &hook.url()).set("on_event_secret", SECRET)
}

/// A sign-in that a trusted proxy forwards from this address.
fn sign_in_from(server: &Server, name: &str, address: &str) -> Response {
    let form = [("username", name), ("password", PASSWORD)];
    server.post("/api/v1/login").form(&form).header("X-Forwarded-For", address).send().expect(200)
}

#[test]
fn events_are_sent_in_order_and_signed() {
    let hook = Hook::start(&[]);
    let server = with_hook(&hook).set("throttle", "true").set("trusted_proxies", "127.0.0.1").start();
    let id = server.sign_up("erika")["id"].as_str().unwrap().to_owned();
    let admin = server.admin();
    server.patch(format!("/api/v1/users/{id}")).bearer(&admin).json(&json!({ "is_active": true })).send().expect(200);
    sign_in_from(&server, "erika", "192.0.2.1");
    sign_in_from(&server, "erika", "192.0.2.1");
    let erika = sign_in_from(&server, "erika", "198.51.100.7").field("access_token");
    let body = json!({ "current_password": PASSWORD, "password": "a fresh start 9" });
    server.patch(format!("/api/v1/users/{id}/reset-password")).bearer(&erika).json(&body).send().expect(200);
    server.delete(format!("/api/v1/users/{id}/sessions")).bearer(&admin).send().expect(200);

    let (head, sign_up) = hook.next();
    assert!(head.starts_with("POST /hooks/usher?from=home HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "content-type"), "application/json");
    let signed = format!("{}.{sign_up}", header(&head, "x-usher-timestamp"));
    let mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(signed);
    let expected = mac.finalize().into_bytes().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    assert_eq!(header(&head, "x-usher-signature"), expected);
    let shown = |event: &Value| -> Vec<String> {
        ["event", "action", "actor_name", "target_name", "address"].map(|name| event[name].to_string()).to_vec()
    };
    assert_eq!(shown(&sign_up), ["\"sign_up\"", "\"user.add\"", "null", "\"erika\"", "\"127.0.0.1\""]);
    let place = hook.next().1;
    assert_eq!(shown(&place)[..2], ["\"sign_in_from_new_place\"", "\"login\""]);
    assert_eq!((&place["actor_name"], &place["address"]), (&json!("erika"), &json!("198.51.100.7")));
    assert_eq!(place["detail"], "new place");
    assert_eq!([hook.next_event_name(), hook.next_event_name()], ["password_changed", "session_ended"]);
}

#[test]
fn failed_deliveries_are_retried_and_rejected_ones_are_dropped() {
    // The receiver rejects the second event permanently.
    let hook = Hook::start(&[503, 200, 410]);
    let server = with_hook(&hook).start();
    for name in ["erika", "greta", "frida"] {
        server.sign_up(name);
    }
    let names: Vec<Value> = (0..4).map(|_| hook.next().1["target_name"].clone()).collect();
    assert_eq!(names, ["erika", "erika", "greta", "frida"]);
}

#[test]
fn a_restart_loses_no_event_and_sends_none_from_before_on_event_was_set() {
    let server = Server::start();
    server.sign_up("before");
    let hook = Hook::start(&[200, 503]);
    let server = with_hook(&hook).in_dir(&server.stop()).start();
    server.sign_up("erika");
    assert_eq!(hook.next().1["target_name"], "erika");
    server.sign_up("greta");
    server.sign_up("frida");
    // The receiver failed to accept it; the server would retry in a second.
    assert_eq!(hook.next().1["target_name"], "greta");
    let later = Hook::start(&[]);
    let _server = with_hook(&later).in_dir(&server.stop()).start();
    assert_eq!([later.next(), later.next()].map(|(_, event)| event["target_name"].clone()), ["greta", "frida"]);
}

#[test]
fn events_older_than_a_day_are_not_sent() {
    let hook = Hook::start(&[]);
    let clock = Clock::manual("2026-06-01T12:00:00Z".parse().unwrap());
    let server = with_hook(&hook).clock(&clock).start();
    server.sign_up("erika");
    assert_eq!(hook.next().1["target_name"], "erika");
    let dir = server.stop();
    let server = Server::with().clock(&clock).in_dir(&dir).start();
    let position = server.query::<i64>("SELECT count(*) FROM event_position");
    let dir = server.stop();
    assert_eq!(position, 0);
    // As if the receiver had been down: the entries are there, but weren't delivered.
    let old = database(&dir);
    old.execute_batch("INSERT INTO event_position VALUES (1, 0)").unwrap();
    drop(old);
    clock.advance(chrono::TimeDelta::hours(25));
    let server = with_hook(&hook).clock(&clock).in_dir(&dir).start();
    server.sign_up("greta");
    assert_eq!(hook.next().1["target_name"], "greta");
}

fn database(dir: &tempfile::TempDir) -> rusqlite::Connection {
    #[expect(clippy::disallowed_methods, reason = "a test looks behind the two doors")]
    rusqlite::Connection::open(dir.path().join("data/usher.db")).unwrap()
}

#[test]
fn a_program_gets_events_on_standard_input_but_no_settings() {
    let dir = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    let (pipe, script) = (dir.path().join("pipe"), dir.path().join("tell"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // The first attempt fails.
    let once = dir.path().join("once");
    let text = format!(
        "#!/bin/sh\nif mkdir '{once}'; then exit 1; fi\n(cat; env) > '{pipe}'\n",
        once = once.display(),
        pipe = pipe.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = Program::in_dir(&dir, &[]).superuser().env("USHER_ON_EVENT", &script).start();
    let body = json!({ "username": "erika", "password": PASSWORD });
    server.request("POST", "/api/v1/users/").json(&body).send().expect(201);
    // Opening the FIFO blocks until the script writes.
    let told = std::fs::read_to_string(&pipe).unwrap();
    let (event, environment) = told.split_once('\n').unwrap();
    let event: Value = serde_json::from_str(event).unwrap();
    assert_eq!((&event["event"], &event["target_name"]), (&json!("sign_up"), &json!("erika")));
    assert!(!environment.contains("USHER_") && environment.contains("PATH="), "{environment}");
    let log = server.stop().stderr;
    assert!(log.contains("could not be told about sign_up: the program ended with exit status: 1"), "{log}");
}

/// Creates a certificate authority and a certificate for 127.0.0.1. Returns the paths of the authority's certificate,
/// the server's certificate and its key.
fn certificates(dir: &Path) -> [String; 3] {
    let path = |name: &str| dir.join(name).display().to_string();
    let (ca, ca_key, leaf, leaf_key) = (path("ca.pem"), path("ca.key"), path("leaf.pem"), path("leaf.key"));
    let openssl = |arguments: &[&str]| {
        let common = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj"];
        let made = Command::new("openssl").args(common).args(arguments).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    openssl(&["/CN=test authority", "-keyout", &ca_key, "-out", &ca]);
    let name = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
    openssl(&[&["/CN=test", "-CA", &ca, "-CAkey", &ca_key, "-keyout", &leaf_key, "-out", &leaf][..], &name].concat());
    [ca, leaf, leaf_key]
}

#[needs(openssl)]
#[test]
fn an_https_address_must_have_a_valid_certificate() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let dir = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    let [ca, leaf, key] = certificates(dir.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(leaf).unwrap()],
            PrivateKeyDer::from_pem_file(key).unwrap(),
        )
        .unwrap();
    let config = std::sync::Arc::new(config);
    let receive = || {
        let (stream, _) = listener.accept().unwrap();
        let connection = rustls::ServerConnection::new(std::sync::Arc::clone(&config)).unwrap();
        let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream));
        stream.fill_buf().map(<[u8]>::len)?;
        let (_, body) = read_request(&mut stream);
        stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
        Ok::<_, std::io::Error>(serde_json::from_slice::<Value>(&body).unwrap())
    };
    let start = |file: &str| {
        let server = Program::in_dir(&dir, &[]).superuser().env("SSL_CERT_FILE", file);
        server.env("USHER_ON_EVENT", &url).env("USHER_ON_EVENT_SECRET", SECRET).start()
    };
    let stranger = dir.path().join("empty.pem");
    std::fs::write(&stranger, "").unwrap();
    let server = start(stranger.to_str().unwrap());
    let body = json!({ "username": "erika", "password": PASSWORD });
    server.request("POST", "/api/v1/users/").json(&body).send().expect(201);
    assert!(receive().is_err());
    // The first failure is logged before the retry.
    assert!(receive().is_err());
    let log = server.stop().stderr;
    assert!(log.contains("could not be told about sign_up: invalid peer certificate"), "{log}");
    assert!(!log.contains(SECRET), "{log}");
    let server = start(&ca);
    assert_eq!(receive().unwrap()["target_name"], "erika");
    server.stop();
}

#[test]
fn the_superuser_signs_in_without_an_event_the_first_time() {
    let hook = Hook::start(&[]);
    let server = with_hook(&hook).set("throttle", "true").start();
    server.login(ADMIN.0, ADMIN.1);
    server.sign_up("erika");
    assert_eq!(hook.next_event_name(), "sign_up");
}
