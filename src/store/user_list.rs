//! The SQL of user lists: filter, order, page and total.
//!
//! Statements name their index. SQLite can't know, without statistics that go stale, whether few or many users wait,
//! and a wrong guess reads a million rows for a page of ten.

use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::domain::user::User;
use crate::domain::username::fold_typed;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::bind;
use crate::store::factors;
use crate::store::user_rows::{from_row, user_columns};
use crate::store::users::{count, find_by_name};

/// The order of a list. Ties are in order of creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum UserSort {
    /// By date of creation.
    #[default]
    Created,
    /// By folded name.
    Name,
    /// By last sign-in; users who never signed in come first.
    LastLogin,
}

/// A filter by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum UserState {
    /// Inactive and never signed in: waiting for approval.
    Waiting,
    /// Able to sign in.
    Active,
    /// Inactive, but signed in before: deactivated.
    Inactive,
    /// Superusers, active or not.
    Superuser,
    /// Without a confirmed second factor, active or not.
    NoSecondFactor,
}

/// A page of the user list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserQuery {
    /// How many users to skip.
    pub skip: i64,
    /// The most users to return.
    pub limit: i64,
    /// Only users whose name contains this, in any case and Unicode form.
    pub search: Option<String>,
    /// The order.
    pub sort: UserSort,
    /// Reverse the order.
    pub descending: bool,
    /// Only users in this state.
    pub state: Option<UserState>,
}

/// Returns the number of matching users and a page of them.
pub fn list(connection: &Connection, page: &UserQuery) -> Result<(i64, Vec<User>), StoreError> {
    let needle = page.search.as_deref().and_then(fold_typed).filter(|needle| !needle.is_empty());
    let (everybody, in_state) = (count(connection)?, page.state.map(|state| count_of(connection, state)).transpose()?);
    let matching = in_state.unwrap_or(everybody);
    let dialect = connection.dialect();
    let order = if page.descending { " DESC" } else { "" };
    let by = match page.sort {
        UserSort::Created => format!("id{order}"),
        UserSort::Name => format!("username_folded{order}"),
        UserSort::LastLogin => format!("last_login_at{}, id{order}", never_first(page.descending)),
    };
    let condition = page.state.map_or("1 = 1", condition);
    let position = dialect.position;
    let searched = if needle.is_some() { format!(" AND {position}(username_folded, ?3) > 0") } else { String::new() };
    let index = dialect.index_hint(index(page, matching, everybody));
    let total = match &needle {
        Some(needle) => {
            let sql = format!("SELECT count(*) FROM users WHERE {condition} AND {position}(username_folded, ?1) > 0");
            connection.one(&sql, bind![needle], |row| row.get(0))?
        }
        None => matching,
    };
    let columns = user_columns!();
    let sql =
        format!("SELECT {columns} FROM users {index} WHERE {condition}{searched} ORDER BY {by} LIMIT ?1 OFFSET ?2");
    let users = match &needle {
        Some(needle) => connection.all(&sql, bind![page.limit, page.skip, needle], from_row)?,
        None => connection.all(&sql, bind![page.limit, page.skip], from_row)?,
    };
    Ok((total, users))
}

/// Like [`list`] for one user name, in any case and Unicode form: the result has one user or none.
pub fn by_name(connection: &Connection, name: &str, page: &UserQuery) -> Result<(i64, Vec<User>), StoreError> {
    let found = find_by_name(connection, name)?.map(|(user, _)| user);
    let has_factor = found.as_ref().map_or(Ok(false), |user| factors::is_enrolled(connection, user.id))?;
    Ok(filter(found.map(|user| (user, has_factor)), page))
}

/// Like [`list`] for users with a pending deletion request, who are few, and for one user name if there is one.
pub fn with_deletion_request(
    connection: &Connection,
    name: Option<&str>,
    page: &UserQuery,
) -> Result<(i64, Vec<User>), StoreError> {
    let needle = page.search.as_deref().and_then(fold_typed).unwrap_or_default();
    let Some(name) = name.map_or_else(|| Some(String::new()), fold_typed) else { return Ok((0, Vec::new())) };
    let order = if page.descending { " DESC" } else { "" };
    let by = match page.sort {
        UserSort::Created => format!("users.id{order}"),
        UserSort::Name => format!("username_folded{order}"),
        UserSort::LastLogin => format!("last_login_at{}, users.id{order}", never_first(page.descending)),
    };
    let condition = page.state.map_or("1 = 1", condition);
    let (columns, position) = (user_columns!(), connection.dialect().position);
    let from = format!(
        "FROM deletion_requests JOIN users ON users.id = deletion_requests.user_id \
         WHERE deletion_requests.state = 'requested' AND {condition} \
         AND (?1 = '' OR {position}(username_folded, ?1) > 0) AND (?2 = '' OR username_folded = ?2)"
    );
    let total = connection.one(&format!("SELECT count(*) {from}"), bind![&needle, &name], |row| row.get(0))?;
    let sql = format!("SELECT {columns} {from} ORDER BY {by} LIMIT ?3 OFFSET ?4");
    Ok((total, connection.all(&sql, bind![&needle, &name, page.limit, page.skip], from_row)?))
}

