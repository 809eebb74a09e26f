//! The real binary, as a child process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use super::client::{Connection, Request};
use super::postgres;

/// Longer than any start takes, even in a debug build that hashes a password.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The variable that lowers the bcrypt cost of a debug build.
const TEST_COST: &str = "USHER_TEST_BCRYPT_COST";

/// An usher command in its own directory, with an empty environment except for what the test sets. The data directory
/// is `data` in it. [`Program::start`] runs a server, [`Program::finish`] a command that exits by itself.
#[must_use]
pub struct Program {
    command: Command,
    pub dir: Arc<TempDir>,
    input: Vec<u8>,
}

/// Exit status and output of a process.
#[derive(Debug)]
pub struct ProcessOutput {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A server that runs until it is stopped or dropped.
pub struct ServerProcess {
    pub address: SocketAddr,
    /// The line on standard output that announced the server.
    pub ready: Value,
    pub dir: Arc<TempDir>,
    child: Child,
    stdout: JoinHandle<String>,
    /// Its standard error. In a file, because what came through a pipe could be read later than a response.
    log: NamedTempFile,
}

/// A command that is still running.
pub struct RunningCommand {
    child: Child,
    pub dir: Arc<TempDir>,
}

impl Program {
    /// Creates `usher ARGUMENTS` in a new directory, on a free port.
    pub fn new(arguments: &[&str]) -> Self {
        Self::in_dir(&Arc::new(TempDir::new().unwrap()), arguments)
    }

    /// Creates `usher ARGUMENTS` in an existing directory.
    pub fn in_dir(dir: &Arc<TempDir>, arguments: &[&str]) -> Self {
        // Long runs use an optimized program.
        #[expect(clippy::disallowed_methods, reason = "which program is tested is no setting of usher's")]
        let optimized = std::env::var("USHER_BIN").ok();
        let mut command = Command::new(optimized.as_deref().unwrap_or(env!("CARGO_BIN_EXE_usher")));
        command.env_clear().current_dir(dir.path()).args(arguments);
        command.env("HOME", dir.path()).env("USHER_DATA_DIR", dir.path().join("data"));
        command.env("USHER_BIND", "127.0.0.1:0").env("USHER_BCRYPT_COST", "10");
        // A debug build computes hashes of a cost that the settings refuse.
        if cfg!(debug_assertions) && optimized.is_none() {
            command.env(TEST_COST, "4");
        }
        if postgres::IS_ENGINE {
            command.env("USHER_DATABASE", postgres::address_for(dir.path()));
        }
        Self { command, dir: Arc::clone(dir), input: Vec::new() }
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        if name == "USHER_BCRYPT_COST" {
            self.command.env_remove(TEST_COST);
        }
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable.
    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Sets the superuser admin / adminpw123.
    pub fn superuser(self) -> Self {
        self.env("USHER_SUPERUSER", "admin").env("USHER_SUPERUSER_PASSWORD", "adminpw123")
    }

    /// Sets standard input.
    pub fn input(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.input = bytes.as_ref().to_vec();
        self
    }

    /// Limits the number of open files.
    #[cfg(unix)]
    pub fn limit_files(mut self, most: u64) -> Self {
        let program = self.command.get_program().to_owned();
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]).arg(program);
        limited.args(self.command.get_args()).env_clear().current_dir(self.dir.path());
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                limited.env(name, value);
            }
        }
        self.command = limited;
        self
    }

    /// Starts the program with `nohup`.
    #[cfg(unix)]
    pub fn ignoring_hangup(mut self) -> Self {
        let program = self.command.get_program().to_owned();
        let mut ignoring = Command::new("sh");
        ignoring.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(program);
        ignoring.args(self.command.get_args()).env_clear().current_dir(self.dir.path());
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                ignoring.env(name, value);
            }
        }
        self.command = ignoring;
        self
    }

    fn spawn(&mut self, stderr: Stdio) -> Child {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = self.command.spawn().unwrap();
        // A command may exit without reading its whole input.
        let _ = child.stdin.take().unwrap().write_all(&self.input);
        child
    }

    /// Starts a server and waits until it is ready.
    pub fn start(self) -> ServerProcess {
        self.try_start().unwrap_or_else(|ended| panic!("the server did not become ready: {}", ended.stderr))
    }

    /// Like [`Program::start`], but returns the output if the server exits instead.
    pub fn try_start(mut self) -> Result<ServerProcess, ProcessOutput> {
        let log = NamedTempFile::new().unwrap();
        let mut child = self.spawn(log.reopen().unwrap().into());
        let (line, first) = channel();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = reader.read_line(&mut text);
            let _ = line.send(text.clone());
            let _ = reader.read_to_string(&mut text);
            text
        });
        let Some(ready) = first_line(&first) else {
            let _ = child.kill();
            let status = child.wait().unwrap();
            return Err(ProcessOutput { status, stdout: stdout.join().unwrap(), stderr: read(&log) });
        };
        let url = ready["url"].as_str().unwrap();
        let address = url.strip_prefix("http://").unwrap().parse().unwrap();
        Ok(ServerProcess { address, ready, dir: Arc::clone(&self.dir), child, stdout, log })
    }

    /// Starts a command without waiting for it.
    pub fn begin(mut self) -> RunningCommand {
        let child = self.spawn(Stdio::piped());
        RunningCommand { child, dir: self.dir }
    }

    /// Runs a command to its end, with its output pipe closed.
    pub fn finish_with_closed_stdout(mut self) -> ProcessOutput {
        let mut child = self.spawn(Stdio::piped());
        drop(child.stdout.take());
        let mut stderr = String::new();
        let _ = child.stderr.take().unwrap().read_to_string(&mut stderr);
        ProcessOutput { status: wait(&mut child), stdout: String::new(), stderr }
    }

    /// Runs a command to its end.
    pub fn finish(mut self) -> ProcessOutput {
        let mut child = self.spawn(Stdio::piped());
        let read = |mut pipe: Box<dyn Read + Send>| {
            std::thread::spawn(move || {
                let mut text = String::new();
                let _ = pipe.read_to_string(&mut text);
                text
            })
        };
        let stdout = read(Box::new(child.stdout.take().unwrap()));
        let stderr = read(Box::new(child.stderr.take().unwrap()));
        let status = wait(&mut child);
        ProcessOutput { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
    }
}

