//! The log of denied requests (OWASP ASVS 5, 16.3.2 and 16.3.3). A denial of an authenticated user goes into the audit
//! log. Any other denial goes only into the server's log, because anybody can cause any number of them. At most one per
//! minute is kept for each user and each network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::{HttpMessage, HttpRequest};
use chrono::TimeDelta;
use uuid::Uuid;

use crate::domain::audit::{Action, Actor, Event};
use crate::domain::client_network::client_network;
use crate::domain::clock::Timestamp;
use crate::domain::user::User;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::log_rate_limit::LogRateLimit;
use crate::store::{Db, StoreError, audit};

/// How long further denials of the same user or network are dropped.
const INTERVAL: TimeDelta = TimeDelta::minutes(1);
/// The most users, and the most networks, that are tracked.
const MAX_SOURCES: usize = 1024;
/// The most characters of a path that are logged.
const MAX_PATH_CHARS: usize = 200;
/// How long the response waits for the audit entry.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// When the last denial of each source was logged. Networks are separate from users: an attacker with many networks
/// must not hide denials of users.
pub struct DeniedLog {
    generation: &'static Generation,
    users: Mutex<HashMap<DeniedSource, Timestamp>>,
    networks: Mutex<HashMap<DeniedSource, Timestamp>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum DeniedSource {
    User(Uuid),
    Network(IpAddr),
}

/// The id and name of an authenticated user.
#[derive(Clone)]
pub struct KnownCaller(Uuid, String);

impl From<&User> for KnownCaller {
    fn from(user: &User) -> Self {
        Self(user.id, user.username.to_string())
    }
}

/// Stores the authenticated user with the request, for a denial that may follow.
pub fn remember_caller(request: &HttpRequest, caller: KnownCaller) {
    request.extensions_mut().insert(caller);
}

impl DeniedLog {
    /// Returns an empty log whose messages are those of `generation`.
    pub fn new(generation: &'static Generation) -> Self {
        Self { generation, users: Mutex::default(), networks: Mutex::default() }
    }

    /// Whether a denial of this source may be logged now.
    fn is_due(&self, source: DeniedSource, now: Timestamp) -> bool {
        static DROPPED: LogRateLimit = LogRateLimit::new();
        // After the clock was set back, don't wait for the old time.
        let is_over = |last: Timestamp| now - last >= INTERVAL || now < last;
        let sources = if matches!(source, DeniedSource::User(_)) { &self.users } else { &self.networks };
        let mut last = sources.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(&source).is_some_and(|last| !is_over(*last)) {
            return false;
        }
        if last.len() >= MAX_SOURCES {
            last.retain(|_, last| !is_over(*last));
        }
        if last.len() >= MAX_SOURCES {
            DROPPED.warn(now, || "some denied requests are not logged: too many sources".to_owned());
            return false;
        }
        last.insert(source, now);
        true
    }
}

/// Returns the user stored by [`remember_caller`].
pub fn remembered_caller(request: &HttpRequest) -> Option<KnownCaller> {
    request.extensions().get::<KnownCaller>().cloned()
}

impl DeniedLog {
    /// Logs that `method path` was denied, if the error can mean an attack.
    pub async fn record_request(
        &self,
        db: &Db,
        client: &Client,
        now: Timestamp,
        caller: Option<KnownCaller>,
        (method, path): (&str, &str),
        error: &ApiError,
    ) {
        let is_attempt = matches!(
            error,
            ApiError::NotSuperuser
                | ApiError::Denied(_)
                | ApiError::InvalidApiKey
                | ApiError::InvalidToken
                | ApiError::TooManyRequests(_)
                | ApiError::CrossSite
                | ApiError::ForeignOrigin
                | ApiError::InvalidResetToken
                | ApiError::InvalidSetupToken
        );
        if is_attempt {
            // fail2ban matches failed sign-ins, and a throttled sign-in counts as one. A cross-site request doesn't:
            // its sender isn't the browser's user.
            let is_throttled = matches!(error, ApiError::TooManyRequests(_));
            let action = if is_throttled && path == "/api/v1/login" { Action::LoggedIn } else { Action::Refused };
            let path: String = path.chars().take(MAX_PATH_CHARS).collect();
            let detail = format!("{method} {path}: {}", error.message(self.generation));
            self.record(db, client, now, caller, action, detail).await;
        }
    }

    /// Logs a denied action with this detail.
    pub async fn record(
        &self,
        db: &Db,
        client: &Client,
        now: Timestamp,
        caller: Option<KnownCaller>,
        action: Action,
        detail: String,
    ) {
        let Some(KnownCaller(id, name)) = caller else {
            if self.is_due(DeniedSource::Network(client_network(client.address)), now) {
                audit::log_only(&Event::new(client.actor(), action).failed().detail(detail));
            }
            return;
        };
        if !self.is_due(DeniedSource::User(id), now) {
            return;
        }
        let actor = Actor { id: Some(id), name: Some(name), ..client.actor() };
        let event = Event::new(actor, action).failed().detail(detail);
        let written = db.write(move |connection| audit::record(connection, &event, now));
        let written: Result<Result<(), StoreError>, _> = tokio::time::timeout(WRITE_TIMEOUT, written).await;
        if let Ok(Err(error)) = written {
            log::warn!("{} the denied request is not in the audit log: {}", client.request, error.described());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_is_logged_once_a_minute_and_the_number_of_sources_is_bounded() {
        let denied = DeniedLog::new(Default::default());
        let at = |seconds: i64| Timestamp::from_timestamp(1_700_000_000 + seconds, 0).unwrap();
        let source = |n| {
            DeniedSource::Network(IpAddr::from([10, 0, u8::try_from(n / 256).unwrap(), u8::try_from(n % 256).unwrap()]))
        };
        assert!(denied.is_due(source(0), at(0)) && !denied.is_due(source(0), at(59)));
        assert!(denied.is_due(DeniedSource::User(Uuid::nil()), at(59)));
        assert!(denied.is_due(source(0), at(60)) && denied.is_due(source(0), at(-100)));
        let due = (0..3000).filter(|n| denied.is_due(source(*n), at(200))).count();
        assert!(due <= MAX_SOURCES && denied.networks.lock().unwrap().len() <= MAX_SOURCES);
        assert!(!denied.is_due(source(2999), at(200)) && denied.is_due(DeniedSource::User(Uuid::max()), at(200)));
        assert!(denied.is_due(source(2999), at(300)), "one minute later");
    }
}
