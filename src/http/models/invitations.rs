//! The JSON of invitations.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::time;
use crate::domain::invitation::{self, Invitation, MAX_LIFETIME, MAX_USES};
use crate::domain::username::{MAX_CHARS, Username};
use crate::http::models::nullable_text;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::coerce;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::messages::field;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource};
use crate::http::pipeline::validation::{FieldError, FieldErrors, Location, Rejected};

/// An open invitation. Its link isn't stored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Invitation")]
pub struct InvitationRead<'a> {
    id: Uuid,
    /// The user name that the account gets. `null`: the invited person chooses.
    #[schema(required)]
    username: Option<&'a str>,
    /// How many accounts can be created with it.
    max_uses: u32,
    /// How many accounts were created with it.
    uses: u32,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "time")]
    expires_at: DateTime<Utc>,
}

impl<'a> From<&'a Invitation> for InvitationRead<'a> {
    fn from(invitation: &'a Invitation) -> Self {
        let Invitation { id, username, max_uses, uses, created_at, expires_at } = invitation;
        let (username, id) = (username.as_deref(), *id);
        Self { id, username, max_uses: *max_uses, uses: *uses, created_at: *created_at, expires_at: *expires_at }
    }
}

/// The open invitations.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "List of invitations")]
pub struct InvitationsResponse<'a> {
    #[schema(value_type = i64)]
    pub total_count: usize,
    pub invitations: Vec<InvitationRead<'a>>,
}

/// A new invitation. This is the only response that shows its link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "New invitation")]
pub struct InvitationMade<'a> {
    /// Give it to the people you invite.
    pub link: &'a str,
    /// What it allows.
    pub invitation: InvitationRead<'a>,
}

/// A valid invitation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Invitation check")]
pub struct InvitationCheck<'a> {
    /// The user name that the account gets. `null`: any.
    #[schema(required)]
    pub username: Option<&'a str>,
    #[serde(serialize_with = "time")]
    pub expires_at: DateTime<Utc>,
}

/// An invitation to create. Fields that are absent or `null` have their defaults.
#[derive(ToSchema)]
#[schema(title = "Invitation to create")]
#[expect(dead_code, reason = "describes the body")]
struct InvitationCreate {
    /// The user name that the account gets. Absent: the invited person chooses.
    #[schema(schema_with = nullable_text::<1, MAX_CHARS>)]
    username: Option<Username>,
    /// How many accounts can be created with it: 1 to 100. Must be 1 with a user name.
    #[schema(default = 1, minimum = 1, maximum = 100)]
    max_uses: Option<u32>,
    /// When it expires: in at most 365 days. Absent: in 7 days.
    expires_at: Option<DateTime<Utc>>,
}

/// An invitation to create, whose fields have the right types.
pub struct NewInvitation {
    pub invitation: Invitation,
    /// Why the name is refused, for the handler to send.
    pub rejected: Option<Rejected>,
}

impl Input for NewInvitation {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        let (now, mut rejected) = (source.now, None);
        let name = |value| fields::new_username(value, &mut rejected);
        let username = fields.optional("username", errors, name);
        let max_uses = fields.optional("max_uses", errors, max_uses).unwrap_or(1);
        let expiry = |value| match coerce::datetime(value)? {
            end if end > now && end <= now + MAX_LIFETIME => Ok(end),
            _ => Err(FieldError::value(field::INVITATION_EXPIRY)),
        };
        let expires_at = fields.optional("expires_at", errors, expiry).unwrap_or(now + invitation::DEFAULT_LIFETIME);
        if username.is_some() && max_uses > 1 {
            errors.collect::<()>(Location::Field("max_uses"), Err(FieldError::value(field::ONE_USE)));
        }
        Some(Self { invitation: Invitation::new(username.flatten(), max_uses, expires_at, now), rejected })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<InvitationCreate>("application/json");
    }
}

fn max_uses(value: &serde_json::Value) -> Result<u32, FieldError> {
    let number = u32::try_from(coerce::integer(value)?.max(0)).unwrap_or(u32::MAX);
    match number {
        0 => Err(FieldError::new("greater_than_equal", "Input should be greater than or equal to 1")),
        1..=MAX_USES => Ok(number),
        _ => {
            let message = format!("Input should be less than or equal to {MAX_USES}");
            Err(FieldError::new("less_than_equal", message))
        }
    }
}
