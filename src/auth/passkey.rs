//! Passkeys and security keys: the relying party's part of WebAuthn Level 3.
//!
//! The state between the two halves of a ceremony, and the credential itself, are JSON that the store keeps.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use url::{Host, Url};
use uuid::Uuid;
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::error::WebauthnError;
use webauthn_rs_core::proto::{AuthenticationState, Credential, RegistrationState};
use webauthn_rs_core::proto::{
    CollectedClientData, PublicKeyCredential, RegisterPublicKeyCredential, ResidentKeyRequirement,
    UserVerificationPolicy,
};

use crate::domain::second_factor::StoredCredential;

/// How long a browser may take for its half of a ceremony.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Why passkeys can't be used at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeysUnavailable {
    /// Browsers offer passkeys over HTTPS and on `localhost` only.
    #[error("passkeys need HTTPS, or http://localhost")]
    NotHttps,
    /// A passkey belongs to a domain.
    #[error("passkeys need a domain name instead of an IP address")]
    IpAddress,
}

/// Why a ceremony failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// The answer isn't valid: from another site or inside its page, for another challenge, by another key, or damaged.
    #[error("the passkey's answer isn't valid here")]
    Invalid,
    /// The person wasn't verified, now or when the passkey was added. Signing in with a passkey alone requires both.
    #[error("the passkey didn't verify the person with a PIN or a fingerprint")]
    NotVerified,
    /// The signature counter went back: there may be a copy of the key (WebAuthn Level 3, section 6.1.1).
    #[error("the passkey's counter went back, so there may be a copy of it")]
    Cloned,
    /// The ceremony can't be created or read, which is a bug.
    #[error("the passkey ceremony failed")]
    Failed,
}

impl From<WebauthnError> for PasskeyError {
    fn from(error: WebauthnError) -> Self {
        match error {
            WebauthnError::UserNotVerified => Self::NotVerified,
            WebauthnError::CredentialPossibleCompromise => Self::Cloned,
            _ => Self::Invalid,
        }
    }
}

/// What a passkey's answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyUse {
    /// To sign in with nothing else.
    Alone,
    /// To sign in after a right password.
    SecondFactor,
}

/// One half of a ceremony.
pub struct PasskeyCeremony {
    /// What the browser's script passes to `navigator.credentials`.
    pub options: Value,
    /// The state to keep until the browser answers.
    pub state: String,
}

/// The relying party: this server at its public address.
pub struct RelyingParty {
    core: WebauthnCore,
    id: String,
}

impl RelyingParty {
    /// The relying party at the address that people type. A loopback address stands for `localhost`, the one name that
    /// browsers accept without HTTPS.
    ///
    /// # Errors
    /// When browsers don't offer passkeys at this address.
    pub fn new(name: &str, public_url: &str) -> Result<Self, PasskeysUnavailable> {
        let mut origin = Url::parse(public_url).map_err(|_| PasskeysUnavailable::NotHttps)?;
        let is_loopback = match origin.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            _ => false,
        };
        if is_loopback {
            origin.set_host(Some("localhost")).map_err(|_| PasskeysUnavailable::IpAddress)?;
        }
        let Some(Host::Domain(domain)) = origin.host() else { return Err(PasskeysUnavailable::IpAddress) };
        if origin.scheme() != "https" && domain != "localhost" && !domain.ends_with(".localhost") {
            return Err(PasskeysUnavailable::NotHttps);
        }
        let id = domain.to_owned();
        origin.set_path("");
        let core = WebauthnCore::new_unsafe_experts_only(name, &id, vec![origin], TIMEOUT, None, None);
        Ok(Self { core, id })
    }

    /// The relying party's id: the domain that passkeys belong to.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Begins to register a passkey of a user; `known` are the ids of the account's passkeys.
    ///
    /// # Errors
    /// [`PasskeyError::Failed`].
    pub fn start_registration(
        &self,
        user: Uuid,
        username: &str,
        known: &[Vec<u8>],
    ) -> Result<PasskeyCeremony, PasskeyError> {
        let builder = self.core.new_challenge_register_builder(user.as_bytes(), username, username);
        let builder = builder
            .map_err(|_| PasskeyError::Failed)?
            .user_verification_policy(UserVerificationPolicy::Preferred)
            .exclude_credentials(Some(known.to_vec()));
        let (mut options, state) = self.core.generate_challenge_register(builder).map_err(|_| PasskeyError::Failed)?;
        if let Some(selection) = &mut options.public_key.authenticator_selection {
            // A passkey if the device can keep one; a plain security key is a second factor all the same.
            selection.resident_key = Some(ResidentKeyRequirement::Preferred);
        }
        Ok(PasskeyCeremony { options: to_value(&options)?, state: to_text(&state)? })
    }

    /// Finishes a registration with the browser's answer.
    ///
    /// # Errors
    /// [`PasskeyError::Invalid`] for an invalid answer.
    pub fn finish_registration(&self, answer: &Value, state: &str) -> Result<StoredCredential, PasskeyError> {
        let answer: RegisterPublicKeyCredential = from_answer(answer)?;
        refuse_foreign_frame(&answer.response.client_data_json)?;
        let state: RegistrationState = from_text(state)?;
        let credential = self.core.register_credential(&answer, &state, None)?;
        Ok(StoredCredential { id: credential.cred_id.clone(), json: to_text(&credential)? })
    }

    /// Begins to sign in with one of `credentials` or, if there are none, with any passkey that the browser has for
    /// this site.
    ///
    /// # Errors
    /// [`PasskeyError::Failed`].
    pub fn start_authentication(&self, credentials: &[StoredCredential]) -> Result<PasskeyCeremony, PasskeyError> {
        let parsed: Result<Vec<Credential>, _> = credentials.iter().map(|stored| from_text(&stored.json)).collect();
        // Without a password the passkey is all there is, so it must verify the person.
        let policy = match credentials {
            [] => UserVerificationPolicy::Required,
            _ => UserVerificationPolicy::Preferred,
        };
        let builder = self.core.new_challenge_authenticate_builder(parsed?, Some(policy));
        let (options, state) = builder
            .and_then(|builder| self.core.generate_challenge_authenticate(builder))
            .map_err(|_| PasskeyError::Failed)?;
        Ok(PasskeyCeremony { options: to_value(&options)?, state: to_text(&state)? })
    }

    /// Checks the browser's answer against the credential that it names. Returns the credential with its new counter.
    ///
    /// Only a credential that verified its user when it was added counts alone. What was recorded then never changes:
    /// an answer that verifies its user doesn't show that the PIN or the fingerprint is the owner's. WebAuthn Level 3
    /// (section 7.2, on `uvInitialized`) asks for another factor before it may change.
    ///
    /// # Errors
    /// Why the answer isn't accepted.
    pub fn finish_authentication(
        &self,
        answer: &Assertion,
        state: &str,
        credential: &StoredCredential,
        purpose: PasskeyUse,
    ) -> Result<StoredCredential, PasskeyError> {
        refuse_foreign_frame(&answer.0.response.client_data_json)?;
        let state: AuthenticationState = from_text(state)?;
        let mut known: Credential = from_text(&credential.json)?;
        let result = self.core.authenticate_single_credential(&answer.0, &state, &known)?;
        if purpose == PasskeyUse::Alone && !(known.user_verified && result.user_verified()) {
            return Err(PasskeyError::NotVerified);
        }
        known.counter = result.counter();
        known.backup_state = result.backup_state();
        Ok(StoredCredential { id: credential.id.clone(), json: to_text(&known)? })
    }
}

