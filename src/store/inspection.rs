//! Read-only inspection of a database that may be damaged, of another version, or in use. Each query fails by itself.

use std::path::Path;

use crate::domain::clock::Timestamp;
use crate::domain::secret::Fingerprint;
use crate::domain::username::Username;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::schema::{self, SchemaError};
use crate::store::engine::postgres::server::PostgresServer;
use crate::store::engine::sqlite::file::{self, OpenError};
use crate::store::engine::sqlite::readonly_open::{self, ReadonlyOpenError};
use crate::store::engine::sqlite::temporary_database::TemporaryDatabase;
use crate::store::engine::value::bind;
use crate::store::factors;
use crate::store::secret_key::{self, EncryptedTexts};

/// A database that is open for inspection.
pub struct Inspection {
    connection: Connection,
    /// Deleted on drop, after the connection.
    _copy: Option<TemporaryDatabase>,
}

/// The backups, as recorded in the audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupHistory {
    /// The time of the last successful backup.
    pub made: Option<Timestamp>,
    /// The time of the last failure since then.
    pub failed: Option<Timestamp>,
}

impl Inspection {
    /// Opens the database at `path` without changing it. `scratch` is a directory for a copy, which is only needed
    /// after a crash.
    pub fn open(path: &Path, scratch: &Path) -> Result<Self, OpenError> {
        if !file::check_header(path)? {
            return Err(OpenError::Missing(path.to_owned()));
        }
        let opened = readonly_open::open(path, scratch).map_err(|error| match error {
            ReadonlyOpenError::Io(cause) => OpenError::Io { path: path.to_owned(), cause },
            ReadonlyOpenError::Sqlite(error) => OpenError::Store { path: path.to_owned(), cause: error.into() },
        })?;
        Ok(Self { connection: opened.connection.into(), _copy: opened.copy })
    }

    /// Connects to a PostgreSQL database, which must have usher's tables.
    pub fn connect(server: &PostgresServer) -> Result<Self, SchemaError> {
        let connection = server.connect()?;
        schema::prepare(&connection, false)?;
        Ok(Self { connection, _copy: None })
    }

    /// Reports whether PostgreSQL acknowledges a commit only when a standby has it, too.
    pub fn has_synchronous_standby(&self) -> Result<bool, StoreError> {
        schema::has_synchronous_standby(self.connection())
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the schema version.
    pub fn version(&self) -> Result<u32, StoreError> {
        self.connection().one("PRAGMA user_version", &[], |row| row.get(0))
    }

    /// Returns at most `most` errors that SQLite and the schema's own rules find.
    pub fn integrity_errors(&self, most: u32) -> Result<Vec<String>, StoreError> {
        let connection = self.connection();
        let found: Vec<String> = connection.all(&format!("PRAGMA integrity_check({most})"), &[], |row| row.get(0))?;
        let mut faults: Vec<String> = found.into_iter().filter(|line| line != "ok").collect();
        let orphans: Vec<String> = connection.all("PRAGMA foreign_key_check", &[], |row| row.get(0))?;
        for table in orphans {
            faults.push(format!("a row of {table} has no user"));
            if faults.len() >= most as usize {
                return Ok(faults);
            }
        }
        faults.extend(self.count_error()?);
        Ok(faults)
    }

    /// Compares the number of users with the stored count.
    pub fn count_error(&self) -> Result<Option<String>, StoreError> {
        let sql = "SELECT n, (SELECT count(*) FROM users) FROM user_count";
        let (counted, there): (i64, i64) = self.connection().one(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((counted != there).then(|| format!("there are {there} users, but user_count says {counted}")))
    }

    /// Returns the number of users.
    pub fn user_count(&self) -> Result<i64, StoreError> {
        self.connection().one("SELECT count(*) FROM users", &[], |row| row.get(0))
    }

    /// Returns at most `most` user names that `is_listed` selects, and how many it selects.
    pub fn names(
        &self,
        most: usize,
        is_listed: impl Fn(&Username) -> bool,
    ) -> Result<(usize, Vec<String>), StoreError> {
        let (mut count, mut listed) = (0, Vec::new());
        self.connection().each("SELECT username, username_folded FROM users ORDER BY id", &[], |row| {
            let name = Username::from_stored(row.get(0)?, row.get(1)?);
            if is_listed(&name) {
                count += 1;
                if listed.len() < most {
                    listed.push(name.to_string());
                }
            }
            Ok(())
        })?;
        Ok((count, listed))
    }

    /// Returns how many passkeys belong to another domain than this.
    pub fn orphaned_passkeys(&self, domain: Option<&str>) -> Result<u32, StoreError> {
        factors::orphaned_passkeys(self.connection(), domain)
    }

    /// Reports whether an active superuser exists.
    pub fn has_superuser(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE is_superuser = 1 AND is_active = 1)";
        self.connection().one(sql, &[], |row| row.get(0))
    }

    /// Returns the fingerprint of the database's secret key, if it is stored.
    pub fn fingerprint(&self) -> Result<Option<Fingerprint>, StoreError> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'secret_key'";
        // Older files have no such table.
        if self.connection().sqlite().is_some() && !self.connection().exists(sql, &[])? {
            return Ok(None);
        }
        secret_key::fingerprint(self.connection())
    }

    /// Returns all that is encrypted under the secret key.
    pub fn encrypted_texts(&self) -> Result<EncryptedTexts, StoreError> {
        EncryptedTexts::read(self.connection())
    }

    /// Returns the time of the newest audit entry by order of writing, or else of the heartbeat. Older entries with
    /// later times were written while the clock was wrong.
    pub fn latest_timestamp(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT coalesce((SELECT at FROM audit ORDER BY id DESC LIMIT 1), (SELECT at FROM heartbeat))";
        self.connection().one(sql, &[], |row| row.get(0))
    }

    /// Returns what the audit log records about backups.
    pub fn backup_history(&self) -> Result<BackupHistory, StoreError> {
        let last = |success: bool| -> Result<Option<(i64, Timestamp)>, StoreError> {
            let sql = "SELECT id, at FROM audit WHERE action = 'backup' AND success = ? ORDER BY id DESC LIMIT 1";
            self.connection().maybe(sql, bind![success], |row| Ok((row.get(0)?, row.get(1)?)))
        };
        let (made, failed) = (last(true)?, last(false)?);
        let since = failed.filter(|(id, _)| made.is_none_or(|(made, _)| *id > made));
        Ok(BackupHistory { made: made.map(|(_, at)| at), failed: since.map(|(_, at)| at) })
    }
}
