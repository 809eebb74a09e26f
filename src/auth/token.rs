//! Access and refresh tokens: JWT (RFC 7519) signed with HS256 (RFC 7518, section 3.2). A token that passes here isn't
//! valid yet: its session must be alive, which the store knows.

use std::sync::Once;

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;

/// The most bytes of a token. usher's have a few hundred.
const MAX_BYTES: usize = 2048;

/// The kind of a token. One kind is never accepted as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Authenticates requests, for about an hour.
    Access,
    /// Gets the next pair of tokens, once.
    Refresh,
}

/// The claims of a token. Langflow reads `sub`, `type` and `exp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user's id.
    pub sub: Uuid,
    /// The kind of token.
    #[serde(rename = "type")]
    pub kind: TokenKind,
    /// When it expires, in seconds since 1970.
    pub exp: i64,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// The session that it belongs to.
    pub sid: Uuid,
    /// The number of earlier refresh tokens in its session; only in refresh tokens.
    #[serde(rename = "gen", default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was valid and has expired.
    #[error("the token has expired")]
    Expired,
    /// Its form, signature, algorithm or kind is wrong.
    #[error("the token is invalid")]
    Invalid,
}

/// Signs and checks tokens with the secret key.
pub struct TokenSigner {
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
}

impl TokenSigner {
    /// Uses the secret key without derivation, as Langflow does, so that each accepts the other's signatures.
    pub fn new(secret_key: &Secret) -> Self {
        install_hs256();
        let key = secret_key.expose().as_bytes();
        let mut validation = Validation::new(Algorithm::HS256);
        // Expiry is checked below with usher's clock; the crate would use the system's and add a minute.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Self { signing: EncodingKey::from_secret(key), checking: DecodingKey::from_secret(key), validation }
    }

    /// Signs claims. The same claims always give the same token.
    pub fn sign(&self, claims: &Claims) -> Secret {
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.signing);
        Secret::new(token.expect("plain claims serialize, and HMAC signs with any key"))
    }

    /// Returns the claims of a token of this kind, if this key signed it and it hasn't expired at `now`.
    pub fn check(&self, token: &str, kind: TokenKind, now: Timestamp) -> Result<Claims, TokenError> {
        let claims = self.check_ignoring_expiry(token, kind)?;
        if now.timestamp() >= claims.exp { Err(TokenError::Expired) } else { Ok(claims) }
    }

    /// Like [`TokenSigner::check`], but accepts an expired token: for sign-out.
    pub fn check_ignoring_expiry(&self, token: &str, kind: TokenKind) -> Result<Claims, TokenError> {
        if token.len() > MAX_BYTES {
            return Err(TokenError::Invalid);
        }
        let token = jsonwebtoken::decode::<Claims>(token, &self.checking, &self.validation);
        let claims = token.map_err(|_| TokenError::Invalid)?.claims;
        if claims.kind == kind { Ok(claims) } else { Err(TokenError::Invalid) }
    }
}

/// HS256 for the token crate, whose own back ends each include all other algorithms.
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

fn install_hs256() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |_, key| Ok(Box::new(Hs256::new(key.as_bytes()))),
        verifier_factory: |_, key| Ok(Box::new(Hs256::new(key.try_get_as_bytes()?))),
        key_utils: KeyUtils::new_unimplemented(),
    };
    static INSTALLED: Once = Once::new();
    // Only fails if a provider is installed already.
    INSTALLED.call_once(|| {
        let _ = PROVIDER.install_default();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).unwrap()
    }

    fn tokens() -> TokenSigner {
        TokenSigner::new(&Secret::new("0123456789abcdef0123456789abcdef"))
    }

    fn claims(kind: TokenKind) -> Claims {
        Claims { sub: Uuid::from_u128(1), kind, exp: 1000, iat: 100, sid: Uuid::from_u128(2), generation: None }
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_ends() {
        let token = tokens().sign(&claims(TokenKind::Access));
        assert_eq!(tokens().check(token.expose(), TokenKind::Access, at(999)), Ok(claims(TokenKind::Access)));
        assert_eq!(tokens().check(token.expose(), TokenKind::Access, at(1000)), Err(TokenError::Expired));
        assert_eq!(tokens().check_ignoring_expiry(token.expose(), TokenKind::Access), Ok(claims(TokenKind::Access)));
        assert!(token == tokens().sign(&claims(TokenKind::Access)));
        let end = at(1000) - TimeDelta::microseconds(1);
        assert!(tokens().check(token.expose(), TokenKind::Access, end).is_ok());
    }

    #[test]
    fn access_and_refresh_are_told_apart() {
        let token = tokens().sign(&claims(TokenKind::Refresh));
        assert_eq!(tokens().check(token.expose(), TokenKind::Access, at(1)), Err(TokenError::Invalid));
    }

    #[test]
    fn another_key_another_algorithm_or_no_signature_is_refused() {
        let token = tokens().sign(&claims(TokenKind::Access));
        let other = TokenSigner::new(&Secret::new("another key, also of 32 characters or more"));
        assert_eq!(other.check(token.expose(), TokenKind::Access, at(1)), Err(TokenError::Invalid));
        let (_, rest) = token.expose().split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        for alg in ["none", "None", "HS384", "HS512", "RS256", "ES256", "hs256"] {
            let head = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#));
            for signature in ["", signature] {
                let forged = format!("{head}.{payload}.{signature}");
                assert_eq!(tokens().check(&forged, TokenKind::Access, at(1)), Err(TokenError::Invalid), "{alg}");
            }
        }
    }

    #[test]
    fn the_signature_is_the_one_of_the_standard() {
        // RFC 7515, appendix A.1: its key, signing input and signature.
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let input = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = Hs256::new(&key).try_sign(input.as_bytes()).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(signature), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    proptest! {
        #[test]
        fn no_text_panics_or_passes(text in "\\PC{0,80}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 0..5)) {
            prop_assert!(tokens().check(&text, TokenKind::Access, at(1)).is_err());
            prop_assert!(tokens().check(&parts.join("."), TokenKind::Access, at(1)).is_err());
        }

        #[test]
        fn a_token_with_any_character_changed_is_refused(at_index in 0usize..1000, by in 1u8..64) {
            let token = tokens().sign(&claims(TokenKind::Access));
            let mut bytes = token.expose().as_bytes().to_vec();
            let index = at_index % bytes.len();
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            if let Some(old) = alphabet.iter().position(|&b| b == bytes[index]) {
                // The last character of a part carries bits that decoders may ignore; changing only those is no forgery.
                let replaced = alphabet[(old + usize::from(by)) % 64];
                bytes[index] = replaced;
                let changed = String::from_utf8(bytes).unwrap();
                if let Ok(got) = tokens().check(&changed, TokenKind::Access, at(1)) {
                    prop_assert_eq!(got, claims(TokenKind::Access));
                }
            }
        }
    }
}
