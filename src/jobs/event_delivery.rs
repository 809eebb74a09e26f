//! Delivers events to a program or a URL, on a separate thread.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::oneshot;
use url::Url;

use crate::domain::notification::EventTarget;
use crate::domain::secret::Secret;
use crate::platform::http_client::{HttpRequest, send};

/// How long a URL can take to answer.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a program can run.
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(30);
/// How often the thread checks whether a program has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// The bytes of a response that are read: as far as the status.
const STATUS_BYTES: usize = 12;

/// Why an event wasn't delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// Another try can succeed.
    #[error("{0}")]
    Temporary(String),
    /// The receiver refuses this event.
    #[error("the address answered with status {0}")]
    Refused(u16),
}

/// An event to deliver.
struct Delivery {
    body: String,
    /// Seconds since 1970, for the signature.
    timestamp: i64,
    reply: oneshot::Sender<Result<(), DeliveryError>>,
}

/// The thread that delivers. It ends when this is dropped.
pub struct EventSender(Sender<Delivery>);

impl EventSender {
    /// Starts the thread.
    pub fn start(target: EventTarget, secret: Option<Secret>) -> io::Result<Self> {
        let (sender, receiver) = bounded(1);
        let run = move || run(&target, secret.as_ref(), &receiver);
        thread::Builder::new().name("usher-events".to_owned()).spawn(run)?;
        Ok(Self(sender))
    }

    /// Delivers one event.
    pub async fn deliver(&self, body: String, timestamp: i64) -> Result<(), DeliveryError> {
        let ended = || DeliveryError::Temporary("the delivery thread has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Delivery { body, timestamp, reply }).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

fn run(target: &EventTarget, secret: Option<&Secret>, deliveries: &Receiver<Delivery>) {
    for Delivery { body, timestamp, reply } in deliveries {
        let delivered = match target {
            EventTarget::Program(path) => run_program(path, &body),
            EventTarget::Webhook(url) => post(url, secret, &body, timestamp),
        };
        // The receiver is gone if the server stops.
        let _ = reply.send(delivered);
    }
}

/// Sends the event to a URL. The signature covers time and body, so that nobody can send an old event again.
fn post(url: &Url, secret: Option<&Secret>, body: &str, timestamp: i64) -> Result<(), DeliveryError> {
    let mut headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("User-Agent", concat!("usher/", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    if let Some(secret) = secret {
        headers.push(("X-Usher-Timestamp", timestamp.to_string()));
        headers.push(("X-Usher-Signature", signature(secret, body, timestamp)));
    }
    let request = HttpRequest { method: "POST", url, headers: &headers, body: body.as_bytes() };
    let response = send(&request, STATUS_BYTES, WEBHOOK_TIMEOUT);
    match response.map_err(|error| DeliveryError::Temporary(error.to_string()))?.status {
        200..300 => Ok(()),
        status @ (408 | 429 | 500..) => {
            Err(DeliveryError::Temporary(format!("the address answered with status {status}")))
        }
        status => Err(DeliveryError::Refused(status)),
    }
}

/// Returns the HMAC-SHA-256 of `TIMESTAMP.BODY` in hexadecimal.
fn signature(secret: &Secret, body: &str, timestamp: i64) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes keys of any length");
    let mac = mac.chain_update(format!("{timestamp}.{body}"));
    mac.finalize().into_bytes().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Runs the program and waits for its end.
fn run_program(path: &Path, body: &str) -> Result<(), DeliveryError> {
    let temporary = |error: io::Error| DeliveryError::Temporary(error.to_string());
    let mut command = Command::new(path);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    // The settings in the environment can be secrets.
    command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let mut child = command.spawn().map_err(temporary)?;
    if let Some(mut input) = child.stdin.take() {
        // A program doesn't have to read its input.
        let _ = writeln!(input, "{body}");
    }
    wait(&mut child)
}

fn wait(child: &mut Child) -> Result<(), DeliveryError> {
    let temporary = |error: io::Error| DeliveryError::Temporary(error.to_string());
    let end = Instant::now() + PROGRAM_TIMEOUT;
    loop {
        match child.try_wait().map_err(temporary)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(DeliveryError::Temporary(format!("the program ended with {status}"))),
            None if Instant::now() < end => thread::sleep(POLL_INTERVAL),
            None => {
                child.kill().and_then(|()| child.wait()).map_err(temporary)?;
                let seconds = PROGRAM_TIMEOUT.as_secs();
                return Err(DeliveryError::Temporary(format!("the program was ended after {seconds} seconds")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_documentation() {
        let secret = Secret::new("0123456789abcdef0123456789abcdef");
        // printf '1700000000.{"event":"sign_up"}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let expected = "ad2ba1101d091b3b2690dadf9d4fa98bbedf9f20fa02a53b28d3f05f912632aa";
        assert_eq!(signature(&secret, r#"{"event":"sign_up"}"#, 1_700_000_000), expected);
    }
}
