//! Owns a small HTTP client, and servers to talk to: one in this process, with a clock and a disk that tests control, and
//! the real program as a process of its own.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use serde_json::{Value, json};
use usher::config::{Config, Inputs};
use usher::domain::clock::Clock;
use usher::server;

/// The superuser of every server here.
pub const ADMIN: &str = "admin";
pub const PASSWORD: &str = "correct horse battery";

/// An answer: its status, its head as it came, its body (`null` when it is no JSON).
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Value,
}

impl Answer {
    /// The value of a header, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find_map(|line| line.split_once(':').filter(|(found, _)| *found == name));
        line.map(|(_, value)| value.trim())
    }

    /// The sentence of a refusal.
    pub fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap_or_default()
    }
}

/// One client, which keeps its connection.
pub struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    /// Sent with every request, if there is one.
    pub token: Option<String>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, token: None }
    }

    /// A client who signed in earlier.
    pub fn with_token(address: SocketAddr, token: Option<String>) -> Self {
        Self { token, ..Self::new(address) }
    }

    /// Another client of the same server.
    pub fn again(&self, token: Option<String>) -> Self {
        Self::with_token(self.address, token)
    }

    /// A client who has signed in.
    pub fn signed_in(address: SocketAddr, name: &str, password: &str) -> Self {
        let mut client = Self::new(address);
        let answer = client.login(name, password).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        client.token = answer.body["access_token"].as_str().map(ToOwned::to_owned);
        client
    }

    pub fn login(&mut self, name: &str, password: &str) -> io::Result<Answer> {
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let form = format!("username={}&password={}", encode(name), encode(password));
        self.send("POST", "/api/v1/login", "application/x-www-form-urlencoded", &form)
    }

    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send("GET", path, "", "")
    }

    pub fn json(&mut self, method: &str, path: &str, body: &Value) -> io::Result<Answer> {
        self.send(method, path, "application/json", &body.to_string())
    }

    /// Sends a request and reads the answer; a connection that failed is not used again.
    pub fn send(&mut self, method: &str, path: &str, kind: &str, body: &str) -> io::Result<Answer> {
        let mut stream = if let Some(stream) = self.stream.take() {
            stream
        } else {
            let stream = TcpStream::connect(self.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_mins(1)))?;
            BufReader::new(stream)
        };
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: usher\r\ncontent-length: {}\r\n", body.len());
        if !kind.is_empty() {
            let _ = write!(request, "content-type: {kind}\r\n");
        }
        if let Some(token) = &self.token {
            let _ = write!(request, "authorization: Bearer {token}\r\n");
        }
        request += "\r\n";
        request += body;
        stream.get_mut().write_all(request.as_bytes())?;
        let answer = read_answer(&mut stream)?;
        if answer.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

fn read_answer(stream: &mut impl BufRead) -> io::Result<Answer> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = head.to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut answer = Answer { status: status.unwrap_or(0), head, body: Value::Null };
    let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    answer.body = serde_json::from_slice(&body).unwrap_or_default();
    Ok(answer)
}

/// The settings of a server on a free port with its data in `dir`; hashing costs next to nothing.
pub fn config(dir: &Path) -> Config {
    let flags = [("data_dir", dir.to_str().unwrap()), ("bind", "127.0.0.1:0"), ("superuser", ADMIN), ("workers", "2")];
    let inputs = Inputs {
        flags: flags.into_iter().map(|(key, value)| (key, value.to_owned())).collect(),
        env: [("USHER_SUPERUSER_PASSWORD".to_owned(), PASSWORD.to_owned())].into(),
        working_dir: dir.to_owned(),
        ..Inputs::default()
    };
    Config { bcrypt_cost: 4, throttle: false, ..Config::load(&inputs).unwrap() }
}

/// A server in this process; it stops when it is dropped.
pub struct Here {
    pub address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Here {
    pub fn start(config: Config, clock: Clock) -> Self {
        let (ready, started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let built = server::build(config, clock).await.unwrap();
                ready.send((built.address, built.handle())).unwrap();
                built.run().await.unwrap();
            });
        });
        let (address, handle) = started.recv().unwrap();
        Self { address, handle, thread: Some(thread) }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The program as a process of its own, killed when it is dropped.
pub struct Process {
    pub address: SocketAddr,
    child: Child,
    log: Arc<Mutex<String>>,
    _pipes: (Option<ChildStdin>, BufReader<ChildStdout>),
}

impl Process {
    /// Starts the program, or the one that `USHER_BIN` names, and waits until it is ready.
    pub fn start(dir: &Path) -> Self {
        let program = crate::long_or("USHER_BIN", env!("CARGO_BIN_EXE_usher").to_owned());
        let mut child = Command::new(program)
            .env_clear()
            .current_dir(dir)
            .env("USHER_DATA_DIR", dir.join("data"))
            .env("USHER_BIND", "127.0.0.1:0")
            .env("USHER_SUPERUSER", ADMIN)
            .env("USHER_SUPERUSER_PASSWORD", PASSWORD)
            .env("USHER_BCRYPT_COST", "10")
            .env("USHER_THROTTLE", "false")
            .env("USHER_LOG", "warn")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                *log += &line;
                log.push('\n');
            }
        });
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?} {}", log.lock().unwrap()));
        let address = ready["url"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
        let pipes = (child.stdin.take(), out);
        Self { address, child, log, _pipes: pipes }
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A sign-up's body.
pub fn new_user(name: &str, password: &str) -> Value {
    json!({ "username": name, "password": password })
}
