//! Owns the SQL of the list of users: which of them, in which order, and how many there are in all.
//!
//! Statements name their index. SQLite cannot know, without statistics that go stale, whether few or many wait, and a
//! wrong guess reads a million rows for a page of ten.

use rusqlite::{Connection, named_params};

use super::error::StoreError;
use super::users::{count, from_row, user_columns};
use crate::domain::user::User;
use crate::domain::username::fold;

/// By what the list is ordered; equal ones are in order of creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By date of creation.
    #[default]
    Created,
    /// By name, in the form that takes no notice of case.
    Name,
    /// By last log-in; those who never signed in are the oldest.
    LastLogin,
}

/// Whom the list is narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Inactive, and never signed in: waiting for approval.
    Waiting,
    /// Able to sign in.
    Active,
    /// Deactivated after they had signed in.
    Inactive,
    /// Superusers, active or not.
    Superuser,
}

/// Which part of the list of users is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// How many to leave out at the beginning.
    pub skip: i64,
    /// How many to return at most.
    pub limit: i64,
    /// Only those whose name contains this, in any case and Unicode form.
    pub search: Option<String>,
    /// The order.
    pub sort: Sort,
    /// Whether the order is the other way round.
    pub descending: bool,
    /// Only those in this state.
    pub state: Option<State>,
}

/// A part of the list, and how many users there are in all that match, by SQLite alone.
pub fn list(connection: &Connection, page: &Page) -> Result<(i64, Vec<User>), StoreError> {
    let total = match needle(page) {
        None => total(connection, page.state)?,
        Some(needle) => {
            let condition = page.state.map_or("1", condition);
            let sql = format!(
                "SELECT count(*) FROM users NOT INDEXED WHERE {condition} AND instr(username_folded, :needle) > 0"
            );
            connection.prepare_cached(&sql)?.query_row(named_params! { ":needle": needle }, |row| row.get(0))?
        }
    };
    Ok((total, select(connection, page)?))
}

/// How many users there are, in this state if there is one.
pub(super) fn total(connection: &Connection, state: Option<State>) -> Result<i64, StoreError> {
    state.map_or_else(|| count(connection), |state| count_of(connection, state))
}

/// A part of the list that has `total` users in all, walked to from whichever of its ends is nearer. Reads what one view
/// of the database holds, if the caller has one.
pub(super) fn window(connection: &Connection, page: &Page, total: i64) -> Result<Vec<User>, StoreError> {
    let limit = page.limit.min(total - page.skip);
    if limit <= 0 {
        return Ok(Vec::new());
    }
    if page.skip <= total / 2 {
        return select(connection, page);
    }
    let skip = total - page.skip - limit;
    let mut users = select(connection, &Page { skip, limit, descending: !page.descending, ..page.clone() })?;
    users.reverse();
    Ok(users)
}

/// A part of the list, walked to from its beginning.
pub(super) fn select(connection: &Connection, page: &Page) -> Result<Vec<User>, StoreError> {
    let order = if page.descending { " DESC" } else { "" };
    let by = match page.sort {
        Sort::Created => format!("id{order}"),
        Sort::Name => format!("username_folded{order}"),
        Sort::LastLogin => format!("last_login_at{order}, id{order}"),
    };
    let condition = page.state.map_or("1", condition);
    let needle = needle(page);
    let searched = if needle.is_some() { " AND instr(username_folded, :needle) > 0" } else { "" };
    let index = match page.state {
        Some(state) => index(page, state, count_of(connection, state)?, count(connection)?),
        None => in_order(page.sort),
    };
    let columns = user_columns!();
    let sql = format!(
        "SELECT {columns} FROM users {index} WHERE {condition}{searched} ORDER BY {by} LIMIT :limit OFFSET :skip"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let users = if let Some(needle) = &needle {
        let bound = named_params! { ":needle": needle, ":limit": page.limit, ":skip": page.skip };
        statement.query_map(bound, from_row)?.collect::<Result<_, _>>()?
    } else {
        let bound = named_params! { ":limit": page.limit, ":skip": page.skip };
        statement.query_map(bound, from_row)?.collect::<Result<_, _>>()?
    };
    Ok(users)
}

/// What is looked for, in the form that names are compared in.
fn needle(page: &Page) -> Option<String> {
    page.search.as_deref().map(fold).filter(|needle| !needle.is_empty())
}

/// The rows of a state.
fn condition(state: State) -> &'static str {
    match state {
        State::Waiting => "is_active = 0 AND last_login_at IS NULL",
        State::Active => "is_active = 1",
        State::Inactive => "is_active = 0 AND last_login_at IS NOT NULL",
        State::Superuser => "is_superuser = 1",
    }
}

