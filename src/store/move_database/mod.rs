//! Moves all data from SQLite to PostgreSQL or back: all tables with their ids, in one transaction, compared by counts
//! and checksums before it is committed.

pub mod error;
pub mod rows;
pub mod tables;

use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;

use crate::domain::audit::Event;
use crate::domain::clock::Timestamp;
use crate::store::audit;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::schema as postgres_schema;
use crate::store::engine::postgres::server::PostgresServer;
use crate::store::engine::sqlite::file::{self, OpenError, with_suffix};
use crate::store::engine::sqlite::open::{self, ConnectionKind, SqliteOpener};
use crate::store::engine::sqlite::schema::{self, VERSION};
use crate::store::engine::sqlite::temporary_database::TemporaryDatabase;
use crate::store::engine::value::{Value, bind};
use error::{MoveError, MoveProgress, MoveStage};
use rows::{Cell, TableChecksum};
use tables::MovedTable;

/// The rows that are written with one statement.
const BATCH: usize = 1000;
/// The most invalid values that are reported.
const MAX_FAULTS: usize = 1000;
/// Other programs of usher that are connected to the database, and from where.
const OTHER_SERVERS: &str = "SELECT string_agg(DISTINCT coalesce(host(client_addr), 'this machine'), ', ') \
     FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'usher' \
     AND pid <> pg_backend_pid()";

/// Copies the database at `path` to an empty PostgreSQL database. `event` is recorded there. No server may use the
/// file.
pub fn to_postgres(
    path: &Path,
    server: &PostgresServer,
    event: &Event,
    now: Timestamp,
    progress: &mut MoveProgress<'_>,
) -> Result<Vec<TableChecksum>, MoveError> {
    let source = open_file(path)?;
    let target = server.connect_for_bulk()?;
    // The tables are created in the same transaction. If it fails, none of them exists.
    postgres_schema::begin(&target, true)?;
    target.batch("SELECT id FROM writer FOR UPDATE")?;
    let tables = tables::tables(&target)?;
    if let Some(table) = first_with_rows(&target, &tables)? {
        return Err(MoveError::NotEmpty(table));
    }
    let sums = check(&source, &tables, progress)?;
    for MovedTable { name, .. } in &tables {
        target.batch(&format!("ALTER TABLE {name} DISABLE TRIGGER USER"))?;
    }
    copy(&source, &target, &tables, &sums, progress)?;
    for MovedTable { name, sequence, .. } in &tables {
        if let Some(column) = sequence {
            let next = last_id_of_file(&source, name, column)? + 1;
            target.batch(&format!("ALTER TABLE {name} ALTER COLUMN {column} RESTART WITH {next}"))?;
        }
        target.batch(&format!("ALTER TABLE {name} ENABLE TRIGGER USER"))?;
    }
    compare(&target, &tables, &sums, progress)?;
    audit::insert(&target, event, now)?;
    target.commit().map_err(|error| {
        if error.loses_connection() { MoveError::Uncertain(error) } else { MoveError::Store(error) }
    })?;
    for MovedTable { name, .. } in &tables {
        // Without statistics the first queries would be slow. PostgreSQL collects them later on its own.
        if let Err(error) = target.batch(&format!("ANALYZE {name}")) {
            log::warn!("PostgreSQL couldn't analyze `{name}`: {}", error.described());
        }
    }
    Ok(sums)
}

/// Copies the PostgreSQL database to a new file at `path`. `event` is recorded there.
pub fn to_file(
    server: &PostgresServer,
    path: &Path,
    event: &Event,
    now: Timestamp,
    progress: &mut MoveProgress<'_>,
) -> Result<Vec<TableChecksum>, MoveError> {
    for file in [path.to_owned(), with_suffix(path, "-wal"), with_suffix(path, "-journal")] {
        if file.symlink_metadata().is_ok() {
            return Err(MoveError::Exists(file));
        }
    }
    let source = server.connect_for_bulk()?;
    postgres_schema::begin(&source, false)?;
    let found = postgres_schema::version(&source)?;
    if found < VERSION {
        return Err(MoveError::Older { source_name: "the database".to_owned(), found });
    }
    // Nothing is written until this transaction ends.
    source.batch("SELECT id FROM writer FOR UPDATE")?;
    if let Some(addresses) = other_servers(&source)? {
        return Err(MoveError::InUse(addresses));
    }
    let tables = tables::tables(&source)?;
    let sums = check(&source, &tables, progress)?;
    let failed = |cause| MoveError::Io { path: path.to_owned(), cause };
    let new = TemporaryDatabase::create(path).map_err(failed)?;
    let target = create_file(new.path())?;
    target.batch("BEGIN")?;
    copy(&source, &target, &tables, &sums, progress)?;
    for MovedTable { name, sequence, .. } in &tables {
        if let Some(column) = sequence {
            keep_last_id(&source, &target, name, column)?;
        }
    }
    compare(&target, &tables, &sums, progress)?;
    audit::insert(&target, event, now)?;
    target.batch("COMMIT; PRAGMA journal_mode = WAL")?;
    target.close()?;
    new.publish().map_err(failed)?;
    Ok(sums)
}

