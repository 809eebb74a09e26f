//! Re-encrypts store keys for this server.

use crate::auth::fernet::Fernet;
use crate::auth::random::RandomnessError;
use crate::cli::import::conflicts::ImportNotice;
use crate::domain::clock::Timestamp;

/// The other server's key, if it is known, and this server's key.
pub struct Secrets {
    /// Decrypts what the other server encrypted.
    pub theirs: Option<Fernet>,
    /// Encrypts for this server.
    pub ours: Fernet,
}

impl Secrets {
    /// Re-encrypts a store key. If it can't be decrypted, adds a notice.
    pub fn store_key(
        &self,
        token: Option<&str>,
        now: Timestamp,
        user: &str,
        notices: &mut Vec<ImportNotice>,
    ) -> Result<Option<String>, RandomnessError> {
        let Some(token) = token else { return Ok(None) };
        let text = self.theirs.as_ref().and_then(|theirs| theirs.decrypt(token));
        if text.is_none() {
            let what = "imported without the store key, which this secret key can't decrypt; see --secret-key-file";
            notices.push(ImportNotice::new(user, what));
        }
        text.map(|text| self.ours.encrypt(text.expose(), now)).transpose()
    }
}
