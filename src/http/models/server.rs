//! JSON shapes of the server's state.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{maybe_time, time};

/// The server's state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Server")]
pub struct ServerRead {
    pub version: &'static str,
    #[serde(serialize_with = "time")]
    pub started_at: DateTime<Utc>,
    /// The URL that links start with.
    pub url: String,
    pub settings: Vec<SettingRead>,
    pub database: DatabaseRead,
    pub backups: BackupsRead,
    pub queues: QueuesRead,
}

/// A setting in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Setting")]
pub struct SettingRead {
    pub name: &'static str,
    pub section: &'static str,
    /// A secret is `***`.
    pub value: String,
    /// `default`, a file, an environment variable or a flag.
    pub source: String,
}

/// The database file and its rows.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Database")]
pub struct DatabaseRead {
    pub path: String,
    pub bytes: i64,
    /// The size of the write-ahead log.
    pub log_bytes: i64,
    pub schema_version: u32,
    pub active_users: i64,
    pub waiting_users: i64,
    pub inactive_users: i64,
    pub sessions: i64,
}

/// The server's own backups.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Backups")]
pub struct BackupsRead {
    /// The setting `backup_schedule`.
    pub schedule: String,
    /// How many are kept.
    pub keep: u32,
    /// Newest first.
    pub files: Vec<BackupRead>,
    /// When the last one was made or failed.
    #[serde(serialize_with = "maybe_time")]
    #[schema(required)]
    pub last_at: Option<DateTime<Utc>>,
    /// Whether it succeeded.
    #[schema(required)]
    pub last_success: Option<bool>,
}

/// A backup.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Backup")]
pub struct BackupRead {
    /// Its file name.
    pub name: String,
    #[serde(serialize_with = "time")]
    pub created_at: DateTime<Utc>,
    pub bytes: u64,
}

/// The work that waits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Queues")]
pub struct QueuesRead {
    /// Passwords that wait to be hashed.
    pub hashing: usize,
    /// Reads that wait for the database.
    pub reads: usize,
    /// Writes that wait for the database.
    pub writes: usize,
}
