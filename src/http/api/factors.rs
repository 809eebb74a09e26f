//! Second factors: listing, renaming and removing them.

use utoipa::ToSchema;

use crate::domain::audit::{Action, Event};
use crate::domain::policy;
use crate::domain::second_factor::Factor;
use crate::http::models::Detail;
use crate::http::models::factors::{FactorRead, FactorsResponse};
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::SignedInFactorPending;
use crate::http::pipeline::caller::recent_sign_in::Recent;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields::Fields;
use crate::http::pipeline::messages;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{FactorId, Input, InputSource, Request, UserId};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::FieldErrors;
use crate::http::sign_in::factor_owner::{
    CurrentPassword, TAG, check_password, factor_name, find_factor, prove_owner, rp_id,
};
use crate::http::sign_in::second_factor;
use crate::store::{audit, factors, users};

pub fn routes() -> Vec<Route> {
    const FACTORS: &str = "/api/v1/users/{user_id}/factors";
    const FACTOR: &str = "/api/v1/users/{user_id}/factors/{factor_id}";
    vec![
        Route::get(FACTORS, list)
            .named(TAG, "read_factors_api_v1_users__user_id__factors_get", "List second factors")
            .about("The second factors of a user, for the user and for superusers.")
            .responds_with::<FactorsResponse<'_>>(200)
            .fails_with(404, "The user doesn't exist."),
        Route::patch(FACTOR, rename)
            .named(TAG, "rename_factor_api_v1_users__user_id__factors__factor_id__patch", "Rename a second factor")
            .about("Renames one of your own factors.")
            .responds_with::<Detail>(200)
            .fails_with(404, "The factor doesn't exist."),
        Route::delete(FACTOR, remove)
            .named(TAG, "remove_factor_api_v1_users__user_id__factors__factor_id__delete", "Remove a second factor")
            .about(
                "Removes one of your own factors, with the current password or a recent passkey, or, as a superuser, one of \
                 another user. An API key can't remove those of its owner.",
            )
            .responds_with::<Detail>(200)
            .fails_with(404, "The factor doesn't exist."),
    ]
}

async fn list(request: Request<SignedInFactorPending, UserId>) -> Result<Response, ApiError> {
    let UserId(id) = request.input;
    request.caller.may_act_on(id)?;
    policy::may_read(&request.caller, id)?;
    let state = request.app.clone();
    let found = request.app.db.read(move |connection| {
        let user = users::find(connection, id)?.ok_or(ApiError::UserNotFound)?;
        let left = factors::recovery_codes_left(connection, id)?;
        let unreadable = second_factor::unreadable_apps(connection, &state, id)?;
        Ok::<_, ApiError>((user, factors::of_user(connection, id)?, unreadable, left))
    });
    let (user, found, unreadable, recovery_codes_left) = found.await?;
    let app = &request.app;
    let rp_id = rp_id(app);
    Ok(Response::json(&FactorsResponse {
        factors: found.iter().map(|factor| FactorRead::new(factor, rp_id, &unreadable)).collect(),
        recovery_codes_left,
        required: app.config.second_factor.requires(&user),
        passkeys_unavailable: app.relying_party.as_ref().err().map(ToString::to_string),
    }))
}

/// A factor's new name.
#[derive(ToSchema)]
#[schema(title = "Name of a second factor")]
struct FactorName {
    name: String,
}

impl Input for FactorName {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        Some(Self { name: fields.required("name", errors, factor_name)? })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Self>("application/json");
    }
}

async fn rename(
    request: Request<SignedInFactorPending, ((UserId, FactorId), FactorName)>,
) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: ((UserId(user_id), FactorId(id)), FactorName { name }) } = request;
    policy::may_manage_factors(&caller, user_id)?;
    let (actor, user) = (caller.actor(&client), caller.user.clone());
    let renamed = caller.write(&app, move |connection| {
        let Factor { kind, name: old, .. } = find_factor(connection, user_id, id)?;
        let name = kind.name_or_default(Some(name));
        if name == old {
            return Ok(());
        }
        factors::rename(connection, user_id, id, &name)?;
        let event = Event::new(actor, Action::FactorRenamed).target(&user);
        let event = event.detail(format!("{}: \"{old}\" → \"{name}\"", kind.as_str()));
        Ok(audit::record(connection, &event, now)?)
    });
    renamed.await?;
    Ok(Response::json(&Detail { detail: messages::FACTOR_RENAMED }))
}

async fn remove(
    request: Request<Recent<SignedInFactorPending>, ((UserId, FactorId), CurrentPassword)>,
) -> Result<Response, ApiError> {
    let ((UserId(user_id), FactorId(id)), input) = &request.input;
    let (user_id, id) = (*user_id, *id);
    request.caller.may_act_on(user_id)?;
    policy::may_remove_factors(&request.caller, user_id)?;
    let found = request.app.db.read(move |connection| {
        users::find(connection, user_id)?.ok_or(ApiError::UserNotFound)?;
        find_factor(connection, user_id, id).map(drop)
    });
    found.await?;
    // A superuser helps people who lost a device; that needs no password of theirs.
    if request.caller.is(user_id) {
        prove_owner(&request, user_id, input.current_password.as_ref()).await?;
    } else {
        check_password(&request, input.current_password.as_ref()).await?;
    }
    let Request { app, now, client, caller, .. } = request;
    let actor = caller.actor(&client);
    let removed = caller.write(&app, move |connection| {
        let user = users::find(connection, user_id)?.ok_or(ApiError::UserNotFound)?;
        let factor = factors::remove(connection, user_id, id)?.ok_or(ApiError::FactorNotFound)?;
        let event = Event::new(actor, Action::FactorRemoved).target(&user);
        let event = event.detail(format!("{} {}", factor.kind.as_str(), factor.name));
        Ok(audit::record(connection, &event, now)?)
    });
    removed.await?;
    Ok(Response::json(&Detail { detail: messages::FACTOR_REMOVED }))
}