/// Whether this user is in a state.
pub(super) fn has_state(connection: &Connection, id: i64, state: State) -> Result<bool, StoreError> {
    let sql = format!("SELECT 1 FROM users WHERE id = ? AND {}", condition(state));
    Ok(connection.prepare_cached(&sql)?.exists([id])?)
}

/// The ids of all users who are in a state, or else of all who are not, whichever is read sooner; ascending, and whether
/// it is the former.
pub(super) fn ids_in(connection: &Connection, state: State) -> Result<(Vec<i64>, bool), StoreError> {
    let (index, condition, among) = match state {
        State::Active if 2 * count_of(connection, state)? > count(connection)? => {
            ("users_by_state", "is_active = 0", false)
        }
        State::Superuser => ("users_superusers", condition(state), true),
        State::Waiting | State::Active | State::Inactive => ("users_by_state", condition(state), true),
    };
    let sql = format!("SELECT id FROM users INDEXED BY {index} WHERE {condition}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut ids = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    ids.sort_unstable();
    Ok((ids, among))
}

/// The index that has everybody in this order.
fn in_order(sort: Sort) -> &'static str {
    match sort {
        Sort::Created => "NOT INDEXED",
        Sort::Name => "INDEXED BY sqlite_autoindex_users_2",
        Sort::LastLogin => "INDEXED BY users_by_last_login",
    }
}

/// Those in a state are either all found by their state and then sorted, or met among everybody in the order that is asked
/// for, whichever reads fewer rows: a page that ends at the nth of them is met after n rows for every one of them.
fn index(page: &Page, state: State, matching: i64, everybody: i64) -> &'static str {
    let end = i128::from(page.skip.saturating_add(page.limit));
    let few = i128::from(matching) * i128::from(matching) < end * i128::from(everybody);
    match (state, page.sort) {
        (State::Superuser, _) if few => "INDEXED BY users_superusers",
        // Those who wait have all the same last log-in, so that this index is in order of creation.
        (State::Waiting, Sort::Created | Sort::LastLogin) => "INDEXED BY users_by_state",
        (State::Active | State::Inactive, Sort::LastLogin) => "INDEXED BY users_by_state",
        (State::Waiting | State::Active | State::Inactive, _) if few => "INDEXED BY users_by_state",
        (_, sort) => in_order(sort),
    }
}

