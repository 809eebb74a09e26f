//! The tokens of links that are sent to people: random, and stored as a hash.

use crate::auth::api_key::sha256;
use crate::auth::random::{self, RandomnessError};
use crate::domain::secret::Secret;

/// The token of a new link, and the hash that is stored.
pub struct NewLink {
    token: Secret,
    /// The token's SHA-256.
    pub hash: [u8; 32],
}

impl NewLink {
    /// Makes a random token.
    pub fn generate() -> Result<Self, RandomnessError> {
        let token = Secret::new(random::url_safe_text()?);
        let hash = sha256(token.expose());
        Ok(Self { token, hash })
    }

    /// Returns the address of a page of the console. The token comes after `#`, so that browsers don't send it.
    pub fn url(&self, server: &str, page: LinkPage) -> String {
        let page = match page {
            LinkPage::Reset => "reset",
            LinkPage::Invitation => "invitation",
        };
        format!("{server}/{page}#token={}", self.token.expose())
    }
}

/// A page of the console that a link opens.
#[derive(Clone, Copy, Debug)]
pub enum LinkPage {
    /// Sets a new password.
    Reset,
    /// Creates an account.
    Invitation,
}

/// Returns the hash that a token is stored under, or `None` if it is too long to be one.
pub fn hash(token: &Secret) -> Option<[u8; 32]> {
    (token.expose().len() <= random::TEXT_BYTES).then(|| sha256(token.expose()))
}
