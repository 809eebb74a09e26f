//! Owns looks at a database that may be damaged, of another version, or in use: nothing is written, nothing is made, and
//! each question fails by itself.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use crate::domain::clock::Timestamp;
use crate::domain::secret::Fingerprint;
use crate::store::engine::error::StoreError;
use crate::store::engine::file::{self, OpenError};
use crate::store::engine::readonly_open::{self, ReadonlyDatabase, ReadonlyOpenError};
use crate::store::engine::schema;
use crate::store::secret_key::{self, StoreKey};

/// How many of the newest entries of the audit log are looked at for the latest time: they are written in its order.
const NEWEST: u32 = 1000;

/// A database that is looked at.
pub struct Inspection(ReadonlyDatabase);

/// What is told of backups in the audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backups {
    /// When the last one was made that succeeded.
    pub made: Option<Timestamp>,
    /// When one failed since then, the last time.
    pub failed: Option<Timestamp>,
}

impl Inspection {
    /// Opens the database at `path` for looking; `spare` is a directory for a copy, which is made only where a program
    /// was cut off and nothing of its memory is left.
    pub fn open(path: &Path, spare: &Path) -> Result<Self, OpenError> {
        if !file::check_header(path)? {
            return Err(OpenError::Missing(path.to_owned()));
        }
        readonly_open::open(path, spare).map(Self).map_err(|error| match error {
            ReadonlyOpenError::Io(cause) => OpenError::Io { path: path.to_owned(), cause },
            ReadonlyOpenError::Sqlite(error) => OpenError::Store { path: path.to_owned(), cause: error.into() },
        })
    }

    fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// The schema's version.
    pub fn version(&self) -> Result<u32, StoreError> {
        schema::version(self.connection())
    }

    /// What SQLite and the schema's own rules find wrong, `most` faults at most.
    pub fn faults(&self, most: u32) -> Result<Vec<String>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare(&format!("PRAGMA integrity_check({most})"))?;
        let found: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0))?.collect();
        let mut faults: Vec<String> = found?.into_iter().filter(|line| line != "ok").collect();
        let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
        let orphans: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0))?.collect();
        for table in orphans? {
            faults.push(format!("a row of {table} belongs to nobody"));
            if faults.len() >= most as usize {
                return Ok(faults);
            }
        }
        let (counted, there): (i64, i64) =
            connection.query_row("SELECT n, (SELECT count(*) FROM users) FROM user_count", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        if counted != there {
            faults.push(format!("{there} users are there, and {counted} are counted"));
        }
        Ok(faults)
    }

    /// How many users there are.
    pub fn users(&self) -> Result<i64, StoreError> {
        Ok(self.connection().query_row("SELECT count(*) FROM users", [], |row| row.get(0))?)
    }

    /// Whether somebody who can sign in is a superuser.
    pub fn has_superuser(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE is_superuser = 1 AND is_active = 1)";
        Ok(self.connection().query_row(sql, [], |row| row.get(0))?)
    }

    /// By what the secret key is known that goes with it; `None` where it does not say.
    pub fn fingerprint(&self) -> Result<Option<Fingerprint>, StoreError> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'secret_key'";
        if self.connection().query_row(sql, [], |_| Ok(())).optional()?.is_none() {
            return Ok(None);
        }
        secret_key::fingerprint(self.connection())
    }

    /// Every stored store key.
    pub fn store_keys(&self) -> Result<Vec<StoreKey>, StoreError> {
        secret_key::store_keys(self.connection())
    }

    /// The latest time that was written down lately.
    pub fn latest(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = format!(
            "SELECT max(at) FROM (SELECT at FROM (SELECT at FROM audit ORDER BY id DESC LIMIT {NEWEST}) \
             UNION ALL SELECT at FROM heartbeat)"
        );
        Ok(self.connection().query_row(&sql, [], |row| row.get(0))?)
    }

    /// What the audit log tells of backups.
    pub fn backups(&self) -> Result<Backups, StoreError> {
        let last = |success: bool| -> Result<Option<(i64, Timestamp)>, StoreError> {
            let sql = "SELECT id, at FROM audit WHERE action = 'backup' AND success = ? ORDER BY id DESC LIMIT 1";
            let row = self.connection().query_row(sql, [success], |row| Ok((row.get(0)?, row.get(1)?)));
            Ok(row.optional()?)
        };
        let (made, failed) = (last(true)?, last(false)?);
        let since = failed.filter(|(id, _)| made.is_none_or(|(made, _)| *id > made));
        Ok(Backups { made: made.map(|(_, at)| at), failed: since.map(|(_, at)| at) })
    }
}
