//! Owns the names of the metrics and what is said about each: the text that Prometheus reads. Must not count anything.

use std::fmt;

use actix_web::web::Data;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::http::pipeline::app::App;
use crate::store::engine::stats::DatabaseCounts;

/// Everything that is known at this moment, as text.
pub fn text(app: Data<App>, amounts: Option<DatabaseCounts>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape { app, amounts }));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).expect("a text takes whatever is written to it");
    text
}

struct Scrape {
    app: Data<App>,
    amounts: Option<DatabaseCounts>,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.requests(&mut page)?;
        self.log_ins(&mut page)?;
        self.database(&mut page)?;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let one = ConstGauge::new(1_i64);
        let mut family = page.0.encode_descriptor("usher_build_info", "Which usher this is", None, GAUGE)?;
        one.encode(family.encode_family(&version)?)?;
        let started = ConstGauge::new(self.app.metrics.started_at);
        page.one("process_start_time_seconds", "When the server started, in seconds since 1970", &started)
    }
}

impl Scrape {
    fn requests(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = &self.app.metrics;
        page.one("usher_http_requests", "Requests that were answered", &metrics.requests)?;
        page.one("usher_http_request_duration_seconds", "How long answers took, in seconds", &metrics.seconds)
    }

    fn log_ins(&self, page: &mut Page<'_>) -> fmt::Result {
        page.one("usher_logins", "Log-ins that were tried", &self.app.metrics.logins)?;
        let hasher = &self.app.hasher;
        page.one("usher_hashes", "Passwords that were hashed", &ConstCounter::new(hasher.computed()))?;
        let waiting = ConstGauge::new(amount(hasher.waiting()));
        page.one("usher_hashing_queue_length", "Passwords that wait to be hashed", &waiting)?;
        let help = "How long passwords waited to be hashed, in seconds";
        page.one("usher_hashing_wait_seconds", help, &hasher.stats().waited)?;
        let help = "Passwords that were not taken, as too many waited";
        page.one("usher_hashing_refused", help, &hasher.stats().refused)
    }

    fn database(&self, page: &mut Page<'_>) -> fmt::Result {
        let (stats, queued) = (self.app.db.stats(), self.app.db.queued());
        page.one("usher_write_batch_size", "How many writes one transaction held", &stats.group_size)?;
        let help = "How long one transaction took, its sync to the disk included, in seconds";
        page.one("usher_write_batch_seconds", help, &stats.group_seconds)?;
        page.one("usher_writes_failed", "Writes that were lost with their transaction, and refused", &stats.failed)?;
        page.gauges(
            ("usher_database_queue_length", "How much waits for the database", "queue"),
            [("read", amount(queued.reads)), ("write", amount(queued.writes))],
        )?;
        let Some(found) = self.amounts else { return Ok(()) };
        page.one("usher_sessions", "Sessions that have not ended", &ConstGauge::new(found.sessions))?;
        page.gauges(
            ("usher_users", "Accounts", "state"),
            [("active", found.active), ("waiting", found.waiting), ("inactive", found.inactive)],
        )?;
        page.gauges(
            ("usher_database_bytes", "Sizes of the database's files", "file"),
            [("database", found.database_bytes), ("log", found.log_bytes)],
        )
    }
}

const GAUGE: MetricType = MetricType::Gauge;

fn amount(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
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