/// A browser's answer to [`RelyingParty::start_authentication`].
pub struct Assertion(PublicKeyCredential);

impl Assertion {
    /// Reads the JSON form that browsers make (`PublicKeyCredential.toJSON()`).
    ///
    /// # Errors
    /// [`PasskeyError::Invalid`].
    pub fn read(answer: &Value) -> Result<Self, PasskeyError> {
        from_answer(answer).map(Self)
    }

    /// The id of the credential that answered.
    pub fn credential_id(&self) -> &[u8] {
        self.0.get_credential_id()
    }

    /// The account that the passkey says it belongs to.
    pub fn user(&self) -> Option<Uuid> {
        self.0.get_user_unique_id().and_then(|handle| Uuid::from_slice(handle).ok())
    }
}

/// Refuses an answer that was given inside another site's page. usher's pages don't expect to be there (WebAuthn Level
/// 3, sections 7.1 and 7.2). The library checks `crossOrigin` of registrations only, and `topOrigin` never.
fn refuse_foreign_frame(client_data: &[u8]) -> Result<(), PasskeyError> {
    let data: CollectedClientData = serde_json::from_slice(client_data).map_err(|_| PasskeyError::Invalid)?;
    let is_foreign = data.cross_origin == Some(true) || data.unknown_keys.contains_key("topOrigin");
    if is_foreign { Err(PasskeyError::Invalid) } else { Ok(()) }
}

fn from_answer<T: DeserializeOwned>(answer: &Value) -> Result<T, PasskeyError> {
    T::deserialize(answer).map_err(|_| PasskeyError::Invalid)
}

fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, PasskeyError> {
    serde_json::from_str(text).map_err(|_| PasskeyError::Failed)
}

fn to_text(value: &impl serde::Serialize) -> Result<String, PasskeyError> {
    serde_json::to_string(value).map_err(|_| PasskeyError::Failed)
}

fn to_value(value: &impl serde::Serialize) -> Result<Value, PasskeyError> {
    serde_json::to_value(value).map_err(|_| PasskeyError::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_belong_to_a_domain_with_https_or_to_localhost() {
        let id = |url| RelyingParty::new("usher", url).map(|party| party.id().to_owned());
        assert_eq!(id("https://accounts.example.com/usher"), Ok("accounts.example.com".to_owned()));
        assert_eq!(id("http://localhost:7860"), Ok("localhost".to_owned()));
        assert_eq!(id("http://127.0.0.1:7860"), Ok("localhost".to_owned()));
        assert_eq!(id("http://[::1]:7860"), Ok("localhost".to_owned()));
        assert_eq!(id("http://accounts.example.com"), Err(PasskeysUnavailable::NotHttps));
        assert_eq!(id("https://192.0.2.1"), Err(PasskeysUnavailable::IpAddress));
        assert_eq!(id("http://192.0.2.1:7860"), Err(PasskeysUnavailable::IpAddress));
    }

    #[test]
    fn the_state_of_a_ceremony_survives_being_kept_as_text() {
        let party = RelyingParty::new("usher", "http://localhost:7860").unwrap();
        let registration = party.start_registration(Uuid::from_u128(1), "ann", &[vec![1, 2, 3]]).unwrap();
        assert_eq!(registration.options["publicKey"]["rp"]["id"], "localhost");
        assert_eq!(registration.options["publicKey"]["authenticatorSelection"]["residentKey"], "preferred");
        assert!(from_text::<RegistrationState>(&registration.state).is_ok());
        let sign_in = party.start_authentication(&[]).unwrap();
        assert_eq!(sign_in.options["publicKey"]["userVerification"], "required");
        assert!(from_text::<AuthenticationState>(&sign_in.state).is_ok());
        assert_eq!(party.finish_registration(&serde_json::json!({}), &registration.state), Err(PasskeyError::Invalid));
    }
}
