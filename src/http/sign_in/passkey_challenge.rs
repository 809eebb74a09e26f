//! Challenges for a passkey alone. Anybody can ask for one, so it isn't stored: its encrypted state goes to the client
//! and comes back with the answer. An answered challenge is stored until it expires, so that it works only once.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::auth::api_key::sha256;
use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;
use crate::http::pipeline::app::App;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::error::ApiError;
use crate::http::sign_in::challenge::{self, CHALLENGE_LIFETIME};
use crate::http::sign_in::second_factor;

/// The longest challenge token that is looked at, in characters.
pub const MAX_CHALLENGE_CHARS: usize = 4096;

/// The content of a token.
#[derive(Serialize, Deserialize)]
struct TokenPayload {
    state: String,
    network: String,
    expires_at: i64,
}

/// A challenge that came back with its answer.
pub struct PasskeyChallenge {
    /// The hash of its token.
    pub sha256: [u8; 32],
    /// The state of the ceremony.
    pub state: String,
}

/// Makes a challenge for any passkey that the browser has for this site. Returns its token, and the options for the
/// browser's script.
///
/// # Errors
/// When passkeys can't be used at this server's address.
pub fn issue(app: &App, client: &Client, now: Timestamp) -> Result<(String, Value), ApiError> {
    let ceremony = second_factor::relying_party(app)?.start_authentication(&[])?;
    let payload = TokenPayload {
        state: ceremony.state,
        network: challenge::network(client),
        expires_at: (now + CHALLENGE_LIFETIME).timestamp(),
    };
    let text = serde_json::to_string(&payload).expect("texts and numbers are JSON");
    Ok((app.challenges.encrypt(&text, now)?, ceremony.options))
}

/// Opens the token of a challenge.
///
/// # Errors
/// [`ApiError::ChallengeEnded`] if it has expired, or is another network's or another server's.
pub fn open(app: &App, client: &Client, token: &Secret, now: Timestamp) -> Result<PasskeyChallenge, ApiError> {
    let opened = app.challenges.decrypt(token.expose());
    opened
        .and_then(|text| serde_json::from_str::<TokenPayload>(text.expose()).ok())
        .filter(|payload| payload.network == challenge::network(client) && now.timestamp() < payload.expires_at)
        .map(|payload| PasskeyChallenge { sha256: sha256(token.expose()), state: payload.state })
        .ok_or(ApiError::ChallengeEnded)
}