/// Filters, counts and pages few users, who are in the order of the page. With each goes whether they have a second factor.
fn filter(users: impl IntoIterator<Item = (User, bool)>, page: &UserQuery) -> (i64, Vec<User>) {
    let needle = page.search.as_deref().and_then(fold_typed).unwrap_or_default();
    let is_in_state = |user: &User, has_factor| page.state.is_none_or(|state| is_in(user, has_factor, state));
    let matches =
        |(user, has_factor): &(User, bool)| is_in_state(user, *has_factor) && user.username.folded().contains(&needle);
    let found: Vec<User> = users.into_iter().filter(matches).map(|(user, _)| user).collect();
    let size = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    (total, found.into_iter().skip(size(page.skip)).take(size(page.limit)).collect())
}

/// Whether a user is in a state.
fn is_in(user: &User, has_factor: bool, state: UserState) -> bool {
    match state {
        UserState::Waiting => !user.is_active && user.last_login_at.is_none(),
        UserState::Active => user.is_active,
        UserState::Inactive => !user.is_active && user.last_login_at.is_some(),
        UserState::Superuser => user.is_superuser,
        UserState::NoSecondFactor => !has_factor,
    }
}

/// Like [`list`] by last sign-in, without a search and filtered by activity at most, for any number of users: it walks
/// an index from the nearer end of the list and reads only the page's rows.
pub fn by_last_login(connection: &Connection, page: &UserQuery) -> Result<(i64, Vec<User>), StoreError> {
    // One snapshot, so that a walk from the end matches the count.
    connection.snapshot(|| {
        let total = page.state.map_or_else(|| count(connection), |state| count_of(connection, state))?;
        let limit = page.limit.min(total.saturating_sub(page.skip));
        if limit <= 0 {
            return Ok((total, Vec::new()));
        }
        let from_end = page.skip > total / 2;
        let skip = if from_end { total - page.skip - limit } else { page.skip };
        let descending = page.descending != from_end;
        let (order, by) = (if descending { " DESC" } else { "" }, never_first(descending));
        let hint = match page.state {
            Some(_) => "INDEXED BY users_by_state",
            None => "INDEXED BY users_by_last_login",
        };
        let index = connection.dialect().index_hint(hint);
        let condition = page.state.map_or("1 = 1", condition);
        let sql = format!(
            "SELECT id FROM users {index} WHERE {condition} ORDER BY last_login_at{by}, id{order} \
             LIMIT ? OFFSET ?"
        );
        let mut ids = connection.all(&sql, bind![limit, skip], |row| row.get(0))?;
        if from_end {
            ids.reverse();
        }
        Ok((total, by_rowids(connection, &ids)?))
    })
}

/// Returns the users with these row ids, in this order.
pub fn by_rowids(connection: &Connection, ids: &[i64]) -> Result<Vec<User>, StoreError> {
    const SQL: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id = ?");
    let mut users = Vec::with_capacity(ids.len());
    connection.lookup(SQL, ids, |_, row| {
        users.extend(row.map(from_row).transpose()?);
        Ok(())
    })?;
    Ok(users)
}

/// The condition of [`UserState::NoSecondFactor`].
macro_rules! no_factor {
    () => {
        "NOT EXISTS (SELECT 1 FROM factors WHERE factors.user_id = users.id AND factors.is_confirmed = 1)"
    };
}

/// The order of the last sign-in. Users who never signed in come first, or last in descending order.
fn never_first(descending: bool) -> &'static str {
    if descending { " DESC NULLS LAST" } else { " NULLS FIRST" }
}

/// The condition of a state.
fn condition(state: UserState) -> &'static str {
    match state {
        UserState::Waiting => "is_active = 0 AND last_login_at IS NULL",
        UserState::Active => "is_active = 1",
        UserState::Inactive => "is_active = 0 AND last_login_at IS NOT NULL",
        UserState::Superuser => "is_superuser = 1",
        UserState::NoSecondFactor => no_factor!(),
    }
}

