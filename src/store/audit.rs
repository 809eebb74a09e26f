//! The `audit` table and its lines in the server's log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use uuid::Uuid;

use crate::domain::audit::Event;
use crate::domain::clock::Timestamp;
use crate::store::engine::commit_hooks;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::sqlite::open::{ConnectionKind, SqliteOpener};
use crate::store::engine::value::{Row, Value, bind};

/// The most entries kept of successes and of failures. Strangers can cause failures, by failing to sign in; failures
/// therefore only displace failures.
const MAX_DONE: i64 = 400_000;
const MAX_FAILED: i64 = 100_000;
/// Repeats of an entry within this time are counted instead of written, if no more than [`COMPARED`] others came
/// between.
const REPEAT_WINDOW: TimeDelta = TimeDelta::minutes(1);
const COMPARED: i64 = 100;
/// Excess entries are deleted every this many entries.
const TRIM_INTERVAL: u64 = 1024;
/// The most entries kept of one user's actions, so that no user displaces the entries of others.
const MAX_OF_ACTOR: i64 = 20_000;
/// The same for frequent actions.
const MAX_FREQUENT_OF_ACTOR: i64 = 2_000;
/// Actions that users can repeat at will and that concern no rights, passwords, keys or sessions, as SQL.
macro_rules! frequent {
    () => {
        "(action IN ('user.change', 'site.enter', 'access.refuse', 'store_key.save', \
         'data.export', 'deletion.request', 'deletion.withdraw', 'factor.rename'))"
    };
}
/// A user's excess entries are deleted every this many of them.
const ACTOR_TRIM_INTERVAL: u32 = 256;
/// The most users whose entries are counted.
const MAX_COUNTED_ACTORS: usize = 4096;
/// The entries of each user that this process has written since it last trimmed them.
static WRITTEN_BY_ACTOR: Mutex<BTreeMap<Uuid, u32>> = Mutex::new(BTreeMap::new());
/// The entries that this process has written.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Writes an entry in the transaction of the change itself. Its log line follows after the commit.
pub fn record(connection: &Connection, event: &Event, now: Timestamp) -> Result<(), StoreError> {
    record_without_log(connection, event, now)?;
    if log::log_enabled!(target: "usher::audit", log::Level::Info) {
        let line = line(event);
        commit_hooks::after_commit(move || log::info!(target: "usher::audit", "{line}"));
    }
    Ok(())
}

/// Writes a log line without an entry.
pub fn log_only(event: &Event) {
    log::info!(target: "usher::audit", "{}", line(event));
}

/// Writes an entry without a log line. If the newest entry about the same user, or from the same address about nobody,
/// is the same and less than a minute old, it is counted there.
pub fn record_without_log(connection: &Connection, event: &Event, now: Timestamp) -> Result<(), StoreError> {
    const REPEAT: &str = "UPDATE audit SET count = count + 1, last_at = ?1 WHERE id = (SELECT max(id) FROM audit \
         WHERE id > (SELECT coalesce(max(id), 0) FROM audit) - ?10 AND coalesce(target, actor) IS NOT DISTINCT FROM ?12 \
         AND (coalesce(target, actor) IS NOT NULL OR address IS NOT DISTINCT FROM ?6)) \
         AND at > ?11 AND at <= ?1 AND action = ?2 AND success = ?3 AND actor IS NOT DISTINCT FROM ?4 \
         AND actor_name IS NOT DISTINCT FROM ?5 AND address IS NOT DISTINCT FROM ?6 AND target IS NOT DISTINCT FROM ?7 \
         AND target_name IS NOT DISTINCT FROM ?8 AND detail IS NOT DISTINCT FROM ?9";
    let (action, target) = (event.action.as_str(), event.target.as_ref());
    let (target_id, target_name) = (target.map(|(id, _)| *id), target.map(|(_, name)| name.as_str()));
    let Event { success, actor, detail, .. } = event;
    let repeats = connection.run(
        REPEAT,
        bind![
            now,
            action,
            *success,
            actor.id,
            &actor.name,
            &actor.address,
            target_id,
            target_name,
            detail,
            COMPARED,
            now - REPEAT_WINDOW,
            target_id.or(actor.id),
        ],
    )?;
    if repeats > 0 {
        return Ok(());
    }
    insert(connection, event, now)
}

