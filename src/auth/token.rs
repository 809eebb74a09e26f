//! Access and refresh tokens: JWT (RFC 7519) signed with HS256 (RFC 7518, section 3.2). A token that passes here isn't
//! valid yet: its session must be alive, which the store knows.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;

/// `{"typ":"JWT","alg":"HS256"}` in base64, the header of every token. Any other header is refused unread, so no token
/// can choose its algorithm (RFC 8725, section 3.1).
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";
/// The most bytes of the claims. usher's have about 200.
const MAX_CLAIMS_BYTES: usize = 512;
/// The bytes of a signature.
const SIGNATURE_BYTES: usize = 32;
/// The characters of a signature.
const SIGNATURE_CHARS: usize = 43;
/// How many verified tokens each thread remembers. Each takes about 350 bytes.
const REMEMBERED_TOKENS: usize = 256;
/// How many bytes at a token's end are hashed to find its slot. They are a part of the signature, so tokens differ
/// there.
const HASHED_BYTES: usize = 16;

thread_local! {
    /// Tokens whose signature was right, by slot. Clients send the same access token for an hour. Nothing else is
    /// remembered: the caller checks expiry and session every time.
    /// Empty until a thread checks its first token, as most threads check none.
    static VERIFIED: RefCell<Vec<Option<Verified>>> = const { RefCell::new(Vec::new()) };
}

/// A token with a right signature.
struct Verified {
    signer: u64,
    token: Secret,
    claims: Claims,
}

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
    mac: Hmac<Sha256>,
    /// Tells the tokens that this signer verified from those of others in this process.
    id: u64,
}

impl TokenSigner {
    /// Uses the secret key without derivation, as Langflow does, so that each accepts the other's signatures.
    pub fn new(secret_key: &Secret) -> Self {
        Self::from_bytes(secret_key.expose().as_bytes())
    }

    fn from_bytes(key: &[u8]) -> Self {
        static SIGNERS: AtomicU64 = AtomicU64::new(0);
        let mac = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        Self { mac, id: SIGNERS.fetch_add(1, Ordering::Relaxed) }
    }

    /// Signs claims. The same claims always give the same token.
    pub fn sign(&self, claims: &Claims) -> Secret {
        let claims = serde_json::to_vec(claims).expect("plain claims serialize");
        let mut token = format!("{HEADER}.");
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.mac.clone().chain_update(&token).finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Secret::new(token)
    }

    /// Returns the claims of a token of this kind, if this key signed it and it hasn't expired at `now`.
    pub fn check(&self, token: &str, kind: TokenKind, now: Timestamp) -> Result<Claims, TokenError> {
        let claims = self.check_ignoring_expiry(token, kind)?;
        if now.timestamp() >= claims.exp { Err(TokenError::Expired) } else { Ok(claims) }
    }

    /// Like [`TokenSigner::check`], but accepts an expired token: for sign-out.
    pub fn check_ignoring_expiry(&self, token: &str, kind: TokenKind) -> Result<Claims, TokenError> {
        let claims = self.signed_claims(token).ok_or(TokenError::Invalid)?;
        if claims.kind == kind { Ok(claims) } else { Err(TokenError::Invalid) }
    }

    /// Returns the claims, if this key signed them.
    fn signed_claims(&self, token: &str) -> Option<Claims> {
        let mut hasher = DefaultHasher::new();
        token.as_bytes()[token.len().saturating_sub(HASHED_BYTES)..].hash(&mut hasher);
        let slot = usize::try_from(hasher.finish() % REMEMBERED_TOKENS as u64).unwrap_or(0);
        VERIFIED.with_borrow_mut(|verified| {
            verified.resize_with(REMEMBERED_TOKENS, || None);
            let known = verified[slot]
                .as_ref()
                .filter(|known| known.signer == self.id && is_same(known.token.expose().as_bytes(), token.as_bytes()));
            if let Some(known) = known {
                return Some(known.claims.clone());
            }
            let claims = self.verify(token)?;
            verified[slot] = Some(Verified { signer: self.id, token: Secret::new(token), claims: claims.clone() });
            Some(claims)
        })
    }

    fn verify(&self, token: &str) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        let claims = signed.strip_prefix(HEADER)?.strip_prefix('.')?;
        let (mut bytes, mut expected) = ([0; MAX_CLAIMS_BYTES], [0; SIGNATURE_BYTES]);
        // A part that doesn't fit is refused before anything is computed.
        let claims = URL_SAFE_NO_PAD.decode_slice(claims, &mut bytes).ok()?;
        let signature = URL_SAFE_NO_PAD.decode_slice(signature, &mut expected).ok()?;
        self.mac.clone().chain_update(signed).verify_slice(&expected[..signature]).ok()?;
        serde_json::from_slice(&bytes[..claims]).ok()
    }
}

