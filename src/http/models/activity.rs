//! The JSON of sessions, forward auth, reset links and the audit log.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::audit::Action;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::http::models::{choice_schema, maybe_time, time};
use crate::store::audit::AuditEntry;

/// A session: one sign-in of a user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Session")]
pub struct SessionRead<'a> {
    id: Uuid,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "time")]
    refreshed_at: DateTime<Utc>,
    #[serde(serialize_with = "time")]
    expires_at: DateTime<Utc>,
    /// The address of the last sign-in or refresh.
    address: &'a str,
    /// The browser or program, as it names itself.
    #[schema(required)]
    client: Option<&'a str>,
    /// Whether this session sent the request.
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

/// The sessions of one user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "List of sessions")]
pub struct SessionsResponse<'a> {
    #[schema(value_type = i64)]
    pub total_count: usize,
    pub sessions: Vec<SessionRead<'a>>,
}

/// Where the browser goes next.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Entry to a site")]
pub struct EnterResponse<'a> {
    pub location: &'a str,
}

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Audit entry")]
pub struct AuditRead<'a> {
    id: i64,
    #[serde(serialize_with = "time")]
    at: DateTime<Utc>,
    #[schema(schema_with = choice_schema::<Action>)]
    action: &'a str,
    success: bool,
    /// Who did it. `null` for strangers and for the command line.
    #[schema(required)]
    actor: Option<Uuid>,
    #[schema(required)]
    actor_name: Option<&'a str>,
    #[schema(required)]
    address: Option<&'a str>,
    /// The account that it was done to.
    #[schema(required)]
    target: Option<Uuid>,
    #[schema(required)]
    target_name: Option<&'a str>,
    #[schema(required)]
    detail: Option<&'a str>,
    /// How often it happened within a minute of `at`.
    count: i64,
    /// When it happened last. `null` if it happened once.
    #[schema(required)]
    #[serde(serialize_with = "maybe_time")]
    last_at: Option<DateTime<Utc>>,
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
            count: entry.count,
            last_at: entry.last_at,
        }
    }
}

impl<'a> AuditRead<'a> {
    /// The entry as `reader` sees it: only superusers see the addresses of other users.
    pub fn for_reader(entry: &'a AuditEntry, reader: &User) -> Self {
        let hidden = !reader.is_superuser && entry.actor.is_some_and(|actor| actor != reader.id);
        Self { address: entry.address.as_deref().filter(|_| !hidden), ..Self::from(entry) }
    }
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Audit log")]
pub struct AuditResponse<'a> {
    pub total_count: i64,
    pub entries: Vec<AuditRead<'a>>,
}

/// A new reset link. This is the only response that shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Reset link")]
pub struct ResetLink<'a> {
    pub link: &'a str,
    #[serde(serialize_with = "time")]
    pub expires_at: DateTime<Utc>,
}

/// The account of a valid reset link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Reset link check")]
pub struct ResetLinkCheck<'a> {
    pub username: &'a str,
}
