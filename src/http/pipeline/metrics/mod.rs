//! What the HTTP layer counts: requests by route and status, and sign-ins. Labels come from the route table and from
//! fixed lists, never from what a client sent, so their number is bounded. No label holds a name or an address.

mod exposition;

use std::time::Instant;

use actix_web::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

pub use exposition::text;

use crate::auth::password_hasher::HashError;
use crate::http::pipeline::app::App;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::response::Response;

/// Stands for the route and the method of a request that matched no route.
pub const NO_ROUTE: (&str, &str) = ("none", "other");

const SECONDS: [f64; 16] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A route, as the labels of its metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
    method: &'static str,
}

/// A route and the status it answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

/// What one server has counted.
pub struct Metrics {
    is_on: bool,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    logins: Family<LoginLabels, Counter>,
    /// When the server was made, in seconds since 1970.
    started_at: i64,
}

impl Metrics {
    /// Begins to count; without metrics only what costs nothing.
    pub fn new(on: bool, started_at: i64) -> Self {
        let logins = Family::default();
        for (kind, outcome) in
            LoginKind::ALL.into_iter().flat_map(|kind| LoginOutcome::ALL.map(|outcome| (kind, outcome)))
        {
            let _ = logins.get_or_create(&LoginLabels { kind: kind.as_str(), outcome: outcome.as_str() });
        }
        Self {
            is_on: on,
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            logins,
            started_at,
        }
    }

    /// Counts the end of a log-in.
    pub fn log_in(&self, kind: LoginKind, outcome: &Result<Response, ApiError>) {
        if let Some(outcome) = LoginOutcome::of(outcome) {
            self.logins.get_or_create(&LoginLabels { kind: kind.as_str(), outcome: outcome.as_str() }).inc();
        }
    }
}

/// A request that is being answered; without metrics it is not timed.
pub struct RequestTimer(Option<Instant>);

impl RequestTimer {
    /// Begins to time.
    pub fn begin(app: &App) -> Self {
        Self(app.metrics.is_on.then(Instant::now))
    }

    /// Counts the answer of the route with this path and method, or of [`NO_ROUTE`].
    pub fn end(self, app: &App, (route, method): (&'static str, &'static str), status: StatusCode) {
        let Some(began) = self.0 else { return };
        app.metrics.requests.get_or_create(&RequestLabels { route, method, status: status.as_u16() }).inc();
        app.metrics.seconds.get_or_create(&RouteLabels { route, method }).observe(began.elapsed().as_secs_f64());
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

impl LoginKind {
    const ALL: [Self; 2] = [Self::Password, Self::Automatic];

    fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Automatic => "automatic",
        }
    }
}

/// What came of a log-in. An unknown name and a wrong password are one, as for whoever tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LoginOutcome {
    Success,
    Refused,
    Inactive,
    Throttled,
    Failed,
}

impl LoginOutcome {
    const ALL: [Self; 5] = [Self::Success, Self::Refused, Self::Inactive, Self::Throttled, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Inactive => "inactive",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
        }
    }

    /// `None` for what was no attempt.
    fn of(outcome: &Result<Response, ApiError>) -> Option<Self> {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoginLabels {
    kind: &'static str,
    outcome: &'static str,
}
