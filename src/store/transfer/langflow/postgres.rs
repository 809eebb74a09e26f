//! Langflow's database on PostgreSQL.

use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::server::PostgresServer;
use crate::store::engine::value::bind;
use crate::store::transfer::langflow::rows::{BrokenRow, LangflowAccounts, PostgresColumn, RowFields, key, user};
use crate::store::transfer::langflow::{LangflowError, ProgressCounter, TABLES, missing_column};

/// The names and types of a table's columns.
const COLUMNS: &str = "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute \
     WHERE attrelid = to_regclass(quote_ident(?)) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";

/// A table as it was found.
struct FoundTable {
    columns: Vec<PostgresColumn>,
    /// The query of all rows, oldest first.
    query: String,
}

/// Reads the database in one read-only transaction, also while Langflow runs. `on_progress` receives the rows done and
/// the total, and returns false to cancel. Errors name the database by `address`.
pub fn read(
    server: &PostgresServer,
    address: &str,
    mut on_progress: impl FnMut(u64, u64) -> bool,
) -> Result<LangflowAccounts, LangflowError> {
    let failed = |cause: StoreError| LangflowError::Server { address: address.to_owned(), cause };
    let connection = server.connect_for_bulk().map_err(failed)?;
    // Times become texts in the usual form.
    connection.batch("SET datestyle = 'ISO, YMD'").map_err(failed)?;
    let mut outcome = None;
    let read = connection.snapshot(|| {
        outcome = Some(read_tables(&connection, address, &mut on_progress)?);
        Ok::<_, StoreError>(())
    });
    match (read, outcome) {
        (Ok(()), Some(outcome)) => outcome,
        (Err(error), _) => Err(failed(error)),
        (Ok(()), None) => Err(failed(StoreError::Stopped)),
    }
}

/// Returns all rows. The inner result is about what is in the database.
fn read_tables(
    connection: &Connection,
    address: &str,
    on_progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Result<LangflowAccounts, LangflowError>, StoreError> {
    let (mut found, mut whole) = (Vec::new(), 0);
    for (table, columns) in TABLES {
        let there: Vec<(String, String)> =
            connection.all(COLUMNS, bind![table], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let names: Vec<String> = there.iter().map(|(name, _)| name.clone()).collect();
        if let Some(column) = missing_column(columns, &names) {
            return Ok(Err(LangflowError::NotLangflowAccounts { database: address.to_owned(), table, column }));
        }
        let rows: i64 = connection.one(&format!("SELECT count(*) FROM \"{table}\""), &[], |row| row.get(0))?;
        whole += u64::try_from(rows).unwrap_or(0);
        found.push(found_table(table, &there));
    }
    let [users, keys] = &found[..] else { return Ok(Err(LangflowError::Stopped)) };
    let mut watch = ProgressCounter { done: 0, whole, on_progress };
    let users = rows(connection, users, user, &mut watch)?;
    let keys = rows(connection, keys, key, &mut watch)?;
    Ok(users.zip(keys).map(|(users, keys)| LangflowAccounts { users, keys }).ok_or(LangflowError::Stopped))
}

/// Booleans and integers are read as numbers, and everything else as a text in the form that SQLite has.
fn found_table(table: &str, columns: &[(String, String)]) -> FoundTable {
    let mut selected = Vec::new();
    let mut found = Vec::new();
    for (name, kind) in columns {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let (sql, is_number) = match kind.as_str() {
            "boolean" => (format!("{quoted}::integer"), true),
            "smallint" | "integer" | "bigint" => (quoted, true),
            "timestamp with time zone" => (format!("({quoted} AT TIME ZONE 'UTC')::text"), false),
            _ => (format!("{quoted}::text"), false),
        };
        selected.push(sql);
        found.push(PostgresColumn { name: name.clone(), is_number });
    }
    let made = ["create_at", "created_at"].into_iter().find(|made| columns.iter().any(|(name, _)| name == made));
    let order = made.map_or_else(|| "id".to_owned(), |made| format!("{made}, id"));
    FoundTable { columns: found, query: format!("SELECT {} FROM \"{table}\" ORDER BY {order}", selected.join(", ")) }
}

/// Returns all rows, or `None` if cancelled.
fn rows<T>(
    connection: &Connection,
    table: &FoundTable,
    read: fn(&RowFields<'_>) -> Result<T, String>,
    watch: &mut ProgressCounter<'_>,
) -> Result<Option<Vec<Result<T, BrokenRow>>>, StoreError> {
    let (mut all, mut is_cancelled) = (Vec::new(), false);
    let outcome = connection.each(&table.query, &[], |row| {
        all.push(RowFields::Postgres(row, &table.columns).read(read));
        is_cancelled = !watch.row();
        if is_cancelled { Err(StoreError::Stopped) } else { Ok(()) }
    });
    if is_cancelled { Ok(None) } else { outcome.map(|()| Some(all)) }
}
