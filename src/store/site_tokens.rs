//! Owns the SQL of the tokens by which proxies know who enters the sites behind them. They are found by their hash, and
//! end with their session.

use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::user::User;
use crate::store::engine::error::StoreError;
use crate::store::engine::time;
use crate::store::user_rows::{self, user_columns};

/// How long a token still works when a newer one has taken its place: requests that were under way have it.
pub const LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// Whose token this is and when it was made, if it and its session are alive at `now`: what every request to every
/// site behind the proxy asks, in one statement.
pub fn find(
    connection: &Connection,
    sha256: &[u8; 32],
    now: Timestamp,
) -> Result<Option<(User, Timestamp)>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        user_columns!(),
        ", entry_tokens.made_at FROM entry_tokens JOIN sessions ON sessions.uuid = entry_tokens.session \
         JOIN users ON users.id = sessions.user_id WHERE entry_tokens.sha256 = ?1 AND sessions.expires_at > ?2 \
         AND (entry_tokens.ends_at IS NULL OR entry_tokens.ends_at > ?2)"
    );
    let mut statement = connection.prepare_cached(SQL)?;
    let found = statement.query_row(params![sha256, time::text(now)], |row| {
        Ok((user_rows::from_row(row)?, time::get(row, user_rows::COLUMN_COUNT)?))
    });
    Ok(found.optional()?)
}

/// Gives a session another token. Those before it end when [`LEEWAY`] is over; those made within it belong to another
/// tab that asks at the same moment, and live on as this one does.
pub fn add(connection: &Connection, session: Uuid, sha256: &[u8; 32], now: Timestamp) -> Result<(), StoreError> {
    let sql = "DELETE FROM entry_tokens WHERE session = ? AND ends_at <= ?";
    connection.prepare_cached(sql)?.execute(params![session, now])?;
    let sql = "UPDATE entry_tokens SET ends_at = ? WHERE session = ? AND ends_at IS NULL AND made_at <= ?";
    connection.prepare_cached(sql)?.execute(params![now + LEEWAY, session, now - LEEWAY])?;
    let sql = "INSERT INTO entry_tokens (sha256, session, made_at) VALUES (?, ?, ?)";
    connection.prepare_cached(sql)?.execute(params![sha256, session, now])?;
    Ok(())
}

/// Ends a token.
pub fn end(connection: &Connection, sha256: &[u8; 32]) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM entry_tokens WHERE sha256 = ?")?.execute([sha256])?;
    Ok(())
}

/// Ends all tokens of a user, also those of sessions that go on.
pub fn end_all(connection: &Connection, user_id: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM entry_tokens WHERE session IN (SELECT sessions.uuid FROM sessions JOIN users \
         ON users.id = sessions.user_id WHERE users.uuid = ?)";
    connection.prepare_cached(sql)?.execute([user_id])?;
    Ok(())
}
