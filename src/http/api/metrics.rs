//! `GET /metrics`, for Prometheus: the route, and the names and help texts of the metrics.

use std::fmt;

use actix_web::web::Data;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::domain::secret::Secret;
use crate::http::pipeline::app::App;
use crate::http::pipeline::caller::credentials::{Credentials, bearer};
use crate::http::pipeline::caller::{Authenticate, Superuser};
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::request::{NoInput, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::store::StoreError;
use crate::store::database_counts::{self, DatabaseCounts};

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

/// Returns all metrics. `database` is `None` when the database can't be read.
fn text(app: Data<App>, database: Option<DatabaseCounts>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(MetricsCollector { app, database }));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).expect("writing to a String can't fail");
    text
}

struct MetricsCollector {
    app: Data<App>,
    database: Option<DatabaseCounts>,
}

impl fmt::Debug for MetricsCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsCollector")
    }
}

impl Collector for MetricsCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut encoder = MetricsEncoder(encoder);
        self.encode_requests(&mut encoder)?;
        self.encode_logins(&mut encoder)?;
        self.encode_database(&mut encoder)?;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let one = ConstGauge::new(1_i64);
        let mut family = encoder.0.encode_descriptor("usher_build_info", "The version of usher", None, GAUGE)?;
        one.encode(family.encode_family(&version)?)?;
        let started = ConstGauge::new(self.app.metrics.started_at);
        encoder.one("process_start_time_seconds", "When the server started, in seconds since 1970", &started)
    }
}

impl MetricsCollector {
    fn encode_requests(&self, encoder: &mut MetricsEncoder<'_>) -> fmt::Result {
        let metrics = &self.app.metrics;
        encoder.one("usher_http_requests", "HTTP requests", &metrics.requests)?;
        encoder.one("usher_http_request_duration_seconds", "Time to respond, in seconds", &metrics.seconds)
    }

    fn encode_logins(&self, encoder: &mut MetricsEncoder<'_>) -> fmt::Result {
        encoder.one("usher_logins", "Sign-in attempts", &self.app.metrics.logins)?;
        let hasher = &self.app.hasher;
        encoder.one("usher_hashes", "Password hashes computed", &ConstCounter::new(hasher.hash_count()))?;
        let waiting = ConstGauge::new(gauge_value(hasher.waiting()));
        encoder.one("usher_hashing_queue_length", "Passwords waiting to be hashed", &waiting)?;
        let help = "Time that passwords waited to be hashed, in seconds";
        encoder.one("usher_hashing_wait_seconds", help, &hasher.stats().waited)?;
        let help = "Passwords rejected because the hashing queue was full";
        encoder.one("usher_hashing_refused", help, &hasher.stats().refused)
    }

    fn encode_database(&self, encoder: &mut MetricsEncoder<'_>) -> fmt::Result {
        let (stats, queued) = (self.app.db.stats(), self.app.db.queued());
        encoder.one("usher_write_batch_size", "Writes per transaction", &stats.group_size)?;
        let help = "Time of one transaction including its sync to disk, in seconds";
        encoder.one("usher_write_batch_seconds", help, &stats.group_seconds)?;
        encoder.one(
            "usher_writes_failed",
            "Writes that failed because their transaction could not be committed",
            &stats.failed,
        )?;
        encoder.gauges(
            ("usher_database_queue_length", "Requests waiting for the database", "queue"),
            [("read", gauge_value(queued.reads)), ("write", gauge_value(queued.writes))],
        )?;
        let Some(counts) = self.database else { return Ok(()) };
        encoder.one("usher_sessions", "Active sessions", &ConstGauge::new(counts.sessions))?;
        encoder.gauges(
            ("usher_users", "User accounts", "state"),
            [("active", counts.active), ("waiting", counts.waiting), ("inactive", counts.inactive)],
        )?;
        encoder.gauges(
            ("usher_database_bytes", "Sizes of the database files, in bytes", "file"),
            [("database", counts.database_bytes), ("log", counts.log_bytes)],
        )
    }
}

const GAUGE: MetricType = MetricType::Gauge;

fn gauge_value(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

struct MetricsEncoder<'a>(DescriptorEncoder<'a>);

impl MetricsEncoder<'_> {
    fn one(&mut self, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
        metric.encode(self.0.encode_descriptor(name, help, None, metric.metric_type())?)
    }

    fn gauges<const N: usize>(
        &mut self,
        (name, help, label): (&str, &str, &str),
        values: [(&str, i64); N],
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, GAUGE)?;
        for (value, number) in values {
            ConstGauge::new(number).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }
}
