//! Health checks: `/health` and `/health_check`.

use actix_web::http::StatusCode;

use crate::http::models::{Alive, HealthResponse};
use crate::http::pipeline::caller::Anyone;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::messages;
use crate::http::pipeline::request::{NoInput, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::schema::reference;
use crate::store::{StorageCondition, StoreError, heartbeat};

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/health", alive)
            .named("Health Check", "health_health_get", "Health")
            .about("Whether the process is alive.")
            .gives::<Alive>(200),
        Route::get("/health_check", check)
            .named("Health Check", "health_check_health_check_get", "Health Check")
            .about("Whether the database can be read and written, found out by doing both.")
            .gives::<HealthResponse>(200)
            .replies(503, "The database cannot be used", reference::<HealthResponse>)
            .replies(507, "The disk is full", reference::<HealthResponse>),
    ]
}

async fn alive(_: Request<Anyone, NoInput>) -> Result<Response, ApiError> {
    Ok(Response::json(&Alive { status: "ok" }))
}

async fn check(request: Request<Anyone, NoInput>) -> Result<Response, ApiError> {
    let now = request.now;
    let read: Result<(), StoreError> = request.app.db.read(heartbeat::read).await;
    let written: Result<(), StoreError> =
        request.app.db.write(move |connection| heartbeat::write(connection, now)).await;
    // The write's error says more: a reader may still have all it needs, or stumble over what the writer understands.
    let Err(error) = written.and(read) else {
        return Ok(Response::json(&HealthResponse { status: "ok", chat: "ok", db: "ok" }));
    };
    log::error!("the health check failed: {}", error.described());
    let trouble = error.condition();
    let status = match trouble {
        StorageCondition::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    // `chat` has no part of its own here; clients of the original read it as "does the server work".
    let answer = HealthResponse { status: "nok", chat: messages::CHECK_THE_LOG, db: sentence(trouble) };
    Ok(Response::json(&answer).status(status))
}

/// What is wrong, for whoever watches the server; no path and no cause.
fn sentence(trouble: StorageCondition) -> &'static str {
    match trouble {
        StorageCondition::DiskFull => messages::DISK_FULL,
        StorageCondition::Locked => messages::DB_LOCKED,
        StorageCondition::ReadOnly => messages::DB_READ_ONLY,
        StorageCondition::Disk => messages::DB_DISK,
        StorageCondition::Replaced => messages::DB_REPLACED,
        StorageCondition::Damaged => messages::DB_DAMAGED,
        StorageCondition::Busy => messages::BUSY,
        StorageCondition::Other => messages::CHECK_THE_LOG,
    }
}
