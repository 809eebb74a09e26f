//! Adding a passkey.

use actix_web::http::StatusCode;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::api_key::sha256;
use crate::auth::random;
use crate::domain::audit::{Action, Event};
use crate::domain::second_factor::FactorKind;
use crate::domain::secret::Secret;
use crate::http::models::factors::{FactorRead, PasskeyOptions};
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::SignedInFactorPending;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request, UserId};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::FieldErrors;
use crate::http::sign_in::challenge::{self, CHALLENGE_LIFETIME};
use crate::http::sign_in::factor_owner::{
    AddFactorRequest, TAG, end_sessions_before_first_factor, factor_name, find_factor, may_add_to, prove_owner_may_add,
    refuse_too_many, rp_id,
};
use crate::http::sign_in::second_factor::{self};
use crate::store::audit;
use crate::store::challenges::{self, Challenge, ChallengePurpose};
use crate::store::factors::{self, NewFactor};

pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/users/{user_id}/factors/passkey/options", passkey_options)
            .named(TAG, "passkey_options_api_v1_users__user_id__factors_passkey_options_post", "Begin to add a passkey")
            .about("Returns what `navigator.credentials.create()` needs.")
            .responds_with::<PasskeyOptions>(200),
        Route::post("/api/v1/users/{user_id}/factors/passkey", add_passkey)
            .named(TAG, "add_passkey_api_v1_users__user_id__factors_passkey_post", "Add a passkey")
            .about("Adds the passkey that the browser made with the options of `…/passkey/options`.")
            .responds_with::<FactorRead<'_>>(201),
    ]
}

async fn passkey_options(request: AddFactorRequest) -> Result<Response, ApiError> {
    let user_id = prove_owner_may_add(&request).await?;
    let Request { app, now, client, caller, .. } = request;
    second_factor::relying_party(&app)?;
    let token = random::url_safe_text()?;
    let (state, sha256, username) = (app.clone(), sha256(&token), caller.user.username.to_string());
    let network = challenge::network(&client);
    let opened = caller.write(&app, move |connection| {
        let party = second_factor::relying_party(&state)?;
        refuse_too_many(connection, user_id)?;
        let known: Vec<Vec<u8>> = factors::passkeys_of_user(connection, user_id, party.id())?
            .into_iter()
            .map(|passkey| passkey.credential.id)
            .collect();
        let ceremony = party.start_registration(user_id, &username, &known)?;
        let challenge = Challenge {
            sha256,
            purpose: ChallengePurpose::PasskeyRegistration,
            user_id,
            network,
            state: ceremony.state,
            tries: 0,
            expires_at: now + CHALLENGE_LIFETIME,
            password: None,
        };
        challenges::insert(connection, &challenge)?;
        Ok(ceremony.options)
    });
    Ok(Response::json(&PasskeyOptions { challenge: token, options: opened.await? }))
}

/// A passkey's answer to [`passkey_options`].
#[derive(ToSchema)]
#[schema(title = "New passkey")]
struct NewPasskey {
    #[schema(value_type = String)]
    challenge: Secret,
    /// What `navigator.credentials.create()` returned, as `toJSON()` makes it.
    #[schema(value_type = Object)]
    credential: Value,
    /// What to call the passkey.
    name: Option<String>,
}

impl Input for NewPasskey {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        let challenge = fields.required("challenge", errors, fields::secret);
        let credential = fields.required("credential", errors, |value| Ok(value.clone()));
        let name = fields.optional("name", errors, factor_name);
        Some(Self { challenge: challenge?, credential: credential?, name })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Self>("application/json");
    }
}

async fn add_passkey(request: Request<SignedInFactorPending, (UserId, NewPasskey)>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: (UserId(user_id), input) } = request;
    let own_session = may_add_to(&app, &caller, user_id)?;
    let (state, actor, user) = (app.clone(), caller.actor(&client), caller.user.clone());
    let (sha256, network) = (sha256(input.challenge.expose()), challenge::network(&client));
    let (id, name) = (Uuid::new_v4(), FactorKind::Passkey.name_or_default(input.name));
    let added = caller.write(&app, move |connection| {
        let purpose = ChallengePurpose::PasskeyRegistration;
        let challenge = challenges::find(connection, &sha256, purpose, &network, now)?
            .filter(|challenge| challenge.user_id == user_id)
            .ok_or(ApiError::ChallengeEnded)?;
        challenges::end(connection, &sha256)?;
        let party = second_factor::relying_party(&state)?;
        let credential = party.finish_registration(&input.credential, &challenge.state)?;
        if factors::find_passkey(connection, &credential.id)?.is_some() {
            return Err(ApiError::PasskeyTaken);
        }
        refuse_too_many(connection, user_id)?;
        end_sessions_before_first_factor(connection, user_id, own_session)?;
        factors::insert(connection, user_id, id, &name, &NewFactor::Passkey(&credential, party.id()), now)?;
        let event = Event::new(actor, Action::FactorAdded).target(&user).detail(format!("passkey {name}"));
        audit::record(connection, &event, now)?;
        find_factor(connection, user_id, id)
    });
    let factor = added.await.map_err(ApiError::while_signed_in)?;
    Ok(Response::json(&FactorRead::new(&factor, rp_id(&app), &[])).status(StatusCode::CREATED))
}
