//! Tells whether anything was committed to the file, without the wait for a reader thread.
//!
//! The log's index (`-shm`) begins with two copies of a header. Each commit changes it, with a counter and a checksum,
//! before it returns; SQLite itself compares the header to decide whether what it has in memory is still right
//! (SQLite's WAL format, section 2.1). `PRAGMA data_version` tells the same, but takes two file locks, and waits for
//! ten seconds if a process is stopped while it writes the header.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::platform::files;
use crate::store::engine::sqlite::file::with_suffix;

/// The length of each copy of the header.
const HEADER: usize = 48;
/// The header's first number in every version of SQLite since 3.7.0.
const FORMAT: u32 = 3_007_000;
/// How often the header is read at first, while another process may be changing it. It takes microseconds for that.
const FIRST_READS: usize = 100;
/// Where the header says that it is complete.
const IS_INITIALIZED: usize = 12;
/// Whether reading a file shows at once what another process wrote to it through shared memory.
const COHERENT: bool = cfg!(any(target_os = "linux", target_os = "android", target_vendor = "apple"));

/// What a database contains. Differs after each commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version([u8; HEADER]);

/// Reads the header of the log's index.
pub struct CommitWatch {
    /// Never closed while this process has connections: that would end their locks on the index (POSIX, `fcntl`).
    index: Option<File>,
    watching: AtomicBool,
}

impl CommitWatch {
    /// Watches the database at `path`, which is open and stays open until [`CommitWatch::stop`].
    pub fn of(path: &Path) -> Self {
        let index = if COHERENT { files::open_regular(&with_suffix(path, "-shm")).ok() } else { None };
        let mut watch = Self { index, watching: AtomicBool::new(true) };
        // The first connection has written the header, and another process may be changing it. If it can't be read at
        // all, a later commit might not be seen in time either, so nothing is watched.
        if !(0..FIRST_READS).any(|_| watch.version().is_some()) {
            if COHERENT {
                let index = with_suffix(path, "-shm");
                log::info!("{} can't be read; callers are looked up at each request", index.display());
            }
            std::mem::forget(watch.index.take());
        }
        watch
    }

    /// Returns the version. `None` if it can't be told now: a commit or a recovery is under way, or nothing is watched.
    /// Takes one read of memory through the file system, so that a worker can ask.
    pub fn version(&self) -> Option<Version> {
        let index = self.index.as_ref().filter(|_| self.watching.load(Ordering::Acquire))?;
        let mut copies = [0; 2 * HEADER];
        files::read_start(index, &mut copies).ok()?;
        let (header, second) = copies.split_first_chunk::<HEADER>()?;
        let valid = header.starts_with(&FORMAT.to_ne_bytes()) && header[IS_INITIALIZED] == 1 && second == header;
        valid.then_some(Version(*header))
    }

    /// Stops watching: from now on, [`CommitWatch::version`] returns `None`. Call this before the last connection is
    /// closed.
    pub fn stop(&self) {
        self.watching.store(false, Ordering::Release);
    }
}

impl Drop for CommitWatch {
    fn drop(&mut self) {
        // Without `stop`, connections may be open.
        if *self.watching.get_mut() {
            std::mem::forget(self.index.take());
        }
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::store::engine::sqlite::file;
    use crate::store::engine::sqlite::open::{ConnectionKind, SqliteOpener};

    #[test]
    fn a_header_that_is_half_written_tells_no_version_and_makes_nobody_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("usher.db");
        file::create(&path).unwrap();
        let writer = SqliteOpener { path: path.clone(), kind: ConnectionKind::Writer, setup: "" }.open().unwrap();
        writer.execute_batch("CREATE TABLE t (n); BEGIN IMMEDIATE").unwrap();
        let watch = CommitWatch::of(&path);
        let before = watch.version();
        assert!(before.is_some());

        let index = File::options().read(true).write(true).open(with_suffix(&path, "-shm")).unwrap();
        let mut byte = [0];
        index.read_exact_at(&mut byte, 8).unwrap();
        index.write_all_at(&[!byte[0]], 8).unwrap();
        assert_eq!(watch.version(), None);
        index.write_all_at(&byte, 8).unwrap();
        assert_eq!(watch.version(), before);

        writer.execute_batch("INSERT INTO t VALUES (1); COMMIT").unwrap();
        let after = watch.version();
        assert!(after.is_some() && after != before, "{after:?}");
        watch.stop();
        assert_eq!(watch.version(), None);
    }

    #[test]
    fn every_commit_changes_the_version_also_when_the_log_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("usher.db");
        file::create(&path).unwrap();
        let open = || SqliteOpener { path: path.clone(), kind: ConnectionKind::Writer, setup: "" }.open().unwrap();
        let writer = open();
        writer.execute_batch("PRAGMA synchronous = OFF; CREATE TABLE t (n); INSERT INTO t VALUES (0)").unwrap();
        let watch = CommitWatch::of(&path);
        let mut seen = vec![watch.version().unwrap()];
        for round in 0..300 {
            // The same page again and again, so that only counters and checksums differ.
            writer.execute("UPDATE t SET n = 1 - n", []).unwrap();
            if round % 7 == 0 {
                writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
                drop(open());
            }
            let version = watch.version().unwrap();
            assert!(!seen.contains(&version), "{round}");
            seen.push(version);
        }
        watch.stop();
    }
}
