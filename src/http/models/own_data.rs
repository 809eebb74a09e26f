//! The JSON of people's own data: the export, and requests to delete an account.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::deletion_request::{DeletionRequest, DeletionState};
use crate::http::models::factors::FactorRead;
use crate::http::models::{ApiKeyRead, AuditResponse, SessionRead, UserRead, choice_schema, maybe_time, time};

/// The newest request to delete an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnDeletionRequestStatus, title = "Deletion request")]
pub struct DeletionRequestRead {
    id: Uuid,
    /// `done` if the account was deleted at once.
    #[schema(schema_with = choice_schema::<DeletionState>)]
    status: &'static str,
    #[serde(serialize_with = "time")]
    requested_at: DateTime<Utc>,
    /// When a superuser declined, or the account was deleted.
    #[serde(serialize_with = "maybe_time")]
    #[schema(required)]
    decided_at: Option<DateTime<Utc>>,
}

impl From<DeletionRequest> for DeletionRequestRead {
    fn from(request: DeletionRequest) -> Self {
        Self {
            id: request.id,
            status: request.state.as_str(),
            requested_at: request.requested_at,
            decided_at: request.decided_at,
        }
    }
}

/// A user's newest request to delete the account, if there is one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Deletion request of a user")]
pub struct UserDeletionRequest {
    #[schema(required)]
    pub deletion_request: Option<DeletionRequestRead>,
}

/// What usher stores about one user, without secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Data export")]
pub struct DataExport<'a> {
    #[serde(serialize_with = "time")]
    pub exported_at: DateTime<Utc>,
    pub account: UserRead<'a>,
    pub sessions: Vec<SessionRead<'a>>,
    pub api_keys: Vec<ApiKeyRead<'a>>,
    pub second_factors: Vec<FactorRead<'a>>,
    #[schema(required)]
    pub deletion_request: Option<DeletionRequestRead>,
    /// The newest entries of the audit log about the user.
    pub audit: AuditResponse<'a>,
}
