//! An open connection to PostgreSQL: prepared statements, the state of its transaction, and a time limit on every wait.
//!
//! A frozen server, or one behind a broken network, keeps its connections open and silent. So each wait has a limit,
//! after which the connection counts as lost. Nothing is cancelled: PostgreSQL answers a COMMIT that is cancelled while
//! it waits for a standby as if it had succeeded.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use futures_util::future::join;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::link::Link;
use crate::store::engine::postgres::server::PostgresServer;
use crate::store::engine::value::Value;

/// How long PostgreSQL may take to answer. Longer than `lock_timeout` in [`super::server`].
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the waits for the lock and for the COMMIT may take together. Other servers and a slow standby could use up
/// [`ANSWER_TIMEOUT`] twice.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(20);
/// How long PostgreSQL may take to answer in a long transaction, whose commit and checks take longer.
const LONG_ANSWER_TIMEOUT: Duration = Duration::from_mins(10);
/// How long an orderly end may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// An open connection.
pub struct PostgresSession {
    /// `None` only while it is dropped.
    link: Option<Link>,
    /// Prepared statements by their text, as the tables' queries have it.
    statements: RefCell<HashMap<String, Statement>>,
    in_transaction: Cell<bool>,
    answer_timeout: Cell<Duration>,
    /// How long the open transaction waited for its lock.
    lock_wait: Cell<Duration>,
    /// Statements that are sent with the next one, which saves a round trip for each.
    deferred: RefCell<String>,
    /// Whether PostgreSQL didn't answer in time, or doesn't accept writes any more.
    is_lost: Cell<bool>,
    /// How many connections of the server were lost, and how many of them before this one was opened. What broke one,
    /// such as a failover or a silent network, has most likely broken all that are older. Each would otherwise make a
    /// request wait until it is found out.
    losses: Arc<AtomicUsize>,
    losses_before: usize,
    /// Whether PostgreSQL has sent a warning.
    has_warned: Arc<AtomicBool>,
}

impl PostgresSession {
    /// Connects to the host that accepts writes. All hosts are asked at once, because one of them may be frozen.
    pub fn open(server: &PostgresServer) -> Result<Self, StoreError> {
        let has_warned = Arc::new(AtomicBool::new(false));
        let losses = Arc::clone(server.losses());
        let losses_before = losses.load(Ordering::Relaxed);
        Ok(Self {
            link: Some(Link::open(server, &has_warned)?),
            statements: RefCell::new(HashMap::new()),
            in_transaction: Cell::new(false),
            answer_timeout: Cell::new(ANSWER_TIMEOUT),
            lock_wait: Cell::default(),
            deferred: RefCell::default(),
            is_lost: Cell::new(false),
            losses,
            losses_before,
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
            self.losses.fetch_add(1, Ordering::Relaxed);
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
        let began = Instant::now();
        let outcome = self.batch(sql);
        self.lock_wait.set(began.elapsed());
        if outcome.is_err() && !self.is_broken() {
            // BEGIN may have succeeded, and the statement after it failed.
            let _ = self.end("ROLLBACK");
        }
        outcome
    }

    /// Ends the transaction.
    pub fn end(&self, sql: &str) -> Result<(), StoreError> {
        self.in_transaction.set(false);
        let usual = self.answer_timeout.get();
        if usual == ANSWER_TIMEOUT {
            self.answer_timeout.set(usual.min(TRANSACTION_TIMEOUT.saturating_sub(self.lock_wait.take())));
        }
        let outcome = self.batch(sql);
        self.answer_timeout.set(usual);
        outcome
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

    /// Reports whether the connection must be replaced. Looks for what has arrived, without waiting.
    pub fn is_broken(&self) -> bool {
        let is_older = self.losses.load(Ordering::Relaxed) != self.losses_before;
        if is_older || self.is_lost.get() || self.link().client.is_closed() {
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
