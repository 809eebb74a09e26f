//! Owns the list of users as clients page through it and search it, whatever its size. Small numbers of users would
//! need none of this; at a million, SQLite alone takes tenths of a second to find a part of a name or to skip half of
//! the list.

use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::{Connection, OptionalExtension};

use super::error::StoreError;
use super::names::Names;
use super::users::{self, Page, from_row, user_columns};
use crate::domain::user::User;
use crate::domain::username::fold;

/// How far from either end of the list SQLite walks by itself; it reads about ten users in a microsecond.
const WALK: i64 = 5_000;

/// All names in memory, shared by the threads that read; empty until somebody searches, or pages far into the list.
#[derive(Clone, Debug, Default)]
pub struct NameIndex(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    names: Names,
    /// The last line of `name_changes` that went into `names`; `None` when nothing was read yet.
    seen: Option<i64>,
}

/// A part of the list, in order of creation, and how many users there are in all that match.
pub fn list(connection: &Connection, index: &NameIndex, page: &Page) -> Result<(i64, Vec<User>), StoreError> {
    // Another order, or only some of the users: SQLite looks at every row.
    if page.sort != users::Sort::Created || page.descending || page.state.is_some() {
        return users::list(connection, page);
    }
    let part = page.search.as_deref().map(fold).filter(|part| !part.is_empty());
    let Some(part) = part else { return list_all(connection, index, page) };
    let (skip, limit) = (size(page.skip), size(page.limit));
    index.consult(
        connection,
        |names| names.find(&part, skip, limit),
        |connection, (total, ids)| {
            const SQL: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id = ?");
            let mut statement = connection.prepare_cached(SQL)?;
            let found = ids.into_iter().map(|id| statement.query_row([id], from_row));
            Ok((i64::try_from(total).unwrap_or(i64::MAX), found.collect::<Result<_, _>>()?))
        },
    )
}

fn list_all(connection: &Connection, index: &NameIndex, page: &Page) -> Result<(i64, Vec<User>), StoreError> {
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
        |names| names.nth(size(page.skip)),
        |connection, first| {
            let users = first.map_or_else(|| Ok(Vec::new()), |first| forward(connection, first, 0))?;
            Ok((users::count(connection)?, users))
        },
    )
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(if number < 0 { 0 } else { usize::MAX })
}

impl NameIndex {
    /// Looks something up in the names as they are now, and reads what belongs to it in the same view of the database.
    ///
    /// A view is opened while the names are locked: it is never older than they are, and they are brought up to it.
    /// What any process commits is so seen by the next search.
    fn consult<F, T>(
        &self,
        connection: &Connection,
        look: impl Fn(&Names) -> F,
        read: impl Fn(&Connection, F) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let view = connection.unchecked_transaction()?;
        if known.is_current(&view)? {
            let found = look(&known.names);
            drop(known);
            return read(&view, found);
        }
        drop(view);
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let view = connection.unchecked_transaction()?;
        known.catch_up(&view)?;
        let found = look(&known.names);
        drop(known);
        read(&view, found)
    }
}

impl Known {
    fn is_current(&self, connection: &Connection) -> Result<bool, StoreError> {
        Ok(self.seen == Some(last_change(connection)?) && self.names.last() == last_id(connection)?)
    }

    /// Takes in what was changed since, or everything when too much was.
    fn catch_up(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let last = last_change(connection)?;
        // Forgotten while it is in the works: an error half way leaves nothing half true.
        let seen = self.seen.take();
        let first: i64 = connection
            .prepare_cached("SELECT coalesce(min(seq), 1) FROM name_changes")?
            .query_row([], |row| row.get(0))?;
        match seen {
            Some(seen) if seen + 1 >= first && seen <= last => {
                self.change(connection, seen)?;
                self.append(connection)?;
            }
            _ => self.names = all(connection)?,
        }
        self.seen = Some(last);
        Ok(())
    }

    fn change(&mut self, connection: &Connection, seen: i64) -> Result<(), StoreError> {
        const SQL: &str = "SELECT DISTINCT user_id FROM name_changes WHERE seq > ?";
        let mut statement = connection.prepare_cached(SQL)?;
        let mut name = connection.prepare_cached("SELECT username_folded FROM users WHERE id = ?")?;
        for id in statement.query_map([seen], |row| row.get::<_, i64>(0))? {
            let id = id?;
            let name: Option<String> = name.query_row([id], |row| row.get(0)).optional()?;
            self.names.change(id, name.as_deref());
        }
        Ok(())
    }

    fn append(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut statement =
            connection.prepare_cached("SELECT id, username_folded FROM users WHERE id > ? ORDER BY id")?;
        let mut rows = statement.query([self.names.last()])?;
        while let Some(row) = rows.next()? {
            self.names.push(row.get(0)?, row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?);
        }
        Ok(())
    }
}

