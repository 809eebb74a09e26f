//! Owns `/metrics` and what the HTTP layer counts: requests by route and status, and log-ins. Labels are taken from the
//! route table and from a fixed list, never from what a client sent, so that their number is bounded; no name and no
//! address is among them.

mod exposition;

use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use super::app::App;
use super::call::{Call, Nothing};
use super::caller::{Superuser, Who, bearer};
use super::error::ApiError;
use super::form::Pairs;
use super::reply::Reply;
use super::route::Route;
use crate::auth::password::HashError;
use crate::domain::secret::Secret;
use crate::store::{StoreError, stats};

/// Its line in the route table.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/metrics", metrics)
            .named("Monitoring", "metrics_get", "Metrics")
            .about("What the server counts, in the format of Prometheus. Off unless configured.")
            .gives_text(200, "The metrics")
            .refuses(404, "Not configured"),
    ]
}

/// Whoever may read metrics: a superuser, or who has the token for it.
struct Scraper;

impl Who for Scraper {
    const NEEDS_CREDENTIALS: bool = true;

    async fn identify(app: &App, request: &HttpRequest, query: &Pairs<'_>) -> Result<Self, ApiError> {
        if !app.config.metrics {
            return Err(ApiError::NotFound);
        }
        let sent = bearer(request.headers()).map(Secret::new);
        if sent.is_some() && sent == app.config.metrics_token {
            return Ok(Self);
        }
        Superuser::identify(app, request, query).await.map(|_| Self)
    }
}

async fn metrics(call: Call<Scraper, Nothing>) -> Result<Reply, ApiError> {
    let now = call.now;
    let amounts: Result<_, StoreError> = call.app.db.read(move |connection| stats::amounts(connection, now)).await;
    // What cannot be read is left out: that the database is in trouble is just what the rest tells.
    let amounts = amounts.inspect_err(|error| log::warn!("metrics without the database: {}", error.described())).ok();
    Ok(Reply::file(exposition::text(call.app, amounts), CONTENT_TYPE))
}

/// Every status that a route answers with; others are counted together.
const STATUSES: [u16; 18] = [200, 201, 302, 303, 307, 400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 500, 503, 507];

/// What one route has answered.
struct Answers {
    /// By the places of [`STATUSES`], the last for all others.
    statuses: [Counter; STATUSES.len() + 1],
    seconds: Histogram,
}

impl Default for Answers {
    fn default() -> Self {
        let bounds =
            [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        Self { statuses: Default::default(), seconds: Histogram::new(bounds) }
    }
}

/// What one server has counted.
pub struct Metrics {
    /// By the place of the route in the table, the last for what is no route; nothing where metrics are off.
    answers: Vec<Answers>,
    logins: Logins,
    /// When the server was made, in seconds since 1970.
    started_at: i64,
}

impl Metrics {
    /// Begins to count; without metrics only what costs nothing.
    pub fn new(on: bool, started_at: i64) -> Self {
        let routes = if on { super::route::count() + 1 } else { 0 };
        let answers = std::iter::repeat_with(Answers::default).take(routes).collect();
        Self { answers, logins: Logins::default(), started_at }
    }

    /// Counts the end of a log-in.
    pub fn log_in(&self, kind: LoginKind, outcome: &Result<Reply, ApiError>) {
        if let Some(outcome) = LoginOutcome::of(outcome) {
            self.logins.0[kind as usize][outcome as usize].inc();
        }
    }
}

/// A request that is being answered; without metrics it is not timed.
pub struct Timing(Option<Instant>);

impl Timing {
    /// Begins to time.
    pub fn begin(app: &App) -> Self {
        Self((!app.metrics.answers.is_empty()).then(Instant::now))
    }

    /// Counts the answer of the route at this place in the table; `None` for what is no route.
    pub fn end(self, request: &HttpRequest, route: Option<usize>, status: StatusCode) {
        let (Some(began), Some(app)) = (self.0, request.app_data::<Data<App>>()) else { return };
        let answers = &app.metrics.answers;
        if let Some(answers) = route.map_or(answers.last(), |place| answers.get(place)) {
            let status = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len());
            answers.statuses[status].inc();
            answers.seconds.observe(began.elapsed().as_secs_f64());
        }
    }
}

/// By what somebody signs in.
#[derive(Clone, Copy, Debug)]
pub enum LoginKind {
    /// A name and a password.
    Password,
    /// Being on the same machine, perhaps with a launch secret.
    Automatic,
}

const LOGIN_KINDS: [&str; 2] = ["password", "automatic"];

/// What came of a log-in. An unknown name and a wrong password are one, as for whoever tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LoginOutcome {
    Success,
    Refused,
    Inactive,
    Throttled,
    Failed,
}

const LOGIN_OUTCOMES: [&str; 5] = ["success", "refused", "inactive", "throttled", "failed"];

impl LoginOutcome {
    /// `None` for what was no attempt.
    fn of(outcome: &Result<Reply, ApiError>) -> Option<Self> {
        match outcome {
            Ok(_) => Some(Self::Success),
            Err(ApiError::WrongLogin | ApiError::LaunchSecret | ApiError::AutoLoginNotLocal) => Some(Self::Refused),
            Err(ApiError::Waiting | ApiError::InactiveUser) => Some(Self::Inactive),
            Err(ApiError::TooMany(_)) => Some(Self::Throttled),
            Err(ApiError::Hash(HashError::Busy | HashError::Failed) | ApiError::Store(_)) => Some(Self::Failed),
            Err(_) => None,
        }
    }
}

#[derive(Default)]
struct Logins([[Counter; LOGIN_OUTCOMES.len()]; LOGIN_KINDS.len()]);
