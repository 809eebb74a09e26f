//! The directory of scheduled backups: file names, which contain the time, and deletion of old ones. Other files in it
//! are left alone.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::NaiveDateTime;

use crate::domain::clock::Timestamp;
use crate::platform::files::{self, NewFile};
use crate::store::backup::error::{BackupError, BackupProgress, io_error};
use crate::store::backup::make;
use crate::store::engine::sqlite::file::DATABASE_FILE;

/// The directory's name in the data directory.
pub const DIRECTORY: &str = "backups";
/// File names are this prefix, the time in UTC, and this suffix.
const PREFIX: &str = "usher-";
const SUFFIX: &str = ".db.gz";
const FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// A scheduled backup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredBackup {
    /// Its creation time, to the second.
    pub at: Timestamp,
    /// Its file.
    pub path: PathBuf,
}

/// Returns the scheduled backups of this data directory, oldest first.
pub fn list(data_dir: &Path) -> io::Result<Vec<StoredBackup>> {
    let entries = match fs::read_dir(data_dir.join(DIRECTORY)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut kept = Vec::new();
    for entry in entries {
        let path = entry?.path();
        kept.extend(time_of(&path).map(|at| StoredBackup { at, path }));
    }
    kept.sort();
    Ok(kept)
}

fn time_of(path: &Path) -> Option<Timestamp> {
    let time = path.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    NaiveDateTime::parse_from_str(time, FORMAT).ok().map(|time| time.and_utc())
}

/// Returns the time of the newest backup, ignoring times in the future: a clock that was wrong for a while must not
/// delay the next backup.
pub fn newest(kept: &[StoredBackup], now: Timestamp) -> Option<Timestamp> {
    kept.iter().map(|kept| kept.at).filter(|at| *at <= now).max()
}

/// Makes a backup and returns its path and size in bytes.
pub fn make(data_dir: &Path, now: Timestamp, progress: &mut BackupProgress) -> Result<(PathBuf, u64), BackupError> {
    // Two at once would delete each other's temporary files.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = data_dir.join(DIRECTORY);
    files::create_private_dir(&dir).map_err(|cause| io_error(&dir, cause))?;
    delete_temporary_files(&dir).map_err(|cause| io_error(&dir, cause))?;
    let path = dir.join(format!("{PREFIX}{}{SUFFIX}", now.format(FORMAT)));
    let file = NewFile::create(&path).map_err(|cause| io_error(&path, cause))?;
    let bytes = make::make(&data_dir.join(DATABASE_FILE), file.file(), &path, &dir, progress)?;
    file.publish().map_err(|cause| io_error(&path, cause))?;
    Ok((path, bytes))
}

/// Deletes the temporary files of an interrupted backup.
fn delete_temporary_files(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let target = path.file_name().and_then(OsStr::to_str).and_then(files::target_of_temporary);
        if target.is_some_and(|target| target == make::COPY_NAME || time_of(Path::new(target)).is_some()) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Deletes the oldest backups until `keep` are left, but never `made`. Returns the deleted files.
pub fn prune(data_dir: &Path, keep: usize, made: &Path) -> io::Result<Vec<PathBuf>> {
    let kept = list(data_dir)?;
    let too_many = kept.len().saturating_sub(keep);
    let go: Vec<PathBuf> = kept.into_iter().map(|kept| kept.path).filter(|path| path != made).take(too_many).collect();
    go.iter().try_for_each(fs::remove_file)?;
    Ok(go)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn put(dir: &Path, seconds: i64) -> PathBuf {
        let path = dir.join(DIRECTORY).join(format!("{PREFIX}{}{SUFFIX}", at(seconds).format(FORMAT)));
        fs::write(&path, "").unwrap();
        path
    }

    #[test]
    fn the_oldest_backups_are_deleted_first_and_other_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(list(dir.path()).unwrap(), []);
        fs::create_dir(dir.path().join(DIRECTORY)).unwrap();
        let others =
            ["usher-monday.db.gz", "note.txt", "usher-20270101T000000Z.db", "usher-20270101T000000Z.db.gz.txt"];
        for name in others {
            fs::write(dir.path().join(DIRECTORY).join(name), "").unwrap();
        }
        let made: Vec<PathBuf> = (0..5).map(|n| put(dir.path(), n)).collect();
        assert_eq!(newest(&list(dir.path()).unwrap(), at(10)), Some(at(4)));
        assert_eq!(prune(dir.path(), 3, &made[4]).unwrap(), made[..2]);
        assert_eq!(list(dir.path()).unwrap().len(), 3);
        assert!(others.iter().all(|name| dir.path().join(DIRECTORY).join(name).exists()));
    }

    #[test]
    fn backups_from_the_future_dont_stop_or_displace_new_ones() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(DIRECTORY)).unwrap();
        let future: Vec<PathBuf> = (100..103).map(|n| put(dir.path(), n)).collect();
        assert_eq!(newest(&list(dir.path()).unwrap(), at(0)), None);
        let made = put(dir.path(), 0);
        assert_eq!(prune(dir.path(), 3, &made).unwrap(), future[..1]);
        assert_eq!(newest(&list(dir.path()).unwrap(), at(0)), Some(at(0)));
    }

    #[test]
    fn only_an_interrupted_backups_temporary_files_are_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let kept =
            ["usher-20270101T000000Z.db.gz", "usher-monday.db.gz.0123456789abcdef.tmp", "copy.0123456789abcdef.txt"];
        let deleted = ["usher-20270101T000000Z.db.gz.0123456789abcdef.tmp", "copy.0123456789abcdef.tmp-journal"];
        for name in kept.iter().chain(&deleted) {
            fs::write(dir.path().join(name), "").unwrap();
        }
        delete_temporary_files(dir.path()).unwrap();
        let exists = |name: &&str| dir.path().join(name).exists();
        assert!(kept.iter().all(exists) && !deleted.iter().any(exists));
    }
}
