//! Owns looks at the system that change nothing: who owns a file, how much room there is, what kind of file system it
//! is, which other processes are servers of ours. Where a system does not tell, the answer is `None` or nothing.

use std::io;
use std::path::{Path, PathBuf};

/// Whose a file is and who else may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The owner's number.
    pub owner: u32,
    /// The permission bits.
    pub mode: u32,
}

/// Whose `path` is.
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

/// The number of the user that this process acts as.
pub fn user() -> Option<u32> {
    #[cfg(unix)]
    return Some(rustix::process::geteuid().as_raw());
    #[cfg(not(unix))]
    None
}

/// Whether this process may write `path`, as far as the system tells without trying.
pub fn may_write(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use rustix::fs::{Access, AtFlags, CWD, accessat};
        accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
    }
    #[cfg(not(unix))]
    std::fs::metadata(path).is_ok_and(|found| !found.permissions().readonly())
}

/// How much this process can still write on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes.
    pub bytes: u64,
    /// Files; `None` where the file system makes room for them as it goes.
    pub files: Option<u64>,
}

/// How much room is left where `path` is.
pub fn space(path: &Path) -> io::Result<Option<Space>> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(path)?;
        let files = (found.f_files > 0).then_some(found.f_favail);
        Ok(Some(Space { bytes: found.f_bavail.saturating_mul(found.f_frsize), files }))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(None)
    }
}

/// The name of the network or foreign file system that `path` is on, where SQLite's write-ahead log is not safe: it
/// needs memory that all processes share (<https://sqlite.org/wal.html>).
pub fn network_file_system(path: &Path) -> Option<&'static str> {
    #[cfg(target_os = "linux")]
    {
        // The numbers of statfs(2), and for what is newer those of the kernel's magic.h.
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

/// A process that holds a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherServer {
    /// Its number.
    pub pid: u32,
    /// Its data directory, as that process sees it.
    pub data_dir: PathBuf,
}

/// Other processes of this program that hold a directory with a file called `database`: only a server does so for
/// long. Those of other users are seen by root alone.
pub fn other_servers(database: &str) -> Vec<OtherServer> {
    #[cfg(target_os = "linux")]
    {
        let mine = std::env::current_exe().ok().and_then(|path| path.file_name().map(std::ffi::OsStr::to_owned));
        let processes = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
        let others = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let mut found = Vec::new();
        for pid in others.filter(|pid| *pid != std::process::id()) {
            let Ok(exe) = std::fs::read_link(format!("/proc/{pid}/exe")) else { continue };
            // A program that was replaced by an update goes on as `usher (deleted)`.
            let name = exe.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
            if Some(name.trim_end_matches(" (deleted)")) != mine.as_deref().and_then(std::ffi::OsStr::to_str) {
                continue;
            }
            let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().filter_map(Result::ok);
            // Looked at through the link, which leads into the container that the process may be in.
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
    fn a_file_has_an_owner_a_mode_and_room_beside_it() {
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
