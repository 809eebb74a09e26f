//! Health checks: `/health` and `/health_check`.

use actix_web::http::StatusCode;
use futures_util::future::join;

use crate::http::models::{Alive, HealthResponse, HealthStatus};
use crate::http::pipeline::caller::Anyone;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::messages;
use crate::http::pipeline::request::{NoInput, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::store::{StorageCondition, StoreError, heartbeat};

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/health", alive)
            .named("Health Check", "health_health_get", "Check the process")
            .about("Returns 200 as long as the process is alive.")
            .responds_with::<Alive>(200),
        Route::get("/health_check", check)
            .named("Health Check", "health_check_health_check_get", "Check the database")
            .about("Reads and writes the database, and returns whether both worked.")
            .responds_with::<HealthResponse>(200)
            .responds_with_as::<HealthResponse>(503, "The database can't be used.")
            .responds_with_as::<HealthResponse>(507, "The disk is full."),
    ]
}

async fn alive(_: Request<Anyone, NoInput>) -> Result<Response, ApiError> {
    Ok(Response::json(&Alive { status: HealthStatus::Ok }))
}

async fn check(request: Request<Anyone, NoInput>) -> Result<Response, ApiError> {
    let now = request.now;
    // At once, because both wait for a database that doesn't answer.
    let (read, written): (Result<(), StoreError>, Result<(), StoreError>) = join(
        request.app.db.read(heartbeat::read),
        request.app.db.write(move |connection| heartbeat::write(connection, now)),
    )
    .await;
    // The write's error says more: a read may still succeed from the cache, or fail with a less specific error.
    let Err(error) = written.and(read) else {
        return Ok(Response::json(&HealthResponse { status: HealthStatus::Ok, chat: "ok", db: "ok" }));
    };
    log::error!("the health check failed: {}", error.described());
    let condition = error.condition();
    let status = match condition {
        StorageCondition::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    // usher has no chat; Langflow's clients read `chat` as "does the server work".
    let answer = HealthResponse { status: HealthStatus::Nok, chat: messages::CHECK_THE_LOG, db: message(condition) };
    Ok(Response::json(&answer).status(status))
}

/// The problem, for monitoring, without paths and causes.
fn message(condition: StorageCondition) -> &'static str {
    match condition {
        StorageCondition::DiskFull => messages::DISK_FULL,
        StorageCondition::Locked => messages::DB_LOCKED,
        StorageCondition::Unreachable => messages::DB_UNREACHABLE,
        StorageCondition::ReadOnly => messages::DB_READ_ONLY,
        StorageCondition::Disk => messages::DB_DISK,
        StorageCondition::Replaced => messages::DB_REPLACED,
        StorageCondition::Damaged => messages::DB_DAMAGED,
        StorageCondition::Busy => messages::BUSY,
        StorageCondition::Other => messages::CHECK_THE_LOG,
    }
}