/// Returns the addresses of other usher processes that are connected. Waits a moment for one that is just ending.
fn other_servers(connection: &Connection) -> Result<Option<String>, StoreError> {
    let mut tries = 20;
    loop {
        // Within a transaction, PostgreSQL shows the same state again.
        connection.batch("SELECT pg_stat_clear_snapshot()")?;
        let found = connection.one(OTHER_SERVERS, &[], |row| row.get::<Option<String>>(0))?;
        tries -= 1;
        if found.is_none() || tries == 0 {
            return Ok(found);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Opens a file of the current version, and locks it against other writers.
fn open_file(path: &Path) -> Result<Connection, MoveError> {
    if !file::check_header(path)? {
        return Err(OpenError::Missing(path.to_owned()).into());
    }
    let connection = SqliteOpener { path: path.to_owned(), kind: ConnectionKind::Writer, setup: "" }.open()?;
    let found = schema::version(&connection)?;
    if found != VERSION {
        return Err(MoveError::Older { source_name: path.display().to_string(), found });
    }
    let connection = Connection::from(connection);
    connection.begin_write()?;
    Ok(connection)
}

/// Creates the schema in a file that isn't complete before it is published, so that nothing needs a journal or a sync.
fn create_file(path: &Path) -> Result<Connection, MoveError> {
    let connection = open::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "journal_mode", "MEMORY")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    schema::migrate(&connection)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    Ok(connection.into())
}

/// Returns a table that has rows, apart from the count of users, which is there from the start.
fn first_with_rows(connection: &Connection, tables: &[MovedTable]) -> Result<Option<String>, StoreError> {
    for MovedTable { name, .. } in tables {
        let filter = if name == "user_count" { "WHERE n > 0" } else { "" };
        if connection.exists(&format!("SELECT 1 FROM {name} {filter} LIMIT 1"), &[])? {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
}

/// Reads the source. Returns its checksums, or everything that is wrong with it.
fn check(
    source: &Connection,
    tables: &[MovedTable],
    progress: &mut MoveProgress<'_>,
) -> Result<Vec<TableChecksum>, MoveError> {
    let mut total = 0;
    for MovedTable { name, .. } in tables {
        let rows: i64 = source.one(&format!("SELECT count(*) FROM {name}"), &[], |row| row.get(0))?;
        total += u64::try_from(rows).unwrap_or(0);
    }
    progress.begin(MoveStage::Checking, total);
    let (mut sums, mut faults) = (Vec::new(), Vec::new());
    for table in tables {
        sums.push(rows::checksum(source, table, progress, &mut faults)?);
        if faults.len() > MAX_FAULTS {
            break;
        }
    }
    if faults.is_empty() { Ok(sums) } else { Err(MoveError::InvalidValues(faults)) }
}

fn copy(
    source: &Connection,
    target: &Connection,
    tables: &[MovedTable],
    sums: &[TableChecksum],
    progress: &mut MoveProgress<'_>,
) -> Result<(), MoveError> {
    progress.begin(MoveStage::Copying, sums.iter().map(|sum| sum.rows).sum());
    // The schema begins with a count of no users.
    target.run("DELETE FROM user_count", &[])?;
    for table in tables {
        let (insert, columns) = (table.insert(), table.column_list());
        let mut batch: Vec<Vec<Cell>> = Vec::with_capacity(BATCH);
        let write = |batch: &mut Vec<Vec<Cell>>| {
            let rows = batch.iter().map(|row| row.iter().map(Cell::value).collect::<Vec<Value<'_>>>());
            match target.postgres() {
                Some(session) => session.copy_rows(&table.name, &columns, rows)?,
                None => rows.into_iter().try_for_each(|row| target.run(&insert, &row).map(drop))?,
            }
            batch.clear();
            Ok::<_, StoreError>(())
        };
        rows::each(source, table, progress, |row| {
            batch.push(row.map_err(|fault| MoveError::InvalidValues(vec![fault]))?);
            if batch.len() == BATCH {
                write(&mut batch)?;
            }
            Ok(())
        })?;
        if !batch.is_empty() {
            write(&mut batch)?;
        }
    }
    Ok(())
}

/// Reads the target, and compares it with the source.
fn compare(
    target: &Connection,
    tables: &[MovedTable],
    sums: &[TableChecksum],
    progress: &mut MoveProgress<'_>,
) -> Result<(), MoveError> {
    progress.begin(MoveStage::Comparing, sums.iter().map(|sum| sum.rows).sum());
    for (table, expected) in tables.iter().zip(sums) {
        let mut faults = Vec::new();
        let found = rows::checksum(target, table, progress, &mut faults)?;
        if found != *expected || !faults.is_empty() {
            return Err(MoveError::Differs(table.name.clone()));
        }
    }
    Ok(())
}

/// Returns the largest id that a table of a SQLite file has, or had if its ids are never reused.
fn last_id_of_file(source: &Connection, table: &str, column: &str) -> Result<i64, StoreError> {
    let sql = format!(
        "SELECT max(coalesce((SELECT max({column}) FROM {table}), 0), \
         coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0))"
    );
    source.one(&sql, bind![table], |row| row.get(0))
}

/// Lets a table of a SQLite file continue after the last id of PostgreSQL's sequence, if its ids are never reused.
fn keep_last_id(source: &Connection, target: &Connection, table: &str, column: &str) -> Result<(), StoreError> {
    let never_reused = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? AND sql LIKE '%AUTOINCREMENT%'";
    if !target.exists(never_reused, bind![table])? {
        return Ok(());
    }
    let sequence: String = source.one("SELECT pg_get_serial_sequence(?, ?)", bind![table, column], |row| row.get(0))?;
    let sql = format!("SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM {sequence}");
    let last: i64 = source.one(&sql, &[], |row| row.get(0))?;
    let sql = format!("SELECT coalesce(max({column}), 0) FROM {table}");
    let largest: i64 = target.one(&sql, &[], |row| row.get(0))?;
    target.run("DELETE FROM sqlite_sequence WHERE name = ?", bind![table])?;
    target.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", bind![table, last.max(largest)])?;
    Ok(())
}
