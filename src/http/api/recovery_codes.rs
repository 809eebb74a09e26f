//! Making recovery codes.

use actix_web::http::StatusCode;

use crate::auth::recovery_code;
use crate::domain::audit::{Action, Event};
use crate::domain::secret::Secret;
use crate::http::models::factors::RecoveryCodes;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::request::Request;
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::sign_in::factor_owner::{AddFactorRequest, TAG, prove_owner_may_add};
use crate::store::{audit, factors};

pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/users/{user_id}/factors/recovery-codes", make_recovery_codes)
            .named(TAG, "make_recovery_codes_api_v1_users__user_id__factors_recovery_codes_post", "Make recovery codes")
            .about("Makes ten recovery codes in place of those before. They aren't shown again.")
            .responds_with::<RecoveryCodes<'_>>(201),
    ]
}

async fn make_recovery_codes(request: AddFactorRequest) -> Result<Response, ApiError> {
    let user_id = prove_owner_may_add(&request).await?;
    let Request { app, now, client, caller, .. } = request;
    let codes = recovery_code::generate()?;
    let hashes: Vec<[u8; 32]> = codes.iter().filter_map(|code| recovery_code::hash(code.expose())).collect();
    let (actor, user) = (caller.actor(&client), caller.user.clone());
    let replaced = caller.write(&app, move |connection| {
        // Codes stand in for a factor; without one they would be a weaker password.
        if !factors::is_enrolled(connection, user_id)? {
            return Err(ApiError::FactorNotFound);
        }
        factors::replace_recovery_codes(connection, user_id, &hashes)?;
        Ok(audit::record(connection, &Event::new(actor, Action::RecoveryCodesMade).target(&user), now)?)
    });
    replaced.await?;
    let codes = codes.iter().map(Secret::expose).collect();
    Ok(Response::json(&RecoveryCodes { codes }).status(StatusCode::CREATED))
}
