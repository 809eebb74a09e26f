//! `GET /metrics`, for Prometheus.

use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

use crate::domain::secret::Secret;
use crate::http::models::metrics::text;
use crate::http::pipeline::app::App;
use crate::http::pipeline::caller::credentials::{Credentials, bearer};
use crate::http::pipeline::caller::{Authenticate, Superuser};
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::request::{NoInput, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::store::StoreError;
use crate::store::database_counts;

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/metrics", metrics)
            .named("Monitoring", "metrics_get", "Read metrics")
            .about("Returns the server's metrics in the Prometheus text format, to superusers and to clients with the metrics token.")
            .responds_with_file(200, "text/plain", "The metrics.")
            .fails_with(404, "Metrics are turned off."),
    ]
}

/// A caller who can read metrics: a superuser, or a client with the metrics token.
struct Scraper;

impl Authenticate for Scraper {
    const NEEDS_CREDENTIALS: bool = true;

    async fn authenticate(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        if !app.config.metrics {
            return Err(ApiError::NotFound);
        }
        let sent = bearer(credentials.request.headers()).map(Secret::new);
        if sent.is_some() && sent == app.config.metrics_token {
            return Ok(Self);
        }
        Superuser::authenticate(app, credentials).await.map(|_| Self)
    }
}

async fn metrics(request: Request<Scraper, NoInput>) -> Result<Response, ApiError> {
    let now = request.now;
    let counts: Result<_, StoreError> =
        request.app.db.read(move |connection| database_counts::count(connection, now)).await;
    // Without the database, the other metrics still tell what is wrong.
    let counts = counts.inspect_err(|error| log::warn!("metrics without the database: {}", error.described())).ok();
    Ok(Response::file(text(request.app, counts), CONTENT_TYPE))
}
