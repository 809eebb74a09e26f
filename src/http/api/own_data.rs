//! People's own data: download it, and ask for the account to be deleted. Superusers grant or decline the request.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_DISPOSITION;
use uuid::Uuid;

use crate::auth::passkey::RelyingParty;
use crate::domain::audit::{Action, Event};
use crate::domain::deletion_request::{DeletionRequest, DeletionState};
use crate::domain::policy;
use crate::domain::user::User;
use crate::http::models::factors::FactorRead;
use crate::http::models::own_data::{DataExport, DeletionRequestRead, UserDeletionRequest};
use crate::http::models::{ApiKeyRead, AuditRead, AuditResponse, SessionRead, UserDeleted, UserRead};
use crate::http::pipeline::caller::recent_sign_in::Recent;
use crate::http::pipeline::caller::{SignedIn, Superuser};
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::request::{NoInput, Request, UserId};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::sign_in::second_factor;
use crate::store::audit::AuditFilter;
use crate::store::{Connection, api_keys, audit, deletion_requests, factors, sessions, users};

const TAG: &str = "Data Subjects";
const OWN: &str = "/api/v1/users/me/deletion-request";
/// The most audit entries of an export. `GET /users/{user_id}/audit` returns all.
const MAX_AUDIT_ENTRIES: i64 = 2000;

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/users/me/data-export", export)
            .named(TAG, "export_own_data_api_v1_users_me_data_export_get", "Download your data")
            .about(
                "Returns your account, sessions, API keys, second factors and newest audit entries, without secrets.",
            )
            .responds_with::<DataExport<'_>>(200),
        Route::get(OWN, read_own)
            .named(TAG, "get_own_deletion_request_api_v1_users_me_deletion_request_get", "Read your deletion request")
            .about("Returns your newest request to delete your account.")
            .responds_with::<DeletionRequestRead>(200)
            .fails_with(404, "You made no request."),
        Route::post(OWN, ask)
            .named(TAG, "request_own_deletion_api_v1_users_me_deletion_request_post", "Ask to delete your account")
            .about(
                "Asks the superusers to delete your account, with 201, or returns the pending request, with 200. With \
                 the setting `self_deletion`, the account is deleted at once.",
            )
            .responds_with::<DeletionRequestRead>(200)
            .responds_with::<DeletionRequestRead>(201)
            .fails_with(409, "You are the last active superuser."),
        Route::delete(OWN, withdraw)
            .named(
                TAG,
                "withdraw_own_deletion_api_v1_users_me_deletion_request_delete",
                "Withdraw your deletion request",
            )
            .about("Withdraws your pending request.")
            .responds_with::<DeletionRequestRead>(200)
            .fails_with(404, "No request is pending."),
        Route::get("/api/v1/users/{user_id}/deletion-request", read)
            .named(TAG, "read_deletion_request_api_v1_users__user_id__deletion_request_get", "Read a deletion request")
            .about("Returns a user's newest request to delete the account, or `null`. For superusers and the user.")
            .responds_with::<UserDeletionRequest>(200)
            .fails_with(404, "The user doesn't exist."),
        Route::post("/api/v1/users/{user_id}/deletion-request/grant", grant)
            .named(TAG, "grant_deletion_api_v1_users__user_id__deletion_request_grant_post", "Grant a deletion request")
            .about("Deletes a user who asked for it, with all API keys and sessions. For superusers.")
            .described(|operation| operation.returns::<UserDeleted>(operation.generation.user_deleted.0.as_u16()))
            .fails_with(400, "Another superuser must delete your account.")
            .fails_with(404, "The user doesn't exist or has no pending request."),
        Route::post("/api/v1/users/{user_id}/deletion-request/decline", decline)
            .named(
                TAG,
                "decline_deletion_api_v1_users__user_id__deletion_request_decline_post",
                "Decline a deletion request",
            )
            .about("Declines a pending request. The user can ask again. For superusers.")
            .responds_with::<DeletionRequestRead>(200)
            .fails_with(404, "The user doesn't exist or has no pending request."),
    ]
}

async fn export(request: Request<Recent<SignedIn>, NoInput>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, .. } = request;
    let session = policy::may_manage_own_data(&caller)?;
    let (id, actor) = (caller.user.id, caller.actor(&client));
    caller
        .write(&app, move |connection| Ok(audit::record(connection, &Event::new(actor, Action::DataExported), now)?))
        .await?;
    let state = app.clone();
    let found = app.db.read(move |connection| {
        connection.snapshot(|| {
            let user = users::find(connection, id)?.ok_or(ApiError::UserNotFound)?;
            let filter = AuditFilter { user: Some(id), limit: MAX_AUDIT_ENTRIES, ..AuditFilter::default() };
            let sessions = sessions::of_user(connection, id, now)?;
            let keys = api_keys::of_user(connection, id)?;
            let factors = (factors::of_user(connection, id)?, second_factor::unreadable_apps(connection, &state, id)?);
            let deletion = deletion_requests::find(connection, id)?;
            Ok::<_, ApiError>((user, sessions, keys, factors, deletion, audit::list(connection, &filter)?))
        })
    });
    let (user, sessions, keys, (factors, unreadable), deletion, (total_count, entries)) = found.await?;
    let user = User { store_api_key: None, ..user };
    let rp_id = app.relying_party.as_ref().ok().map(RelyingParty::id);
    let body = DataExport {
        exported_at: now,
        account: UserRead::from(&user),
        sessions: sessions.iter().map(|found| SessionRead::new(found, Some(session))).collect(),
        api_keys: keys.iter().map(ApiKeyRead::from).collect(),
        second_factors: factors.iter().map(|factor| FactorRead::new(factor, rp_id, &unreadable)).collect(),
        deletion_request: deletion.map(Into::into),
        audit: AuditResponse {
            total_count,
            entries: entries.iter().map(|entry| AuditRead::for_reader(entry, &caller.user)).collect(),
        },
    };
    Ok(Response::json(&body).header(CONTENT_DISPOSITION, "attachment; filename=\"usher-data.json\""))
}

