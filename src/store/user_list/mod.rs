//! The SQL of user lists: filter, order, page and total.
//!
//! Statements name their index. SQLite can't know, without statistics that go stale, whether few or many users wait,
//! and a wrong guess reads a million rows for a page of ten.

use strum::{EnumString, IntoStaticStr, VariantNames};
use uuid::Uuid;

use crate::domain::user::User;
use crate::domain::username::{fold_input, sort_key};
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::bind;
use crate::store::factors;
use crate::store::user_rows::{from_row, user_columns};
use crate::store::users::{count, find, find_by_name};

/// The order of a list. Ties are in order of creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum UserSort {
    /// By date of creation.
    #[default]
    Created,
    /// By name, without accents.
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
    /// Only users whose name contains this, in any case and Unicode form, with or without accents, or whose id it is.
    pub search: Option<String>,
    /// The order.
    pub sort: UserSort,
    /// Reverse the order.
    pub descending: bool,
    /// Only users in this state.
    pub state: Option<UserState>,
}

impl UserQuery {
    /// Whether this is a page of all users in order of creation, as Langflow's clients ask for it.
    fn is_plain(&self) -> bool {
        self.search.is_none() && self.sort == UserSort::Created && !self.descending && self.state.is_none()
    }
}

/// The query of a plain page.
const PLAIN: &str = concat!("SELECT ", user_columns!(), " FROM users ORDER BY id LIMIT ?1 OFFSET ?2");

/// Returns what the page's search looks for in names.
pub fn needle(page: &UserQuery) -> Option<String> {
    let needle = page.search.as_deref().and_then(fold_input).map(|folded| sort_key(&folded));
    needle.filter(|needle| !needle.is_empty())
}

/// Returns the result if the page's search is the id of a user.
pub fn by_id(connection: &Connection, page: &UserQuery) -> Result<Option<(i64, Vec<User>)>, StoreError> {
    let id = page.search.as_deref().and_then(|search| Uuid::try_parse(search.trim()).ok());
    let found = id.map(|id| find(connection, id)).transpose()?.flatten();
    found.map(|user| only(connection, Some(user), &UserQuery { search: None, ..page.clone() })).transpose()
}

/// Returns the number of matching users and a page of them.
pub fn list(connection: &Connection, page: &UserQuery) -> Result<(i64, Vec<User>), StoreError> {
    list_among(connection, page, count(connection)?)
}

/// Like [`list`], where the number of all users is known.
pub fn list_among(connection: &Connection, page: &UserQuery, everybody: i64) -> Result<(i64, Vec<User>), StoreError> {
    if page.is_plain() {
        return Ok((everybody, connection.all(PLAIN, bind![page.limit, page.skip], from_row)?));
    }
    let needle = needle(page);
    let matching = page.state.map_or(Ok(everybody), |state| count_of(connection, state))?;
    let dialect = connection.dialect();
    let order = if page.descending { " DESC" } else { "" };
    let by = match page.sort {
        UserSort::Created => format!("id{order}"),
        UserSort::Name => format!("username_sort{order}, id{order}"),
        UserSort::LastLogin => format!("last_login_at{}, id{order}", never_first(page.descending)),
    };
    let condition = page.state.map_or("1 = 1", condition);
    let position = dialect.position;
    let searched = if needle.is_some() { format!(" AND {position}(username_sort, ?3) > 0") } else { String::new() };
    let index = dialect.index_hint(index(page, matching, everybody));
    let total = match &needle {
        Some(needle) => {
            let sql = format!("SELECT count(*) FROM users WHERE {condition} AND {position}(username_sort, ?1) > 0");
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
    only(connection, found, page)
}

/// Returns the list of this user, or of nobody.
fn only(connection: &Connection, user: Option<User>, page: &UserQuery) -> Result<(i64, Vec<User>), StoreError> {
    let has_factor = user.as_ref().map_or(Ok(false), |user| factors::is_enrolled(connection, user.id))?;
    Ok(filter(user.map(|user| (user, has_factor)), page))
}

/// Like [`list`] for users with a pending deletion request, who are few, and for one user name if there is one.
pub fn with_deletion_request(
    connection: &Connection,
    name: Option<&str>,
    page: &UserQuery,
) -> Result<(i64, Vec<User>), StoreError> {
    let needle = needle(page).unwrap_or_default();
    let Some(name) = name.map_or_else(|| Some(String::new()), fold_input) else { return Ok((0, Vec::new())) };
    let order = if page.descending { " DESC" } else { "" };
    let by = match page.sort {
        UserSort::Created => format!("users.id{order}"),
        UserSort::Name => format!("username_sort{order}, users.id{order}"),
        UserSort::LastLogin => format!("last_login_at{}, users.id{order}", never_first(page.descending)),
    };
    let condition = page.state.map_or("1 = 1", condition);
    let (columns, position) = (user_columns!(), connection.dialect().position);
    let from = format!(
        "FROM deletion_requests JOIN users ON users.id = deletion_requests.user_id \
         WHERE deletion_requests.state = 'requested' AND {condition} \
         AND (?1 = '' OR {position}(username_sort, ?1) > 0) AND (?2 = '' OR username_folded = ?2)"
    );
    let total = connection.one(&format!("SELECT count(*) {from}"), bind![&needle, &name], |row| row.get(0))?;
    let sql = format!("SELECT {columns} {from} ORDER BY {by} LIMIT ?3 OFFSET ?4");
    Ok((total, connection.all(&sql, bind![&needle, &name, page.limit, page.skip], from_row)?))
}

/// Filters, counts and pages few users, who are in the order of the page. With each goes whether they have a second
/// factor.
fn filter(users: impl IntoIterator<Item = (User, bool)>, page: &UserQuery) -> (i64, Vec<User>) {
    let needle = needle(page).unwrap_or_default();
    let is_in_state = |user: &User, has_factor| page.state.is_none_or(|state| is_in(user, has_factor, state));
    let matches = |(user, has_factor): &(User, bool)| {
        is_in_state(user, *has_factor) && sort_key(user.username.folded()).contains(&needle)
    };
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
        (_, UserSort::Name) => "INDEXED BY users_by_name",
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
mod tests;
