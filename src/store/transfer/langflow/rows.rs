//! Langflow's users and API keys, and how they are read from a row of either engine.

use chrono::{DateTime, Datelike, NaiveDateTime, SubsecRound};
use rusqlite::types::ValueRef;
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::store::engine::value::Row;

/// A row that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRow {
    /// The row's name and id, as far as readable.
    pub label: String,
    /// What is wrong with it.
    pub why: String,
}

/// A user of Langflow. Times and ids are parsed; the rest is as stored.
#[derive(Clone, Debug)]
pub struct LangflowUser {
    /// Its id in Langflow.
    pub id: Uuid,
    /// Its name.
    pub username: String,
    /// Its password's hash.
    pub password: String,
    /// Its picture.
    pub profile_image: Option<String>,
    /// Fernet-encrypted.
    pub store_api_key: Option<String>,
    /// Whether the user may sign in.
    pub is_active: bool,
    /// Whether the user is a superuser.
    pub is_superuser: bool,
    /// When it was made.
    pub create_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
    /// When it signed in last.
    pub last_login_at: Option<Timestamp>,
    /// What clients remember about it, as JSON, in newer versions.
    pub optins: Option<String>,
}

/// An API key of Langflow.
#[derive(Clone, Debug)]
pub struct LangflowKey {
    /// Its id in Langflow.
    pub id: Uuid,
    /// Its owner's id.
    pub user_id: Uuid,
    /// The name that its owner gave it.
    pub name: Option<String>,
    /// In plain text, or Fernet-encrypted since 1.8. If absent, the hash is present.
    pub api_key: Option<String>,
    /// SHA-256 in hexadecimal, in newer versions.
    pub api_key_hash: Option<String>,
    /// Whether it works.
    pub is_active: bool,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
    /// How often it was used.
    pub total_uses: i64,
}

/// All accounts and keys, read at one moment.
#[derive(Debug)]
pub struct LangflowAccounts {
    /// The users, oldest first.
    pub users: Vec<Result<LangflowUser, BrokenRow>>,
    /// Their keys, oldest first.
    pub keys: Vec<Result<LangflowKey, BrokenRow>>,
}

/// A value of a row.
enum Field {
    Null,
    Text(String),
    Integer(i64),
    NotUtf8,
    Other,
}

/// A column of a query on PostgreSQL.
pub(super) struct PostgresColumn {
    pub name: String,
    /// Whether the query returns it as a number, or else as a text.
    pub is_number: bool,
}

/// A row, read by column name: versions have different columns in different order.
pub(super) enum RowFields<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a Row<'a>, &'a [PostgresColumn]),
}

impl RowFields<'_> {
    fn value(&self, column: &str) -> Field {
        match self {
            Self::Sqlite(row) => match row.get_ref(column).unwrap_or(ValueRef::Null) {
                ValueRef::Null => Field::Null,
                ValueRef::Text(bytes) => {
                    std::str::from_utf8(bytes).map_or(Field::NotUtf8, |text| Field::Text(text.to_owned()))
                }
                ValueRef::Integer(number) => Field::Integer(number),
                ValueRef::Real(_) | ValueRef::Blob(_) => Field::Other,
            },
            Self::Postgres(row, columns) => {
                let Some(index) = columns.iter().position(|found| found.name == column) else { return Field::Null };
                let value = if columns.get(index).is_some_and(|found| found.is_number) {
                    row.get::<Option<i64>>(index).map(|value| value.map_or(Field::Null, Field::Integer))
                } else {
                    row.get::<Option<String>>(index).map(|value| value.map_or(Field::Null, Field::Text))
                };
                value.unwrap_or(Field::Other)
            }
        }
    }

    /// Reads the row, or says which one is broken.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Self) -> Result<T, String>) -> Result<T, BrokenRow> {
        read(self).map_err(|why| BrokenRow { label: self.label(), why })
    }

    fn label(&self) -> String {
        let text = |column| self.text(column).ok().flatten();
        match (text("username").or_else(|| text("name")), text("id")) {
            (Some(name), Some(id)) => format!("{name} ({id})"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => "a row without a name".to_owned(),
        }
    }

    fn text(&self, column: &str) -> Result<Option<String>, String> {
        match self.value(column) {
            Field::Null => Ok(None),
            Field::Text(text) => Ok(Some(text)),
            Field::NotUtf8 => Err(format!("`{column}` is not UTF-8")),
            Field::Integer(_) | Field::Other => Err(format!("`{column}` is not a text")),
        }
    }

    fn needed(&self, column: &str) -> Result<String, String> {
        self.text(column)?.ok_or_else(|| format!("`{column}` is empty"))
    }

    fn id(&self, column: &str) -> Result<Uuid, String> {
        Uuid::try_parse(&self.needed(column)?).map_err(|_| format!("`{column}` is not a UUID"))
    }

    fn number(&self, column: &str) -> Result<Option<i64>, String> {
        match self.value(column) {
            Field::Null => Ok(None),
            Field::Integer(number) => Ok(Some(number)),
            _ => Err(format!("`{column}` is not a number")),
        }
    }

    fn flag(&self, column: &str) -> Result<bool, String> {
        match self.number(column)? {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            _ => Err(format!("`{column}` is neither 0 nor 1")),
        }
    }

    fn time(&self, column: &str) -> Result<Option<Timestamp>, String> {
        let Some(text) = self.text(column)? else { return Ok(None) };
        // Times without an offset, as SQLAlchemy writes them, are UTC.
        let naive = |format| NaiveDateTime::parse_from_str(&text, format).map(|time| time.and_utc());
        let time = naive("%Y-%m-%d %H:%M:%S%.f")
            .or_else(|_| naive("%Y-%m-%dT%H:%M:%S%.f"))
            .or_else(|_| DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()));
        // Langflow's years have four digits.
        let time = time.ok().filter(|time| (1..=9999).contains(&time.year())).map(|time| time.trunc_subsecs(6));
        time.map(Some).ok_or_else(|| format!("`{column}` is not a time"))
    }
}

/// Reads a row of `user`.
pub(super) fn user(row: &RowFields<'_>) -> Result<LangflowUser, String> {
    let create_at = row.time("create_at")?.ok_or("`create_at` is empty")?;
    Ok(LangflowUser {
        id: row.id("id")?,
        username: row.needed("username")?,
        password: row.needed("password")?,
        profile_image: row.text("profile_image")?,
        store_api_key: row.text("store_api_key")?.filter(|text| !text.is_empty()),
        is_active: row.flag("is_active")?,
        is_superuser: row.flag("is_superuser")?,
        create_at,
        updated_at: row.time("updated_at")?.unwrap_or(create_at),
        last_login_at: row.time("last_login_at")?,
        // SQLAlchemy writes JSON's null.
        optins: row.text("optins")?.filter(|text| text != "null"),
    })
}

/// Reads a row of `apikey`.
pub(super) fn key(row: &RowFields<'_>) -> Result<LangflowKey, String> {
    let given = |column| Ok::<_, String>(row.text(column)?.filter(|text| !text.is_empty()));
    let (api_key, api_key_hash) = (given("api_key")?, given("api_key_hash")?);
    // An empty key counts as absent, as in Langflow.
    if api_key.is_none() && api_key_hash.is_none() {
        return Err("`api_key` is empty".to_owned());
    }
    Ok(LangflowKey {
        id: row.id("id")?,
        user_id: row.id("user_id")?,
        name: row.text("name")?,
        api_key,
        api_key_hash,
        is_active: row.flag("is_active")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        last_used_at: row.time("last_used_at")?,
        total_uses: row.number("total_uses")?.unwrap_or(0).max(0),
    })
}
