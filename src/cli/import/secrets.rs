//! Owns how what another server encrypted is encrypted for this one.

use crate::auth::fernet::Fernet;
use crate::auth::random::RandomnessError;
use crate::cli::import::plan::Finding;
use crate::domain::clock::Timestamp;

/// The two secrets: the other server's, if it is known, and usher's own.
pub struct Secrets {
    /// Reads what the other server encrypted.
    pub theirs: Option<Fernet>,
    /// Encrypts for usher.
    pub ours: Fernet,
}

impl Secrets {
    /// A stored store key, encrypted anew. Of one that cannot be read, a finding says so.
    pub fn store_key(
        &self,
        token: Option<&str>,
        now: Timestamp,
        who: &str,
        findings: &mut Vec<Finding>,
    ) -> Result<Option<String>, RandomnessError> {
        let Some(token) = token else { return Ok(None) };
        let text = self.theirs.as_ref().and_then(|theirs| theirs.decrypt(token));
        if text.is_none() {
            let what = "imported without its store key, which this secret key does not open; see --secret-key-file";
            findings.push(Finding::new(who, what));
        }
        text.map(|text| self.ours.encrypt(text.expose(), now)).transpose()
    }
}
