//! The `entry_tokens` table: cookies for sites behind forward auth, found by their hash. They end with their session.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::user::User;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::bind;
use crate::store::user_rows::{self, user_columns};

/// The most tokens of a session.
const MAX_PER_SESSION: i64 = 20;
/// How long a replaced token still works: requests in flight carry it.
pub const LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// A token that is alive.
pub struct SiteToken {
    /// Who entered with it.
    pub user: User,
    /// When it was made.
    pub made_at: Timestamp,
    /// Whether its session began without a password.
    pub automatic: bool,
}

/// Returns a token, if it and its session are alive at `now`. Every forward-auth request runs this one statement.
pub fn find(connection: &Connection, sha256: &[u8; 32], now: Timestamp) -> Result<Option<SiteToken>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        user_columns!(),
        ", entry_tokens.made_at, sessions.automatic FROM entry_tokens JOIN sessions ON sessions.uuid = entry_tokens.session \
         JOIN users ON users.id = sessions.user_id WHERE entry_tokens.sha256 = ?1 AND sessions.expires_at > ?2 \
         AND (entry_tokens.ends_at IS NULL OR entry_tokens.ends_at > ?2)"
    );
    connection.maybe(SQL, bind![sha256, now], |row| {
        Ok(SiteToken {
            user: user_rows::from_row(row)?,
            made_at: row.get(user_rows::COLUMN_COUNT)?,
            automatic: row.get(user_rows::COLUMN_COUNT + 1)?,
        })
    })
}

/// Adds a token to a session. Older tokens end after [`LEEWAY`]. Tokens younger than that belong to another tab that
/// asked at the same moment, and stay.
pub fn add(connection: &Connection, session: Uuid, sha256: &[u8; 32], now: Timestamp) -> Result<(), StoreError> {
    let sql = "DELETE FROM entry_tokens WHERE session = ? AND ends_at <= ?";
    connection.run(sql, bind![session, now])?;
    let sql = "UPDATE entry_tokens SET ends_at = ? WHERE session = ? AND ends_at IS NULL AND made_at <= ?";
    connection.run(sql, bind![now + LEEWAY, session, now - LEEWAY])?;
    let sql = "INSERT INTO entry_tokens (sha256, session, made_at) VALUES (?, ?, ?)";
    connection.run(sql, bind![sha256, session, now])?;
    let sql = "DELETE FROM entry_tokens WHERE session = ?1 AND sha256 NOT IN \
         (SELECT sha256 FROM entry_tokens WHERE session = ?1 ORDER BY made_at DESC LIMIT ?2)";
    connection.run(sql, bind![session, MAX_PER_SESSION])?;
    Ok(())
}

/// Deletes a token.
pub fn end(connection: &Connection, sha256: &[u8; 32]) -> Result<(), StoreError> {
    connection.run("DELETE FROM entry_tokens WHERE sha256 = ?", bind![sha256])?;
    Ok(())
}

/// Deletes all tokens of a user, in all sessions.
pub fn end_all_of_user(connection: &Connection, user_id: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM entry_tokens WHERE session IN (SELECT sessions.uuid FROM sessions JOIN users \
         ON users.id = sessions.user_id WHERE users.uuid = ?)";
    connection.run(sql, bind![user_id])?;
    Ok(())
}
