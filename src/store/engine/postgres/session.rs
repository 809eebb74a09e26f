//! An open connection to PostgreSQL: prepared statements, the state of its transaction, and a time limit on every wait.
//!
//! A frozen server, or one behind a broken network, keeps its connections open and silent. So each wait has a limit,
//! after which the connection counts as lost. Nothing is cancelled: PostgreSQL answers a COMMIT that is cancelled while
//! it waits for a standby as if it had succeeded.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::join;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, Row, Statement};

use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::server::PostgresServer;
use crate::store::engine::value::Value;

/// How long opening a connection may take, whatever the number of hosts.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long PostgreSQL may take to answer. Longer than `lock_timeout` in [`super::server`].
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long PostgreSQL may take to answer in a long transaction, whose commit and checks take longer.
const LONG_ANSWER_TIMEOUT: Duration = Duration::from_mins(10);
/// How long an orderly end may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The runtime and the task that move the connection's data whenever something waits for it.
struct Link {
    runtime: Runtime,
    client: Client,
    transport: JoinHandle<()>,
}

/// An open connection.
pub struct PostgresSession {
    /// `None` only while it is dropped.
    link: Option<Link>,
    /// Prepared statements by their text, as the tables' queries have it.
    statements: RefCell<HashMap<String, Statement>>,
    in_transaction: Cell<bool>,
    answer_timeout: Cell<Duration>,
    /// Statements that are sent with the next one, which saves a round trip for each.
    deferred: RefCell<String>,
    /// Whether PostgreSQL didn't answer in time, or doesn't accept writes any more.
    is_lost: Cell<bool>,
    /// Whether PostgreSQL has sent a warning.
    has_warned: Arc<AtomicBool>,
}

impl PostgresSession {
    /// Connects to the host that accepts writes. All hosts are asked at once, because one of them may be frozen.
    pub fn open(server: &PostgresServer) -> Result<Self, StoreError> {
        // It looks at the connection at every turn, so that `is_broken` notices its end.
        let runtime = Builder::new_current_thread().enable_all().event_interval(1).build();
        let runtime = runtime.map_err(|error| StoreError::System(Arc::new(error)))?;
        let has_warned = Arc::new(AtomicBool::new(false));
        let connected = runtime.block_on(async { timeout(CONNECT_TIMEOUT, connect(server, &has_warned)).await });
        let (client, transport) = match connected {
            Ok(Ok(connected)) => connected,
            failed => {
                runtime.shutdown_background();
                return Err(failed.map_or(StoreError::NoAnswer, |failed| failed.err().unwrap_or(StoreError::NoAnswer)));
            }
        };
        Ok(Self {
            link: Some(Link { runtime, client, transport }),
            statements: RefCell::new(HashMap::new()),
            in_transaction: Cell::new(false),
            answer_timeout: Cell::new(ANSWER_TIMEOUT),
            deferred: RefCell::default(),
            is_lost: Cell::new(false),
            has_warned,
        })
    }

    fn link(&self) -> &Link {
        self.link.as_ref().expect("only drop takes it")
    }

    /// The driver's handle.
    pub(super) fn client(&self) -> &Client {
        &self.link().client
    }

    /// Lets PostgreSQL take longer to answer, for a long transaction.
    pub(super) fn allow_long_answers(&self) {
        self.answer_timeout.set(LONG_ANSWER_TIMEOUT);
    }

