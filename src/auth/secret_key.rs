//! The secret key: its file, its creation and rotation, and its minimum length.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::auth::random::{self, RandomnessError};
use crate::domain::clock::Timestamp;
use crate::domain::secret::{Fingerprint, Secret};
use crate::platform::files::{self, NewFile};

/// The key's file in the data directory.
pub const SECRET_KEY_FILE: &str = "secret_key";
/// The next key during a rotation, until the database uses it.
pub const NEXT_FILE: &str = "secret_key.next";
/// More than any key has. Bounds the reading of a wrong file.
const MAX_BYTES: u64 = 64 << 10;
/// The minimum length in characters.
pub const MIN_CHARS: usize = 32;

/// Why the secret key can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    /// The file can't be read or written.
    #[error("{path}: {cause}; make it readable and writable for usher")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// The file holds a shorter text.
    #[error("{0} should hold at least {MIN_CHARS} characters; put the right key back, or run `usher rotate-secret`")]
    TooShort(PathBuf),
    /// No new key could be generated.
    #[error(transparent)]
    RandomnessError(#[from] RandomnessError),
}

/// The loaded key.
#[derive(Clone, Debug)]
pub struct LoadedKey {
    /// The key.
    pub key: Secret,
    /// Whether it was generated just now.
    pub is_new: bool,
}

/// Returns the key's fingerprint.
pub fn fingerprint(key: &Secret) -> Fingerprint {
    let mut fingerprint = Fingerprint([0; 16]);
    fingerprint.0.copy_from_slice(&derived(key, b"usher fingerprint")[..16]);
    fingerprint
}

/// Returns the token of the setup link for servers that share a database: each of them accepts it.
pub fn setup_token(key: &Secret) -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(derived(key, b"usher setup link")))
}

fn derived(key: &Secret, purpose: &[u8]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.chain_update(purpose).finalize().into_bytes().into()
}

/// Reads the key in `data_dir`, or generates one as Langflow does: 32 random bytes as url-safe base64. If the
/// database's fingerprint `known` is that of the next key, it first completes an interrupted rotation.
pub fn load_or_create(
    data_dir: &Path,
    known: Option<Fingerprint>,
    now: Timestamp,
) -> Result<LoadedKey, SecretKeyError> {
    complete_rotation(data_dir, known, now)?;
    let path = data_dir.join(SECRET_KEY_FILE);
    let failed = |cause| SecretKeyError::Io { path: path.clone(), cause };
    if let Some(key) = read(&path)? {
        files::make_private(&path).map_err(failed)?;
        return Ok(LoadedKey { key, is_new: false });
    }
    let key = new_key()?;
    write(&path, &key).map_err(failed)?;
    log::info!("Generated a new secret key: {}", path.display());
    Ok(LoadedKey { key, is_new: true })
}

/// Completes a rotation that was interrupted after the database had changed to the next key.
pub fn complete_rotation(data_dir: &Path, known: Option<Fingerprint>, now: Timestamp) -> Result<(), SecretKeyError> {
    let fits = |file: &str| {
        let key = read(&data_dir.join(file)).ok().flatten();
        key.is_some_and(|key| known == Some(fingerprint(&key)))
    };
    if !fits(SECRET_KEY_FILE) && fits(NEXT_FILE) {
        promote_next(data_dir, now)?;
    }
    Ok(())
}

/// Reads the key in this file; `None` if the file doesn't exist.
pub fn read(path: &Path) -> Result<Option<Secret>, SecretKeyError> {
    let read = || Secret::from_file(files::read_regular(path, MAX_BYTES)?).map_err(io::Error::other);
    match read() {
        Ok(key) if key.expose().chars().count() < MIN_CHARS => Err(SecretKeyError::TooShort(path.to_owned())),
        Ok(key) => Ok(Some(key)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(SecretKeyError::Io { path: path.to_owned(), cause }),
    }
}

/// Generates the next key and syncs it to disk beside the current one.
pub fn make_next(data_dir: &Path) -> Result<Secret, SecretKeyError> {
    let (key, path) = (new_key()?, data_dir.join(NEXT_FILE));
    write(&path, &key).map_err(|cause| SecretKeyError::Io { path, cause })?;
    Ok(key)
}

/// Replaces the current key with the next one. The old key, which older backups need, is kept under the returned name.
pub fn promote_next(data_dir: &Path, now: Timestamp) -> Result<Option<PathBuf>, SecretKeyError> {
    let (path, next) = (data_dir.join(SECRET_KEY_FILE), data_dir.join(NEXT_FILE));
    let failed = |cause| SecretKeyError::Io { path: path.clone(), cause };
    let before = data_dir.join(format!("{SECRET_KEY_FILE}.until-{}", now.format("%Y%m%dT%H%M%S%6f")));
    let kept = if path.exists() {
        files::make_private(&path).map_err(failed)?;
        Some(files::keep_copy(&path, &before).map_err(failed)?)
    } else {
        None
    };
    fs::rename(&next, &path).and_then(|()| files::sync_dir(data_dir)).map_err(failed)?;
    Ok(kept)
}

fn new_key() -> Result<Secret, RandomnessError> {
    Ok(Secret::new(URL_SAFE.encode(random::bytes::<32>()?)))
}

/// Writes a temporary file and renames it, so that an interrupted start leaves no partial key.
fn write(path: &Path, key: &Secret) -> io::Result<()> {
    let file = NewFile::create(path)?;
    file.file().write_all(key.expose().as_bytes())?;
    file.publish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(dir: &Path, known: Option<Fingerprint>) -> Result<LoadedKey, SecretKeyError> {
        load_or_create(dir, known, Timestamp::from_timestamp(1_700_000_000, 0).unwrap())
    }

    #[test]
    fn a_key_is_created_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let first = load(dir.path(), None).unwrap();
        assert_eq!((first.key.expose().len(), first.is_new), (44, true));
        let again = load(dir.path(), Some(fingerprint(&first.key))).unwrap();
        assert!(again.key == first.key && !again.is_new);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_short_key_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(SECRET_KEY_FILE), "short\n").unwrap();
        let error = load(dir.path(), None).unwrap_err().to_string();
        assert!(error.contains("at least 32 characters") && !error.contains("short\n"), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join(SECRET_KEY_FILE)).unwrap(), "short\n");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        load(dir.path(), None).unwrap();
        let mode = fs::metadata(dir.path().join(SECRET_KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_interrupted_rotation_completes_once_the_database_has_the_new_key() {
        let dir = tempfile::tempdir().unwrap();
        let old = load(dir.path(), None).unwrap().key;
        let new = make_next(dir.path()).unwrap();
        for known in [None, Some(fingerprint(&old)), Some(Fingerprint([7; 16]))] {
            assert!(load(dir.path(), known).unwrap().key == old);
        }
        assert!(load(dir.path(), Some(fingerprint(&new))).unwrap().key == new);
        assert!(!dir.path().join(NEXT_FILE).exists());
        let kept = dir.path().join("secret_key.until-20231114T221320000000");
        assert!(read(&kept).unwrap() == Some(old));
    }

    #[test]
    fn a_fingerprint_distinguishes_keys_without_revealing_them() {
        let of = |text: &str| fingerprint(&Secret::new(text));
        assert_eq!(of("0123456789abcdef0123456789abcdef"), of("0123456789abcdef0123456789abcdef"));
        assert_ne!(of("0123456789abcdef0123456789abcdef"), of("0123456789abcdef0123456789abcdeg"));
    }
}
