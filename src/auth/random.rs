//! Random values from the operating system.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The operating system returned no random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct RandomnessError(getrandom::Error);

/// Returns `N` random bytes.
pub fn bytes<const N: usize>() -> Result<[u8; N], RandomnessError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(RandomnessError)?;
    Ok(bytes)
}

/// The length of [`url_safe_text`].
pub const TEXT_BYTES: usize = 43;

/// Returns 32 random bytes as 43 URL-safe characters, the form of Langflow's keys.
pub fn url_safe_text() -> Result<String, RandomnessError> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}