/// Writes an entry without a log line and without looking for one that it repeats.
pub fn insert(connection: &Connection, event: &Event, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO audit (at, action, success, actor, actor_name, address, target, target_name, detail) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    connection.run(
        SQL,
        bind![
            now,
            event.action.as_str(),
            event.success,
            event.actor.id,
            &event.actor.name,
            &event.actor.address,
            event.target.as_ref().map(|(id, _)| *id),
            event.target.as_ref().map(|(_, name)| name.as_str()),
            &event.detail,
        ],
    )?;
    if let Some(actor) = event.actor.id.filter(|actor| is_due(*actor)) {
        trim_actor(connection, actor)?;
    }
    if WRITTEN.fetch_add(1, Ordering::Relaxed) % TRIM_INTERVAL == TRIM_INTERVAL - 1 { trim(connection) } else { Ok(()) }
}

/// Counts an entry of a user, and reports whether it is time to look for excess entries.
fn is_due(actor: Uuid) -> bool {
    let mut written = WRITTEN_BY_ACTOR.lock().unwrap_or_else(PoisonError::into_inner);
    if written.len() >= MAX_COUNTED_ACTORS {
        written.clear();
    }
    let count = written.entry(actor).or_insert(0);
    *count = (*count + 1) % ACTOR_TRIM_INTERVAL;
    *count == 0
}

/// Deletes the oldest entries of a user's actions beyond the limits.
fn trim_actor(connection: &Connection, actor: Uuid) -> Result<(), StoreError> {
    const SQL: &str = concat!(
        "DELETE FROM audit WHERE actor = ?1 AND ",
        frequent!(),
        " = ?2 AND id <= (SELECT id FROM audit WHERE actor = ?1 AND ",
        frequent!(),
        " = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)"
    );
    for (frequent, most) in [(true, MAX_FREQUENT_OF_ACTOR), (false, MAX_OF_ACTOR)] {
        connection.run(SQL, bind![actor, frequent, most])?;
    }
    Ok(())
}

/// Deletes the oldest entries beyond the limits. Frequent actions yield first: their entries are deleted as long as
/// there are any, whoever acted.
pub fn trim(connection: &Connection) -> Result<(), StoreError> {
    const EXCESS: &str = "SELECT count(*) FROM audit WHERE success = ?";
    // The condition is that of the index `audit_of_frequent`.
    const FREQUENT: &str = "DELETE FROM audit WHERE id IN (SELECT id FROM audit \
         WHERE action IN ('user.change', 'site.enter', 'store_key.save') AND success = ? ORDER BY id LIMIT ?)";
    const SQL: &str = "DELETE FROM audit WHERE success = ?1 AND id <= \
         (SELECT id FROM audit WHERE success = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
    let excess: i64 = connection.one(EXCESS, bind![true], |row| row.get(0))?;
    if excess > MAX_DONE {
        connection.run(FREQUENT, bind![true, excess - MAX_DONE])?;
    }
    for (success, most) in [(true, MAX_DONE), (false, MAX_FAILED)] {
        connection.run(SQL, bind![success, most])?;
    }
    Ok(())
}

/// Opens the database at `path`, of any schema version, and writes an entry.
pub fn record_in_file(path: &Path, event: &Event, now: Timestamp) -> Result<(), StoreError> {
    let connection = SqliteOpener { path: path.to_owned(), kind: ConnectionKind::Writer, setup: "" }.connect()?;
    record(&connection, event, now)?;
    commit_hooks::run_pending();
    connection.close()
}

/// Formats a line that other programs can parse. Texts are quoted and escaped, so that no name can look like another
/// field.
fn line(event: &Event) -> String {
    let outcome = if event.success { "ok" } else { "failed" };
    let address = event.actor.address.as_deref().unwrap_or("-");
    let mut line = format!("{} {outcome} address={address}", event.action.as_str());
    if let Some(request) = event.actor.request {
        let _ = write!(line, " request={request}");
    }
    let texts = [
        ("by", event.actor.name.as_deref()),
        ("on", event.target.as_ref().map(|(_, name)| name.as_str())),
        ("detail", event.detail.as_deref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            // Writing to a String cannot fail.
            let _ = write!(line, " {name}={text:?}");
        }
    }
    line
}

/// Returns the time of the newest entry.
pub fn newest(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT at FROM audit ORDER BY id DESC LIMIT 1";
    connection.maybe(sql, &[], |row| row.get(0))
}

