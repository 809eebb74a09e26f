//! Owns the list of users as clients page through it, search, narrow and sort it, whatever its size. Few users need none
//! of this; at a million, SQLite alone takes tenths of a second to find a part of a name, to skip half of the list, or
//! to put the users of one state into the order of names.

use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::{Connection, Row};

use crate::domain::user::User;
use crate::domain::username::fold;
use crate::store::Db;
use crate::store::engine::error::StoreError;
use crate::store::engine::time;
use crate::store::user_index::{IndexQuery, IndexedUser, NEVER, UserIndex};
use crate::store::user_list::{self, UserQuery, UserSort, UserState};
use crate::store::user_rows::{from_row, user_columns};
use crate::store::users;

/// The columns that [`person`] reads, in its order, behind the id.
macro_rules! person_columns {
    () => {
        "id, username_folded, is_active, is_superuser, last_login_at"
    };
}

/// Up to how many users SQLite looks at every row, which takes it a millisecond; nothing of them is kept in memory.
const FEW: i64 = 2_000;
/// How far from either end of the list SQLite walks by itself; it reads about ten users in a microsecond.
const WALK: i64 = 5_000;
/// How many names find their place in the order of names one by one; of more, the order is read anew.
const MOST_PLACED: usize = 500;

/// Everybody in memory, shared by the threads that read; empty until there are more than a few.
#[derive(Clone, Debug, Default)]
pub struct SharedUserIndex(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    people: UserIndex,
    /// The last line of `user_changes` that went into `people`; `None` when nothing was read yet.
    seen: Option<i64>,
}

/// A part of the list, and how many users there are in all that match.
pub fn list(
    connection: &Connection,
    index: &SharedUserIndex,
    page: &UserQuery,
) -> Result<(i64, Vec<User>), StoreError> {
    if users::count(connection)? <= FEW {
        return user_list::list(connection, page);
    }
    list_many(connection, index, page)
}

/// The same, when there are more than a few.
fn list_many(
    connection: &Connection,
    index: &SharedUserIndex,
    page: &UserQuery,
) -> Result<(i64, Vec<User>), StoreError> {
    let part = page.search.as_deref().map(fold).filter(|part| !part.is_empty());
    match (&part, page.sort, page.state) {
        (None, UserSort::Created, None) if !page.descending => return list_all(connection, index, page),
        // An index has them in this order.
        (None, UserSort::LastLogin, state) if state != Some(UserState::Superuser) => {
            return user_list::by_last_login(connection, page);
        }
        _ => {}
    }
    let wanted = IndexQuery {
        part: part.as_deref(),
        state: page.state,
        sort: page.sort,
        descending: page.descending,
        skip: size(page.skip),
        limit: size(page.limit),
    };
    index.consult(
        connection,
        |people| people.select(&wanted),
        |connection, (total, ids)| {
            Ok((i64::try_from(total).unwrap_or(i64::MAX), user_list::by_rowids(connection, &ids)?))
        },
    )
}

fn list_all(
    connection: &Connection,
    index: &SharedUserIndex,
    page: &UserQuery,
) -> Result<(i64, Vec<User>), StoreError> {
    const FORWARD: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id >= ? ORDER BY id LIMIT ? OFFSET ?");
    const BACKWARD: &str = concat!("SELECT ", user_columns!(), " FROM users ORDER BY id DESC LIMIT ? OFFSET ?");
    let forward = |connection: &Connection, from: i64, skip: i64| -> Result<Vec<User>, StoreError> {
        let mut statement = connection.prepare_cached(FORWARD)?;
        Ok(statement.query_map([from, page.limit, skip], from_row)?.collect::<Result<_, _>>()?)
    };
    let total = users::count(connection)?;
    if page.limit == 0 || page.skip >= total {
        return Ok((total, Vec::new()));
    }
    if page.skip <= WALK {
        return Ok((total, forward(connection, 0, page.skip)?));
    }
    if total - page.skip <= WALK {
        // One view of the list, so that the walk from its end counts what is there.
        let view = connection.unchecked_transaction()?;
        let total = users::count(&view)?;
        let limit = page.limit.min(total - page.skip).max(0);
        let mut statement = view.prepare_cached(BACKWARD)?;
        let after = (total - page.skip - limit).max(0);
        let mut users = statement.query_map([limit, after], from_row)?.collect::<Result<Vec<_>, _>>()?;
        users.reverse();
        return Ok((total, users));
    }
    index.consult(
        connection,
        |people| people.nth(size(page.skip)),
        |connection, first| {
            let users = first.map_or_else(|| Ok(Vec::new()), |first| forward(connection, first, 0))?;
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
            if let Err(error) = index.prepare(connection) {
                log::warn!("The user index was not loaded: {}; the first list loads it.", error.described());
            }
        });
    }

    /// Reads everybody, if there are more than a few, so that the first list need not wait for it.
    pub fn prepare(&self, connection: &Connection) -> Result<(), StoreError> {
        if users::count(connection)? <= FEW {
            return Ok(());
        }
        self.consult(connection, |_| (), |_, ()| Ok(()))
    }

    /// Looks something up among the people as they are now, and reads what belongs to it in the same view of the
    /// database.
    ///
    /// A view is opened while the people are locked: it is never older than they are, and they are brought up to it.
    /// What any process commits is so seen by the next list.
    fn consult<F, T>(
        &self,
        connection: &Connection,
        look: impl Fn(&UserIndex) -> F,
        read: impl Fn(&Connection, F) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let view = connection.unchecked_transaction()?;
        if known.is_current(&view)? {
            let found = look(&known.people);
            drop(known);
            return read(&view, found);
        }
        drop(view);
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let view = connection.unchecked_transaction()?;
        known.catch_up(&view)?;
        let found = look(&known.people);
        drop(known);
        read(&view, found)
    }
}

