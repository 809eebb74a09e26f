//! Differences between operating systems: file modes, locks, priorities, signals. No other module checks the system.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

pub mod client_socket;
pub mod files;
pub mod http_client;
pub mod inspect;
pub mod parent;
pub mod privileges;
pub mod service;

/// The platform's data directory for the current user: `$XDG_DATA_HOME/usher` or `~/.local/share/usher` on Linux,
/// `~/Library/Application Support/usher` on macOS, `%APPDATA%\usher` on Windows. `None` without a home directory.
pub fn data_dir() -> Option<PathBuf> {
    etcetera::base_strategy::choose_native_strategy().ok().map(|strategy| strategy.data_dir().join("usher"))
}

/// Distinguishes a file from another one with the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

/// The id of the file at `path`. On other systems than Unix all ids are equal, because the system doesn't let a file be
/// deleted or replaced while SQLite has it open.
pub fn file_id(path: &Path) -> io::Result<FileId> {
    let found = fs::symlink_metadata(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Ok(FileId { device: found.dev(), inode: found.ino() })
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        Ok(FileId {})
    }
}

/// A lock on a directory, until it is dropped or the process ends.
#[derive(Debug)]
pub struct DirLock {
    held: File,
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Closing the file isn't enough: a child process that is just being started has it open, too.
        if let Err(error) = self.held.unlock() {
            log::warn!("the lock on the data directory wasn't released: {error}");
        }
    }
}

/// Locks a directory; `None` if another process has the lock. Unix can lock the directory itself, without a lock file.
pub fn lock_dir(dir: &Path) -> io::Result<Option<DirLock>> {
    let file = if cfg!(unix) {
        File::open(dir)?
    } else {
        File::options().create(true).append(true).open(dir.join("usher.lock"))?
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(DirLock { held: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Raises the limit on open files as far as the system allows, and returns it. The default is often 1,024 or 256.
pub fn allow_open_files() -> u64 {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // Fails on macOS if the maximum is "infinity".
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
    }
    #[cfg(not(unix))]
    u64::MAX
}

/// Lets `connections` wait to be accepted. The standard library allows 128.
pub fn set_backlog(listener: &std::net::TcpListener, connections: i32) {
    #[cfg(unix)]
    if let Err(error) = rustix::net::listen(listener, connections) {
        log::warn!("the listen backlog stays at 128: {error}");
    }
    #[cfg(not(unix))]
    let _ = (listener, connections);
}

/// Gives this thread the lowest priority. Linux only.
pub fn lower_thread_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(19) {
        log::warn!("the thread's priority can't be lowered: {error}");
    }
}

/// The signals that stop the process: SIGTERM, SIGINT and SIGHUP, or Ctrl-C where there are no signals.
pub struct StopSignals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

/// Whether SIGHUP is ignored, as `nohup` arranges. Listening would undo that. Systems that don't tell count as ignoring
/// it.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & 1 != 0)
}

impl StopSignals {
    /// Catches the signals from now on.
    pub fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let hangup = (!ignores_hangup()).then(|| signal(SignalKind::hangup())).transpose()?;
            let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            Ok(Self { terminate, interrupt, hangup })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Returns when a signal has arrived.
    pub async fn received(self) {
        #[cfg(unix)]
        {
            let Self { mut terminate, mut interrupt, hangup } = self;
            let hung_up = async {
                match hangup {
                    Some(mut hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hung_up => {}
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_unlocked_although_a_child_that_is_being_started_still_has_it_open() {
        let dir = tempfile::TempDir::new().unwrap();
        let lock = lock_dir(dir.path()).unwrap().unwrap();
        let _inherited = lock.held.try_clone().unwrap();
        assert!(lock_dir(dir.path()).unwrap().is_none());
        drop(lock);
        assert!(lock_dir(dir.path()).unwrap().is_some());
    }
}
