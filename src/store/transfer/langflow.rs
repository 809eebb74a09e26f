//! Reads Langflow's database without writing to it: the tables `user` and `apikey` as versions 1.3 to 1.13 write them.
//! Keys are returned as stored.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, NaiveDateTime, SubsecRound};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Row};
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::store::engine::error::StoreError;
use crate::store::engine::sqlite::readonly_open::{self, ReadonlyOpenError};

/// Rows between two progress reports.
const WATCHED: u64 = 1024;
/// The columns that `user` has in every version.
const USER_COLUMNS: [&str; 7] = ["id", "username", "password", "is_active", "is_superuser", "create_at", "updated_at"];
/// The columns that `apikey` has in every version.
const KEY_COLUMNS: [&str; 3] = ["id", "api_key", "user_id"];

/// Why the database can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LangflowError {
    /// The file doesn't exist or can't be read.
    #[error("{path}: {cause}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// Another program holds the lock.
    #[error("{0} is locked by another program; try again, or stop Langflow for the import")]
    Locked(PathBuf),
    /// This user can't open the file.
    #[error(
        "{0} can't be opened by this user; run this as the user that Langflow runs as, or import from a copy made while Langflow is stopped"
    )]
    PermissionDenied(PathBuf),
    /// The file isn't a SQLite database.
    #[error("{0} is not a SQLite database")]
    NotSqlite(PathBuf),
    /// The file is corrupt.
    #[error("{0} is damaged; repair it, as by `sqlite3 {name} .recover`, and import from what comes out", name = .0.display())]
    Damaged(PathBuf),
    /// SQLite can't read it.
    #[error("{path} can't be read: {}", cause.described())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        cause: StoreError,
    },
    /// The import was cancelled.
    #[error("stopped; nothing was imported")]
    Stopped,
    /// It is another program's database.
    #[error("{path} is not a Langflow database: it has no table `{table}` with a column `{column}`")]
    NotLangflowAccounts {
        /// Which file.
        path: PathBuf,
        /// The table that was looked for.
        table: &'static str,
        /// The missing column.
        column: &'static str,
    },
}

/// A row that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRow {
    /// The row's name and id, as far as readable.
    pub label: String,
    /// What is wrong with it.
    pub why: String,
}

/// A user of Langflow. Times and ids are parsed, the rest is as stored.
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
    /// Whose it is.
    pub user_id: Uuid,
    /// What its owner calls it.
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

/// Reads the file, also while Langflow runs. `spare` is a directory for a copy, if one is needed. `on_progress`
/// receives the rows done and the total, and returns false to cancel.
pub fn read(
    path: &Path,
    spare: &Path,
    mut on_progress: impl FnMut(u64, u64) -> bool,
) -> Result<LangflowAccounts, LangflowError> {
    let unreadable = |error: rusqlite::Error| failed(path, error);
    let file = readonly_open::open(path, spare).map_err(|error| match error {
        ReadonlyOpenError::Io(cause) => LangflowError::Io { path: path.to_owned(), cause },
        ReadonlyOpenError::Sqlite(error) => unreadable(error),
    })?;
    let connection = &file.connection;
    let mut whole = 0;
    for (table, columns) in [("user", &USER_COLUMNS[..]), ("apikey", &KEY_COLUMNS[..])] {
        let found = columns_of(connection, table).map_err(unreadable)?;
        if let Some(&column) = columns.iter().find(|&&column| !found.iter().any(|name| name == column)) {
            return Err(LangflowError::NotLangflowAccounts { path: path.to_owned(), table, column });
        }
        let count = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
        whole += u64::try_from(count.map_err(unreadable)?).unwrap_or(0);
    }
    let mut done = 0;
    let mut watch = || {
        done += 1;
        done % WATCHED != 0 || on_progress(done, whole)
    };
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
    read: fn(&Fields<'_>) -> Result<T, String>,
    watch: &mut impl FnMut() -> bool,
) -> rusqlite::Result<Option<Vec<Result<T, BrokenRow>>>> {
    let mut statement = connection.prepare(sql)?;
    let mut found = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        let fields = Fields(row);
        all.push(read(&fields).map_err(|why| BrokenRow { label: fields.label(), why }));
        if !watch() {
            return Ok(None);
        }
    }
    Ok(Some(all))
}

/// A row, read by column name: versions have different columns in different order.
struct Fields<'a>(&'a Row<'a>);

impl Fields<'_> {
    fn value(&self, column: &str) -> ValueRef<'_> {
        self.0.get_ref(column).unwrap_or(ValueRef::Null)
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
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => {
                let text = std::str::from_utf8(bytes).map_err(|_| format!("`{column}` is not UTF-8"))?;
                Ok(Some(text.to_owned()))
            }
            _ => Err(format!("`{column}` is not a text")),
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
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
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

fn user(row: &Fields<'_>) -> Result<LangflowUser, String> {
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

fn key(row: &Fields<'_>) -> Result<LangflowKey, String> {
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
