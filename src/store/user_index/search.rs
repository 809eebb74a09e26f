//! The list of users for any number of users. Small tables are read by SQLite alone. At a million users SQLite needs
//! tenths of a second to find part of a name, to skip half of the list, or to sort the users of one state by name;
//! these queries use the index.

use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::clock::Timestamp;
use crate::domain::user::User;
use crate::store::Db;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::{Row, bind};
use crate::store::user_index::{IndexQuery, IndexedUser, NEVER, UserIndex};
use crate::store::user_list::{self, UserQuery, UserSort};
use crate::store::user_rows::{from_row, user_columns};
use crate::store::users;

/// The id and the columns that [`indexed_user`] reads.
macro_rules! index_columns {
    () => {
        "id, username_sort, is_active, is_superuser, last_login_at, \
         EXISTS (SELECT 1 FROM factors WHERE factors.user_id = users.id AND factors.is_confirmed = 1)"
    };
}

/// Up to this many users SQLite scans the table, in about a millisecond, and no index is kept.
const SMALL_TABLE: i64 = 2_000;
/// How far from either end of the list SQLite skips rows by itself, at about ten users per microsecond.
const MAX_SCAN: i64 = 5_000;

/// The index, shared by the reader threads. Empty while there are few users.
#[derive(Clone, Debug, Default)]
pub struct SharedUserIndex(Arc<RwLock<IndexState>>);

#[derive(Debug, Default)]
struct IndexState {
    index: UserIndex,
    /// The last row of `user_changes` that `index` contains; `None` if nothing was loaded.
    seen: Option<i64>,
}

/// Returns the number of matching users and a page of them.
pub fn list(
    connection: &Connection,
    index: &SharedUserIndex,
    page: &UserQuery,
) -> Result<(i64, Vec<User>), StoreError> {
    if let Some(found) = user_list::by_id(connection, page)? {
        return Ok(found);
    }
    let everybody = users::count(connection)?;
    if everybody <= SMALL_TABLE {
        return user_list::list_among(connection, page, everybody);
    }
    list_many(connection, index, page)
}

/// Like [`list`], for large tables.
fn list_many(
    connection: &Connection,
    index: &SharedUserIndex,
    page: &UserQuery,
) -> Result<(i64, Vec<User>), StoreError> {
    let part = user_list::needle(page);
    if part.is_none() && page.state.is_none() && page.sort == UserSort::Created && !page.descending {
        return list_all(connection, index, page);
    }
    let wanted = IndexQuery {
        part: part.as_deref(),
        state: page.state,
        sort: page.sort,
        descending: page.descending,
        skip: size(page.skip),
        limit: size(page.limit),
    };
    index.query(
        connection,
        page.sort,
        |index| index.select(&wanted),
        |(total, ids)| Ok((i64::try_from(total).unwrap_or(i64::MAX), user_list::by_rowids(connection, &ids)?)),
    )
}

fn list_all(
    connection: &Connection,
    index: &SharedUserIndex,
    page: &UserQuery,
) -> Result<(i64, Vec<User>), StoreError> {
    const FORWARD: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id >= ? ORDER BY id LIMIT ? OFFSET ?");
    const BACKWARD: &str = concat!("SELECT ", user_columns!(), " FROM users ORDER BY id DESC LIMIT ? OFFSET ?");
    let forward = |from: i64, skip: i64| connection.all(FORWARD, bind![from, page.limit, skip], from_row);
    let total = users::count(connection)?;
    if page.limit == 0 || page.skip >= total {
        return Ok((total, Vec::new()));
    }
    if page.skip <= MAX_SCAN {
        return Ok((total, forward(0, page.skip)?));
    }
    if total - page.skip <= MAX_SCAN {
        // One snapshot, so that the walk from the end matches the count.
        return connection.snapshot(|| {
            let total = users::count(connection)?;
            let limit = page.limit.min(total - page.skip).max(0);
            let after = (total - page.skip - limit).max(0);
            let mut users = connection.all(BACKWARD, bind![limit, after], from_row)?;
            users.reverse();
            Ok((total, users))
        });
    }
    index.query(
        connection,
        UserSort::Created,
        |index| index.id_at(size(page.skip)),
        |first| {
            let users = first.map_or_else(|| Ok(Vec::new()), |first| forward(first, 0))?;
            Ok((users::count(connection)?, users))
        },
    )
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(if number < 0 { 0 } else { usize::MAX })
}

impl SharedUserIndex {
    /// Loads the index on one of the database's reader threads, behind the reads that are queued already.
    pub fn load_in_background(&self, db: &Db) {
        let index = self.clone();
        db.read_detached(move |connection| {
            if let Err(error) = index.load(connection) {
                log::warn!("The user index wasn't loaded: {}. The first list will load it.", error.described());
            }
        });
    }

    /// Loads the index if the table is large, so that the first list needn't wait.
    pub fn load(&self, connection: &Connection) -> Result<(), StoreError> {
        if users::count(connection)? <= SMALL_TABLE {
            return Ok(());
        }
        self.query(connection, UserSort::Created, |_| (), |()| Ok(()))
    }

