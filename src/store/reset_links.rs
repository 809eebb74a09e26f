//! The `reset_links` table: at most one link per account, stored as a hash.

use uuid::Uuid;

use crate::domain::audit::{Action, Actor, Event};
use crate::domain::clock::Timestamp;
use crate::domain::user::User;
use crate::store::audit;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::bind;
use crate::store::user_rows::{self, user_columns};

/// Stores a link for `user_id` and deletes the previous one. If that has expired, its audit entry is written first.
pub fn replace(
    connection: &Connection,
    user_id: Uuid,
    sha256: &[u8; 32],
    now: Timestamp,
    end: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO reset_links (user_id, sha256, created_at, expires_at) \
         SELECT id, ?, ?, ? FROM users WHERE uuid = ? ON CONFLICT (user_id) DO UPDATE SET sha256 = excluded.sha256, \
         created_at = excluded.created_at, expires_at = excluded.expires_at";
    sweep(connection, now)?;
    connection.run(SQL, bind![sha256, now, end, user_id])?;
    Ok(())
}

/// Deletes all links.
pub fn delete_all(connection: &Connection) -> Result<(), StoreError> {
    connection.run("DELETE FROM reset_links", &[])?;
    Ok(())
}

/// Returns the user of this link, if it is valid at `now`.
pub fn find(connection: &Connection, sha256: &[u8; 32], now: Timestamp) -> Result<Option<User>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        user_columns!(),
        " FROM reset_links JOIN users ON users.id = reset_links.user_id \
         WHERE reset_links.sha256 = ? AND reset_links.expires_at > ?"
    );
    connection.maybe(SQL, bind![sha256, now], user_rows::from_row)
}

/// Deletes a user's link. If it has expired, its audit entry is written first.
pub fn revoke(connection: &Connection, user_id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    sweep(connection, now)?;
    delete(connection, user_id)
}

fn delete(connection: &Connection, user_id: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM reset_links WHERE user_id = (SELECT id FROM users WHERE uuid = ?)";
    connection.run(sql, bind![user_id])?;
    Ok(())
}

/// Deletes the expired links, writes an audit entry for each, and returns their number.
pub fn sweep(connection: &Connection, now: Timestamp) -> Result<usize, StoreError> {
    const EXPIRED: &str = "SELECT users.uuid, users.username FROM reset_links JOIN users \
         ON users.id = reset_links.user_id WHERE reset_links.expires_at <= ? ORDER BY reset_links.id";
    let expired: Vec<(Uuid, String)> = connection.all(EXPIRED, bind![now], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for target in &expired {
        delete(connection, target.0)?;
        let event = Event {
            actor: Actor::default(),
            action: Action::ResetLinkExpired,
            target: Some(target.clone()),
            success: false,
            detail: None,
        };
        audit::record(connection, &event, now)?;
    }
    Ok(expired.len())
}
