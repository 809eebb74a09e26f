//! The writer thread (group commit). It runs all queued writes in one transaction, each in its own savepoint, and
//! answers each after the COMMIT has synced the log: one sync serves all of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use rusqlite::config::DbConfig;
use tokio::sync::oneshot;

use crate::store::engine::commit_hooks;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::{StoreError, WriteError};
use crate::store::engine::pool::Lease;
use crate::store::engine::sqlite::open_files::OpenFiles;
use crate::store::engine::stats::WriterStats;
use crate::store::engine::thread_liveness::ThreadActivity;

/// How long the last checkpoint waits for other programs.
const LAST_CHECKPOINT: Duration = Duration::from_millis(200);

/// After a failure that took longer, what was queued meanwhile fails, too. Otherwise it would wait for the next one.
const SLOW: Duration = Duration::from_secs(5);

/// A queued write.
pub trait WriteJob: Send {
    /// Runs inside a savepoint and says whether to keep its changes.
    fn run(&mut self, connection: &Connection) -> WriteOutcome;
    /// Sends the result to the caller once the outcome of the commit is known.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// Whether to keep a write's changes.
pub enum WriteOutcome {
    Keep,
    /// The use case refused; roll back to its savepoint.
    Undo,
    /// SQLite failed, and may have rolled back the whole transaction (as it does when the disk is full).
    Failed(StoreError),
}

/// A closure as a [`WriteJob`].
pub struct QueuedWrite<T, E, F> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> QueuedWrite<T, E, F> {
    pub fn new(work: F, reply: oneshot::Sender<Result<T, E>>) -> Self {
        Self { work: Some(work), result: None, reply }
    }
}

impl<T, E, F> WriteJob for QueuedWrite<T, E, F>
where
    T: Send,
    E: WriteError + Send,
    F: FnOnce(&Connection) -> Result<T, E> + Send,
{
    fn run(&mut self, connection: &Connection) -> WriteOutcome {
        let Some(work) = self.work.take() else { return WriteOutcome::Undo };
        let result =
            catch_unwind(AssertUnwindSafe(|| work(connection))).unwrap_or_else(|_| Err(StoreError::Stopped.into()));
        let outcome = match &result {
            Ok(_) => WriteOutcome::Keep,
            Err(error) => error.store_error().map_or(WriteOutcome::Undo, |error| WriteOutcome::Failed(error.clone())),
        };
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(StoreError::Stopped.into()),
            (Err(error), _) => Err(error.into()),
        };
        // The send fails if the caller is gone; the write stands.
        let _ = self.reply.send(result);
    }
}

/// Runs until it receives a `None`, which [`super::db::Db::close`] sends after the last write.
pub fn run(
    lease: &mut Lease,
    mut files: Option<&mut OpenFiles>,
    jobs: &Receiver<Option<Box<dyn WriteJob>>>,
    activity: &ThreadActivity,
    stats: &WriterStats,
) {
    let mut group: Vec<Box<dyn WriteJob>> = Vec::new();
    let mut open = true;
    while open && let Ok(Some(first)) = jobs.recv() {
        group.push(first);
        let connection = match lease.connection() {
            Ok(connection) => connection,
            Err(error) => {
                // The others have waited as long for a connection.
                group.extend(jobs.try_iter().map_while(|job| {
                    open = job.is_some();
                    job
                }));
                log::error!("{} writes failed: {}", group.len(), error.described());
                stats.failed.inc_by(group.len() as u64);
                group.drain(..).for_each(|job| job.answer(Err(error.clone())));
                continue;
            }
        };
        activity.during(|| {
            write_and_answer(connection, files.as_deref_mut(), &mut group, stats, || match jobs.try_recv() {
                Ok(Some(job)) => Some(job),
                Ok(None) => {
                    open = false;
                    None
                }
                Err(_) => None,
            });
        });
    }
    // PostgreSQL checkpoints by itself, and asking for a connection could open one.
    let Some(files) = files else { return };
    if files.check().is_err() {
        // Another process may have written to the log since, and this one would copy the wrong parts of it.
        let keep_log = |connection: &Connection| {
            let sqlite = connection.sqlite();
            sqlite.map_or(Ok(true), |sqlite| sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true))?;
            Ok(())
        };
        if let Err(error) = lease.connection().and_then(keep_log) {
            log::warn!("The write-ahead log may be checkpointed at shutdown: {}", error.described());
        }
        return;
    }
    // The next start then finds one file and nothing to recover. A program that reads all the time, such as Litestream,
    // holds a lock that this waits for, here and when the connection closes.
    let checkpoint = |connection: &Connection| {
        connection.sqlite().map_or(Ok(()), |connection| connection.busy_timeout(LAST_CHECKPOINT))?;
        connection.checkpoint()
    };
    if let Err(error) = lease.connection().and_then(checkpoint) {
        log::warn!("The write-ahead log couldn't be checkpointed at shutdown: {}", error.described());
    }
}

