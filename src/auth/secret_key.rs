//! Owns the secret key: where it is kept, how a new one is made, and what one must be.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

use super::random::{self, NoRandomness};
use crate::domain::secret::Secret;
use crate::platform;

/// The key's name in the data directory.
pub const SECRET_KEY_FILE: &str = "secret_key";
/// The fewest characters of a secret key.
pub const MIN_CHARS: usize = 32;

/// Why there is no secret key.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    /// The file cannot be read or written.
    #[error("{path}: {cause}; usher must be able to read and write it")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{0} should hold at least {MIN_CHARS} characters; remove it to have a new key made, which ends all sessions"
    )]
    TooShort(PathBuf),
    /// No new key could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Reads the key in `data_dir`, or makes one as the original does: 32 random bytes as url-safe base64.
pub fn load_or_create(data_dir: &Path) -> Result<Secret, SecretKeyError> {
    let path = data_dir.join(SECRET_KEY_FILE);
    let failed = |cause| SecretKeyError::Io { path: path.clone(), cause };
    match fs::read_to_string(&path) {
        Ok(text) => {
            platform::make_private(&path).map_err(failed)?;
            let key = text.trim();
            if key.chars().count() < MIN_CHARS {
                return Err(SecretKeyError::TooShort(path));
            }
            Ok(Secret::new(key))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = URL_SAFE.encode(random::bytes::<32>()?);
            write(&path, &key).map_err(failed)?;
            log::info!("a new secret key was made: {}", path.display());
            Ok(Secret::new(key))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Writes beside and renames, so that a start which is cut off leaves no half key.
fn write(path: &Path, key: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = platform::create_private(&beside)?;
    file.set_len(0)?;
    file.write_all(key.as_bytes())?;
    file.sync_all()?;
    platform::give_to_owner_of_dir(&beside)?;
    fs::rename(&beside, path)?;
    if let Some(dir) = path.parent() {
        platform::sync_dir(dir)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let key = load_or_create(dir.path()).unwrap();
        assert_eq!(key.expose().len(), 44);
        assert!(key == load_or_create(dir.path()).unwrap());
        assert!(!dir.path().join("secret_key.new").exists());
    }

    #[test]
    fn a_short_key_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(SECRET_KEY_FILE), "short\n").unwrap();
        let error = load_or_create(dir.path()).unwrap_err().to_string();
        assert!(error.contains("at least 32 characters") && !error.contains("short\n"), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join(SECRET_KEY_FILE)).unwrap(), "short\n");
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_readable_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        load_or_create(dir.path()).unwrap();
        let mode = fs::metadata(dir.path().join(SECRET_KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
