//! Rows that are copied from one engine to the other, and their checksums.

use std::fmt::Write as _;

use chrono::SubsecRound;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::{Column, Row, Value};
use crate::store::move_database::error::{MoveError, MoveProgress};
use crate::store::move_database::tables::{ColumnKind, MovedTable};

/// The number of rows between two checks for an interrupt.
const PROGRESS_INTERVAL: u64 = 256;

/// A value of a row.
#[derive(Debug)]
pub enum Cell {
    /// NULL.
    Null,
    /// An integer or a boolean.
    Integer(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A UUID.
    Id(Uuid),
    /// A time, in microseconds.
    Time(Timestamp),
}

impl Cell {
    /// Reads a column, or says what is wrong with its value.
    fn read(row: &Row<'_>, index: usize, kind: ColumnKind) -> Result<Self, String> {
        fn get<T: Column>(row: &Row<'_>, index: usize, cell: fn(T) -> Cell, wanted: &str) -> Result<Cell, String> {
            let value = row.get::<Option<T>>(index).map_err(|_| format!("is not {wanted}"))?;
            Ok(value.map_or(Cell::Null, cell))
        }
        let cell = match kind {
            ColumnKind::Integer => get(row, index, Self::Integer, "an integer")?,
            ColumnKind::Text => get(row, index, Self::Text, "a text in UTF-8")?,
            ColumnKind::Bytes => get(row, index, Self::Bytes, "bytes")?,
            ColumnKind::Id => get(row, index, Self::Id, "a UUID")?,
            ColumnKind::Time => get(row, index, |time: Timestamp| Self::Time(time.trunc_subsecs(6)), "a time")?,
        };
        match &cell {
            Self::Text(text) if text.contains('\0') => {
                Err("contains the character U+0000, which PostgreSQL can't store".to_owned())
            }
            _ => Ok(cell),
        }
    }

    /// Returns the value to bind.
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Integer(value) => Value::Integer(*value),
            Self::Text(value) => Value::Text(value),
            Self::Bytes(value) => Value::Bytes(value),
            Self::Id(value) => Value::Id(*value),
            Self::Time(value) => Value::Time(*value),
        }
    }

    /// Adds the value to a checksum: its kind, its length and its bytes.
    fn hash(&self, sum: &mut Sha256) {
        let mut add = |kind: u8, bytes: &[u8]| {
            sum.update([kind]);
            sum.update((bytes.len() as u64).to_be_bytes());
            sum.update(bytes);
        };
        match self {
            Self::Null => add(0, &[]),
            Self::Integer(value) => add(1, &value.to_be_bytes()),
            Self::Text(value) => add(2, value.as_bytes()),
            Self::Bytes(value) => add(3, value),
            Self::Id(value) => add(4, value.as_bytes()),
            Self::Time(value) => add(5, &value.timestamp_micros().to_be_bytes()),
        }
    }

    /// Names a row by this value of its key.
    fn shown(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Integer(value) => value.to_string(),
            Self::Text(value) => format!("{value:?}"),
            Self::Bytes(value) => value.iter().fold(String::new(), |mut text, byte| {
                // Writing to a String can't fail.
                let _ = write!(text, "{byte:02x}");
                text
            }),
            Self::Id(value) => value.to_string(),
            Self::Time(value) => value.to_rfc3339(),
        }
    }
}

/// The number of a table's rows and their checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableChecksum {
    /// The table.
    pub table: String,
    /// The number of rows.
    pub rows: u64,
    /// The SHA-256 of all values, in the order of the primary key.
    pub sha256: [u8; 32],
}

/// Calls `work` with each row of a table. For a row with an invalid value, `work` gets an error that names the row's
/// key and the column.
pub fn each(
    connection: &Connection,
    table: &MovedTable,
    progress: &mut MoveProgress<'_>,
    mut work: impl FnMut(Result<Vec<Cell>, String>) -> Result<(), MoveError>,
) -> Result<(), MoveError> {
    let (mut failed, mut count) = (None, 0);
    let outcome = connection.each(&table.select(), &[], |row| {
        count += 1;
        let outcome = if count % PROGRESS_INTERVAL == 0 && !progress.advance(PROGRESS_INTERVAL) {
            Err(MoveError::Stopped)
        } else {
            work(cells(row, table))
        };
        outcome.map_err(|error| {
            failed = Some(error);
            StoreError::Stopped
        })
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(outcome?),
    }
}

fn cells(row: &Row<'_>, table: &MovedTable) -> Result<Vec<Cell>, String> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(index, column)| {
            Cell::read(row, index, column.kind)
                .map_err(|why| format!("{}, {}: `{}` {why}", table.name, label(row, table), column.name))
        })
        .collect()
}

/// Names a row by its key.
fn label(row: &Row<'_>, table: &MovedTable) -> String {
    let parts = table.key.iter().filter_map(|&index| {
        let column = table.columns.get(index)?;
        let shown = Cell::read(row, index, column.kind).map_or_else(|_| "?".to_owned(), |cell| cell.shown());
        Some(format!("{} {shown}", column.name))
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// Computes a table's checksum. Adds its invalid values to `faults`.
pub fn checksum(
    connection: &Connection,
    table: &MovedTable,
    progress: &mut MoveProgress<'_>,
    faults: &mut Vec<String>,
) -> Result<TableChecksum, MoveError> {
    let (mut sum, mut rows) = (Sha256::new(), 0);
    each(connection, table, progress, |row| {
        rows += 1;
        match row {
            Ok(cells) => cells.iter().for_each(|cell| cell.hash(&mut sum)),
            Err(fault) => faults.push(fault),
        }
        Ok(())
    })?;
    Ok(TableChecksum { table: table.name.clone(), rows, sha256: sum.finalize().into() })
}
