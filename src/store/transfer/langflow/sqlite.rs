//! Langflow's database in a SQLite file.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use crate::store::engine::sqlite::readonly_open::{self, ReadonlyOpenError};
use crate::store::transfer::langflow::rows::{BrokenRow, LangflowAccounts, RowFields, key, user};
use crate::store::transfer::langflow::{LangflowError, ProgressCounter, TABLES, missing_column};

/// Reads the file, also while Langflow runs. `scratch` is a directory for a copy, if one is needed. `on_progress`
/// receives the rows done and the total, and returns false to cancel.
pub fn read(
    path: &Path,
    scratch: &Path,
    mut on_progress: impl FnMut(u64, u64) -> bool,
) -> Result<LangflowAccounts, LangflowError> {
    let unreadable = |error: rusqlite::Error| failed(path, error);
    let file = readonly_open::open(path, scratch).map_err(|error| match error {
        ReadonlyOpenError::Io(cause) => LangflowError::Io { path: path.to_owned(), cause },
        ReadonlyOpenError::Sqlite(error) => unreadable(error),
    })?;
    let connection = &file.connection;
    let mut whole = 0;
    for (table, columns) in TABLES {
        let found = columns_of(connection, table).map_err(unreadable)?;
        if let Some(column) = missing_column(columns, &found) {
            return Err(LangflowError::NotLangflowAccounts { database: path.display().to_string(), table, column });
        }
        let count = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
        whole += u64::try_from(count.map_err(unreadable)?).unwrap_or(0);
    }
    let mut watch = ProgressCounter { done: 0, whole, on_progress: &mut on_progress };
    let users =
        rows(connection, "SELECT * FROM user ORDER BY create_at, rowid", user, &mut watch).map_err(unreadable)?;
    let keys = rows(connection, "SELECT * FROM apikey ORDER BY rowid", key, &mut watch).map_err(unreadable)?;
    users.zip(keys).map(|(users, keys)| LangflowAccounts { users, keys }).ok_or(LangflowError::Stopped)
}

fn failed(path: &Path, error: rusqlite::Error) -> LangflowError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LangflowError::Locked(path),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            LangflowError::PermissionDenied(path)
        }
        Some(ErrorCode::NotADatabase) => LangflowError::NotSqlite(path),
        Some(ErrorCode::DatabaseCorrupt) => LangflowError::Damaged(path),
        _ => LangflowError::Unreadable { path, cause: error.into() },
    }
}

fn columns_of(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare("SELECT name FROM pragma_table_info(?)")?.query_map([table], |row| row.get(0))?.collect()
}

/// Returns all rows, or `None` if cancelled.
fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: fn(&RowFields<'_>) -> Result<T, String>,
    watch: &mut ProgressCounter<'_>,
) -> rusqlite::Result<Option<Vec<Result<T, BrokenRow>>>> {
    let mut statement = connection.prepare(sql)?;
    let mut found = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        all.push(RowFields::Sqlite(row).read(read));
        if !watch.row() {
            return Ok(None);
        }
    }
    Ok(Some(all))
}
