//! Requests of users to delete their account.

use strum::{EnumString, IntoStaticStr, VariantNames};
use uuid::Uuid;

use crate::domain::clock::Timestamp;

/// The state of a request, in Langflow's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum DeletionState {
    /// Waiting for a superuser.
    Requested,
    /// A superuser declined it.
    Refused,
    /// The user withdrew it.
    Withdrawn,
    /// The account was deleted. Never stored, because the request goes with the account.
    Done,
}

impl DeletionState {
    /// Returns the name in the database and in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The newest request of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionRequest {
    /// Its id in the API.
    pub id: Uuid,
    /// Its state.
    pub state: DeletionState,
    /// When the user asked.
    pub requested_at: Timestamp,
    /// When a superuser declined, or the account was deleted.
    pub decided_at: Option<Timestamp>,
}
