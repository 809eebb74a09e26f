//! Challenges: the second step of a sign-in, and how its answer is checked.

use actix_web::web::Data;
use chrono::TimeDelta;
use uuid::Uuid;

use crate::auth::api_key::sha256;
use crate::auth::passkey::{Assertion, PasskeyError, PasskeyUse};
use crate::auth::random;
use crate::domain::audit::{Action, Event};
use crate::domain::client_network::client_network;
use crate::domain::clock::Timestamp;
use crate::domain::second_factor::{PendingPassword, StoredCredential};
use crate::domain::secret::{PasswordHash, Secret};
use crate::domain::user::User;
use crate::http::pipeline::app::App;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::error::challenge_offer::ChallengeOffer;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::validation::FieldErrors;
use crate::http::sign_in::attempt::AttemptKeys;
use crate::http::sign_in::second_factor::{UsedFactor, available_factors, find_code, relying_party};
use crate::store::challenges::{self, Challenge, ChallengePurpose};
use crate::store::factors::PasskeyFactor;
use crate::store::{Connection, audit, factors, users};

/// How long a challenge can be answered.
pub const CHALLENGE_LIFETIME: TimeDelta = TimeDelta::minutes(5);
/// How many wrong answers end a challenge.
pub const MAX_TRIES: u32 = 5;

/// The proof that comes before the second factor.
pub enum FirstProof {
    /// The password, whose hash this is.
    Password(PasswordHash),
    /// A reset link. The right answer sets its password.
    ResetLink(PendingPassword),
}

/// Opens a challenge for a user. The right answer signs in. `None` if the password's hash was replaced meanwhile.
///
/// # Errors
/// When the database can't be written.
pub async fn open_challenge(
    app: &Data<App>,
    client: &Client,
    user: &User,
    proof: FirstProof,
    keys: Option<AttemptKeys>,
    now: Timestamp,
) -> Result<Option<ChallengeOffer>, ApiError> {
    let token = Secret::new(random::url_safe_text()?);
    let (state, user_id, network) = (app.clone(), user.id, network(client));
    let sha256 = sha256(token.expose());
    let opened = app.db.write(move |connection| {
        keys.map_or(Ok(()), |keys| keys.confirm(connection, Some(user_id), now))?;
        let password = match proof {
            FirstProof::Password(hash) if users::password_hash(connection, user_id)?.as_ref() != Some(&hash) => {
                return Ok(None);
            }
            FirstProof::Password(_) => None,
            FirstProof::ResetLink(pending) => Some(pending),
        };
        let available = available_factors(connection, &state, user_id)?;
        let mut ceremony = None;
        if let (true, Ok(party)) = (available.passkey, &state.relying_party) {
            let known = factors::passkeys_of_user(connection, user_id, party.id())?;
            let known: Vec<StoredCredential> = known.into_iter().map(|passkey| passkey.credential).collect();
            ceremony = Some(party.start_authentication(&known).map_err(ApiError::from)?);
        }
        let (options, state) = ceremony.map(|ceremony| (ceremony.options, ceremony.state)).unzip();
        let challenge = Challenge {
            sha256,
            purpose: ChallengePurpose::SecondFactor,
            user_id,
            network,
            state: state.unwrap_or_default(),
            tries: 0,
            expires_at: now + CHALLENGE_LIFETIME,
            password,
        };
        challenges::insert(connection, &challenge)?;
        Ok::<_, ApiError>(Some((available, options)))
    });
    Ok(opened.await?.map(|(factors, passkey)| ChallengeOffer { token, factors, passkey }))
}

/// The network that a challenge is bound to.
pub fn network(client: &Client) -> String {
    client_network(client.address).to_string()
}

/// An answer to a challenge.
pub enum Answer {
    /// A code of an authenticator app, or a recovery code.
    Code(Secret),
    /// A passkey's answer, as the browser's script gives it.
    Passkey(Box<Assertion>),
}

impl Answer {
    /// Reads `code` or `credential`.
    pub fn read(fields: &Fields<'_>, errors: &mut FieldErrors) -> Option<Self> {
        if let Some(assertion) = fields.optional("credential", errors, fields::assertion) {
            return Some(Self::Passkey(Box::new(assertion)));
        }
        fields.required("code", errors, fields::secret).map(Self::Code)
    }
}

/// Checks an answer to a challenge of `user_id`.
///
/// # Errors
/// [`ApiError::WrongCode`] or [`ApiError::Passkey`] for a wrong answer. Others when the answer can't be checked.
pub fn check_answer(
    connection: &Connection,
    app: &App,
    challenge: &Challenge,
    user_id: Uuid,
    answer: &Answer,
    now: Timestamp,
) -> Result<UsedFactor, ApiError> {
    match answer {
        Answer::Code(code) => find_code(connection, app, user_id, code, now)?.ok_or(ApiError::WrongCode),
        Answer::Passkey(assertion) => {
            let known = factors::passkeys_of_user(connection, user_id, relying_party(app)?.id())?;
            let known = known.into_iter().find(|known| known.credential.id == assertion.credential_id());
            // A challenge from before the account's first passkey has no state for one.
            match known.filter(|_| !challenge.state.is_empty()) {
                Some(passkey) => check_assertion(app, passkey, assertion, &challenge.state, PasskeyUse::SecondFactor),
                None => Err(PasskeyError::Invalid.into()),
            }
        }
    }
}

/// Checks a passkey's answer to the challenge with this state.
///
/// # Errors
/// [`ApiError::Passkey`].
pub fn check_assertion(
    app: &App,
    passkey: PasskeyFactor,
    assertion: &Assertion,
    state: &str,
    purpose: PasskeyUse,
) -> Result<UsedFactor, ApiError> {
    let checked = relying_party(app)?.finish_authentication(assertion, state, &passkey.credential, purpose);
    if let Err(error @ PasskeyError::Cloned) = checked {
        log::warn!("passkey {} of user {} isn't accepted: {error}", passkey.id, passkey.user_id);
    }
    Ok(UsedFactor::Passkey { id: passkey.id, before: passkey.credential, after: checked? })
}

/// The audit entry's detail for a wrong answer that an administrator should know of.
pub fn audit_detail(error: &ApiError) -> Option<&'static str> {
    matches!(error, ApiError::Passkey(PasskeyError::Cloned)).then_some("passkey counter went back")
}

/// Counts a passkey that no account has, for the network alone.
///
/// # Errors
/// When the database can't be written.
pub async fn record_unknown_passkey(
    app: &App,
    client: &Client,
    keys: Option<AttemptKeys>,
    now: Timestamp,
) -> Result<(), ApiError> {
    let event = Event::new(client.actor(), Action::LoggedIn).detail("unknown passkey").failed();
    let recorded = app.db.write(move |connection| {
        keys.map_or(Ok(()), |keys| keys.failed(connection, None, now))?;
        Ok::<_, ApiError>(audit::record(connection, &event, now)?)
    });
    recorded.await
}
