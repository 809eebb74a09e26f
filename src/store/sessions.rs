//! The `sessions` table. Ending a session deletes its row.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::session::{MAX_PER_USER, Session, SessionState};
use crate::domain::user::User;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::{Row, bind};
use crate::store::user_rows::{self, user_columns};
use crate::store::users;

macro_rules! session_columns {
    () => {
        "sessions.uuid, users.uuid, sessions.created_at, sessions.refreshed_at, sessions.expires_at, \
         sessions.generation, sessions.address, sessions.client, sessions.automatic, sessions.authenticated_at, \
         sessions.passkey_at"
    };
}

fn from_row(row: &Row<'_>) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.get(0)?,
        user_id: row.get(1)?,
        created_at: row.get(2)?,
        refreshed_at: row.get(3)?,
        expires_at: row.get(4)?,
        generation: row.get(5)?,
        address: row.get(6)?,
        client: row.get(7)?,
        automatic: row.get(8)?,
        authenticated_at: row.get(9)?,
        passkey_at: row.get(10)?,
    })
}

/// Returns the user `user_id`, and the session `id` if it is theirs and alive at `now`. Every request with an access
/// token runs this one statement.
pub fn authenticate(
    connection: &Connection,
    user_id: Uuid,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<(User, Option<SessionState>)>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        user_columns!(),
        ", sessions.expires_at, sessions.automatic, sessions.authenticated_at FROM users LEFT JOIN sessions ON sessions.uuid = ? AND sessions.user_id = users.id \
         WHERE users.uuid = ?"
    );
    connection.maybe(SQL, bind![id, user_id], |row| {
        const NEXT: usize = user_rows::COLUMN_COUNT;
        let end: Option<Timestamp> = row.get(NEXT)?;
        let session = match end {
            Some(expires_at) if now < expires_at => {
                Some(SessionState { automatic: row.get(NEXT + 1)?, authenticated_at: row.get(NEXT + 2)?, expires_at })
            }
            _ => None,
        };
        Ok((user_rows::from_row(row)?, session))
    })
}

/// Returns the session with this id and its user, if it is alive at `now`.
pub fn find(connection: &Connection, id: Uuid, now: Timestamp) -> Result<Option<(Session, User)>, StoreError> {
    const SESSION: &str = concat!(
        "SELECT ",
        session_columns!(),
        " FROM sessions JOIN users ON users.id = sessions.user_id WHERE sessions.uuid = ? AND sessions.expires_at > ?"
    );
    let session = connection.maybe(SESSION, bind![id, now], from_row)?;
    let Some(session) = session else { return Ok(None) };
    Ok(users::find(connection, session.user_id)?.map(|user| (session, user)))
}

/// Adds a session. If the user has too many, those that were refreshed least recently end.
pub fn insert(connection: &Connection, session: &Session) -> Result<(), StoreError> {
    const EXCESS: &str = "DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE uuid = ?1) AND id NOT IN \
         (SELECT id FROM sessions WHERE user_id = (SELECT id FROM users WHERE uuid = ?1) \
         ORDER BY refreshed_at DESC, id DESC LIMIT ?2)";
    const SQL: &str = "INSERT INTO sessions (uuid, user_id, created_at, refreshed_at, expires_at, generation, address, \
         client, automatic, authenticated_at, passkey_at) SELECT ?1, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 FROM users WHERE uuid = ?2";
    let values = bind![
        session.id,
        session.user_id,
        session.created_at,
        session.refreshed_at,
        session.expires_at,
        session.generation,
        &session.address,
        &session.client,
        session.automatic,
        session.authenticated_at,
        session.passkey_at,
    ];
    connection.run(SQL, values)?;
    connection.run(EXCESS, bind![session.user_id, MAX_PER_USER]).map(drop)
}

/// Ends a user's automatic sessions except the `most` that were refreshed last.
pub fn end_older_automatic(connection: &Connection, user_id: Uuid, most: u32) -> Result<usize, StoreError> {
    let sql = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions \
         WHERE user_id = (SELECT id FROM users WHERE uuid = ?) AND automatic = 1 \
         ORDER BY refreshed_at DESC, id DESC LIMIT 9223372036854775807 OFFSET ?)";
    connection.run(sql, bind![user_id, most])
}

/// Stores the times, generation and address of a session whose refresh token was replaced.
pub fn rotate(connection: &Connection, session: &Session) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE sessions SET refreshed_at = ?2, expires_at = ?3, generation = ?4, address = ?5 WHERE uuid = ?1";
    let values = bind![session.id, session.refreshed_at, session.expires_at, session.generation, &session.address];
    connection.run(SQL, values).map(drop)
}

/// Replaces the id, times and address of a session whose owner proved again who they are. Tokens with the old id stop
/// working, including site tokens: the next visit to a site gets a new one without a sign-in.
pub fn renew(connection: &Connection, old: Uuid, session: &Session) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE sessions SET uuid = ?2, refreshed_at = ?3, expires_at = ?4, generation = ?5, address = ?6, \
         authenticated_at = ?7, passkey_at = ?8 WHERE uuid = ?1";
    connection.run("DELETE FROM entry_tokens WHERE session = ?", bind![old])?;
    let values = bind![
        old,
        session.id,
        session.refreshed_at,
        session.expires_at,
        session.generation,
        &session.address,
        session.authenticated_at,
        session.passkey_at,
    ];
    connection.run(SQL, values).map(drop)
}

/// Ends a session and returns its user, or `None` if it doesn't exist.
pub fn end(connection: &Connection, id: Uuid) -> Result<Option<Uuid>, StoreError> {
    let sql = "SELECT users.uuid FROM sessions JOIN users ON users.id = sessions.user_id WHERE sessions.uuid = ?";
    let owner = connection.maybe(sql, bind![id], |row| row.get(0))?;
    if owner.is_some() {
        connection.run("DELETE FROM sessions WHERE uuid = ?", bind![id])?;
    }
    Ok(owner)
}

/// Ends a session of this owner. Returns the address that it was started from; `None` if it doesn't exist.
pub fn end_own(connection: &Connection, owner: Uuid, id: Uuid) -> Result<Option<String>, StoreError> {
    let sql = "DELETE FROM sessions WHERE uuid = ? AND user_id = (SELECT id FROM users WHERE uuid = ?) \
         RETURNING address";
    connection.maybe(sql, bind![id, owner], |row| row.get(0))
}

/// Ends a user's sessions except `keep` and returns their number.
pub fn end_all_of_user(connection: &Connection, user_id: Uuid, keep: Option<Uuid>) -> Result<usize, StoreError> {
    let sql = "DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE uuid = ?) AND uuid IS DISTINCT FROM ?";
    connection.run(sql, bind![user_id, keep])
}

/// Ends all sessions and returns their number.
pub fn end_all(connection: &Connection) -> Result<usize, StoreError> {
    connection.run("DELETE FROM sessions", &[])
}

/// Returns a user's sessions that are alive at `now`, newest first.
pub fn of_user(connection: &Connection, user_id: Uuid, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        session_columns!(),
        " FROM sessions JOIN users ON users.id = sessions.user_id \
         WHERE users.uuid = ? AND sessions.expires_at > ? ORDER BY sessions.id DESC"
    );
    connection.all(SQL, bind![user_id, now], from_row)
}

/// Deletes sessions that expired more than a day before `now`.
pub fn sweep(connection: &Connection, now: Timestamp) -> Result<usize, StoreError> {
    let sql = "DELETE FROM sessions WHERE expires_at < ?";
    connection.run(sql, bind![now - TimeDelta::days(1)])
}