fn first_line(lines: &Receiver<String>) -> Option<Value> {
    serde_json::from_str(&lines.recv_timeout(TIMEOUT).ok()?).ok()
}

fn read(log: &NamedTempFile) -> String {
    String::from_utf8_lossy(&std::fs::read(log.path()).unwrap()).into_owned()
}

/// Waits for a process to exit. After the timeout, kills it and fails the test.
fn wait(child: &mut Child) -> ExitStatus {
    let (done, waiting) = channel::<()>();
    let id = child.id();
    let watch = std::thread::spawn(move || {
        let late = waiting.recv_timeout(TIMEOUT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        if late {
            signal(id, rustix::process::Signal::KILL);
        }
        late
    });
    let status = child.wait().unwrap();
    drop(done);
    assert!(!watch.join().unwrap(), "the process did not end within {TIMEOUT:?}");
    status
}

fn signal(id: u32, signal: rustix::process::Signal) {
    let id = rustix::process::Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    rustix::process::kill_process(id, signal).unwrap();
}

impl RunningCommand {
    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        signal(self.child.id(), rustix::process::Signal::INT);
    }

    /// Whether the process has exited.
    pub fn has_exited(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until the process has exited.
    pub fn wait_for_exit(mut self) -> ProcessOutput {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let _ = self.child.stdout.take().unwrap().read_to_string(&mut stdout);
        let _ = self.child.stderr.take().unwrap().read_to_string(&mut stderr);
        ProcessOutput { status: wait(&mut self.child), stdout, stderr }
    }
}

impl ServerProcess {
    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A request to this server.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// The directory of `usher.db` and `secret_key`.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The log so far.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Sends SIGTERM without waiting.
    pub fn terminate(&self) {
        signal(self.child.id(), rustix::process::Signal::TERM);
    }

    /// Sends SIGINT, as Ctrl-C does, without waiting.
    pub fn interrupt(&self) {
        signal(self.child.id(), rustix::process::Signal::INT);
    }

    /// Sends SIGKILL and returns the server's directory.
    pub fn kill(mut self) -> Arc<TempDir> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Arc::clone(&self.dir)
    }

    /// Sends SIGTERM and waits until the process has exited.
    pub fn stop(self) -> ProcessOutput {
        self.terminate();
        self.wait_for_exit()
    }

    /// Waits until the process has exited.
    pub fn wait_for_exit(mut self) -> ProcessOutput {
        let status = wait(&mut self.child);
        let stdout = std::mem::replace(&mut self.stdout, std::thread::spawn(String::new)).join().unwrap();
        ProcessOutput { status, stdout, stderr: self.log() }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The permission bits of a file or directory.
#[cfg(unix)]
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