/// Compares tokens in a time that tells nothing about the signature. The rest is compared only for who knows that.
fn is_same(known: &[u8], given: &[u8]) -> bool {
    let signature = known.len().saturating_sub(SIGNATURE_CHARS);
    let given_signature = given.get(signature..).unwrap_or_default();
    bool::from(known[signature..].ct_eq(given_signature)) && known[..signature] == given[..signature]
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn a_token_has_its_signed_claims_until_it_expires() {
        let tokens = tokens();
        let token = tokens.sign(&claims(TokenKind::Access));
        assert_eq!(tokens.check(token.expose(), TokenKind::Access, at(999)), Ok(claims(TokenKind::Access)));
        assert_eq!(tokens.check(token.expose(), TokenKind::Access, at(1000)), Err(TokenError::Expired));
        assert_eq!(tokens.check_ignoring_expiry(token.expose(), TokenKind::Access), Ok(claims(TokenKind::Access)));
        assert!(token == tokens.sign(&claims(TokenKind::Access)));
        let end = at(1000) - TimeDelta::microseconds(1);
        assert!(tokens.check(token.expose(), TokenKind::Access, end).is_ok());
    }

    #[test]
    fn access_and_refresh_tokens_are_distinguished() {
        let token = tokens().sign(&claims(TokenKind::Refresh));
        assert_eq!(tokens().check(token.expose(), TokenKind::Access, at(1)), Err(TokenError::Invalid));
    }

    #[test]
    fn another_key_another_algorithm_or_no_signature_is_refused() {
        let token = tokens().sign(&claims(TokenKind::Access));
        assert!(tokens().check(token.expose(), TokenKind::Access, at(1)).is_ok(), "remembered from now on");
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
    fn the_signature_is_that_of_the_standard() {
        // RFC 7515, appendix A.1: its key, signing input and signature.
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let input = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = TokenSigner::from_bytes(&key).mac.chain_update(input).finalize().into_bytes();
        assert_eq!(URL_SAFE_NO_PAD.encode(signature), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn the_header_is_the_one_of_earlier_versions() {
        assert_eq!(URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"HS256"}"#), HEADER);
        // Signed by usher 0.1.0 with the `jsonwebtoken` crate.
        let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDEiLCJ0eXBlIjoiYWNjZXNzIiwiZXhwIjoxMDAwLCJpYXQiOjEwMCwic2lkIjoiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAyIn0.U_WfP_KMl9OR3KHYzQWI2r37tukabkI7vg21PUJbJ_U";
        assert!(tokens().check(token, TokenKind::Access, at(1)).is_ok());
    }

    #[test]
    fn oversized_parts_are_refused() {
        let token = tokens().sign(&claims(TokenKind::Access));
        let (signed, signature) = token.expose().rsplit_once('.').unwrap();
        for forged in [
            format!("{HEADER}.{}.{signature}", "A".repeat(100_000)),
            format!("{signed}.{}", "A".repeat(100_000)),
            format!("{signed}.{}.{signature}", "A".repeat(100_000)),
            format!("{signed}."),
            format!("{signed}.{}", &signature[..40]),
        ] {
            assert_eq!(tokens().check(&forged, TokenKind::Access, at(1)), Err(TokenError::Invalid));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_or_passes(text in "\\PC{0,80}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 0..5)) {
            prop_assert!(tokens().check(&text, TokenKind::Access, at(1)).is_err());
            prop_assert!(tokens().check(&parts.join("."), TokenKind::Access, at(1)).is_err());
        }

        #[test]
        fn a_token_with_any_character_changed_is_refused(at_index in 0usize..1000, by in 1u8..64) {
            let tokens = tokens();
            let token = tokens.sign(&claims(TokenKind::Access));
            // The right token is remembered, and must not vouch for another one.
            prop_assert!(tokens.check(token.expose(), TokenKind::Access, at(1)).is_ok());
            let mut bytes = token.expose().as_bytes().to_vec();
            let index = at_index % bytes.len();
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            if let Some(old) = alphabet.iter().position(|&b| b == bytes[index]) {
                // The last character of a part carries bits that decoders may ignore; changing only those is no
                // forgery.
                let replaced = alphabet[(old + usize::from(by)) % 64];
                bytes[index] = replaced;
                let changed = String::from_utf8(bytes).unwrap();
                if let Ok(got) = tokens.check(&changed, TokenKind::Access, at(1)) {
                    prop_assert_eq!(got, claims(TokenKind::Access));
                }
            }
        }
    }
}
