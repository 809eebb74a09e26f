//! Owns what one operating system does differently from another: file modes, locks, priorities, signals.
//! Nothing else in usher asks which system it runs on.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

pub mod client_socket;
pub mod inspect;
pub mod parent;
pub mod service;

/// Where this platform keeps a program's data for the current user: `$XDG_DATA_HOME/usher` or `~/.local/share/usher` on
/// Linux, `~/Library/Application Support/usher` on macOS, `%APPDATA%\usher` on Windows. `None` without a home directory.
pub fn data_dir() -> Option<PathBuf> {
    etcetera::base_strategy::choose_native_strategy().ok().map(|strategy| strategy.data_dir().join("usher"))
}

/// Makes a file that only its owner can read and write; one that exists is left as it is, but for its mode.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    make_private(path)?;
    Ok(file)
}

/// Takes reading and writing a file from everybody but its owner.
pub fn make_private(path: &Path) -> io::Result<()> {
    set_mode(path, 0o600)
}

/// Gives a file to whoever owns the directory that it is in, when root made it there: a command that root runs must not
/// leave a service files that it cannot open.
pub fn give_to_owner_of_dir(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, chown};
        let dir = fs::metadata(path.parent().unwrap_or(path))?;
        if rustix::process::geteuid().is_root() && dir.uid() != 0 {
            return chown(path, Some(dir.uid()), Some(dir.gid()));
        }
    }
    let _ = path;
    Ok(())
}

/// Makes a directory, and those above it, that only its owner can enter; one that exists is left as it is but for
/// its mode. One that is made lasts through a power cut, so that what is written into it does.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|dir| !dir.exists()).collect();
    fs::create_dir_all(path)?;
    set_mode(path, 0o700)?;
    for parent in missing.iter().filter_map(|dir| dir.parent()) {
        sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
    }
    Ok(())
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let present = fs::metadata(path)?.permissions();
    // Asked for only when something changes: who may use a directory is not always who may change its mode.
    if present.mode() & 0o7777 & !mode == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Elsewhere a file belongs to its user by where it stands: the platform's data directory is private.
#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// What tells a file from another one that takes its place under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

/// Which file stands at `path`. Elsewhere than on Unix all are the same one: there the system itself refuses to
/// delete or replace a file that SQLite has open.
pub fn file_id(path: &Path) -> io::Result<FileId> {
    let found = fs::metadata(path)?;
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

/// Makes a rename in this directory last through a power cut, where the system lets one ask for that.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Holds a directory for one process, until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DirLock {
    _held: File,
}

/// Takes the lock on a directory; `None` when another process has it. Unix can lock the directory itself, which
/// leaves no file behind.
pub fn lock_dir(dir: &Path) -> io::Result<Option<DirLock>> {
    let file = if cfg!(unix) { File::open(dir)? } else { create_private(&dir.join("usher.lock"))? };
    match file.try_lock() {
        Ok(()) => Ok(Some(DirLock { _held: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Lets this process have as many files and connections open as the system allows it, and says how many those are.
/// Many systems give a process 1,024, or 256, unless it asks.
pub fn allow_open_files() -> u64 {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // Fails on macOS where "infinity" is said and not meant.
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

/// Lets everything else go before this thread, as far as the system can tell threads apart.
pub fn lower_thread_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(19) {
        log::warn!("what may wait runs at normal priority: {error}");
    }
}

/// What asks the process to stop: SIGTERM and SIGINT, or Ctrl-C where there are no signals. (Not SIGHUP: who starts it
/// with `nohup` wants it to go on, and what was acknowledged is on the disk however the process ends.)
pub struct StopSignals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignals {
    /// From now on the signals do not end the process by themselves.
    pub fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Returns when one came.
    pub async fn received(self) {
        #[cfg(unix)]
        {
            let Self { mut terminate, mut interrupt } = self;
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
