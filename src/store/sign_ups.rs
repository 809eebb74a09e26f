//! The `sign_ups` table: accounts that people signed up for and that wait for approval.

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::throttle::AttemptKey;
use crate::domain::user::User;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::bind;
use crate::store::user_rows::{from_row, user_columns};

/// Records that the account was created by a sign-up from this network.
pub fn add(connection: &Connection, user_id: Uuid, network: &AttemptKey, now: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO sign_ups (user_id, network, at) SELECT id, ?2, ?3 FROM users WHERE uuid = ?1";
    connection.run(sql, bind![user_id, network, now]).map(drop)
}

/// Reports whether at least `limit` accounts wait for approval. Other inactive accounts that never signed in, such as
/// imported ones, don't count.
pub fn queue_is_full(connection: &Connection, limit: u32) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) >= ?1 FROM (SELECT 1 FROM sign_ups LIMIT ?1) AS waiting";
    connection.one(sql, bind![limit], |row| row.get(0))
}

/// Reports whether at least `limit` accounts of this network wait for approval.
pub fn network_is_full(connection: &Connection, network: &AttemptKey, limit: u32) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) >= ?2 FROM sign_ups WHERE network = ?1";
    connection.one(sql, bind![network, limit], |row| row.get(0))
}

/// Returns at most `limit` accounts that have waited since before `end`, oldest first.
pub fn waiting_since_before(connection: &Connection, end: Timestamp, limit: u32) -> Result<Vec<User>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        user_columns!(),
        " FROM sign_ups JOIN users ON users.id = sign_ups.user_id WHERE sign_ups.at < ? ORDER BY sign_ups.at LIMIT ?"
    );
    connection.all(SQL, bind![end, limit], from_row)
}