/// Reads all names. The index that keeps them unique holds them, and their ids, in a tenth of the table's pages; it
/// has them in its own order.
fn all(connection: &Connection) -> Result<Names, StoreError> {
    let mut statement = connection.prepare("SELECT id, username_folded FROM users")?;
    let (mut text, mut places) = (String::new(), Vec::new());
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let start = text.len();
        text.push_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?);
        places.push((row.get::<_, i64>(0)?, start, text.len()));
    }
    places.sort_unstable();
    let mut names = Names::default();
    for (id, start, end) in places {
        names.push(id, &text[start..end]);
    }
    Ok(names)
}

fn last_change(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(seq), 0) FROM name_changes";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

fn last_id(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.prepare_cached("SELECT coalesce(max(id), 0) FROM users")?.query_row([], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::secret::PasswordHash;
    use crate::domain::username::Username;
    use crate::store::schema;
    use proptest::prelude::*;
    use uuid::Uuid;

    /// What happens to the users between two looks at the list.
    #[derive(Clone, Debug)]
    enum Step {
        Add(String),
        Rename(usize, String),
        Delete(usize),
        Look(Page),
    }

    fn step() -> impl Strategy<Value = Step> {
        let name = || "[aAbBéÉß]{1,4}";
        let page = (0i64..12, 0i64..5, prop::option::of("[aAbBéß]{0,2}"));
        prop_oneof![
            4 => name().prop_map(Step::Add),
            1 => (any::<usize>(), name()).prop_map(|(at, name)| Step::Rename(at, name)),
            1 => any::<usize>().prop_map(Step::Delete),
            3 => page.prop_map(|(skip, limit, search)| Step::Look(Page { skip, limit, search, ..Page::default() })),
        ]
    }

    fn user(name: &str) -> User {
        User {
            id: Uuid::new_v4(),
            username: Username::parse(name).unwrap(),
            profile_image: None,
            store_api_key: None,
            is_active: true,
            is_superuser: false,
            create_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            last_login_at: None,
        }
    }

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        schema::bring_up_to_date(&connection).unwrap();
        connection
    }

    fn everybody(connection: &Connection) -> Vec<User> {
        users::list(connection, &Page { skip: 0, limit: 1000, ..Page::default() }).unwrap().1
    }

    proptest! {
        #[test]
        fn the_list_is_what_looking_at_every_row_gives_whatever_happened_before(
            steps in prop::collection::vec(step(), 1..60),
        ) {
            let (connection, index) = (database(), NameIndex::default());
            for step in steps {
                let people = everybody(&connection);
                match step {
                    // A name that is taken is refused, which is as good.
                    Step::Add(name) => drop(users::insert(&connection, &user(&name), &PasswordHash::new("x"))),
                    Step::Rename(at, name) if !people.is_empty() => {
                        let username = Username::parse(&name).unwrap();
                        let before = &people[at % people.len()];
                        drop(users::update(&connection, before, &User { username, ..before.clone() }));
                    }
                    Step::Delete(at) if !people.is_empty() => {
                        prop_assert!(users::delete(&connection, people[at % people.len()].id).unwrap());
                    }
                    Step::Look(page) => {
                        let plain = users::list(&connection, &page).unwrap();
                        prop_assert_eq!(list(&connection, &index, &page).unwrap(), plain);
                    }
                    Step::Rename(..) | Step::Delete(_) => {}
                }
            }
        }
    }

    #[test]
    fn every_page_of_a_long_list_is_the_same_from_either_end_and_from_memory() {
        let (connection, index) = (database(), NameIndex::default());
        connection.execute_batch("BEGIN").unwrap();
        for number in 0..3 * WALK {
            users::insert(&connection, &user(&format!("{number}")), &PasswordHash::new("x")).unwrap();
        }
        connection.execute_batch("DELETE FROM users WHERE id % 7 = 3; COMMIT").unwrap();
        let total = users::count(&connection).unwrap();
        for skip in
            [0, 1, WALK, WALK + 1, total / 2, total - WALK - 3, total - 3, total - 1, total, total + 5, i64::MAX]
        {
            let page = Page { skip, limit: 3, ..Page::default() };
            assert_eq!(list(&connection, &index, &page).unwrap(), users::list(&connection, &page).unwrap(), "{skip}");
        }
    }

    #[test]
    fn more_changes_than_are_kept_lead_to_reading_all_names_anew() {
        let (connection, index) = (database(), NameIndex::default());
        for name in ["ada", "bea"] {
            users::insert(&connection, &user(name), &PasswordHash::new("x")).unwrap();
        }
        let page = Page { skip: 0, limit: 5, search: Some("ADA".to_owned()), ..Page::default() };
        assert_eq!(list(&connection, &index, &page).unwrap().0, 1);
        let person = everybody(&connection).remove(0);
        for round in 0..1100 {
            let username = Username::parse(&format!("cid {round}")).unwrap();
            users::update(&connection, &person, &User { username, ..person.clone() }).unwrap();
        }
        let kept: i64 = connection.query_row("SELECT count(*) FROM name_changes", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 1000);
        assert_eq!(list(&connection, &index, &page).unwrap().0, 0);
        let page = Page { search: Some("1099".to_owned()), ..page };
        assert_eq!(list(&connection, &index, &page).unwrap().0, 1);
    }
}