    /// Queries the current index in this order, and reads the result's rows in the same snapshot.
    ///
    /// The snapshot is opened while the index is locked: it is never older than the index, and the index is updated to
    /// it. The next list therefore sees every commit, of any process.
    fn query<F, T>(
        &self,
        connection: &Connection,
        sort: UserSort,
        look: impl Fn(&UserIndex) -> F,
        read: impl Fn(F) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let current = connection.snapshot(|| {
            if !state.index.is_ordered_by(sort) || !state.is_current(connection)? {
                return Ok(None);
            }
            let found = look(&state.index);
            drop(state);
            read(found).map(Some)
        })?;
        if let Some(result) = current {
            return Ok(result);
        }
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        connection.snapshot(|| {
            state.catch_up(connection)?;
            state.index.order_by(sort);
            let found = look(&state.index);
            drop(state);
            read(found)
        })
    }
}

impl IndexState {
    fn is_current(&self, connection: &Connection) -> Result<bool, StoreError> {
        Ok(self.seen == Some(last_change(connection)?) && self.index.last() == last_id(connection)?)
    }

    /// Applies the changes since the last update, or loads everything if there were too many.
    fn catch_up(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let last = last_change(connection)?;
        // Unset during the update, so that an error causes a full load next time.
        let seen = self.seen.take();
        let first: i64 = connection.one("SELECT coalesce(min(seq), 1) FROM user_changes", &[], |row| row.get(0))?;
        match seen {
            Some(seen) if seen + 1 >= first && seen <= last => {
                self.change(connection, seen)?;
                self.append(connection)?;
            }
            _ => self.index = read_all(connection)?,
        }
        self.seen = Some(last);
        Ok(())
    }

    fn change(&mut self, connection: &Connection, seen: i64) -> Result<(), StoreError> {
        const SQL: &str = "SELECT DISTINCT user_id FROM user_changes WHERE seq > ?";
        const ONE: &str = concat!("SELECT ", index_columns!(), " FROM users WHERE id = ?");
        let ids = connection.all(SQL, bind![seen], |row| row.get(0))?;
        connection.lookup(ONE, &ids, |id, row| {
            self.index.change(id, row.map(indexed_user).transpose()?);
            Ok(())
        })
    }

    fn append(&mut self, connection: &Connection) -> Result<(), StoreError> {
        const SQL: &str = concat!("SELECT ", index_columns!(), " FROM users WHERE id > ? ORDER BY id");
        connection.each(SQL, bind![self.index.last()], |row| {
            self.index.push(row.get(0)?, indexed_user(row)?);
            Ok(())
        })
    }
}

fn indexed_user<'a>(row: &'a Row<'_>) -> Result<IndexedUser<'a>, StoreError> {
    let name = row.text(1)?;
    let (is_active, is_superuser, last_login) = (row.get(2)?, row.get(3)?, last_login(row, 4)?);
    Ok(IndexedUser { name, is_active, is_superuser, has_factor: row.get(5)?, last_login })
}

fn last_login(row: &Row<'_>, column: usize) -> Result<i64, StoreError> {
    Ok(row.get::<Option<Timestamp>>(column)?.map_or(NEVER, |time| time.timestamp_micros()))
}

/// Loads the index. Three database indexes hold what it needs in a fifth of the table's pages.
fn read_all(connection: &Connection) -> Result<UserIndex, StoreError> {
    const ENROLLED: &str = "SELECT user_id FROM factors WHERE is_confirmed = 1";
    let hint = |hint| connection.dialect().index_hint(hint);
    let names_sql =
        format!("SELECT id, username_sort FROM users {} ORDER BY username_sort, id", hint("INDEXED BY users_by_name"));
    let states_sql = format!("SELECT id, is_active, last_login_at FROM users {}", hint("INDEXED BY users_by_state"));
    let superusers_sql = format!("SELECT id FROM users {} WHERE is_superuser = 1", hint("INDEXED BY users_superusers"));
    let (mut text, mut names, mut order) = (String::new(), Vec::new(), Vec::new());
    connection.each(&names_sql, &[], |row| {
        let (id, start): (i64, _) = (row.get(0)?, text.len());
        text.push_str(row.text(1)?);
        names.push((id, start, text.len()));
        order.push(id);
        Ok(())
    })?;
    let mut states = Vec::with_capacity(names.len());
    connection.each(&states_sql, &[], |row| {
        states.push((row.get::<i64>(0)?, row.get::<bool>(1)?, last_login(row, 2)?));
        Ok(())
    })?;
    names.sort_unstable();
    states.sort_unstable();
    let mut index = UserIndex::default();
    // Both come from one snapshot and have the same ids.
    for ((id, start, end), (_, is_active, last_login)) in names.into_iter().zip(states) {
        let name = &text[start..end];
        index.push(id, IndexedUser { name, is_active, is_superuser: false, has_factor: false, last_login });
    }
    connection.each(&superusers_sql, &[], |row| {
        index.set_superuser(row.get(0)?);
        Ok(())
    })?;
    connection.each(ENROLLED, &[], |row| {
        index.set_factor(row.get(0)?);
        Ok(())
    })?;
    index.set_order_of_names(order);
    index.order_by(UserSort::LastLogin);
    Ok(index)
}

fn last_change(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(seq), 0) FROM user_changes";
    connection.one(sql, &[], |row| row.get(0))
}

fn last_id(connection: &Connection) -> Result<i64, StoreError> {
    connection.one("SELECT coalesce(max(id), 0) FROM users", &[], |row| row.get(0))
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
