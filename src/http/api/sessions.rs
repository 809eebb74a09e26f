//! Listing and ending sessions: your own, or as a superuser those of any user. API keys can do neither.

use serde_json::json;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::domain::audit::{Action, Event};
use crate::domain::policy;
use crate::http::models::{Detail, SessionRead, SessionsResponse};
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::credentials::Authenticated;
use crate::http::pipeline::caller::{SignedIn, Superuser};
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, NoInput, Request, SessionId, UserId};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::{FieldErrors, Location};
use crate::http::pipeline::{coerce, messages};
use crate::store::{audit, sessions, users};

const TAG: &str = "Sessions";
const OWN: &str = "/api/v1/sessions";
const THEIRS: &str = "/api/v1/users/{user_id}/sessions";

pub fn routes() -> Vec<Route> {
    vec![
        Route::get(OWN, list)
            .named(TAG, "read_sessions_api_v1_sessions_get", "List your sessions")
            .about("Returns your own sessions, newest first.")
            .responds_with::<SessionsResponse<'_>>(200),
        Route::delete(OWN, end_all)
            .named(TAG, "end_sessions_api_v1_sessions_delete", "End all your sessions")
            .about("Ends all your own sessions.")
            .responds_with::<Detail>(200),
        Route::delete("/api/v1/sessions/{session_id}", end)
            .named(TAG, "end_session_api_v1_sessions__session_id__delete", "End one of your sessions")
            .about("Ends one of your own sessions.")
            .responds_with::<Detail>(200)
            .fails_with(404, "You have no such session."),
        Route::get(THEIRS, list_of)
            .named(TAG, "read_user_sessions_api_v1_users__user_id__sessions_get", "List a user's sessions")
            .about("Returns a user's sessions, newest first. For superusers.")
            .responds_with::<SessionsResponse<'_>>(200)
            .fails_with(404, "The user doesn't exist."),
        Route::delete(THEIRS, end_all_of)
            .named(TAG, "end_user_sessions_api_v1_users__user_id__sessions_delete", "End all of a user's sessions")
            .about("Ends all sessions of a user. For superusers.")
            .responds_with::<Detail>(200)
            .fails_with(404, "The user doesn't exist."),
        Route::delete("/api/v1/users/{user_id}/sessions/{session_id}", end_of)
            .named(
                TAG,
                "end_user_session_api_v1_users__user_id__sessions__session_id__delete",
                "End one of a user's sessions",
            )
            .about("Ends one session of a user. For superusers.")
            .responds_with::<Detail>(200)
            .fails_with(404, "The user has no such session."),
    ]
}

/// Whether the session that sends the request is kept.
#[derive(IntoParams)]
struct KeepCurrent {
    /// Keep the session that sends the request.
    #[param(required = false, default = false)]
    keep_current: bool,
}

impl Input for KeepCurrent {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let Some(text) = source.query.get("keep_current") else { return Some(Self { keep_current: false }) };
        errors
            .collect(Location::Query("keep_current"), coerce::boolean(&json!(text)))
            .map(|keep_current| Self { keep_current })
    }

    fn describe(operation: &mut Operation) {
        operation.query::<Self>();
    }
}

async fn list(request: Request<SignedIn, NoInput>) -> Result<Response, ApiError> {
    let owner = request.caller.user.id;
    list_sessions(&request, &request.caller, owner).await
}

async fn list_of(request: Request<Superuser, UserId>) -> Result<Response, ApiError> {
    list_sessions(&request, &request.caller, request.input.0).await
}

async fn list_sessions<C, I>(
    request: &Request<C, I>,
    caller: &Authenticated,
    owner: Uuid,
) -> Result<Response, ApiError> {
    policy::may_manage_sessions(caller)?;
    let now = request.now;
    let found = request.app.db.read(move |connection| {
        users::find(connection, owner)?.ok_or(ApiError::UserNotFound)?;
        Ok::<_, ApiError>(sessions::of_user(connection, owner, now)?)
    });
    let found = found.await?;
    let sessions: Vec<_> = found.iter().map(|session| SessionRead::new(session, caller.session())).collect();
    Ok(Response::json(&SessionsResponse { total_count: sessions.len(), sessions }))
}

async fn end(request: Request<SignedIn, SessionId>) -> Result<Response, ApiError> {
    end_session(&request, &request.caller, request.caller.user.id, request.input.0).await
}

async fn end_of(request: Request<Superuser, (UserId, SessionId)>) -> Result<Response, ApiError> {
    let (UserId(owner), SessionId(id)) = request.input;
    end_session(&request, &request.caller, owner, id).await
}

async fn end_session<C, I>(
    request: &Request<C, I>,
    caller: &Authenticated,
    owner: Uuid,
    id: Uuid,
) -> Result<Response, ApiError> {
    policy::may_manage_sessions(caller)?;
    let (actor, now) = (caller.actor(&request.client), request.now);
    let ended = caller.write(&request.app, move |connection| {
        let user = users::find(connection, owner)?.ok_or(ApiError::SessionNotFound)?;
        let address = sessions::end_own(connection, owner, id)?.ok_or(ApiError::SessionNotFound)?;
        let event = Event::new(actor, Action::SessionEnded).target(&user).detail(format!("session from {address}"));
        Ok(audit::record(connection, &event, now)?)
    });
    ended.await?;
    Ok(Response::json(&Detail { detail: messages::ONE_SESSION_ENDED }))
}

async fn end_all(request: Request<SignedIn, KeepCurrent>) -> Result<Response, ApiError> {
    let KeepCurrent { keep_current: keep } = request.input;
    let kept = request.caller.session().filter(|_| keep);
    end_sessions(&request, &request.caller, request.caller.user.id, kept).await
}

async fn end_all_of(request: Request<Superuser, UserId>) -> Result<Response, ApiError> {
    end_sessions(&request, &request.caller, request.input.0, None).await
}

async fn end_sessions<C, I>(
    request: &Request<C, I>,
    caller: &Authenticated,
    owner: Uuid,
    kept: Option<Uuid>,
) -> Result<Response, ApiError> {
    policy::may_manage_sessions(caller)?;
    let (actor, now) = (caller.actor(&request.client), request.now);
    let ended = caller.write(&request.app, move |connection| {
        let user = users::find(connection, owner)?.ok_or(ApiError::UserNotFound)?;
        let count = sessions::end_all_of_user(connection, owner, kept)?;
        let event = Event::new(actor, Action::SessionEnded).target(&user).detail(format!("{count} sessions"));
        Ok(audit::record(connection, &event, now)?)
    });
    ended.await?;
    Ok(Response::json(&Detail { detail: messages::SESSIONS_ENDED }))
}