/// Few matches are found by state and then sorted. Many are found soon enough in the requested order.
fn index(page: &UserQuery, matching: i64, everybody: i64) -> &'static str {
    let few = matching < everybody / 32;
    match (page.state, page.sort) {
        (Some(UserState::Superuser), _) if few => "INDEXED BY users_superusers",
        (Some(state), _) if few && state != UserState::NoSecondFactor => "INDEXED BY users_by_state",
        // Waiting users all have the same last sign-in, NULL, so this index is in order of creation.
        (Some(UserState::Waiting), UserSort::Created | UserSort::LastLogin) => "INDEXED BY users_by_state",
        (Some(UserState::Active | UserState::Inactive), UserSort::LastLogin) => "INDEXED BY users_by_state",
        (_, UserSort::Created) => "NOT INDEXED",
        (_, UserSort::Name) => "INDEXED BY sqlite_autoindex_users_2",
        (_, UserSort::LastLogin) => "INDEXED BY users_by_last_login",
    }
}

/// Returns the number of users in a state.
fn count_of(connection: &Connection, state: UserState) -> Result<i64, StoreError> {
    const NO_FACTOR_COUNT: &str = concat!("SELECT count(*) FROM users WHERE ", no_factor!());
    let sql = match state {
        UserState::Waiting => "SELECT waiting FROM user_count",
        UserState::Active => "SELECT active FROM user_count",
        UserState::Inactive => "SELECT n - active - waiting FROM user_count",
        UserState::Superuser => "SELECT superusers FROM user_count",
        UserState::NoSecondFactor => NO_FACTOR_COUNT,
    };
    connection.one(sql, &[], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::secret::PasswordHash;
    use crate::domain::username::Username;
    use crate::store::engine::connection::in_memory;
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
            optins: None,
        }
    }

    fn people() -> (Connection, Vec<User>) {
        let connection = in_memory();
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

    fn names(connection: &Connection, page: &UserQuery) -> (i64, String) {
        let (total, users) = list(connection, page).unwrap();
        let names: Vec<&str> = users.iter().map(|user| user.username.as_str()).collect();
        (total, names.join(" "))
    }

    #[test]
    fn the_list_is_sorted_by_creation_name_or_last_log_in_either_way() {
        let (connection, _) = people();
        for (sort, descending, expected) in [
            (UserSort::Created, false, "Dora anna Carl Berta emil"),
            (UserSort::Created, true, "emil Berta Carl anna Dora"),
            (UserSort::Name, false, "anna Berta Carl Dora emil"),
            (UserSort::Name, true, "emil Dora Carl Berta anna"),
            (UserSort::LastLogin, false, "anna emil Dora Berta Carl"),
            (UserSort::LastLogin, true, "Carl Berta Dora emil anna"),
        ] {
            let page = UserQuery { limit: 9, sort, descending, ..UserQuery::default() };
            assert_eq!(names(&connection, &page), (5, expected.to_owned()), "{sort:?} {descending}");
            let part = UserQuery { skip: 1, limit: 2, ..page };
            let part_of: Vec<&str> = expected.split(' ').skip(1).take(2).collect();
            assert_eq!(names(&connection, &part), (5, part_of.join(" ")), "a part of {sort:?} {descending}");
        }
    }

    #[test]
    fn the_list_is_narrowed_by_state_and_search_and_the_count_follows() {
        let (connection, _) = people();
        for sort in [UserSort::Created, UserSort::Name, UserSort::LastLogin] {
            for (state, search, expected) in [
                (UserState::Waiting, None, "anna"),
                (UserState::Inactive, None, "Carl"),
                (UserState::Superuser, None, "Dora"),
                (UserState::Active, Some("ER"), "Berta"),
                (UserState::Inactive, Some("a"), "Carl"),
                (UserState::Waiting, Some("z"), ""),
            ] {
                let search = search.map(ToOwned::to_owned);
                let page = UserQuery { limit: 9, sort, state: Some(state), search, ..UserQuery::default() };
                let total = i64::try_from(expected.split_whitespace().count()).unwrap();
                assert_eq!(names(&connection, &page), (total, expected.to_owned()), "{page:?}");
            }
        }
    }

    #[test]
    fn counts_by_state_follow_every_change() {
        let (connection, people) = people();
        let counts = || {
            [UserState::Waiting, UserState::Active, UserState::Inactive, UserState::Superuser]
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
        for n in [5_i64, 10_000] {
            connection.run("UPDATE user_count SET n = ?", bind![n]).unwrap();
            for sort in [UserSort::Created, UserSort::Name, UserSort::LastLogin] {
                for state in
                    [UserState::Waiting, UserState::Active, UserState::Inactive, UserState::Superuser].map(Some)
                {
                    for (descending, search) in [(false, None), (true, Some("a".to_owned()))] {
                        let page = UserQuery { skip: 0, limit: 9, search, sort, descending, state };
                        list(&connection, &page).unwrap();
                    }
                }
            }
        }
    }
}
