//! The current secret key, and whether the database was written with it. Compares the key in `auth` with the
//! fingerprint in `store`, for the server and the command line.

use std::fmt;
use std::path::PathBuf;

use crate::auth::fernet::Fernet;
use crate::auth::secret_key::{self, SECRET_KEY_FILE, SecretKeyError, fingerprint};
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;
use crate::store::secret_key::{EncryptedText, EncryptedTexts};
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

/// Loads the secret key from the settings, or else from the data directory, where it is created if it is missing.
/// Stores its fingerprint in a new database. If the database has another fingerprint, logs what can't be read. Servers
/// that share a database must have its key.
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
        let texts = db.read::<_, StoreError, _>(EncryptedTexts::read).await?;
        let lost = UndecryptableSecrets::of(&texts, &[&key]);
        log::warn!(
            "the secret key has changed since this database was last used: everyone must sign in again, and {lost} \
             can't be read; restore the old key, or run `usher rotate-secret`"
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

/// Counts what the secret key can't decrypt in the data directory's database; `None` if the two match. No process may
/// have the database open.
pub fn count_undecryptable(config: &Config) -> Result<Option<UndecryptableSecrets>, SecretKeyStartError> {
    let (known, texts) = stored::read_from_file(&config.data_dir.join(DATABASE_FILE))?;
    let key = read_existing(config)?;
    let matches = known.is_none_or(|known| key.as_ref().map(fingerprint) == Some(known));
    let lost = UndecryptableSecrets::of(&texts, &key.iter().collect::<Vec<_>>());
    Ok(if matches && lost.is_empty() { None } else { Some(lost) })
}

/// How many encrypted texts can't be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndecryptableSecrets {
    /// The stored store keys.
    pub store_keys: usize,
    /// The authenticator apps.
    pub authenticator_apps: usize,
}

impl UndecryptableSecrets {
    /// Counts what none of these secret keys can decrypt.
    pub fn of(texts: &EncryptedTexts, secret_keys: &[&Secret]) -> Self {
        Self {
            store_keys: unreadable(&texts.store_keys, secret_keys).len(),
            authenticator_apps: unreadable(&texts.authenticator_apps, secret_keys).len(),
        }
    }

    fn is_empty(self) -> bool {
        self.store_keys + self.authenticator_apps == 0
    }
}

impl fmt::Display for UndecryptableSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stored store keys and {} authenticator apps", self.store_keys, self.authenticator_apps)
    }
}

/// The texts that none of these secret keys can decrypt.
pub fn unreadable<'a>(texts: &'a [EncryptedText], secret_keys: &[&Secret]) -> Vec<&'a EncryptedText> {
    let fernets: Vec<Fernet> = secret_keys.iter().map(|key| Fernet::new(key)).collect();
    let is_unreadable = |text: &&EncryptedText| fernets.iter().all(|fernet| fernet.decrypt(&text.token).is_none());
    texts.iter().filter(is_unreadable).collect()
}

/// The owners of these texts, each once.
pub fn owners(texts: &[&EncryptedText]) -> Vec<String> {
    let mut names: Vec<String> = texts.iter().map(|text| text.username.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}
