//! Owns the route by which superusers read the audit log.

use actix_web::http::Method;
use serde_json::json;

use super::body::Kind;
use super::call::{Call, Input, Source};
use super::caller::Superuser;
use super::error::ApiError;
use super::fault::{Faults, Place};
use super::lenient;
use super::openapi::Operation;
use super::reply::Reply;
use super::route::Route;
use super::schema::{string, uuid};
use super::user_inputs::{MAX_LIMIT, window};
use super::wire::{AuditRead, AuditResponse};
use crate::store::audit::{self, Filter};

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/api/v1/audit", list)
            .named("Audit", "read_audit_api_v1_audit_get", "Read Audit Log")
            .about("Who did what to whom, newest first, for superusers.")
            .gives::<AuditResponse<'_>>(200),
    ]
}

impl Input for Filter {
    const BODY: Kind = Kind::None;

    fn read(source: &Source<'_>, faults: &mut Faults) -> Option<Self> {
        let (skip, limit) = window(source, faults);
        let user = match source.query.get("user") {
            Some(text) => Some(faults.note(Place::Query("user"), lenient::uuid_text(text))?),
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

async fn list(call: Call<Superuser, Filter>) -> Result<Reply, ApiError> {
    let filter = call.input;
    let (total_count, entries) = call.app.db.read(move |connection| audit::list(connection, &filter)).await?;
    Ok(Reply::json(&AuditResponse { total_count, entries: entries.iter().map(AuditRead::from).collect() }))
}