/// How many are in a state.
fn count_of(connection: &Connection, state: State) -> Result<i64, StoreError> {
    let sql = match state {
        State::Waiting => "SELECT waiting FROM user_count",
        State::Active => "SELECT active FROM user_count",
        State::Inactive => "SELECT n - active - waiting FROM user_count",
        State::Superuser => "SELECT superusers FROM user_count",
    };
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::secret::PasswordHash;
    use crate::domain::username::Username;
    use crate::store::users::{delete, insert, update};
    use uuid::Uuid;

    fn user(n: u32, name: &str, is_active: bool, last_login: Option<i64>) -> User {
        let at = |seconds| Timestamp::from_timestamp(seconds, 0).unwrap();
        User {
            id: Uuid::from_u128(n.into()),
            username: Username::parse(name).unwrap(),
            profile_image: None,
            store_api_key: None,
            is_active,
            is_superuser: name == "Dora",
            create_at: at(n.into()),
            updated_at: at(n.into()),
            last_login_at: last_login.map(at),
        }
    }

    fn people() -> (Connection, Vec<User>) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../schema.sql")).unwrap();
        let people = vec![
            user(1, "Dora", true, Some(50)),
            user(2, "anna", false, None),
            user(3, "Carl", false, Some(70)),
            user(4, "Berta", true, Some(60)),
            user(5, "emil", true, None),
        ];
        for person in &people {
            insert(&connection, person, &PasswordHash::new("hash".to_owned())).unwrap();
        }
        (connection, people)
    }

    fn names(connection: &Connection, page: &Page) -> (i64, String) {
        let (total, users) = list(connection, page).unwrap();
        let names: Vec<&str> = users.iter().map(|user| user.username.as_str()).collect();
        (total, names.join(" "))
    }

    #[test]
    fn the_list_is_sorted_by_creation_name_or_last_log_in_either_way() {
        let (connection, _) = people();
        for (sort, descending, expected) in [
            (Sort::Created, false, "Dora anna Carl Berta emil"),
            (Sort::Created, true, "emil Berta Carl anna Dora"),
            (Sort::Name, false, "anna Berta Carl Dora emil"),
            (Sort::Name, true, "emil Dora Carl Berta anna"),
            (Sort::LastLogin, false, "anna emil Dora Berta Carl"),
            (Sort::LastLogin, true, "Carl Berta Dora emil anna"),
        ] {
            let page = Page { limit: 9, sort, descending, ..Page::default() };
            assert_eq!(names(&connection, &page), (5, expected.to_owned()), "{sort:?} {descending}");
            let part = Page { skip: 1, limit: 2, ..page };
            let part_of: Vec<&str> = expected.split(' ').skip(1).take(2).collect();
            assert_eq!(names(&connection, &part), (5, part_of.join(" ")), "a part of {sort:?} {descending}");
        }
    }

    #[test]
    fn the_list_is_narrowed_by_state_and_search_and_the_count_follows() {
        let (connection, _) = people();
        for sort in [Sort::Created, Sort::Name, Sort::LastLogin] {
            for (state, search, expected) in [
                (State::Waiting, None, "anna"),
                (State::Inactive, None, "Carl"),
                (State::Superuser, None, "Dora"),
                (State::Active, Some("ER"), "Berta"),
                (State::Inactive, Some("a"), "Carl"),
                (State::Waiting, Some("z"), ""),
            ] {
                let search = search.map(ToOwned::to_owned);
                let page = Page { limit: 9, sort, state: Some(state), search, ..Page::default() };
                let total = i64::try_from(expected.split_whitespace().count()).unwrap();
                assert_eq!(names(&connection, &page), (total, expected.to_owned()), "{page:?}");
            }
        }
    }

    #[test]
    fn counts_by_state_follow_every_change() {
        let (connection, people) = people();
        let counts = || {
            [State::Waiting, State::Active, State::Inactive, State::Superuser]
                .map(|state| count_of(&connection, state).unwrap())
        };
        assert_eq!(counts(), [1, 3, 1, 1]);
        update(&connection, &people[1], &User { is_active: true, is_superuser: true, ..people[1].clone() }).unwrap();
        assert_eq!(counts(), [0, 4, 1, 2]);
        update(&connection, &people[3], &User { is_active: false, ..people[3].clone() }).unwrap();
        assert_eq!(counts(), [0, 3, 2, 2]);
        delete(&connection, people[0].id).unwrap();
        delete(&connection, people[2].id).unwrap();
        assert_eq!(counts(), [0, 2, 1, 1]);
    }

    #[test]
    fn every_order_and_state_is_answered_whatever_the_counts_say() {
        // A statement that names an index which does not fit is an error, not merely slow.
        let (connection, _) = people();
        for n in [5, 10_000] {
            connection.execute("UPDATE user_count SET n = ?", [n]).unwrap();
            for sort in [Sort::Created, Sort::Name, Sort::LastLogin] {
                for state in [State::Waiting, State::Active, State::Inactive, State::Superuser].map(Some) {
                    for (descending, search) in [(false, None), (true, Some("a".to_owned()))] {
                        let page = Page { skip: 0, limit: 9, search, sort, descending, state };
                        list(&connection, &page).unwrap();
                    }
                }
            }
        }
    }
}