/// Deletes the entries before `end`.
pub fn sweep(connection: &Connection, end: Timestamp) -> Result<(), StoreError> {
    // Entries are in order of time, so the first one to keep is found without scanning the others.
    const OLD: &str = "DELETE FROM audit WHERE id < coalesce((SELECT id FROM audit WHERE at >= ? ORDER BY id LIMIT 1), \
         (SELECT max(id) + 1 FROM audit))";
    connection.run(OLD, bind![end])?;
    Ok(())
}

/// A stored entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Ascending; a later entry has a larger id.
    pub id: i64,
    /// The time, of the first if there were repeats.
    pub at: Timestamp,
    /// How often it happened within a minute.
    pub count: i64,
    /// The time of the last repeat.
    pub last_at: Option<Timestamp>,
    /// The action: [`crate::domain::audit::Action::as_str`], or that of a newer version.
    pub action: String,
    /// Whether the action succeeded.
    pub success: bool,
    /// The id of the user who acted, if known.
    pub actor: Option<Uuid>,
    /// The name of that moment.
    pub actor_name: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// The id of the affected user.
    pub target: Option<Uuid>,
    /// The name of that moment.
    pub target_name: Option<String>,
    /// Details.
    pub detail: Option<String>,
}

/// A filter and page of the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// How many of the newest entries to skip.
    pub skip: i64,
    /// How many to return at most.
    pub limit: i64,
    /// Only entries whose actor or target is this user.
    pub user: Option<Uuid>,
    /// Only entries with this action.
    pub action: Option<String>,
    /// Only entries from this address.
    pub address: Option<String>,
    /// Only entries that succeeded, or only those that failed.
    pub success: Option<bool>,
    /// Only entries at or after this time.
    pub since: Option<Timestamp>,
    /// Only entries before this time.
    pub until: Option<Timestamp>,
    /// Only entries with a smaller id.
    pub before: Option<i64>,
}

/// The columns that [`entry`] reads.
macro_rules! columns {
    () => {
        "id, at, action, success, actor, actor_name, address, target, target_name, detail, count, last_at"
    };
}

fn entry(row: &Row<'_>) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.get(0)?,
        at: row.get(1)?,
        action: row.get(2)?,
        success: row.get(3)?,
        actor: row.get(4)?,
        actor_name: row.get(5)?,
        address: row.get(6)?,
        target: row.get(7)?,
        target_name: row.get(8)?,
        detail: row.get(9)?,
        count: row.get(10)?,
        last_at: row.get(11)?,
    })
}

/// Returns the id of the newest entry, or 0.
pub fn newest_id(connection: &Connection) -> Result<i64, StoreError> {
    connection.one("SELECT coalesce(max(id), 0) FROM audit", &[], |row| row.get(0))
}

/// Returns at most `limit` entries after an id, oldest first.
pub fn after(connection: &Connection, id: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM audit WHERE id > ? ORDER BY id LIMIT ?");
    connection.all(SQL, bind![id, limit], entry)
}

/// Returns the number of matching entries and a page of them, newest first.
pub fn list(connection: &Connection, filter: &AuditFilter) -> Result<(i64, Vec<AuditEntry>), StoreError> {
    let AuditFilter { skip, limit, user, action, address, success, since, until, before } = filter;
    // `#` is the number of the parameter.
    let filters: [(&str, Value<'_>); 7] = [
        (" AND (actor = ?# OR target = ?#)", (*user).into()),
        (" AND action = ?#", action.into()),
        (" AND address = ?#", address.into()),
        (" AND success = ?#", (*success).into()),
        (" AND at >= ?#", (*since).into()),
        (" AND at < ?#", (*until).into()),
        (" AND id < ?#", (*before).into()),
    ];
    let (mut conditions, mut values) = ("1 = 1".to_owned(), Vec::new());
    for (condition, value) in filters.into_iter().filter(|(_, value)| !matches!(value, Value::Null)) {
        values.push(value);
        conditions += &condition.replace('#', &values.len().to_string());
    }
    let total = connection.one(&format!("SELECT count(*) FROM audit WHERE {conditions}"), &values, |row| row.get(0))?;
    values.extend([Value::from(*limit), Value::from(*skip)]);
    let (limit, skip) = (values.len() - 1, values.len());
    let columns = columns!();
    let page = format!("SELECT {columns} FROM audit WHERE {conditions} ORDER BY id DESC LIMIT ?{limit} OFFSET ?{skip}");
    let entries = connection.all(&page, &values, entry)?;
    Ok((total, entries))
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
