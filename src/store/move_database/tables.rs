//! The tables and columns to move, in the order of their references. They are read from PostgreSQL's catalog, so that a
//! new table can't be forgotten; a test compares it with SQLite's schema.

use std::fmt::Write as _;

use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// An integer or a boolean.
    Integer,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// A UUID.
    Id,
    /// A time.
    Time,
}

/// A column.
#[derive(Clone, Debug)]
pub struct MovedColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
}

/// A table.
#[derive(Clone, Debug)]
pub struct MovedTable {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<MovedColumn>,
    /// The indexes of the columns of its primary key.
    pub key: Vec<usize>,
    /// The column that gets its values from a sequence.
    pub sequence: Option<String>,
}

/// The columns of all tables but those that only PostgreSQL has.
const COLUMNS: &str = "SELECT t.relname::text, a.attname::text, format_type(a.atttypid, NULL), a.attidentity <> '', \
     array_position(i.indkey::int2[], a.attnum) IS NOT NULL \
     FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped \
     JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary \
     WHERE t.relnamespace = current_schema()::text::regnamespace AND t.relkind = 'r' \
     AND t.relname NOT IN ('schema_version', 'writer') ORDER BY t.relname, a.attnum";
/// The foreign keys between tables.
const REFERENCES: &str = "SELECT t.relname::text, o.relname::text FROM pg_constraint c \
     JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class o ON o.oid = c.confrelid \
     WHERE c.contype = 'f' AND c.connamespace = current_schema()::text::regnamespace AND c.conrelid <> c.confrelid";

impl MovedTable {
    /// Returns the names of the columns, as a list in SQL.
    pub fn column_list(&self) -> String {
        self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Returns the query of all rows, in the order of the primary key.
    pub fn select(&self) -> String {
        let key: Vec<&str> = self.key_columns().map(|column| column.name.as_str()).collect();
        format!("SELECT {} FROM {} ORDER BY {}", self.column_list(), self.name, key.join(", "))
    }

    /// Returns the statement that inserts a row.
    pub fn insert(&self) -> String {
        let mut sql = format!("INSERT INTO {} ({}) VALUES (", self.name, self.column_list());
        for index in 0..self.columns.len() {
            // Writing to a String can't fail.
            let _ = write!(sql, "{}?", if index == 0 { "" } else { ", " });
        }
        sql + ")"
    }

    fn key_columns(&self) -> impl Iterator<Item = &MovedColumn> {
        self.key.iter().filter_map(|&index| self.columns.get(index))
    }
}

/// Returns the tables of a PostgreSQL database. Each comes after those that it refers to.
pub fn tables(postgres: &Connection) -> Result<Vec<MovedTable>, StoreError> {
    let mut all: Vec<MovedTable> = Vec::new();
    postgres.each(COLUMNS, &[], |row| {
        let (name, kind): (String, String) = (row.get(0)?, row.get(2)?);
        if all.last().is_none_or(|table| table.name != name) {
            all.push(MovedTable { name, columns: Vec::new(), key: Vec::new(), sequence: None });
        }
        let Some(table) = all.last_mut() else { return Ok(()) };
        if row.get(3)? {
            table.sequence = Some(row.get(1)?);
        }
        if row.get(4)? {
            table.key.push(table.columns.len());
        }
        table.columns.push(MovedColumn { name: row.get(1)?, kind: kind_of(&kind) });
        Ok(())
    })?;
    let references: Vec<(String, String)> = postgres.all(REFERENCES, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut ordered: Vec<MovedTable> = Vec::new();
    while !all.is_empty() {
        let is_ready = |table: &MovedTable| {
            let mut needed = references.iter().filter(|(from, _)| *from == table.name).map(|(_, to)| to);
            needed.all(|to| ordered.iter().any(|before| before.name == *to))
        };
        let (ready, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(is_ready);
        all = rest;
        if ready.is_empty() {
            // References in a circle, which the schema doesn't have. Inserting reports them.
            ordered.append(&mut all);
        }
        ordered.extend(ready);
    }
    Ok(ordered)
}

/// A type that isn't listed is read as text, which reports an error.
fn kind_of(name: &str) -> ColumnKind {
    match name {
        "bigint" | "integer" | "smallint" => ColumnKind::Integer,
        "bytea" => ColumnKind::Bytes,
        "uuid" => ColumnKind::Id,
        "timestamp with time zone" => ColumnKind::Time,
        _ => ColumnKind::Text,
    }
}
