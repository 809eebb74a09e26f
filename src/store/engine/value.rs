//! Values in statements and columns of rows. The mapping of booleans, times and ids to each engine's types is here and
//! nowhere else.

use std::error::Error;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql as FromPostgres, IsNull, ToSql as ToPostgres, Type, to_sql_checked};
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::store::engine::error::StoreError;
use crate::store::engine::sqlite::time;

/// A value that is bound to a parameter.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Null,
    /// A boolean, stored as 0 or 1.
    Bool(bool),
    Integer(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// A UUID. SQLite stores it as 16 bytes.
    Id(Uuid),
    /// A time. SQLite stores it as text in UTC.
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

type Conversion<T> = Result<T, Box<dyn Error + Sync + Send>>;

impl ToPostgres for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Conversion<IsNull> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(value) => integer(i64::from(*value), ty, out),
            Self::Integer(value) => integer(*value, ty, out),
            Self::Text(value) => checked(value, ty, out),
            Self::Bytes(value) => checked(value, ty, out),
            Self::Id(value) => checked(value, ty, out),
            Self::Time(value) => checked(value, ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn checked<T: ToPostgres>(value: &T, ty: &Type, out: &mut BytesMut) -> Conversion<IsNull> {
    value.to_sql_checked(ty, out)
}

/// Writes an integer in the size of the parameter's type.
fn integer(value: i64, ty: &Type, out: &mut BytesMut) -> Conversion<IsNull> {
    match *ty {
        Type::BOOL => checked(&(value != 0), ty, out),
        Type::INT2 => checked(&i16::try_from(value)?, ty, out),
        Type::INT4 => checked(&i32::try_from(value)?, ty, out),
        _ => checked(&value, ty, out),
    }
}

/// A row of a result.
pub enum Row<'a> {
    /// A row of SQLite.
    Sqlite(&'a rusqlite::Row<'a>),
    /// A row of PostgreSQL.
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// Returns the value of a column.
    pub fn get<T: Column>(&self, column: usize) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(row) => {
                let value = row.get_ref(column)?;
                T::from_sqlite(value).map_err(|error| conversion_error(column, value, error))
            }
            Self::Postgres(row) => Ok(T::from_postgres(row, column)?),
        }
    }

    /// Returns a text without copying it.
    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        match self {
            Self::Sqlite(row) => {
                let value = row.get_ref(column)?;
                value.as_str().map_err(|error| conversion_error(column, value, error))
            }
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
}

fn conversion_error(column: usize, value: ValueRef<'_>, error: FromSqlError) -> StoreError {
    rusqlite::Error::FromSqlConversionFailure(column, value.data_type(), Box::new(error)).into()
}

/// A type that a column is read as.
pub trait Column: Sized {
    /// Converts SQLite's value.
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self>;
    /// Converts PostgreSQL's value.
    fn from_postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, tokio_postgres::Error>;
}

/// A type that has the same mapping in both drivers, or goes through one that has.
macro_rules! columns {
    ($($type:ty => $wire:ty, |$value:ident| $convert:expr),* $(,)?) => {
        $(impl Column for $type {
            fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
                FromSql::column_result(value)
            }

            fn from_postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, tokio_postgres::Error> {
                let $value: $wire = row.try_get(column)?;
                Ok($convert)
            }
        })*
    };
}

columns! {
    bool => Integer<i64>, |value| value.0 != 0,
    i64 => Integer<i64>, |value| value.0,
    u32 => Integer<u32>, |value| value.0,
    String => String, |value| value,
    Uuid => Uuid, |value| value,
    Vec<u8> => Vec<u8>, |value| value,
}

impl<const N: usize> Column for [u8; N] {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        FromSql::column_result(value)
    }

    fn from_postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, tokio_postgres::Error> {
        Ok(row.try_get::<_, Bytes<N>>(column)?.0)
    }
}

impl Column for Timestamp {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        time::parse_column(value)
    }

    fn from_postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get(column)
    }
}

impl<T: Column> Column for Option<T> {
    fn from_sqlite(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(None),
            value => T::from_sqlite(value).map(Some),
        }
    }

    fn from_postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, tokio_postgres::Error> {
        match row.try_get(column)? {
            IsNullColumn(true) => Ok(None),
            IsNullColumn(false) => T::from_postgres(row, column).map(Some),
        }
    }
}

/// An integer of any size, or a boolean as 0 or 1.
struct Integer<T>(T);

impl<'a, T: TryFrom<i64, Error: Error + Send + Sync + 'static>> FromPostgres<'a> for Integer<T> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Conversion<Self> {
        let value = match *ty {
            Type::BOOL => bool::from_sql(ty, raw)?.into(),
            Type::INT2 => i16::from_sql(ty, raw)?.into(),
            Type::INT4 => i32::from_sql(ty, raw)?.into(),
            _ => i64::from_sql(ty, raw)?,
        };
        Ok(Self(value.try_into()?))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::BOOL | Type::INT2 | Type::INT4 | Type::INT8)
    }
}

/// Bytes of a fixed length.
struct Bytes<const N: usize>([u8; N]);

impl<'a, const N: usize> FromPostgres<'a> for Bytes<N> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Conversion<Self> {
        Ok(Self(raw.try_into()?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::BYTEA
    }
}

/// Whether a column of any type is NULL.
struct IsNullColumn(bool);

impl<'a> FromPostgres<'a> for IsNullColumn {
    fn from_sql(_: &Type, _: &'a [u8]) -> Conversion<Self> {
        Ok(Self(false))
    }

    fn from_sql_null(_: &Type) -> Conversion<Self> {
        Ok(Self(true))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
