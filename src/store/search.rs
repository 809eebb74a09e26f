//! Owns the list of users as clients page through it, search it, sort it and narrow it, whatever its size. Small numbers of
//! users would need none of this; at a million, SQLite alone takes tenths of a second, or seconds, to find a part of a name,
//! to count whom it finds, or to skip half of the list.

use rusqlite::Connection;

use super::error::StoreError;
pub use super::name_index::NameIndex;
use super::user_list::{has_state, ids_in, select, total, window};
use super::users::{self, Page, Sort, State, from_row, user_columns};
use crate::domain::user::User;
use crate::domain::username::fold;

/// When what SQLite does by itself is left to it.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// How far it walks from either end of the list; it reads about ten users in a microsecond.
    walk: i64,
    /// Of how many users one row each is read, to see their state or to sort them. More than that are so many that an
    /// index in the order that is asked for meets some of them soon.
    few: usize,
}

const BOUNDS: Bounds = Bounds { walk: 5_000, few: 5_000 };

/// A part of the list, and how many users there are in all that match.
pub fn list(connection: &Connection, index: &NameIndex, page: &Page) -> Result<(i64, Vec<User>), StoreError> {
    list_within(connection, index, page, BOUNDS)
}

fn list_within(
    connection: &Connection,
    index: &NameIndex,
    page: &Page,
    bounds: Bounds,
) -> Result<(i64, Vec<User>), StoreError> {
    let part = page.search.as_deref().map(fold).filter(|part| !part.is_empty());
    match part {
        Some(part) => found(connection, index, page, &part, bounds.few),
        None if page.sort == Sort::Created && page.state.is_none() => everybody(connection, index, page, bounds.walk),
        None => {
            // One view of the list, so that a page that is reached from the end counts what is there.
            let view = connection.unchecked_transaction()?;
            let total = total(&view, page.state)?;
            Ok((total, window(&view, page, total)?))
        }
    }
}

/// All users in order of creation, or from the newest.
fn everybody(
    connection: &Connection,
    index: &NameIndex,
    page: &Page,
    walk: i64,
) -> Result<(i64, Vec<User>), StoreError> {
    let total = users::count(connection)?;
    if page.limit == 0 || page.skip >= total {
        return Ok((total, Vec::new()));
    }
    if page.skip <= walk {
        return Ok((total, select(connection, page)?));
    }
    if total - page.skip <= walk {
        let view = connection.unchecked_transaction()?;
        let total = users::count(&view)?;
        return Ok((total, window(&view, page, total)?));
    }
    let (skip, limit) = (size(page.skip), size(page.limit));
    index.consult(
        connection,
        |names| {
            let (start, end) = stretch(names.len(), skip, limit, page.descending);
            (names.nth(start), end - start)
        },
        |view, (first, count)| {
            let mut users = first.map_or_else(|| Ok(Vec::new()), |first| from(view, first, count))?;
            if page.descending {
                users.reverse();
            }
            Ok((users::count(view)?, users))
        },
    )
}

/// As many users as `count` from this one on, in order of creation.
fn from(connection: &Connection, first: i64, count: usize) -> Result<Vec<User>, StoreError> {
    const SQL: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id >= ? ORDER BY id LIMIT ?");
    let mut statement = connection.prepare_cached(SQL)?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Ok(statement.query_map([first, count], from_row)?.collect::<Result<_, _>>()?)
}

/// The users whose names contain `part`.
fn found(
    connection: &Connection,
    index: &NameIndex,
    page: &Page,
    part: &str,
    few: usize,
) -> Result<(i64, Vec<User>), StoreError> {
    let (skip, limit) = (size(page.skip), size(page.limit));
    if page.sort == Sort::Created && !page.descending && page.state.is_none() {
        return index.consult(
            connection,
            |names| names.find(part, skip, limit),
            |view, (total, ids)| Ok((number(total), rows(view, &ids)?)),
        );
    }
    index.consult(
        connection,
        |names| names.find(part, 0, usize::MAX).1,
        |view, ids| {
            let ids = narrowed(view, ids, page.state, few)?;
            let total = ids.len();
            let users = match page.sort {
                Sort::Created => part_of(view, &ids, page)?,
                Sort::Name | Sort::LastLogin if total <= few => part_of(view, &sorted(view, ids, page.sort)?, page)?,
                Sort::Name | Sort::LastLogin => window(view, page, number(total))?,
            };
            Ok((number(total), users))
        },
    )
}

/// Of some users, in order of creation, those in this state.
fn narrowed(
    connection: &Connection,
    mut ids: Vec<i64>,
    state: Option<State>,
    few: usize,
) -> Result<Vec<i64>, StoreError> {
    let Some(state) = state else { return Ok(ids) };
    if ids.len() <= few {
        let mut kept = Vec::with_capacity(ids.len());
        for id in ids {
            if has_state(connection, id, state)? {
                kept.push(id);
            }
        }
        return Ok(kept);
    }
    // Those who are not active are mostly fewer than those who are, and only their ids are read.
    let (others, keep) = ids_in(connection, state)?;
    let mut others = others.into_iter().peekable();
    ids.retain(|id| {
        while others.next_if(|other| other < id).is_some() {}
        (others.peek() == Some(id)) == keep
    });
    Ok(ids)
}

/// The same users in this order.
fn sorted(connection: &Connection, ids: Vec<i64>, sort: Sort) -> Result<Vec<i64>, StoreError> {
    let sql = match sort {
        Sort::Created => return Ok(ids),
        Sort::Name => "SELECT username_folded FROM users WHERE id = ?",
        Sort::LastLogin => "SELECT last_login_at FROM users WHERE id = ?",
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut keyed = Vec::with_capacity(ids.len());
    for id in ids {
        keyed.push((statement.query_row([id], |row| row.get::<_, Option<String>>(0))?, id));
    }
    keyed.sort_unstable();
    Ok(keyed.into_iter().map(|(_, id)| id).collect())
}

/// The page's part of users in the page's order, or in the opposite one if it descends.
fn part_of(connection: &Connection, ids: &[i64], page: &Page) -> Result<Vec<User>, StoreError> {
    let (start, end) = stretch(ids.len(), size(page.skip), size(page.limit), page.descending);
    let mut users = rows(connection, &ids[start..end])?;
    if page.descending {
        users.reverse();
    }
    Ok(users)
}

/// Where in a list of `total` a page begins and ends, which is counted from the list's end if it descends.
fn stretch(total: usize, skip: usize, limit: usize, descending: bool) -> (usize, usize) {
    let (near, far) = (skip.min(total), skip.saturating_add(limit).min(total));
    if descending { (total - far, total - near) } else { (near, far) }
}

fn rows(connection: &Connection, ids: &[i64]) -> Result<Vec<User>, StoreError> {
    const SQL: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id = ?");
    let mut statement = connection.prepare_cached(SQL)?;
    let found = ids.iter().map(|id| statement.query_row([id], from_row));
    Ok(found.collect::<Result<_, _>>()?)
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(if number < 0 { 0 } else { usize::MAX })
}

fn number(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
