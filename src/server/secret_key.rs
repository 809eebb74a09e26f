//! The current secret key, and whether the database was written with it. Joins the key in `auth` with the fingerprint in
//! `store`, for the server and the command line.

use std::path::PathBuf;

use crate::auth::fernet::Fernet;
use crate::auth::secret_key::{self, SECRET_KEY_FILE, SecretKeyError, fingerprint};
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;
use crate::store::secret_key::StoreKey;
use crate::store::{DATABASE_FILE, Db, StoreError, secret_key as stored};

/// Why the secret key can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyStartError {
    /// The key can't be read or created.
    #[error(transparent)]
    Key(#[from] SecretKeyError),
    /// The fingerprint can't be read from the database.
    #[error("{}", .0.described())]
    Store(#[from] StoreError),
    /// Other servers share the database and have a key, and this one has none.
    #[error("the servers of this database have a secret key; copy it to {0}, or set `secret_key_file`")]
    Missing(PathBuf),
    /// Other servers share the database and have another key.
    #[error("this secret key is not that of the database's other servers; all need the same `secret_key`")]
    Other,
}

/// Loads the secret key from the settings, or else from the data directory, where it is created if it is missing. Stores
/// its fingerprint in a new database. If the database has another fingerprint, logs what can't be read. Servers that share
/// a database must have its key.
pub async fn load(config: &Config, db: &Db, now: Timestamp) -> Result<Secret, SecretKeyStartError> {
    let known = db.read::<_, StoreError, _>(stored::fingerprint).await?;
    let key = if let Some(key) = &config.secret_key {
        key.clone()
    } else {
        secret_key::complete_rotation(&config.data_dir, known, now)?;
        if db.is_shared() && known.is_some() && read_existing(config)?.is_none() {
            return Err(SecretKeyStartError::Missing(config.data_dir.join(SECRET_KEY_FILE)));
        }
        secret_key::load_or_create(&config.data_dir, known, now)?.key
    };
    let current = fingerprint(&key);
    let stored = match known {
        Some(known) => known,
        // Another server may start at the same time.
        None => db.write::<_, StoreError, _>(move |connection| stored::claim(connection, &current)).await?,
    };
    if stored != current {
        if db.is_shared() {
            return Err(SecretKeyStartError::Other);
        }
        let keys = db.read::<_, StoreError, _>(stored::store_keys).await?;
        let lost = unreadable(&keys, &[&key]).len();
        log::warn!(
            "the secret key has changed since this database was last used: everyone must sign in again, and {lost} \
             store keys can't be read; restore the old key, or run `usher rotate-secret`"
        );
    }
    Ok(key)
}

/// Reads the secret key from the settings or the data directory, without creating one.
pub fn read_existing(config: &Config) -> Result<Option<Secret>, SecretKeyError> {
    match &config.secret_key {
        Some(key) => Ok(Some(key.clone())),
        None => secret_key::read(&config.data_dir.join(SECRET_KEY_FILE)),
    }
}

/// The number of store keys in the data directory's database that its secret key can't decrypt; `None` if the two match.
/// No process may have the database open.
pub fn lost_store_keys(config: &Config) -> Result<Option<usize>, SecretKeyStartError> {
    let (known, store_keys) = stored::read_from_file(&config.data_dir.join(DATABASE_FILE))?;
    let key = read_existing(config)?;
    let matches = known.is_none_or(|known| key.as_ref().map(fingerprint) == Some(known));
    let lost = unreadable(&store_keys, &key.iter().collect::<Vec<_>>()).len();
    Ok(if matches && lost == 0 { None } else { Some(lost) })
}

/// The store keys that none of these secret keys can decrypt.
pub fn unreadable<'a>(store_keys: &'a [StoreKey], secret_keys: &[&Secret]) -> Vec<&'a StoreKey> {
    let fernets: Vec<Fernet> = secret_keys.iter().map(|key| Fernet::new(key)).collect();
    let is_unreadable = |key: &&StoreKey| fernets.iter().all(|fernet| fernet.decrypt(&key.token).is_none());
    store_keys.iter().filter(is_unreadable).collect()
}
