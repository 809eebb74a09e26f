//! Owns `/health` and `/health_check`.

use actix_web::http::{Method, StatusCode};

use super::call::{Call, Nothing};
use super::caller::Anyone;
use super::error::ApiError;
use super::reply::Reply;
use super::route::Route;
use super::schema::reference;
use super::wire::{Alive, HealthResponse};
use crate::store::{StoreError, health};

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
            .replies(503, "The database cannot be used", reference::<HealthResponse>())
            .replies(507, "The disk is full", reference::<HealthResponse>()),
    ]
}

async fn alive(_: Call<Anyone, Nothing>) -> Result<Reply, ApiError> {
    Ok(Reply::json(&Alive { status: "ok" }))
}

async fn check(call: Call<Anyone, Nothing>) -> Result<Reply, ApiError> {
    let now = call.now;
    let read: Result<(), StoreError> = call.app.db.read(health::read).await;
    let written: Result<(), StoreError> = call.app.db.write(move |connection| health::write(connection, now)).await;
    let Err(error) = read.and(written) else {
        return Ok(Reply::json(&HealthResponse { status: "ok", chat: "ok", db: "ok" }));
    };
    log::error!("the health check failed: {}", error.described());
    let (status, db) = match error {
        StoreError::DiskFull(_) => (StatusCode::INSUFFICIENT_STORAGE, "the disk is full"),
        StoreError::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "the database is busy"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "error check the server logs"),
    };
    // `chat` has no part of its own here; clients of the original read it as "does the server work".
    Ok(Reply::json(&HealthResponse { status: "nok", chat: "error check the server logs", db }).status(status))
}
