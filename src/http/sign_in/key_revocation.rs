//! Deleting all API keys of an account.

use crate::domain::audit::{Action, Actor, Event};
use crate::domain::clock::Timestamp;
use crate::domain::user::User;
use crate::store::{Connection, StoreError, api_keys, audit};

/// Deletes all API keys of the user, and records it if there were any.
pub fn revoke_keys(connection: &Connection, actor: Actor, user: &User, now: Timestamp) -> Result<(), StoreError> {
    match api_keys::delete_all_of_user(connection, user.id)? {
        0 => Ok(()),
        count => {
            let detail = if count == 1 { "1 key".to_owned() } else { format!("{count} keys") };
            audit::record(connection, &Event::new(actor, Action::KeyDeleted).target(user).detail(detail), now)
        }
    }
}
