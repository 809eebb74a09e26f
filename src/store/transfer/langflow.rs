//! Owns how the original's database is read: its tables `user` and `apikey` as versions 1.3 to 1.13 write them, and
//! nothing is ever written there. Must not know what becomes of the rows; keys are handed on as they stand.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, NaiveDateTime, SubsecRound};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Row};
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::store::engine::error::StoreError;
use crate::store::engine::readonly_open::{self, ReadonlyOpenError};

/// Rows between two looks at the progress.
const WATCHED: u64 = 1024;
/// What every version's table of users has.
const USER_COLUMNS: [&str; 7] = ["id", "username", "password", "is_active", "is_superuser", "create_at", "updated_at"];
/// What every version's table of keys has.
const KEY_COLUMNS: [&str; 3] = ["id", "api_key", "user_id"];

/// Why the file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LangflowError {
    /// It is not there, or may not be read.
    #[error("{path}: {cause}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// Another program writes it and does not stop.
    #[error("{0} is locked by another program; try again, or stop Langflow for the import")]
    Locked(PathBuf),
    /// This user may not do what reading a database takes.
    #[error(
        "{0} cannot be opened by this user; run this as the user that Langflow runs as, or import from a copy made while Langflow is stopped"
    )]
    Closed(PathBuf),
    /// It is some other kind of file.
    #[error("{0} is no database of Langflow, nor of SQLite at all")]
    NotSqlite(PathBuf),
    /// Its pages make no sense.
    #[error("{0} is damaged; repair it, as by `sqlite3 {name} .recover`, and import from what comes out", name = .0.display())]
    Damaged(PathBuf),
    /// SQLite cannot read it.
    #[error("{path} cannot be read: {}", cause.described())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        cause: StoreError,
    },
    /// It was told to stop.
    #[error("stopped; nothing was imported")]
    Stopped,
    /// It is some other database.
    #[error("{path} is no database of Langflow: it has no table `{table}` with a column `{column}`")]
    NotLangflow {
        /// Which file.
        path: PathBuf,
        /// The table that was looked for.
        table: &'static str,
        /// The column that is not there.
        column: &'static str,
    },
}

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRow {
    /// The row's id or name as far as it has one.
    pub label: String,
    /// What is wrong with it.
    pub why: String,
}

/// A user as the original keeps one; times and id are read, the rest is as it stands.
#[derive(Clone, Debug)]
pub struct LangflowUser {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub username: String,
    /// Its password's hash.
    pub password: String,
    /// Its picture.
    pub profile_image: Option<String>,
    /// Fernet-encrypted.
    pub store_api_key: Option<String>,
    /// May sign in.
    pub is_active: bool,
    /// Administers.
    pub is_superuser: bool,
    /// When it was made.
    pub create_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
    /// When it signed in last.
    pub last_login_at: Option<Timestamp>,
}

/// A key as the original keeps one.
#[derive(Clone, Debug)]
pub struct LangflowKey {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// What its owner calls it.
    pub name: Option<String>,
    /// In plain text, or Fernet-encrypted since 1.8; where it is not there, its hash is.
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

/// Everything that concerns accounts, from one moment.
#[derive(Debug)]
pub struct Langflow {
    /// The users, oldest first.
    pub users: Vec<Result<LangflowUser, BrokenRow>>,
    /// Their keys, oldest first.
    pub keys: Vec<Result<LangflowKey, BrokenRow>>,
}

/// Reads the file, also while the original runs. `spare` is a directory for a copy, where reading needs one. `goes_on`
/// is told of rows done and rows in all, and says whether to go on.
pub fn read(path: &Path, spare: &Path, mut goes_on: impl FnMut(u64, u64) -> bool) -> Result<Langflow, LangflowError> {
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
            return Err(LangflowError::NotLangflow { path: path.to_owned(), table, column });
        }
        let count = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
        whole += u64::try_from(count.map_err(unreadable)?).unwrap_or(0);
    }
    let mut done = 0;
    let mut watch = || {
        done += 1;
        done % WATCHED != 0 || goes_on(done, whole)
    };
    let users =
        rows(connection, "SELECT * FROM user ORDER BY create_at, rowid", user, &mut watch).map_err(unreadable)?;
    let keys = rows(connection, "SELECT * FROM apikey ORDER BY rowid", key, &mut watch).map_err(unreadable)?;
    users.zip(keys).map(|(users, keys)| Langflow { users, keys }).ok_or(LangflowError::Stopped)
}

fn failed(path: &Path, error: rusqlite::Error) -> LangflowError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LangflowError::Locked(path),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => LangflowError::Closed(path),
        Some(ErrorCode::NotADatabase) => LangflowError::NotSqlite(path),
        Some(ErrorCode::DatabaseCorrupt) => LangflowError::Damaged(path),
        _ => LangflowError::Unreadable { path, cause: error.into() },
    }
}

fn columns_of(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare("SELECT name FROM pragma_table_info(?)")?.query_map([table], |row| row.get(0))?.collect()
}

/// All rows, or `None` when somebody said to stop.
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

/// One row, read by name: versions differ in which columns there are and in what order.
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
        Uuid::try_parse(&self.needed(column)?).map_err(|_| format!("`{column}` is no UUID"))
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
        // Without an offset, as SQLAlchemy writes them, times are UTC.
        let naive = |format| NaiveDateTime::parse_from_str(&text, format).map(|time| time.and_utc());
        let time = naive("%Y-%m-%d %H:%M:%S%.f")
            .or_else(|_| naive("%Y-%m-%dT%H:%M:%S%.f"))
            .or_else(|_| DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()));
        // The original's years have four digits, as clients' do.
        let time = time.ok().filter(|time| (1..=9999).contains(&time.year())).map(|time| time.trunc_subsecs(6));
        time.map(Some).ok_or_else(|| format!("`{column}` is no time"))
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
    })
}

fn key(row: &Fields<'_>) -> Result<LangflowKey, String> {
    let given = |column| Ok::<_, String>(row.text(column)?.filter(|text| !text.is_empty()));
    let (api_key, api_key_hash) = (given("api_key")?, given("api_key_hash")?);
    // An empty key is none: the server takes it for no key at all.
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
