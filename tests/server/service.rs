//! Service managers: notifications and socket activation.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use needs::needs;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Program, Request};

/// The service manager's end of the notification socket.
struct Manager {
    dir: Arc<TempDir>,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let dir = Arc::new(TempDir::new().unwrap());
        let socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { dir, socket }
    }

    fn program(&self) -> Program {
        let program = Program::in_dir(&self.dir, &["--workers", "2"]).superuser();
        program.env("NOTIFY_SOCKET", self.dir.path().join("notify"))
    }

    /// The next notification.
    fn next_notification(&self) -> String {
        let mut buffer = [0; 1024];
        let length = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }
}

#[test]
fn the_service_manager_is_notified_of_readiness_and_stop() {
    let manager = Manager::new();
    let server = manager.program().start();
    assert_eq!(manager.next_notification(), format!("READY=1\nSTATUS=listening on {}\n", server.address));
    assert!(server.stop().status.success());
    assert!(manager.next_notification().starts_with("STOPPING=1\n"));
}

#[test]
fn a_server_that_fails_to_start_never_reports_readiness() {
    let manager = Manager::new();
    assert!(!manager.program().env("USHER_BIND", "192.0.2.1:1").finish().status.success());
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0; 16]).is_err());
}

#[test]
fn the_watchdog_is_notified_while_the_server_works() {
    let manager = Manager::new();
    let server = manager.program().env("WATCHDOG_USEC", "400000").start();
    assert!(manager.next_notification().starts_with("READY=1"));
    assert_eq!(
        [manager.next_notification(), manager.next_notification(), manager.next_notification()],
        ["WATCHDOG=1\n"; 3]
    );
    assert!(server.stop().status.success());
}

#[test]
fn a_watchdog_for_another_process_is_ignored() {
    let manager = Manager::new();
    let server = manager.program().env("WATCHDOG_USEC", "1").env("WATCHDOG_PID", "1").start();
    assert!(manager.next_notification().starts_with("READY=1"));
    server.stop();
    assert!(manager.next_notification().starts_with("STOPPING=1"));
}

/// Holds sockets as a service manager does, and starts usher on them once for each line on standard input. It is a
/// Python script, because a test can't pass on sockets by number without unsafe code.
fn activated(dir: &TempDir, settings: &[(&str, &str)]) -> (Child, SocketAddr) {
    const SCRIPT: &str = "
import os, socket, sys
held = [socket.create_server((host, 0), family=family) for host, family in
        (('127.0.0.1', socket.AF_INET), ('::1', socket.AF_INET6))]
print(held[0].getsockname()[1], flush=True)
sys.stdin.readline()
while True:
    child = os.fork()
    if child == 0:
        for number, one in enumerate(held):
            os.dup2(one.fileno(), 3 + number)
            os.set_inheritable(3 + number, True)
        os.environ.update(LISTEN_FDS='2', LISTEN_PID=str(os.getpid()))
        os.execv(sys.argv[1], sys.argv[1:])
    if os.waitpid(child, 0)[1] != 0:
        sys.exit('usher failed')
    if not sys.stdin.readline():
        break
";
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT, env!("CARGO_BIN_EXE_usher")]).env_clear().current_dir(dir.path());
    python.env("USHER_DATA_DIR", "data").env("USHER_AUTO_LOGIN", "true").envs(settings.iter().copied());
    let mut python = python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let port = line(&mut python).trim().parse().unwrap();
    (python, SocketAddr::from(([127, 0, 0, 1], port)))
}

/// The next line of standard output, read byte by byte, so that the next call continues there.
fn line(child: &mut Child) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\n") && child.stdout.as_mut().unwrap().read(&mut byte).unwrap() == 1 {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

fn restart_server(child: &mut Child) {
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"\n").unwrap();
}

#[needs(python3)]
#[test]
fn socket_activation_serves_passed_sockets_and_restarts_drop_no_connection() {
    let dir = TempDir::new().unwrap();
    let (mut manager, address) = activated(&dir, &[]);
    restart_server(&mut manager);
    let ready: Value = serde_json::from_str(&line(&mut manager)).unwrap();
    assert_eq!(ready["url"], format!("http://{address}"));
    Request::new(address, "GET", "/api/v1/auto_login").send().expect(200);
    Request::new(address, "GET", "/health").send().expect(200);
    let stop = |ready: &Value| {
        let id = i32::try_from(ready["pid"].as_i64().unwrap()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), rustix::process::Signal::TERM)
            .unwrap();
    };
    // Four clients send requests throughout.
    let busy = Arc::new(AtomicBool::new(true));
    let client = |busy: Arc<AtomicBool>| {
        move || {
            while busy.load(Ordering::Relaxed) {
                Request::new(address, "GET", "/health").send().expect(200);
            }
        }
    };
    let clients: Vec<_> = (0..4).map(|_| std::thread::spawn(client(Arc::clone(&busy)))).collect();
    stop(&ready);
    let mut log = BufReader::new(manager.stderr.take().unwrap());
    let mut last = String::new();
    while !last.ends_with("stopped\n") {
        assert_ne!(log.read_line(&mut last).unwrap(), 0, "{last}");
    }
    assert!(last.contains("listening on the service manager's sockets"), "{last}");
    assert!(last.contains(&format!("{address}, [::1]:")), "{last}");
    // No server runs now. The kernel accepts the connection, and the next server answers it.
    let mut early = crate::support::client::Connection::open(address);
    early.write(&Request::new(address, "GET", "/health").bytes(false));
    restart_server(&mut manager);
    let again: Value = serde_json::from_str(&line(&mut manager)).unwrap();
    assert_ne!(again["pid"], ready["pid"]);
    assert_eq!(early.read(false).unwrap().status, 200);
    busy.store(false, Ordering::Relaxed);
    for client in clients {
        client.join().expect("every connection is answered");
    }
    stop(&again);
    drop(manager.stdin.take());
    assert!(manager.wait().unwrap().success());
}

#[test]
fn automatic_sign_in_is_refused_on_a_passed_public_socket() {
    let dir = TempDir::new().unwrap();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let inputs = usher::config::Inputs {
        env: [("USHER_AUTO_LOGIN", "true"), ("USHER_DATA_DIR", dir.path().to_str().unwrap())]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..usher::config::Inputs::default()
    };
    let config = usher::config::Config::load(&inputs).unwrap();
    let clock = usher::domain::clock::Clock::system();
    let refused = actix_web::rt::System::new().block_on(usher::server::build_on(config, clock, vec![listener]));
    assert!(refused.err().unwrap().to_string().contains("auto_login"));
}
