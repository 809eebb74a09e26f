//! Time-based one-time passwords (RFC 6238) as authenticator apps show them: HMAC-SHA-1, six digits, steps of 30
//! seconds.

use subtle::ConstantTimeEq;
use totp_rs::{Algorithm, Builder, Totp};
use url::Url;

use crate::auth::random::{self, RandomnessError};
use crate::domain::clock::Timestamp;
use crate::domain::secret::Secret;

/// The length of a secret in bytes: that of an HMAC-SHA-1 key (RFC 4226, section 4, R6).
const SECRET_BYTES: usize = 20;
/// The number of digits of a code.
pub const DIGITS: usize = 6;
/// The length of a step in seconds.
pub const STEP_SECONDS: i64 = 30;

/// A secret that an authenticator app and usher share.
pub struct TotpSecret([u8; SECRET_BYTES]);

impl TotpSecret {
    /// Makes a new secret.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate() -> Result<Self, RandomnessError> {
        Ok(Self(random::bytes()?))
    }

    /// Reads a secret in base32; `None` for anything else.
    pub fn from_base32(text: &Secret) -> Option<Self> {
        let bytes = totp_rs::Secret::try_from_base32(text.expose()).ok()?;
        bytes.as_ref().try_into().ok().map(Self)
    }

    /// The secret in base32, as people type it into an app.
    pub fn to_base32(&self) -> Secret {
        Secret::new(totp_rs::Secret::from(self.0.to_vec()).to_base32())
    }

    /// The link that authenticator apps read, as text or as a QR code.
    pub fn otpauth_url(&self, issuer: &str, account: &str) -> Secret {
        let mut url = Url::parse("otpauth://totp").expect("a constant URL is valid");
        let label = format!("/{}:{}", issuer.replace(':', " "), account.replace(':', " "));
        url.set_path(&label);
        url.query_pairs_mut()
            .append_pair("secret", self.to_base32().expose())
            .append_pair("issuer", issuer)
            .append_pair("algorithm", "SHA1")
            .append_pair("digits", &DIGITS.to_string())
            .append_pair("period", &STEP_SECONDS.to_string());
        // Apps read a space only as "%20".
        Secret::new(String::from(url).replace('+', "%20"))
    }

    /// Returns the step whose code this is: the current one, the one before or the one after. Steps up to `last_step`
    /// aren't accepted again (RFC 6238, section 5.2).
    pub fn step_of(&self, code: &str, last_step: Option<i64>, now: Timestamp) -> Option<i64> {
        if code.len() != DIGITS || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let totp = self.totp();
        let current = now.timestamp().div_euclid(STEP_SECONDS);
        // All three are compared, so that the time says nothing about which one matched.
        let mut matched = None;
        for step in current - 1..=current + 1 {
            let Ok(seconds) = u64::try_from(step * STEP_SECONDS) else { continue };
            let expected = totp.generate(seconds).to_string();
            let is_equal: bool = expected.as_bytes().ct_eq(code.as_bytes()).into();
            if is_equal && last_step.is_none_or(|last| step > last) {
                matched = Some(step);
            }
        }
        matched
    }

    fn totp(&self) -> Totp {
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_step_duration(30)
            .with_secret(self.0.to_vec())
            .build()
            .expect("20 bytes, six digits and 30 seconds are valid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_codes_are_those_of_rfc_6238_appendix_b() {
        let secret = TotpSecret(*b"12345678901234567890");
        // The RFC lists eight digits; six are the last six of them.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret.step_of(code, None, at(seconds)), Some(seconds / 30), "{code}");
        }
    }

    #[test]
    fn a_code_is_accepted_one_step_early_or_late_and_only_once() {
        let secret = TotpSecret(*b"12345678901234567890");
        let code = |seconds| secret.step_of("287082", None, at(seconds));
        assert_eq!(
            (code(29), code(30), code(59), code(60), code(89), code(90)),
            (Some(1), Some(1), Some(1), Some(1), Some(1), None)
        );
        assert_eq!(secret.step_of("287082", Some(0), at(59)), Some(1));
        assert_eq!(secret.step_of("287082", Some(1), at(59)), None);
        assert_eq!(secret.step_of("287082", Some(7), at(59)), None, "an older step isn't accepted after a newer one");
    }

    #[test]
    fn a_code_has_six_digits() {
        let secret = TotpSecret(*b"12345678901234567890");
        for text in ["", "28708", "2870820", "28708a", "２８７０８２", " 287082", "-87082"] {
            assert_eq!(secret.step_of(text, None, at(59)), None, "{text:?}");
        }
    }

    #[test]
    fn a_secret_survives_base32_and_apps_can_read_its_link() {
        let secret = TotpSecret(*b"12345678901234567890");
        assert_eq!(secret.to_base32().expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(TotpSecret::from_base32(&secret.to_base32()).map(|read| read.0), Some(secret.0));
        assert!(TotpSecret::from_base32(&Secret::new("GEZDGNBV")).is_none());
        let url = secret.otpauth_url("Home lab", "jörg:b & c");
        assert_eq!(
            url.expose(),
            "otpauth://totp/Home%20lab:j%C3%B6rg%20b%20&%20c?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Home%20lab\
             &algorithm=SHA1&digits=6&period=30"
        );
    }
}
