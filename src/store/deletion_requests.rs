//! The `deletion_requests` table: the newest request of each user to delete the account.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::deletion_request::{DeletionRequest, DeletionState};
use crate::domain::user::User;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::bind;

/// Returns the newest request of this user.
pub fn find(connection: &Connection, user_id: Uuid) -> Result<Option<DeletionRequest>, StoreError> {
    let sql = "SELECT deletion_requests.uuid, state, requested_at, decided_at FROM deletion_requests \
         JOIN users ON users.id = deletion_requests.user_id WHERE users.uuid = ?";
    connection.maybe(sql, bind![user_id], |row| {
        let state: String = row.get(1)?;
        Ok(DeletionRequest {
            id: row.get(0)?,
            // The schema allows no other words.
            state: state.parse().unwrap_or(DeletionState::Withdrawn),
            requested_at: row.get(2)?,
            decided_at: row.get(3)?,
        })
    })
}

/// Returns the pending request of this user.
pub fn find_pending(connection: &Connection, user_id: Uuid) -> Result<Option<DeletionRequest>, StoreError> {
    Ok(find(connection, user_id)?.filter(|request| request.state == DeletionState::Requested))
}

/// Adds a pending request in place of an older one.
pub fn add(connection: &Connection, user_id: Uuid, now: Timestamp) -> Result<DeletionRequest, StoreError> {
    let delete = "DELETE FROM deletion_requests WHERE user_id = (SELECT id FROM users WHERE uuid = ?)";
    connection.run(delete, bind![user_id])?;
    let (id, state) = (Uuid::new_v4(), DeletionState::Requested);
    let insert = "INSERT INTO deletion_requests (uuid, user_id, state, requested_at) \
         SELECT ?, id, ?, ? FROM users WHERE uuid = ?";
    connection.run(insert, bind![id, state.as_str(), now, user_id])?;
    Ok(DeletionRequest { id, state, requested_at: now, decided_at: None })
}

/// Stores the state and the time of a decision.
pub fn update(connection: &Connection, request: &DeletionRequest) -> Result<(), StoreError> {
    let sql = "UPDATE deletion_requests SET state = ?, decided_at = ? WHERE uuid = ?";
    connection.run(sql, bind![request.state.as_str(), request.decided_at, request.id])?;
    Ok(())
}

/// Returns which of these users have a pending request.
pub fn pending_of(connection: &Connection, users: &[User]) -> Result<BTreeMap<Uuid, &'static str>, StoreError> {
    let any = "SELECT 1 FROM deletion_requests WHERE state = 'requested' LIMIT 1";
    let mut found = BTreeMap::new();
    if !connection.exists(any, &[])? {
        return Ok(found);
    }
    for user in users {
        if let Some(request) = find_pending(connection, user.id)? {
            found.insert(user.id, request.state.as_str());
        }
    }
    Ok(found)
}
