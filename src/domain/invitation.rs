//! Invitations: links with which people create active accounts themselves.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::domain::clock::{Timestamp, rfc3339};
use crate::domain::username::{Username, fold_input};

/// The most invitations that can be open at once.
pub const MAX_OPEN: u32 = 100;
/// The most accounts that one invitation is for.
pub const MAX_USES: u32 = 100;
/// How long an invitation is valid if its maker doesn't say.
pub const DEFAULT_LIFETIME: TimeDelta = TimeDelta::days(7);
/// The longest time that an invitation can be valid.
pub const MAX_LIFETIME: TimeDelta = TimeDelta::days(365);

/// A link with which up to `max_uses` people create an active account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its public id.
    pub id: Uuid,
    /// The user name that the account must get.
    pub username: Option<String>,
    /// The number of accounts that it is for.
    pub max_uses: u32,
    /// The number of accounts that were created with it.
    pub uses: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl Invitation {
    /// Creates an invitation at `now`.
    pub fn new(username: Option<Username>, max_uses: u32, expires_at: Timestamp, now: Timestamp) -> Self {
        let username = username.map(|name| name.to_string());
        Self { id: Uuid::new_v4(), username, max_uses, uses: 0, created_at: now, expires_at }
    }

    /// Reports whether an account of this name can be created with it.
    pub fn allows(&self, username: &Username) -> bool {
        self.username.as_deref().is_none_or(|wanted| fold_input(wanted).as_deref() == Some(username.folded()))
    }

    /// Describes it for the audit log.
    pub fn audit_detail(&self) -> String {
        let number = self.id.as_fields().0;
        format!("{number:08x}, used {} of {}, until {}", self.uses, self.max_uses, rfc3339(&self.expires_at))
    }
}
