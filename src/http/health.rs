//! Owns `/health` and `/health_check`.

use actix_web::http::{Method, StatusCode};

use super::call::{Call, Nothing};
use super::caller::Anyone;
use super::error::ApiError;
use super::reply::Reply;
use super::route::Route;
use super::schema::reference;
use super::sentences as say;
use super::wire::{Alive, HealthResponse};
use crate::store::{StoreError, Trouble, health};

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/health", alive)
            .named("Health Check", "health_health_get", "Health")
            .about("Whether the process is alive.")
            .gives::<Alive>(200),
        Route::new(Method::GET, "/health_check", check)
            .named("Health Check", "health_check_health_check_get", "Health Check")
            .about("Whether the database can be read and written, found out by doing both.")
            .gives::<HealthResponse>(200)
            .replies(503, "The database cannot be used", reference::<HealthResponse>)
            .replies(507, "The disk is full", reference::<HealthResponse>),
    ]
}

async fn alive(_: Call<Anyone, Nothing>) -> Result<Reply, ApiError> {
    Ok(Reply::json(&Alive { status: "ok" }))
}

async fn check(call: Call<Anyone, Nothing>) -> Result<Reply, ApiError> {
    let now = call.now;
    let read: Result<(), StoreError> = call.app.db.read(health::read).await;
    let written: Result<(), StoreError> = call.app.db.write(move |connection| health::write(connection, now)).await;
    // The write's error says more: a reader may still have all it needs, or stumble over what the writer understands.
    let Err(error) = written.and(read) else {
        return Ok(Reply::json(&HealthResponse { status: "ok", chat: "ok", db: "ok" }));
    };
    log::error!("the health check failed: {}", error.described());
    let trouble = error.trouble();
    let status = match trouble {
        Trouble::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    // `chat` has no part of its own here; clients of the original read it as "does the server work".
    let answer = HealthResponse { status: "nok", chat: say::CHECK_THE_LOG, db: sentence(trouble) };
    Ok(Reply::json(&answer).status(status))
}

/// What is wrong, for whoever watches the server; no path and no cause.
fn sentence(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::DiskFull => say::DISK_FULL,
        Trouble::Locked => say::DB_LOCKED,
        Trouble::ReadOnly => say::DB_READ_ONLY,
        Trouble::Disk => say::DB_DISK,
        Trouble::Replaced => say::DB_REPLACED,
        Trouble::Damaged => say::DB_DAMAGED,
        Trouble::Busy => say::BUSY,
        Trouble::Other => say::CHECK_THE_LOG,
    }
}