async fn read_own(request: Request<SignedIn, NoInput>) -> Result<Response, ApiError> {
    let id = request.caller.user.id;
    let found = request.app.db.read(move |connection| deletion_requests::find(connection, id)).await?;
    Ok(shown(found.ok_or(ApiError::NoDeletionRequest)?))
}

async fn read(request: Request<SignedIn, UserId>) -> Result<Response, ApiError> {
    let UserId(id) = request.input;
    policy::may_read(&request.caller, id)?;
    let found = request.app.db.read(move |connection| {
        users::find(connection, id)?.ok_or(ApiError::UserNotFound)?;
        Ok::<_, ApiError>(deletion_requests::find(connection, id)?)
    });
    Ok(Response::json(&UserDeletionRequest { deletion_request: found.await?.map(Into::into) }))
}

async fn ask(request: Request<Recent<SignedIn>, NoInput>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, .. } = request;
    policy::may_manage_own_data(&caller)?;
    let (id, actor, at_once) = (caller.user.id, caller.actor(&client), app.config.self_deletion);
    let asked = caller.write(&app, move |connection| {
        let user = users::find(connection, id)?.ok_or(ApiError::UserNotFound)?;
        policy::may_leave(&user, !user.is_superuser || users::other_superuser_exists(connection, id)?)?;
        let pending = deletion_requests::find_pending(connection, id)?;
        let (request, is_new) = match pending {
            Some(request) => (request, false),
            None => (deletion_requests::add(connection, id, now)?, true),
        };
        let event = |action| Event::new(actor.clone(), action).target(&user);
        if at_once {
            users::delete(connection, id)?;
            audit::record(connection, &event(Action::UserDeleted).detail("own request"), now)?;
            return Ok((DeletionRequest { state: DeletionState::Done, decided_at: Some(now), ..request }, is_new));
        }
        if is_new {
            audit::record(connection, &event(Action::DeletionRequested), now)?;
        }
        Ok((request, is_new))
    });
    let (request, is_new) = asked.await?;
    Ok(shown(request).status(if is_new { StatusCode::CREATED } else { StatusCode::OK }))
}

async fn withdraw(request: Request<SignedIn, NoInput>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, .. } = request;
    policy::may_manage_own_data(&caller)?;
    let (id, actor) = (caller.user.id, caller.actor(&client));
    let withdrawn = caller.write(&app, move |connection| {
        let (user, request) = pending(connection, id)?;
        let request = DeletionRequest { state: DeletionState::Withdrawn, ..request };
        deletion_requests::update(connection, &request)?;
        audit::record(connection, &Event::new(actor, Action::DeletionWithdrawn).target(&user), now)?;
        Ok(request)
    });
    Ok(shown(withdrawn.await?))
}

async fn grant(request: Request<Recent<Superuser>, UserId>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: UserId(id) } = request;
    policy::may_delete(&caller, id)?;
    let actor = caller.actor(&client);
    let granted = caller.write(&app, move |connection| {
        let (user, _) = pending(connection, id)?;
        users::delete(connection, id)?;
        let event = Event::new(actor, Action::UserDeleted).target(&user).detail("deletion request granted");
        Ok(audit::record(connection, &event, now)?)
    });
    granted.await?;
    let (deleted, status) = UserDeleted::new(Generation::of(&app.config));
    Ok(Response::json(&deleted).status(status))
}

async fn decline(request: Request<Superuser, UserId>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: UserId(id) } = request;
    let actor = caller.actor(&client);
    let declined = caller.write(&app, move |connection| {
        let (user, request) = pending(connection, id)?;
        let request = DeletionRequest { state: DeletionState::Refused, decided_at: Some(now), ..request };
        deletion_requests::update(connection, &request)?;
        audit::record(connection, &Event::new(actor, Action::DeletionDeclined).target(&user), now)?;
        Ok(request)
    });
    Ok(shown(declined.await?))
}

/// Returns a user with the pending request.
fn pending(connection: &Connection, id: Uuid) -> Result<(User, DeletionRequest), ApiError> {
    let user = users::find(connection, id)?.ok_or(ApiError::UserNotFound)?;
    let request = deletion_requests::find_pending(connection, id)?.ok_or(ApiError::NoPendingDeletionRequest)?;
    Ok((user, request))
}

fn shown(request: DeletionRequest) -> Response {
    Response::json(&DeletionRequestRead::from(request))
}
