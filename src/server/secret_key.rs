//! Owns which secret key is in force, and whether the database goes with it. Joins the key in `auth` with the
//! fingerprint in `store`, for the server and for the command line.

use crate::auth::fernet::Fernet;
use crate::auth::secret_key::{self, SECRET_KEY_FILE, SecretKeyError, fingerprint};
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;
use crate::store::secret_key::StoreKey;
use crate::store::{DATABASE_FILE, Db, StoreError, secret_key as noted};

/// Why there is no secret key.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyStartError {
    /// It cannot be had.
    #[error(transparent)]
    Key(#[from] SecretKeyError),
    /// The database does not say which one it goes with.
    #[error("{}", .0.described())]
    Store(#[from] StoreError),
}

/// The secret key of the settings, or else of the data directory. A database that knows none yet notes it; if it knows
/// another one, everything works but what that one made, which is said in the log.
pub async fn in_force(config: &Config, db: &Db, now: Timestamp) -> Result<Secret, SecretKeyStartError> {
    let known = db.read::<_, StoreError, _>(noted::fingerprint).await?;
    let key = match &config.secret_key {
        Some(key) => key.clone(),
        None => secret_key::load_or_create(&config.data_dir, known, now)?.key,
    };
    let mine = fingerprint(&key);
    match known {
        Some(known) if known == mine => {}
        Some(_) => {
            let keys = db.read::<_, StoreError, _>(noted::store_keys).await?;
            let lost = unreadable(&keys, &[&key]).len();
            log::warn!(
                "the secret key is not the one that this database was used with: everybody has to log in again, and \
                 {lost} stored store keys cannot be read; put the old key back, or run `usher rotate-secret`"
            );
        }
        None => db.write::<_, StoreError, _>(move |connection| noted::set_fingerprint(connection, &mine)).await?,
    }
    Ok(key)
}

/// The secret key of the settings or of the data directory as it stands; none is made.
pub fn present(config: &Config) -> Result<Option<Secret>, SecretKeyError> {
    match &config.secret_key {
        Some(key) => Ok(Some(key.clone())),
        None => secret_key::read(&config.data_dir.join(SECRET_KEY_FILE)),
    }
}

/// How many stored store keys of the database in the data directory, which nobody has open, its secret key does not
/// open; `None` if the two go with each other.
pub fn lost_store_keys(config: &Config) -> Result<Option<usize>, SecretKeyStartError> {
    let (known, store_keys) = noted::read_from_file(&config.data_dir.join(DATABASE_FILE))?;
    let key = present(config)?;
    let goes_with = known.is_none_or(|known| key.as_ref().map(fingerprint) == Some(known));
    let lost = unreadable(&store_keys, &key.iter().collect::<Vec<_>>()).len();
    Ok(if goes_with && lost == 0 { None } else { Some(lost) })
}

/// Those store keys that none of these secret keys opens.
pub fn unreadable<'a>(store_keys: &'a [StoreKey], secret_keys: &[&Secret]) -> Vec<&'a StoreKey> {
    let fernets: Vec<Fernet> = secret_keys.iter().map(|key| Fernet::new(key)).collect();
    let opens = |key: &&StoreKey| fernets.iter().all(|fernet| fernet.decrypt(&key.token).is_none());
    store_keys.iter().filter(opens).collect()
}