impl Known {
    fn is_current(&self, connection: &Connection) -> Result<bool, StoreError> {
        Ok(self.seen == Some(last_change(connection)?) && self.people.last() == last_id(connection)?)
    }

    /// Takes in what was changed since, or everything when too much was.
    fn catch_up(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let last = last_change(connection)?;
        // Forgotten while it is in the works: an error half way leaves nothing half true.
        let seen = self.seen.take();
        let first: i64 = connection
            .prepare_cached("SELECT coalesce(min(seq), 1) FROM user_changes")?
            .query_row([], |row| row.get(0))?;
        match seen {
            Some(seen) if seen + 1 >= first && seen <= last => {
                self.change(connection, seen)?;
                self.append(connection)?;
                if self.people.disorder() > MOST_PLACED {
                    self.people.set_order(in_order_of_names(connection)?);
                } else {
                    self.people.reorder();
                }
            }
            _ => self.people = everybody(connection)?,
        }
        self.seen = Some(last);
        Ok(())
    }

    fn change(&mut self, connection: &Connection, seen: i64) -> Result<(), StoreError> {
        const SQL: &str = "SELECT DISTINCT user_id FROM user_changes WHERE seq > ?";
        const ONE: &str = concat!("SELECT ", person_columns!(), " FROM users WHERE id = ?");
        let mut statement = connection.prepare_cached(SQL)?;
        let mut one = connection.prepare_cached(ONE)?;
        for id in statement.query_map([seen], |row| row.get::<_, i64>(0))? {
            let id = id?;
            let mut rows = one.query([id])?;
            match rows.next()? {
                Some(row) => self.people.change(id, Some(person(row)?)),
                None => self.people.change(id, None),
            }
        }
        Ok(())
    }

    fn append(&mut self, connection: &Connection) -> Result<(), StoreError> {
        const SQL: &str = concat!("SELECT ", person_columns!(), " FROM users WHERE id > ? ORDER BY id");
        let mut statement = connection.prepare_cached(SQL)?;
        let mut rows = statement.query([self.people.last()])?;
        while let Some(row) = rows.next()? {
            self.people.push(row.get(0)?, person(row)?);
        }
        Ok(())
    }
}

fn person<'a>(row: &'a Row<'_>) -> rusqlite::Result<IndexedUser<'a>> {
    let name = row.get_ref(1)?.as_str()?;
    Ok(IndexedUser { name, is_active: row.get(2)?, is_superuser: row.get(3)?, last_login: last_login(row, 4)? })
}

fn last_login(row: &Row<'_>, column: usize) -> rusqlite::Result<i64> {
    Ok(time::maybe(row, column)?.map_or(NEVER, |time| time.timestamp_micros()))
}

/// Reads everybody. Three indexes hold what is needed in a fifth of the table's pages, each in its own order.
fn everybody(connection: &Connection) -> Result<UserIndex, StoreError> {
    const NAMES: &str =
        "SELECT id, username_folded FROM users INDEXED BY sqlite_autoindex_users_2 ORDER BY username_folded";
    const STATES: &str = "SELECT id, is_active, last_login_at FROM users INDEXED BY users_by_state";
    const SUPERUSERS: &str = "SELECT id FROM users INDEXED BY users_superusers WHERE is_superuser = 1";
    let (mut text, mut names, mut order) = (String::new(), Vec::new(), Vec::new());
    let mut statement = connection.prepare(NAMES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, start): (i64, _) = (row.get(0)?, text.len());
        text.push_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?);
        names.push((id, start, text.len()));
        order.push(id);
    }
    let mut states = Vec::with_capacity(names.len());
    let mut statement = connection.prepare(STATES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        states.push((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, last_login(row, 2)?));
    }
    names.sort_unstable();
    states.sort_unstable();
    let mut people = UserIndex::default();
    // One view of the database: both have the same ids.
    for ((id, start, end), (_, is_active, last_login)) in names.into_iter().zip(states) {
        people.push(id, IndexedUser { name: &text[start..end], is_active, is_superuser: false, last_login });
    }
    let mut statement = connection.prepare(SUPERUSERS)?;
    for id in statement.query_map([], |row| row.get(0))? {
        people.note_superuser(id?);
    }
    people.set_order(order);
    Ok(people)
}

fn in_order_of_names(connection: &Connection) -> Result<Vec<i64>, StoreError> {
    const SQL: &str = "SELECT id FROM users INDEXED BY sqlite_autoindex_users_2 ORDER BY username_folded";
    let mut statement = connection.prepare_cached(SQL)?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn last_change(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(seq), 0) FROM user_changes";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

fn last_id(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.prepare_cached("SELECT coalesce(max(id), 0) FROM users")?.query_row([], |row| row.get(0))?)
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