    /// Sends the deferred statements, and waits for their answer and for this one.
    pub(super) fn wait<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        let Link { runtime, client, .. } = self.link();
        let deferred = self.deferred.take();
        let answers = async {
            if deferred.is_empty() {
                return answer.await;
            }
            // The first of them is sent first.
            let (before, answer) = join(client.batch_execute(&deferred), answer).await;
            before.and(answer)
        };
        let answered = runtime.block_on(async { timeout(self.answer_timeout.get(), answers).await });
        let outcome = answered.map_or(Err(StoreError::NoAnswer), |answer| answer.map_err(StoreError::from));
        if outcome.as_ref().is_err_and(StoreError::loses_connection) {
            self.is_lost.set(true);
        }
        outcome
    }

    /// Runs a statement without parameters together with the next one.
    pub fn defer(&self, sql: &str) {
        let mut deferred = self.deferred.borrow_mut();
        deferred.push_str(sql);
        deferred.push(';');
    }

    pub(super) fn prepared(&self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.wait(self.link().client.prepare(&with_numbered_parameters(sql)))?;
        self.statements.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Prepares a statement without running it.
    pub fn prepare(&self, sql: &str) -> Result<(), StoreError> {
        self.prepared(sql).map(drop)
    }

    /// Returns the statements that were prepared, for a test that looks for missing ones.
    #[doc(hidden)]
    pub fn prepared_statements(&self) -> Vec<String> {
        self.statements.borrow().keys().cloned().collect()
    }

    /// Returns all rows of a query.
    pub fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepared(sql)?;
        self.wait(self.link().client.query(&statement, &parameters(values)))
    }

    /// Calls `read` with each row of a query.
    pub fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let statement = self.prepared(sql)?;
        let mut rows = pin!(self.wait(self.link().client.query_raw(&statement, parameters(values)))?);
        while let Some(row) = self.wait(rows.try_next())? {
            read(&row)?;
        }
        Ok(())
    }

    /// Runs a statement and returns the number of rows that it changed.
    pub fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        let statement = self.prepared(sql)?;
        let changed = self.wait(self.link().client.execute(&statement, &parameters(values)))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// Runs a statement in its own savepoint, and rolls back to it if the statement fails.
    pub fn execute_in_savepoint(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        if !self.in_transaction() {
            return self.execute(sql, values);
        }
        self.defer("SAVEPOINT statement");
        let outcome = self.execute(sql, values);
        self.defer(if outcome.is_ok() { "RELEASE statement" } else { "ROLLBACK TO statement; RELEASE statement" });
        outcome
    }

    /// Runs statements without parameters, separated by semicolons.
    pub fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.wait(self.link().client.batch_execute(sql))
    }

    /// Begins a transaction.
    pub fn begin(&self, sql: &str) -> Result<(), StoreError> {
        self.in_transaction.set(true);
        self.deferred.take();
        let outcome = self.batch(sql);
        if outcome.is_err() && !self.is_broken() {
            // BEGIN may have succeeded, and the statement after it failed.
            let _ = self.end("ROLLBACK");
        }
        outcome
    }

    /// Ends the transaction.
    pub fn end(&self, sql: &str) -> Result<(), StoreError> {
        self.in_transaction.set(false);
        self.batch(sql)
    }

    /// Commits the transaction. A warning is an error: a commit that was cancelled while it waited for a standby has
    /// one.
    pub fn commit(&self) -> Result<(), StoreError> {
        self.has_warned.store(false, Ordering::Relaxed);
        self.end("COMMIT")?;
        if self.has_warned.load(Ordering::Relaxed) { Err(StoreError::NotReplicated) } else { Ok(()) }
    }

    /// Reports whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction.get() && !self.is_lost.get() && !self.link().client.is_closed()
    }

    /// Reports whether the connection is lost. Looks for what has arrived, without waiting.
    pub fn is_broken(&self) -> bool {
        if self.is_lost.get() || self.link().client.is_closed() {
            return true;
        }
        self.link().runtime.block_on(async {
            for _ in 0..3 {
                yield_now().await;
            }
        });
        self.link().client.is_closed()
    }
}

/// Ends the session in order, so that PostgreSQL logs no error.
impl Drop for PostgresSession {
    fn drop(&mut self) {
        let Some(Link { runtime, client, transport }) = self.link.take() else { return };
        drop(client);
        // A thread that runs a server's worker can't wait for another runtime.
        if !self.is_lost.get() && tokio::runtime::Handle::try_current().is_err() {
            runtime.block_on(async {
                let _ = timeout(CLOSE_TIMEOUT, transport).await;
            });
        }
        runtime.shutdown_background();
    }
}

/// Returns the first connection that works.
async fn connect(
    server: &PostgresServer,
    has_warned: &Arc<AtomicBool>,
) -> Result<(Client, JoinHandle<()>), StoreError> {
    let mut tries = JoinSet::new();
    for (config, tls) in server.hosts() {
        let has_warned = Arc::clone(has_warned);
        tries.spawn(async move {
            Ok::<_, tokio_postgres::Error>(match tls {
                None => spawned(config.connect(NoTls).await?, has_warned),
                Some(tls) => spawned(config.connect(tls).await?, has_warned),
            })
        });
    }
    let mut failed = StoreError::NoAnswer;
    while let Some(tried) = tries.join_next().await {
        match tried {
            Ok(Ok(connected)) => return Ok(connected),
            // A host's own error says more than that another can't be reached.
            Ok(Err(error)) if error.as_db_error().is_some() || matches!(failed, StoreError::NoAnswer) => {
                failed = error.into();
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }
    Err(failed)
}

/// Moves the connection's data in the background, whenever the runtime runs.
fn spawned<S, T>(
    (client, mut connection): (Client, Connection<S, T>),
    has_warned: Arc<AtomicBool>,
) -> (Client, JoinHandle<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let transport = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notice(notice) = message {
                log::warn!("PostgreSQL says: {}: {}", notice.severity(), notice.message());
                has_warned.store(true, Ordering::Relaxed);
            }
        }
    });
    (client, transport)
}

fn parameters<'a>(values: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// Replaces `?` and `?1` by `$1`. Texts in quotes stay as they are.
fn with_numbered_parameters(sql: &str) -> String {
    let mut numbered = String::with_capacity(sql.len() + 16);
    let (mut count, mut quoted) = (0, false);
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' => quoted = !quoted,
            '?' if !quoted => {
                numbered.push('$');
                if !characters.peek().is_some_and(char::is_ascii_digit) {
                    count += 1;
                    numbered.push_str(&count.to_string());
                }
                continue;
            }
            _ => {}
        }
        numbered.push(character);
    }
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_outside_of_quotes() {
        assert_eq!(with_numbered_parameters("a = ? AND b = '?' AND c = ?"), "a = $1 AND b = '?' AND c = $2");
        assert_eq!(with_numbered_parameters("?2, ?1, ?10"), "$2, $1, $10");
    }
}
