//! Owns what sessions, ways into other sites and the audit log look like to clients.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::session::Session;
use crate::http::models::time;
use crate::http::pipeline::schema::{self, Described, array, boolean, datetime, integer, nullable, object, string};
use crate::store::audit::AuditEntry;

/// A session, as its owner sees it.
#[derive(Debug, Serialize)]
pub struct SessionRead<'a> {
    id: Uuid,
    #[serde(serialize_with = "time")]
    created_at: Timestamp,
    #[serde(serialize_with = "time")]
    refreshed_at: Timestamp,
    #[serde(serialize_with = "time")]
    expires_at: Timestamp,
    address: &'a str,
    client: Option<&'a str>,
    current: bool,
}

impl<'a> SessionRead<'a> {
    /// `current` is the session that asks.
    pub fn new(session: &'a Session, current: Option<Uuid>) -> Self {
        Self {
            id: session.id,
            created_at: session.created_at,
            refreshed_at: session.refreshed_at,
            expires_at: session.expires_at,
            address: &session.address,
            client: session.client.as_deref(),
            current: current == Some(session.id),
        }
    }
}

impl Described for SessionRead<'_> {
    const NAME: &'static str = "SessionRead";

    fn schema() -> Value {
        object(&[
            ("id", schema::uuid(), true),
            ("created_at", datetime(), true),
            ("refreshed_at", datetime(), true),
            ("expires_at", datetime(), true),
            ("address", string(), true),
            ("client", nullable(string()), true),
            ("current", boolean(), true),
        ])
    }
}

/// Somebody's sessions.
#[derive(Debug, Serialize)]
pub struct SessionsResponse<'a> {
    pub total_count: usize,
    pub sessions: Vec<SessionRead<'a>>,
}

impl Described for SessionsResponse<'_> {
    const NAME: &'static str = "SessionsResponse";

    fn schema() -> Value {
        object(&[("total_count", integer(), true), ("sessions", array(schema::reference::<SessionRead<'_>>()), true)])
    }

    fn parts() -> Vec<(&'static str, Value)> {
        vec![(SessionRead::NAME, SessionRead::schema())]
    }
}

/// Where a browser that was let in goes on to.
#[derive(Debug, Serialize)]
pub struct EnterResponse<'a> {
    pub location: &'a str,
}

impl Described for EnterResponse<'_> {
    const NAME: &'static str = "EnterResponse";

    fn schema() -> Value {
        object(&[("location", string(), true)])
    }
}

/// An entry of the audit log.
#[derive(Debug, Serialize)]
pub struct AuditRead<'a> {
    id: i64,
    #[serde(serialize_with = "time")]
    at: Timestamp,
    action: &'a str,
    success: bool,
    actor: Option<Uuid>,
    actor_name: Option<&'a str>,
    address: Option<&'a str>,
    target: Option<Uuid>,
    target_name: Option<&'a str>,
    detail: Option<&'a str>,
}

impl<'a> From<&'a AuditEntry> for AuditRead<'a> {
    fn from(entry: &'a AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            action: &entry.action,
            success: entry.success,
            actor: entry.actor,
            actor_name: entry.actor_name.as_deref(),
            address: entry.address.as_deref(),
            target: entry.target,
            target_name: entry.target_name.as_deref(),
            detail: entry.detail.as_deref(),
        }
    }
}

impl Described for AuditRead<'_> {
    const NAME: &'static str = "AuditRead";

    fn schema() -> Value {
        object(&[
            ("id", integer(), true),
            ("at", datetime(), true),
            ("action", string(), true),
            ("success", boolean(), true),
            ("actor", nullable(schema::uuid()), true),
            ("actor_name", nullable(string()), true),
            ("address", nullable(string()), true),
            ("target", nullable(schema::uuid()), true),
            ("target_name", nullable(string()), true),
            ("detail", nullable(string()), true),
        ])
    }
}

/// A part of the audit log.
#[derive(Debug, Serialize)]
pub struct AuditResponse<'a> {
    pub total_count: i64,
    pub entries: Vec<AuditRead<'a>>,
}

impl Described for AuditResponse<'_> {
    const NAME: &'static str = "AuditResponse";

    fn schema() -> Value {
        object(&[("total_count", integer(), true), ("entries", array(schema::reference::<AuditRead<'_>>()), true)])
    }

    fn parts() -> Vec<(&'static str, Value)> {
        vec![(AuditRead::NAME, AuditRead::schema())]
    }
}

/// A new reset link, the only time that it is shown.
#[derive(Debug, Serialize)]
pub struct ResetLink<'a> {
    pub link: &'a str,
    #[serde(serialize_with = "time")]
    pub expires_at: Timestamp,
}

impl Described for ResetLink<'_> {
    const NAME: &'static str = "ResetLink";

    fn schema() -> Value {
        object(&[("link", string(), true), ("expires_at", datetime(), true)])
    }
}
