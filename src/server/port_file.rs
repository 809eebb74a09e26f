//! The port file, which tells the parent program where the server listens. It exists while the server is ready, is
//! written atomically, and never replaces a file that isn't a port file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::platform::files::{self, NewFile};

/// The most bytes of a port file.
const MAX_BYTES: u64 = 4096;

/// Why the port file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PortFileError {
    /// It can't be written.
    #[error("`port_file` {path}: {cause}; its directory must exist, and usher must be able to write there")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// The path names another file.
    #[error("`port_file` {0} exists and is not a port file; choose another path, or move the file away")]
    Foreign(PathBuf),
}

/// The port file. Dropping it removes the file.
#[derive(Debug)]
pub struct PortFile {
    path: PathBuf,
    /// The text that was written.
    text: Option<String>,
}

impl PortFile {
    /// Removes the file of a server that was killed, and checks that the file can be written.
    ///
    /// # Errors
    /// When it can't be written, or when the path names another file, which stays as it is.
    pub fn claim(path: PathBuf) -> Result<Self, PortFileError> {
        let failed = |cause| PortFileError::Io { path: path.clone(), cause };
        match read(&path) {
            Ok(Some(text)) if text.is_empty() || is_port_file(&text) => fs::remove_file(&path).map_err(failed)?,
            Ok(_) => return Err(PortFileError::Foreign(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        NewFile::create(&path).map(drop).map_err(failed)?;
        Ok(Self { path, text: None })
    }

    /// Writes the file, readable only for its owner. A reader sees all of it or nothing.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn publish(&mut self, text: String) -> Result<(), PortFileError> {
        let write = || {
            let file = NewFile::create(&self.path)?;
            file.file().write_all(text.as_bytes())?;
            file.publish_unsynced()
        };
        write().map_err(|cause| PortFileError::Io { path: self.path.clone(), cause })?;
        self.text = Some(text);
        Ok(())
    }
}

/// Removes the file, unless another server has replaced it.
impl Drop for PortFile {
    fn drop(&mut self) {
        let Some(text) = &self.text else { return };
        if read(&self.path).is_ok_and(|found| found.as_ref() == Some(text))
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("{} couldn't be removed: {error}", self.path.display());
        }
    }
}

/// The text of a small file, or `None` if it isn't one.
fn read(path: &Path) -> io::Result<Option<String>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(None);
    }
    let bytes = files::read_at_most(files::open_regular(path)?, MAX_BYTES);
    Ok(bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()))
}

/// The URL in a port file; `None` if there isn't one.
pub fn url(path: &Path) -> Option<String> {
    let text = read(path).ok().flatten().filter(|text| is_port_file(text))?;
    serde_json::from_str::<Value>(&text).ok()?["url"].as_str().map(str::to_owned)
}

fn is_port_file(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value["event"] == "ready" && value["pid"].is_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\"event\":\"ready\",\"pid\":1}\n";

    #[test]
    fn it_exists_from_publishing_to_dropping_and_only_its_owner_can_read_it() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("port");
        fs::write(&path, TEXT).unwrap();
        let mut file = PortFile::claim(path.clone()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "the file of a killed server is removed");
        file.publish(TEXT.to_owned()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), TEXT);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        drop(file);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn another_servers_file_and_other_files_are_left_alone() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("port");
        fs::write(&path, "").unwrap();
        let mut file = PortFile::claim(path.clone()).unwrap();
        file.publish(TEXT.to_owned()).unwrap();
        fs::write(&path, "another's").unwrap();
        drop(file);
        for text in ["another's", "{}", "[1]", "{\"event\":\"ready\"}", "\u{0}", &"x".repeat(5000)] {
            fs::write(&path, text).unwrap();
            assert!(matches!(PortFile::claim(path.clone()), Err(PortFileError::Foreign(_))), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert!(matches!(PortFile::claim(dir.path().to_owned()), Err(PortFileError::Foreign(_))));
        let nowhere = PortFile::claim(dir.path().join("absent/port")).unwrap_err().to_string();
        assert!(nowhere.contains("absent/port") && nowhere.contains("`port_file`"), "{nowhere}");
    }
}
