//! Owns what is written down of requests that are refused (OWASP ASVS 5, 16.3.2 and 16.3.3): who was known gets an entry
//! in the audit log, who was not a line in the log alone, as anybody can make any number of those. Of each person and
//! of each place, one a minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::{HttpMessage, HttpRequest};
use chrono::TimeDelta;
use uuid::Uuid;

use crate::domain::audit::{Action, Actor, Event};
use crate::domain::client_network::place;
use crate::domain::clock::Timestamp;
use crate::domain::user::User;
use crate::http::pipeline::app::App;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::log_rate_limit::LogRateLimit;
use crate::store::{StoreError, audit};

/// For how long nothing more is written down of the same person or place.
const QUIET: TimeDelta = TimeDelta::minutes(1);
/// Of how many persons and places something is written down in that time.
const MOST: usize = 1024;
/// How long a refusal waits for its entry; a database that cannot be written holds up nobody who is refused anyway.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whose refusals were written down lately. Persons apart from places, of which anybody may have any number: they hide
/// nobody who is known.
#[derive(Default)]
pub struct DeniedLog {
    persons: Mutex<HashMap<DeniedSource, Timestamp>>,
    places: Mutex<HashMap<DeniedSource, Timestamp>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum DeniedSource {
    Person(Uuid),
    Place(IpAddr),
}

/// Somebody, by id and name.
#[derive(Clone)]
pub struct KnownCaller(Uuid, String);

impl From<&User> for KnownCaller {
    fn from(user: &User) -> Self {
        Self(user.id, user.username.to_string())
    }
}

/// Keeps with a request who it comes from.
pub fn keep(request: &HttpRequest, user: &User) {
    request.extensions_mut().insert(KnownCaller::from(user));
}

impl DeniedLog {
    /// Whether it is time to write down something of this source again.
    fn is_due(&self, source: DeniedSource, now: Timestamp) -> bool {
        static LOST: LogRateLimit = LogRateLimit::new();
        // A clock that was set back must not silence anything for long.
        let is_over = |last: Timestamp| now - last >= QUIET || now < last;
        let kept = if matches!(source, DeniedSource::Person(_)) { &self.persons } else { &self.places };
        let mut last = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(&source).is_some_and(|last| !is_over(*last)) {
            return false;
        }
        if last.len() >= MOST {
            last.retain(|_, last| !is_over(*last));
        }
        if last.len() >= MOST {
            LOST.warn(now, || "more requests are refused than are written down".to_owned());
            return false;
        }
        last.insert(source, now);
        true
    }
}

/// Writes down that `method path` was refused, if that is worth it.
pub async fn note(app: &App, request: &HttpRequest, now: Timestamp, (method, path): (&str, &str), error: &ApiError) {
    let is_attempt = matches!(
        error,
        ApiError::NotSuperuser
            | ApiError::Denied(_)
            | ApiError::BadKey
            | ApiError::BadToken
            | ApiError::TooMany(_)
            | ApiError::CrossSite
            | ApiError::BadResetToken
            | ApiError::BadSetupToken
    );
    if !is_attempt {
        return;
    }
    let client = Client::of(request, &app.config.trusted_proxies);
    let known = request.extensions().get::<KnownCaller>().cloned();
    // fail2ban matches log-ins, and those that are throttled are log-ins that fail.
    let action = if path == "/api/v1/login" { Action::LoggedIn } else { Action::Refused };
    write_down(app, &client, now, known, action, format!("{method} {path}: {}", error.told())).await;
}

/// Writes down that somebody was refused something, named by `detail`.
pub async fn write_down(
    app: &App,
    client: &Client,
    now: Timestamp,
    known: Option<KnownCaller>,
    action: Action,
    detail: String,
) {
    let source = known
        .as_ref()
        .map_or(DeniedSource::Place(place(client.address)), |KnownCaller(id, _)| DeniedSource::Person(*id));
    if !app.refusals.is_due(source, now) {
        return;
    }
    let is_known = known.is_some();
    let (id, name) = known.map(|KnownCaller(id, name)| (id, name)).unzip();
    let actor = Actor { id, name, ..client.actor() };
    let event = Event::new(actor, action).failed().detail(detail);
    if !is_known {
        return audit::tell(&event);
    }
    let written = app.db.write(move |connection| audit::record(connection, &event, now));
    let written: Result<Result<(), StoreError>, _> = tokio::time::timeout(PATIENCE, written).await;
    if let Ok(Err(error)) = written {
        log::warn!("{} a refusal could not be written down: {}", client.request, error.described());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_source_one_a_minute_is_written_down_and_of_no_more_than_so_many() {
        let refusals = DeniedLog::default();
        let at = |seconds: i64| Timestamp::from_timestamp(1_700_000_000 + seconds, 0).unwrap();
        let source = |n| {
            DeniedSource::Place(IpAddr::from([10, 0, u8::try_from(n / 256).unwrap(), u8::try_from(n % 256).unwrap()]))
        };
        assert!(refusals.is_due(source(0), at(0)) && !refusals.is_due(source(0), at(59)));
        assert!(refusals.is_due(DeniedSource::Person(Uuid::nil()), at(59)));
        assert!(refusals.is_due(source(0), at(60)) && refusals.is_due(source(0), at(-100)));
        let due = (0..3000).filter(|n| refusals.is_due(source(*n), at(200))).count();
        assert!(due <= MOST && refusals.places.lock().unwrap().len() <= MOST);
        assert!(!refusals.is_due(source(2999), at(200)) && refusals.is_due(DeniedSource::Person(Uuid::max()), at(200)));
        assert!(refusals.is_due(source(2999), at(300)), "the next minute begins anew");
    }
}
