//! Adding an authenticator app.

use actix_web::http::StatusCode;
use qrcode::QrCode;
use qrcode::render::svg;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::totp::TotpSecret;
use crate::domain::audit::{Action, Event};
use crate::domain::second_factor::FactorKind;
use crate::domain::secret::Secret;
use crate::http::models::factors::{FactorRead, NewTotp};
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::SignedInFactorPending;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request, UserId};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::FieldErrors;
use crate::http::sign_in::attempt::Attempt;
use crate::http::sign_in::factor_owner::{
    AddFactorRequest, TAG, end_sessions_before_first_factor, find_factor, may_add_to, prove_owner_may_add,
    refuse_too_many, rp_id,
};
use crate::http::sign_in::second_factor;
use crate::store::audit;
use crate::store::factors::{self, NewFactor};

/// The issuer that authenticator apps show.
const ISSUER: &str = "usher";

pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/users/{user_id}/factors/totp", add_totp)
            .named(TAG, "add_totp_api_v1_users__user_id__factors_totp_post", "Add an authenticator app")
            .about(
                "Makes the secret of an authenticator app. It counts once its first code was sent to `…/totp/confirm`.",
            )
            .responds_with::<NewTotp<'_>>(201),
        Route::post("/api/v1/users/{user_id}/factors/totp/confirm", confirm_totp)
            .named(TAG, "confirm_totp_api_v1_users__user_id__factors_totp_confirm_post", "Confirm an authenticator app")
            .about(
                "Confirms the newest authenticator app with its first code. From then on, signing in asks for a code.",
            )
            .responds_with::<FactorRead<'_>>(200)
            .fails_with(404, "No authenticator app waits for its first code.")
            .fails_with(429, "Too many wrong codes. `Retry-After` says when to try again."),
    ]
}

async fn add_totp(request: AddFactorRequest) -> Result<Response, ApiError> {
    let user_id = prove_owner_may_add(&request).await?;
    let Request { app, now, caller, input: (_, input), .. } = request;
    let secret = TotpSecret::generate()?;
    let encrypted = app.fernet.encrypt(secret.to_base32().expose(), now)?;
    let (id, name) = (Uuid::new_v4(), FactorKind::Totp.name_or_default(input.name));
    let added = caller.write(&app, move |connection| {
        // An app that was added before but never confirmed is useless now.
        factors::remove_unconfirmed(connection, user_id)?;
        refuse_too_many(connection, user_id)?;
        Ok(factors::insert(connection, user_id, id, &name, &NewFactor::Totp(&encrypted), now)?)
    });
    added.await?;
    let url = secret.otpauth_url(ISSUER, caller.user.username.as_str());
    let qr_svg = qr_svg(url.expose());
    let (secret, otpauth_url) = (secret.to_base32(), url.expose());
    Ok(Response::json(&NewTotp { id, secret: secret.expose(), otpauth_url, qr_svg: &qr_svg })
        .status(StatusCode::CREATED))
}

fn qr_svg(text: &str) -> String {
    // The longest name and the longest issuer stay far below what a QR code can hold.
    let code = QrCode::new(text).expect("a link of at most some hundred bytes fits into a QR code");
    code.render::<svg::Color<'_>>().min_dimensions(240, 240).quiet_zone(true).build()
}

/// The first code of a new authenticator app.
#[derive(ToSchema)]
#[schema(title = "First code")]
struct FirstCode {
    #[schema(value_type = String)]
    code: Secret,
}

impl Input for FirstCode {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        Some(Self { code: fields.required("code", errors, fields::secret)? })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Self>("application/json");
    }
}

async fn confirm_totp(request: Request<SignedInFactorPending, (UserId, FirstCode)>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: (UserId(user_id), FirstCode { code }) } = request;
    let own_session = may_add_to(&app, &caller, user_id)?;
    let attempt = Attempt::begin(&app, caller.user.username.as_str(), client.address).await?;
    let keys = attempt.as_ref().and_then(Attempt::keys);
    let event = Event::new(caller.actor(&client), Action::FactorAdded).target(&caller.user).detail("totp");
    let state = app.clone();
    let confirmed = caller.write(&app, move |connection| {
        keys.map_or(Ok(()), |keys| keys.confirm(connection, Some(user_id), now))?;
        let waiting = factors::totp_of_user(connection, user_id)?.into_iter().find(|factor| !factor.is_confirmed);
        let waiting = waiting.ok_or(ApiError::FactorNotFound)?;
        let secret = second_factor::totp_secret(&state, &waiting);
        let code: String = code.expose().chars().filter(|char| !char.is_whitespace()).take(16).collect();
        let Some(step) = secret.and_then(|secret| secret.step_of(&code, None, now)) else {
            keys.map_or(Ok(()), |keys| keys.failed(connection, Some(user_id), now))?;
            audit::record(connection, &event.failed(), now)?;
            return Ok(None);
        };
        end_sessions_before_first_factor(connection, user_id, own_session)?;
        factors::accept_step(connection, waiting.id, step, now)?;
        audit::record(connection, &event, now)?;
        find_factor(connection, user_id, waiting.id).map(Some)
    });
    let factor = confirmed.await?.ok_or_else(|| ApiError::WrongCode.while_signed_in())?;
    Ok(Response::json(&FactorRead::new(&factor, rp_id(&app), &[])))
}
