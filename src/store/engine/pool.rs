//! Connection pools for both engines, and the connections that the store's threads hold.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use r2d2::{HandleError, ManageConnection, Pool, PooledConnection};
use scheduled_thread_pool::ScheduledThreadPool;

use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::server::PostgresServer;
use crate::store::engine::sqlite::open::SqliteOpener;

/// How long opening a connection may take, including retries.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens connections for a pool.
#[derive(Debug)]
pub enum Opener {
    /// To a file.
    Sqlite(SqliteOpener),
    /// To a server.
    Postgres(Box<PostgresOpener>),
}

/// Opens connections to a server.
pub struct PostgresOpener {
    server: PostgresServer,
    /// The open connection, until a thread takes it.
    first: Mutex<Option<Connection>>,
}

impl fmt::Debug for PostgresOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.fmt(f)
    }
}

impl PostgresOpener {
    /// Returns an opener whose first connection is open already.
    pub fn new(server: &PostgresServer, first: Connection) -> Self {
        Self { server: server.clone(), first: Mutex::new(Some(first)) }
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        first.map_or_else(|| self.server.connect(), Ok)
    }
}

impl ManageConnection for Opener {
    type Connection = Connection;
    type Error = StoreError;

    fn connect(&self) -> Result<Connection, StoreError> {
        match self {
            Self::Sqlite(opener) => Ok(opener.connect()?),
            Self::Postgres(opener) => opener.connect(),
        }
    }

    fn is_valid(&self, connection: &mut Connection) -> Result<(), StoreError> {
        connection.batch("SELECT 1")
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.is_broken()
    }
}

/// Logs why a connection can't be opened, such as a wrong password, which the error alone doesn't say.
#[derive(Debug)]
struct LogCauses;

impl HandleError<StoreError> for LogCauses {
    fn handle_error(&self, error: StoreError) {
        log::error!("a connection to the database couldn't be opened: {}", error.described());
    }
}

/// Opens a pool of at most `size` connections. `threads` opens them: to a file now, while it is certainly the right
/// one, and to a server when they are first needed.
pub fn pool(opener: Opener, size: usize, threads: &Arc<ScheduledThreadPool>) -> Result<Pool<Opener>, StoreError> {
    let at_once = match opener {
        Opener::Sqlite(_) => None,
        Opener::Postgres(_) => Some(0),
    };
    Pool::builder()
        .min_idle(at_once)
        .max_size(u32::try_from(size).unwrap_or(u32::MAX))
        .test_on_check_out(false)
        .max_lifetime(None)
        .idle_timeout(None)
        .connection_timeout(OPEN_TIMEOUT)
        .error_handler(Box::new(LogCauses))
        .thread_pool(Arc::clone(threads))
        .build(opener)
        .map_err(pool_error)
}

fn pool_error(error: r2d2::Error) -> StoreError {
    StoreError::Pool(Arc::new(error))
}

/// The connection that a thread holds for its life, replaced when it is lost.
pub struct Lease {
    pool: Pool<Opener>,
    connection: Option<PooledConnection<Opener>>,
}

impl Lease {
    /// Holds no connection yet.
    pub fn new(pool: Pool<Opener>) -> Self {
        Self { pool, connection: None }
    }

    /// Returns the connection. Opens another one if it is lost.
    #[expect(clippy::disallowed_methods, reason = "the one place that checks a connection out")]
    pub fn connection(&mut self) -> Result<&Connection, StoreError> {
        if self.connection.as_ref().is_some_and(|connection| connection.is_broken()) {
            // The pool drops it.
            self.connection = None;
        }
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none @ None => Ok(none.insert(self.pool.get().map_err(pool_error)?)),
        }
    }
}

/// Closes the connection on this thread, where it may wait. Back in the pool it would be closed by whichever thread
/// drops the pool last, possibly after [`crate::store::Db::close`] returned.
impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection
            && let Ok(placeholder) = rusqlite::Connection::open_in_memory()
        {
            drop(std::mem::replace(&mut **connection, placeholder.into()));
        }
    }
}
