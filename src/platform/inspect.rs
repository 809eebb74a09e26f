//! Read-only queries about the system: file owners, free space, the kind of file system, other running servers. Where a
//! system can't tell, the result is `None` or empty.

use std::io;
use std::path::{Path, PathBuf};

/// A file's owner and permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The owner's user id.
    pub owner: u32,
    /// The permission bits.
    pub mode: u32,
}

/// The owner and permissions of `path`.
pub fn access(path: &Path) -> io::Result<Option<Access>> {
    let found = std::fs::metadata(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Ok(Some(Access { owner: found.uid(), mode: found.mode() & 0o7777 }))
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        Ok(None)
    }
}

/// The effective user id of this process.
pub fn user() -> Option<u32> {
    #[cfg(unix)]
    return Some(rustix::process::geteuid().as_raw());
    #[cfg(not(unix))]
    None
}

/// Whether this process may write `path`, according to its permissions.
pub fn may_write(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use rustix::fs::{Access, AtFlags, CWD, accessat};
        accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
    }
    #[cfg(not(unix))]
    std::fs::metadata(path).is_ok_and(|found| !found.permissions().readonly())
}

/// The width of the terminal that standard output is, in columns.
pub fn terminal_columns() -> Option<usize> {
    #[cfg(unix)]
    return Some(rustix::termios::tcgetwinsize(std::io::stdout()).ok()?.ws_col.into()).filter(|columns| *columns > 0);
    #[cfg(not(unix))]
    None
}

/// The process that listens on a TCP port: its id and name. Only root sees those of other users.
pub fn listener(port: u16) -> Option<(u32, String)> {
    #[cfg(target_os = "linux")]
    {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
        // `sl local_address rem_address st … inode`, the address as `0100007F:1EB4`; state 0A is LISTEN.
        let inode = |line: &str| {
            let cells: Vec<&str> = line.split_whitespace().collect();
            let (_, local) = cells.get(1)?.split_once(':')?;
            let is_wanted = u16::from_str_radix(local, 16) == Ok(port) && cells.get(3) == Some(&"0A");
            cells.get(9).filter(|_| is_wanted).map(|inode| format!("socket:[{inode}]"))
        };
        let sockets: Vec<String> = tables.iter().flat_map(|table| table.lines()).filter_map(inode).collect();
        let processes = std::fs::read_dir("/proc").ok()?.filter_map(Result::ok);
        processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).find_map(|pid| {
            let mut open = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.filter_map(Result::ok);
            let holds = |path: PathBuf| sockets.iter().any(|socket| path.to_str() == Some(socket.as_str()));
            open.any(|fd| std::fs::read_link(fd.path()).is_ok_and(holds)).then_some(())?;
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            Some((pid, name.trim().to_owned()))
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = port;
        None
    }
}

/// Free space on a file system for this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes.
    pub bytes: u64,
    /// Files; `None` if the file system has no limit on them.
    pub files: Option<u64>,
}

/// The free space where `path` is.
pub fn space(path: &Path) -> io::Result<Option<DiskSpace>> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(path)?;
        let files = (found.f_files > 0).then_some(found.f_favail);
        Ok(Some(DiskSpace { bytes: found.f_bavail.saturating_mul(found.f_frsize), files }))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(None)
    }
}

/// The name of the network file system that `path` is on. SQLite's write-ahead log isn't safe there, because it needs
/// shared memory (<https://sqlite.org/wal.html>).
pub fn network_file_system(path: &Path) -> Option<&'static str> {
    #[cfg(target_os = "linux")]
    {
        // From statfs(2) and the kernel's magic.h.
        let kind = u64::try_from(rustix::fs::statfs(path).ok()?.f_type & 0xffff_ffff).ok()?;
        match kind {
            0x6969 => Some("NFS"),
            0x517B | 0xFF53_4D42 | 0xFE53_4D42 => Some("SMB"),
            0x0102_1997 => Some("9P"),
            0x00C3_6400 => Some("Ceph"),
            0x5346_414F => Some("AFS"),
            _ => None,
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        None
    }
}

/// A process that has a data directory open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherServer {
    /// Its process id.
    pub pid: u32,
    /// Its data directory, as that process sees it.
    pub data_dir: PathBuf,
}

/// Finds other processes of this program that keep a directory with a file called `database` open, as only servers do.
/// Only root sees those of other users.
pub fn other_servers(database: &str) -> Vec<OtherServer> {
    #[cfg(target_os = "linux")]
    {
        let mine = std::env::current_exe().ok().and_then(|path| path.file_name().map(std::ffi::OsStr::to_owned));
        let processes = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
        let others = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let mut found = Vec::new();
        for pid in others.filter(|pid| *pid != std::process::id()) {
            let Ok(exe) = std::fs::read_link(format!("/proc/{pid}/exe")) else { continue };
            // After an update, the running program is called `usher (deleted)`.
            let name = exe.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
            if Some(name.trim_end_matches(" (deleted)")) != mine.as_deref().and_then(std::ffi::OsStr::to_str) {
                continue;
            }
            let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().filter_map(Result::ok);
            // Follows the link, because the process may be in a container.
            let held = open.filter(|fd| fd.path().join(database).is_file());
            let dirs = held.filter_map(|fd| std::fs::read_link(fd.path()).ok());
            found.extend(dirs.map(|data_dir| OtherServer { pid, data_dir }));
        }
        found
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = database;
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_has_an_owner_and_a_mode_and_its_disk_has_free_space() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        crate::platform::files::create_private(&path).unwrap();
        let found = access(&path).unwrap().unwrap();
        assert_eq!((Some(found.owner), found.mode), (user(), 0o600));
        assert!(may_write(&path) && !may_write(&dir.path().join("nothing")));
        assert!(space(dir.path()).unwrap().unwrap().bytes > 0);
        assert!(space(&dir.path().join("nothing")).is_err());
        assert_eq!(network_file_system(dir.path()), None);
    }
}
