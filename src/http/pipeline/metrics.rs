//! Counters of the HTTP layer: requests by route and status, and sign-ins. Labels come from the route table and from
//! fixed lists, never from a request, so their number is bounded. No label holds a user name or an address.

use std::time::Instant;

use actix_web::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use crate::auth::password_hasher::HashError;
use crate::domain::clock::Timestamp;
use crate::http::pipeline::error::ApiError;

/// The labels of requests that match no route.
pub const NO_ROUTE: (&str, &str) = ("none", "other");

const SECONDS: [f64; 16] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabels {
    route: &'static str,
    method: &'static str,
}

/// The labels of a route and the status of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

/// The counters of one server.
pub struct Metrics {
    is_on: bool,
    pub requests: Family<RequestLabels, Counter>,
    pub seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    pub logins: Family<LoginLabels, Counter>,
    /// When the server started, in seconds since 1970.
    pub started_at: i64,
}

impl Metrics {
    /// Starts counting. With `is_on` false, requests aren't timed.
    pub fn new(is_on: bool, started_at: i64) -> Self {
        let logins = Family::default();
        for (kind, outcome) in
            LoginKind::ALL.into_iter().flat_map(|kind| LoginOutcome::ALL.map(|outcome| (kind, outcome)))
        {
            let _ = logins.get_or_create(&LoginLabels { kind: kind.as_str(), outcome: outcome.as_str() });
        }
        Self {
            is_on,
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            logins,
            started_at,
        }
    }

    /// When the server started.
    pub fn started_at(&self) -> Timestamp {
        Timestamp::from_timestamp(self.started_at, 0).unwrap_or_default()
    }

    /// Counts a sign-in attempt by its outcome.
    pub fn count_login<T>(&self, kind: LoginKind, outcome: &Result<T, ApiError>) {
        if let Some(outcome) = LoginOutcome::of(outcome) {
            self.logins.get_or_create(&LoginLabels { kind: kind.as_str(), outcome: outcome.as_str() }).inc();
        }
    }
}

/// Times a request, if metrics are on.
pub struct RequestTimer(Option<Instant>);

impl RequestTimer {
    /// Starts the timer.
    pub fn start(metrics: &Metrics) -> Self {
        Self(metrics.is_on.then(Instant::now))
    }

    /// Counts the response of the route with this path and method, or of [`NO_ROUTE`].
    pub fn stop(self, metrics: &Metrics, (route, method): (&'static str, &'static str), status: StatusCode) {
        let Some(started) = self.0 else { return };
        metrics.requests.get_or_create(&RequestLabels { route, method, status: status.as_u16() }).inc();
        metrics.seconds.get_or_create(&RouteLabels { route, method }).observe(started.elapsed().as_secs_f64());
    }
}

/// How a user signs in.
#[derive(Clone, Copy, Debug)]
pub enum LoginKind {
    /// With user name and password.
    Password,
    /// With a passkey alone.
    Passkey,
    /// Automatic sign-in on this machine, perhaps with a launch secret.
    Automatic,
}

impl LoginKind {
    const ALL: [Self; 3] = [Self::Password, Self::Passkey, Self::Automatic];

    fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::Automatic => "automatic",
        }
    }
}

/// The outcome of a sign-in attempt. Unknown name and wrong password are the same, as they are for the client.
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

    /// Returns `None` if it wasn't an attempt, such as a malformed form.
    fn of<T>(outcome: &Result<T, ApiError>) -> Option<Self> {
        match outcome {
            Ok(_) => Some(Self::Success),
            Err(ApiError::InvalidLogin | ApiError::WrongLaunchSecret | ApiError::AutoLoginNotLocal) => {
                Some(Self::Refused)
            }
            Err(ApiError::ApprovalPending | ApiError::InactiveUser) => Some(Self::Inactive),
            Err(ApiError::TooManyRequests(_)) => Some(Self::Throttled),
            Err(ApiError::Hash(HashError::Busy | HashError::Failed) | ApiError::Store(_)) => Some(Self::Failed),
            Err(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LoginLabels {
    kind: &'static str,
    outcome: &'static str,
}
