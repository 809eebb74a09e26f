//! The `invitations` table: the open invitations, each with the hash of its token.

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::invitation::Invitation;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::{Row, bind};

/// The columns that [`from_row`] reads.
macro_rules! columns {
    () => {
        "uuid, username, max_uses, uses, created_at, expires_at"
    };
}

fn from_row(row: &Row<'_>) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        id: row.get(0)?,
        username: row.get(1)?,
        max_uses: row.get(2)?,
        uses: row.get(3)?,
        created_at: row.get(4)?,
        expires_at: row.get(5)?,
    })
}

/// Adds an invitation.
pub fn insert(connection: &Connection, invitation: &Invitation, sha256: &[u8; 32]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO invitations (uuid, sha256, username, max_uses, uses, created_at, expires_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?)";
    let Invitation { id, username, max_uses, uses, created_at, expires_at } = invitation;
    connection.run(SQL, bind![*id, sha256, username, *max_uses, *uses, *created_at, *expires_at]).map(drop)
}

/// Returns the number of invitations that are open at `now`.
pub fn count(connection: &Connection, now: Timestamp) -> Result<u32, StoreError> {
    connection.one("SELECT count(*) FROM invitations WHERE expires_at > ?", bind![now], |row| row.get(0))
}

/// Returns the invitations that are open at `now`, newest first.
pub fn open(connection: &Connection, now: Timestamp) -> Result<Vec<Invitation>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM invitations WHERE expires_at > ? ORDER BY id DESC");
    connection.all(SQL, bind![now], from_row)
}

/// Returns the invitation with this token, if it is open at `now`.
pub fn find(connection: &Connection, sha256: &[u8; 32], now: Timestamp) -> Result<Option<Invitation>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM invitations WHERE sha256 = ? AND expires_at > ?");
    connection.maybe(SQL, bind![sha256, now], from_row)
}

/// Counts an account that was created with an invitation. Deletes the invitation with the last one.
pub fn count_use(connection: &Connection, invitation: &Invitation) -> Result<Invitation, StoreError> {
    let used = Invitation { uses: invitation.uses + 1, ..invitation.clone() };
    if used.uses < used.max_uses {
        connection.run("UPDATE invitations SET uses = ? WHERE uuid = ?", bind![used.uses, used.id])?;
    } else {
        connection.run("DELETE FROM invitations WHERE uuid = ?", bind![used.id])?;
    }
    Ok(used)
}

/// Deletes an invitation and returns it, or `None` if it isn't open at `now`.
pub fn revoke(connection: &Connection, id: Uuid, now: Timestamp) -> Result<Option<Invitation>, StoreError> {
    const SQL: &str = concat!("DELETE FROM invitations WHERE uuid = ? AND expires_at > ? RETURNING ", columns!());
    connection.maybe(SQL, bind![id, now], from_row)
}

/// Deletes all invitations.
pub fn delete_all(connection: &Connection) -> Result<(), StoreError> {
    connection.run("DELETE FROM invitations", &[]).map(drop)
}

/// Deletes the expired invitations. The audit log says until when each was valid.
pub fn sweep(connection: &Connection, now: Timestamp) -> Result<usize, StoreError> {
    connection.run("DELETE FROM invitations WHERE expires_at <= ?", bind![now])
}