/// Writes `group` and the jobs that arrive meanwhile, and answers all of them.
fn write_and_answer(
    connection: &Connection,
    files: Option<&mut OpenFiles>,
    group: &mut Vec<Box<dyn WriteJob>>,
    stats: &WriterStats,
    mut queued: impl FnMut() -> Option<Box<dyn WriteJob>>,
) {
    let began = Instant::now();
    let outcome = write(connection, files, group, &mut queued);
    if outcome.is_err() && began.elapsed() > SLOW {
        // The others have waited as long for an answer.
        group.extend(std::iter::from_fn(queued));
    }
    stats.group_seconds.observe(began.elapsed().as_secs_f64());
    // At most a few hundred, which is exact as a float.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    stats.group_size.observe(group.len() as f64);
    if let Err(error) = &outcome {
        stats.failed.inc_by(group.len() as u64);
        log::error!("{} writes failed: {}", group.len(), error.described());
        // Every caller gets the first error.
        let _ = connection.roll_back();
    }
    if outcome.is_ok() {
        commit_hooks::run_pending();
    } else {
        commit_hooks::roll_back_to(0);
    }
    for job in group.drain(..) {
        job.answer(outcome.clone());
    }
}

/// Runs `group` and the jobs that arrive meanwhile in one transaction. On an error none of it stands.
fn write(
    connection: &Connection,
    mut files: Option<&mut OpenFiles>,
    group: &mut Vec<Box<dyn WriteJob>>,
    mut queued: impl FnMut() -> Option<Box<dyn WriteJob>>,
) -> Result<(), StoreError> {
    if let Err(error) = connection.begin_write() {
        // Fail the queued jobs, too: they have waited as long for the same lock.
        group.extend(std::iter::from_fn(queued).take(connection.max_group()));
        return Err(error);
    }
    let mut at = 0;
    while let Some(job) = group.get_mut(at) {
        in_savepoint(connection, job.as_mut())?;
        at += 1;
        if at == group.len() && at < connection.max_group() {
            group.extend(queued());
        }
    }
    // Check before the COMMIT, so that nothing is written to replaced files, and after it, so that nothing is
    // acknowledged that went to a file that vanished meanwhile.
    let mut check = || files.as_deref_mut().map_or(Ok(()), OpenFiles::check);
    check()?;
    connection.commit()?;
    check()
}

fn in_savepoint(connection: &Connection, job: &mut dyn WriteJob) -> Result<(), StoreError> {
    connection.begin_savepoint()?;
    let hooks = commit_hooks::pending();
    match job.run(connection) {
        WriteOutcome::Keep => {}
        WriteOutcome::Failed(error) if !connection.in_transaction() => return Err(error),
        WriteOutcome::Undo | WriteOutcome::Failed(_) => {
            connection.roll_back_to_savepoint()?;
            commit_hooks::roll_back_to(hooks);
        }
    }
    connection.release_savepoint()
}
