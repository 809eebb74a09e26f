//! The audit log, for superusers.

use serde_json::json;

use crate::http::models::user_inputs::{MAX_LIMIT, window};
use crate::http::models::{AuditRead, AuditResponse};
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::Superuser;
use crate::http::pipeline::coerce;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::schema::{string, uuid};
use crate::http::pipeline::validation::{FieldErrors, Location};
use crate::store::audit::{self, AuditFilter};

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/audit", list)
            .named("Audit", "read_audit_api_v1_audit_get", "Read Audit Log")
            .about("Who did what to whom, newest first, for superusers.")
            .gives::<AuditResponse<'_>>(200),
    ]
}

impl Input for AuditFilter {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let (skip, limit) = window(source, faults);
        let user = match source.query.get("user") {
            Some(text) => Some(faults.note(Location::Query("user"), coerce::uuid_text(text))?),
            None => None,
        };
        let action = source.query.get("action").filter(|action| !action.is_empty()).map(ToOwned::to_owned);
        Some(Self { skip: skip?, limit: limit?, user, action })
    }

    fn describe(operation: &mut Operation) {
        operation.query("skip", &json!({ "type": "integer", "minimum": 0, "default": 0 }), "How many to leave out");
        let limit = json!({ "type": "integer", "minimum": 0, "maximum": MAX_LIMIT, "default": 10 });
        operation.query("limit", &limit, "How many to return at most");
        operation.query("user", &uuid(), "Only what this user did, or what was done to them");
        operation.query("action", &string(), "Only this kind of entry, such as `login`");
    }
}

async fn list(request: Request<Superuser, AuditFilter>) -> Result<Response, ApiError> {
    let filter = request.input;
    let (total_count, entries) = request.app.db.read(move |connection| audit::list(connection, &filter)).await?;
    Ok(Response::json(&AuditResponse { total_count, entries: entries.iter().map(AuditRead::from).collect() }))
}
