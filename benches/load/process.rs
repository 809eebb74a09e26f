//! The measured servers, as child processes: start, memory, stop. All of them stop with the driver.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Failure, client};

/// The superuser of every server, and the password of every user.
pub const SUPERUSER: &str = "admin";
pub const PASSWORD: &str = "quiet-otter-7";

/// The measured usher, built with the driver.
pub const OURS: &str = env!("CARGO_BIN_EXE_usher");

/// Langflow needs a minute of CPU time, and many minutes on a busy machine.
const LONGEST_START: Duration = Duration::from_mins(15);

/// A running server; dropping it stops it.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process to the first response.
    pub started_in: Duration,
}

impl Server {
    /// usher on a data directory, with a superuser who can sign in.
    pub fn usher(program: &Path, data_dir: &Path, flags: &[&str]) -> Result<Self, Failure> {
        let mut command = usher(program, data_dir);
        command.args(flags).env("USHER_SUPERUSER", SUPERUSER).env("USHER_SUPERUSER_PASSWORD", PASSWORD);
        Self::announced(command)
    }

    /// usher on its very first start: no password to hash, but a setup link to write.
    pub fn without_superuser(data_dir: &Path) -> Result<Self, Failure> {
        Self::announced(usher(Path::new(OURS), data_dir))
    }

    /// The driver itself, as the server of the bare route.
    pub fn bare() -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--bare-server");
        Self::announced(command)
    }

    /// A server that prints its address in its first line of output.
    fn announced(mut command: Command) -> Result<Self, Failure> {
        let start = Instant::now();
        let mut child = command.current_dir(std::env::temp_dir()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let url = line.rsplit("http://").next().unwrap_or_default();
        let digits = url.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(url.len());
        let address = url[..digits].parse().map_err(|_| format!("the server said {line:?}"))?;
        Self { child, address, started_in: Duration::ZERO }.answering("/health", start)
    }

    /// A server that was given its address.
    pub fn at(mut command: Command, address: SocketAddr, path: &str) -> Result<Self, Failure> {
        let start = Instant::now();
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Self { child, address, started_in: Duration::ZERO }.answering(path, start)
    }

    fn answering(mut self, path: &str, start: Instant) -> Result<Self, Failure> {
        let request = client::request("GET", path, None, None);
        while client::once(self.address, &request).is_err() {
            if start.elapsed() > LONGEST_START || self.child.try_wait()?.is_some() {
                return Err("a server did not start".into());
            }
            // The start's time is right to a hundredth, and the driver leaves the core to it.
            std::thread::sleep(start.elapsed() / 100);
        }
        self.started_in = start.elapsed();
        Ok(self)
    }

    /// The proportional set size of all its processes in MiB: shared memory counts by its share.
    pub fn pss(&self) -> f64 {
        let of = |pid: u32| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            let kilobytes =
                text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse().ok());
            kilobytes.map_or(f64::NAN, |kilobytes: f64| kilobytes / 1024.0)
        };
        family(self.child.id()).into_iter().map(of).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM lets usher checkpoint its log. A slow peer is killed, with the processes that it started.
        let family = family(self.child.id());
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(30) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = Command::new("kill").arg("-KILL").args(family.iter().map(u32::to_string)).status();
        let _ = self.child.wait();
    }
}

/// A process and all processes below it.
fn family(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<u32> =
        children.flat_map(|pids| pids.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect();
    std::iter::once(pid).chain(children.into_iter().flat_map(family)).collect()
}

/// An address that nothing listens on.
pub fn free_address() -> Result<SocketAddr, Failure> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn usher(program: &Path, data_dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["--data-dir".as_ref(), data_dir.as_os_str()]);
    command.args(["--bind=127.0.0.1:0", "--throttle=false", "--signup=open", "--log=error"]);
    command
}
