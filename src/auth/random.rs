//! Owns randomness that nobody can guess.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Why there is no randomness.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct RandomnessError(getrandom::Error);

/// `N` bytes from the operating system.
pub fn bytes<const N: usize>() -> Result<[u8; N], RandomnessError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(RandomnessError)?;
    Ok(bytes)
}

/// 32 random bytes as 43 characters that are safe in a URL, as the original makes its keys.
pub fn text() -> Result<String, RandomnessError> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}
