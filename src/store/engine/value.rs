//! Values in statements and columns of rows. The mapping of booleans, times and ids to the database's types is here and
//! nowhere else.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::store::engine::error::StoreError;
use crate::store::engine::sqlite::time;

/// A value that is bound to a parameter.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// A boolean, stored as 0 or 1.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A UUID, stored as 16 bytes.
    Id(Uuid),
    /// A time, stored as text in UTC.
    Time(Timestamp),
}

/// The values of a statement, in the order of its parameters: `bind![user.id, now]`.
macro_rules! bind {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::engine::value::Value::from($value)),*]
    };
}
pub(crate) use bind;

macro_rules! from {
    ($($type:ty => |$value:ident| $make:expr),* $(,)?) => {
        $(impl<'a> From<$type> for Value<'a> {
            fn from($value: $type) -> Self {
                $make
            }
        })*
    };
}

from! {
    bool => |value| Self::Bool(value),
    i64 => |value| Self::Integer(value),
    u32 => |value| Self::Integer(value.into()),
    &'a str => |value| Self::Text(value),
    &'a String => |value| Self::Text(value),
    &'a [u8] => |value| Self::Bytes(value),
    Uuid => |value| Self::Id(value),
    Timestamp => |value| Self::Time(value),
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Bytes(value)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(value: &'a Option<String>) -> Self {
        value.as_deref().into()
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Bool(value) => ValueRef::Integer((*value).into()),
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
            Self::Id(value) => ValueRef::Blob(value.as_bytes()),
            Self::Time(value) => return Ok(ToSqlOutput::from(time::text(*value))),
        }))
    }
}

/// A row of a result.
pub struct Row<'a>(pub(super) &'a rusqlite::Row<'a>);

impl Row<'_> {
    /// Returns the value of a column.
    pub fn get<T: Column>(&self, column: usize) -> Result<T, StoreError> {
        let value = self.0.get_ref(column)?;
        T::from_sqlite(value).map_err(|error| conversion_error(column, value, error))
    }

    /// Returns a text without copying it.
    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        let value = self.0.get_ref(column)?;
        value.as_str().map_err(|error| conversion_error(column, value, error))
    }
}

fn conversion_error(column: usize, value: ValueRef<'_>, error: FromSqlError) -> StoreError {
    rusqlite::Error::FromSqlConversionFailure(column, value.data_type(), Box::new(error)).into()
}

/// A type that a column is read as.
pub trait Column: Sized {
    /// Converts SQLite's value.
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self>;
}

macro_rules! columns {
    ($($type:ty),*) => {
        $(impl Column for $type {
            fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
                FromSql::column_result(value)
            }
        })*
    };
}

columns!(bool, i64, u32, String, Uuid, Vec<u8>);

impl<const N: usize> Column for [u8; N] {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        FromSql::column_result(value)
    }
}

impl Column for Timestamp {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        time::parse_column(value)
    }
}

impl<T: Column> Column for Option<T> {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(None),
            value => T::from_sqlite(value).map(Some),
        }
    }
}
