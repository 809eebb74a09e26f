//! Owns the names in memory as all threads share them: they are read from the database when somebody first needs them, and
//! brought up to what was changed since whenever somebody looks.

use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::{Connection, OptionalExtension};

use super::error::StoreError;
use super::names::Names;

/// All names in memory, shared by the threads that read; empty until somebody searches, or pages far into the list.
#[derive(Clone, Debug, Default)]
pub struct NameIndex(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    names: Names,
    /// The last line of `name_changes` that went into `names`; `None` when nothing was read yet.
    seen: Option<i64>,
}

impl NameIndex {
    /// Looks something up in the names as they are now, and reads what belongs to it in the same view of the database.
    ///
    /// A view is opened while the names are locked: it is never older than they are, and they are brought up to it.
    /// What any process commits is so seen by the next search.
    pub(super) fn consult<F, T>(
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
