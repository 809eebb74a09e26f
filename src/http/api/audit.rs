//! The audit log: all of it for superusers, and your own entries for everyone.

use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa::IntoParams;
use utoipa::openapi::ObjectBuilder;
use uuid::Uuid;

use crate::domain::audit::Action;
use crate::domain::policy;
use crate::http::models::user_list::{LIMITS, Page};
use crate::http::models::{AuditRead, AuditResponse, choice_schema};
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::{SignedIn, Superuser};
use crate::http::pipeline::coerce;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request, UserId};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::{FieldError, FieldErrors, Location};
use crate::store::audit::{self, AuditFilter};

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/audit", list)
            .named("Audit", "read_audit_api_v1_audit_get", "Read the audit log")
            .about("Returns a page of the audit log, newest first. For superusers.")
            .responds_with::<AuditResponse<'_>>(200),
        Route::get("/api/v1/users/{user_id}/audit", list_of_user)
            .named("Audit", "read_user_audit_api_v1_users__user_id__audit_get", "Read a user's audit log")
            .about(
                "Returns a page of the entries about one user, newest first, for superusers and the user. Addresses of \
                 other users are hidden from the user.",
            )
            .responds_with::<AuditResponse<'_>>(200),
    ]
}

/// Which entries are returned.
#[derive(IntoParams)]
struct AuditQuery {
    /// Only entries about this user, as actor or as target.
    #[param(nullable = false)]
    user: Option<Uuid>,
    #[param(required = false, schema_with = action)]
    action: Option<String>,
    /// Only entries from this address.
    #[param(nullable = false)]
    address: Option<String>,
    /// Only entries that succeeded (`true`) or failed (`false`).
    #[param(nullable = false)]
    success: Option<bool>,
    /// Only entries at or after this time.
    #[param(nullable = false)]
    since: Option<DateTime<Utc>>,
    /// Only entries before this time.
    #[param(nullable = false)]
    until: Option<DateTime<Utc>>,
    /// Only entries with a smaller id. Faster than `skip` for reading the whole log.
    #[param(nullable = false)]
    before: Option<i64>,
}

fn action() -> ObjectBuilder {
    choice_schema::<Action>().description(Some("Only entries about this action."))
}

/// Reads an optional query parameter. An empty one counts as absent. An invalid one is added to `errors`, which makes
/// the whole request invalid.
fn optional<T>(
    name: &'static str,
    source: &InputSource<'_>,
    errors: &mut FieldErrors,
    check: impl FnOnce(&str) -> Result<T, FieldError>,
) -> Option<T> {
    let text = source.query.get(name).filter(|text| !text.is_empty())?;
    errors.collect(Location::Query(name), check(text))
}

impl AuditQuery {
    /// Reads the query. An action or address that doesn't exist matches nothing.
    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Self {
        Self {
            user: optional("user", source, errors, coerce::uuid_text),
            action: optional("action", source, errors, fields::without_nul),
            address: optional("address", source, errors, fields::without_nul),
            success: optional("success", source, errors, |text| coerce::boolean(&json!(text))),
            since: optional("since", source, errors, |text| coerce::datetime(&json!(text))),
            until: optional("until", source, errors, |text| coerce::datetime(&json!(text))),
            before: optional("before", source, errors, coerce::integer_text),
        }
    }
}

impl Input for AuditFilter {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let (page, query) = (Page::read(source, LIMITS, errors), AuditQuery::read(source, errors));
        let Page { skip, limit } = page?;
        let AuditQuery { user, action, address, success, since, until, before } = query;
        Some(Self { skip, limit, user, action, address, success, since, until, before })
    }

    fn describe(operation: &mut Operation) {
        operation.query::<Page>();
        operation.query::<AuditQuery>();
    }
}

async fn list(request: Request<Superuser, AuditFilter>) -> Result<Response, ApiError> {
    let filter = request.input;
    let (total_count, entries) = request.app.db.read(move |connection| audit::list(connection, &filter)).await?;
    Ok(Response::json(&AuditResponse { total_count, entries: entries.iter().map(AuditRead::from).collect() }))
}

async fn list_of_user(request: Request<SignedIn, (UserId, AuditFilter)>) -> Result<Response, ApiError> {
    let (UserId(id), filter) = request.input;
    policy::may_read(&request.caller, id)?;
    let filter = AuditFilter { user: Some(id), ..filter };
    let (total_count, entries) = request.app.db.read(move |connection| audit::list(connection, &filter)).await?;
    let entries = entries.iter().map(|entry| AuditRead::for_reader(entry, &request.caller.user)).collect();
    Ok(Response::json(&AuditResponse { total_count, entries }))
}
