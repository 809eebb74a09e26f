//! The audit log, for superusers.

use utoipa::IntoParams;
use utoipa::openapi::ObjectBuilder;
use uuid::Uuid;

use crate::domain::audit::Action;
use crate::http::models::user_inputs::{LIMITS, Page};
use crate::http::models::{AuditRead, AuditResponse, words};
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::Superuser;
use crate::http::pipeline::coerce;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::{FieldErrors, Location};
use crate::store::audit::{self, AuditFilter};

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/audit", list)
            .named("Audit", "read_audit_api_v1_audit_get", "Read the audit log")
            .about("Returns a page of the audit log, newest first. For superusers.")
            .gives::<AuditResponse<'_>>(200),
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
}

fn action() -> ObjectBuilder {
    words::<Action>().description(Some("Only entries about this action."))
}

impl AuditQuery {
    /// Reads the query. An action that doesn't exist matches nothing.
    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let user = match source.query.get("user") {
            Some(text) => Some(faults.note(Location::Query("user"), coerce::uuid_text(text))?),
            None => None,
        };
        let action = source.query.get("action").filter(|action| !action.is_empty()).map(ToOwned::to_owned);
        Some(Self { user, action })
    }
}

impl Input for AuditFilter {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let (page, query) = (Page::read(source, LIMITS, faults), AuditQuery::read(source, faults));
        let (Page { skip, limit }, AuditQuery { user, action }) = (page?, query?);
        Some(Self { skip, limit, user, action })
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
