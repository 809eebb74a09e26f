//! Owns the one thread that writes. It takes all queued writes into one transaction, each in its own savepoint, and
//! answers each only after the COMMIT, which has synced the log: one sync serves all who wait (group commit).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crossbeam_channel::Receiver;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::engine::commit_hooks;
use crate::store::engine::error::{StoreError, WriteError};
use crate::store::engine::open_files::OpenFiles;
use crate::store::engine::stats::WriterStats;
use crate::store::engine::thread_liveness::ThreadActivity;

/// The most writes in one transaction, so that the first of them does not wait for an endless last.
const GROUP: usize = 256;

/// One queued write.
pub trait WriteJob: Send {
    /// Does the work inside a savepoint and says what is to become of it.
    fn run(&mut self, connection: &Connection) -> WriteOutcome;
    /// Answers whoever waits, once it is known whether the group was committed.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What is to become of a write's changes.
pub enum WriteOutcome {
    Keep,
    /// The use case refused; what it had changed until then is undone.
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
        let fate = match &result {
            Ok(_) => WriteOutcome::Keep,
            Err(error) => error.store_error().map_or(WriteOutcome::Undo, |error| WriteOutcome::Failed(error.clone())),
        };
        self.result = Some(result);
        fate
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(StoreError::Stopped.into()),
            (Err(error), _) => Err(error.into()),
        };
        // A client that went away does not hear of it; the write stands all the same.
        let _ = self.reply.send(result);
    }
}

/// Writes until it is sent a `None`, which [`super::Db::close`] does after the last write.
pub fn run(
    connection: &Connection,
    files: &mut OpenFiles,
    jobs: &Receiver<Option<Box<dyn WriteJob>>>,
    beat: &ThreadActivity,
    stats: &WriterStats,
) {
    let mut group: Vec<Box<dyn WriteJob>> = Vec::with_capacity(GROUP);
    let mut open = true;
    while open && let Ok(Some(first)) = jobs.recv() {
        group.push(first);
        beat.during(|| {
            write_and_answer(connection, files, &mut group, stats, || match jobs.try_recv() {
                Ok(Some(job)) => Some(job),
                Ok(None) => {
                    open = false;
                    None
                }
                Err(_) => None,
            });
        });
    }
    // So that the next start finds one file and nothing to recover.
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        log::warn!("the write-ahead log could not be checkpointed at the end: {error}");
    }
}

/// Writes `group`, and what comes in meanwhile, and answers all of it.
fn write_and_answer(
    connection: &Connection,
    files: &mut OpenFiles,
    group: &mut Vec<Box<dyn WriteJob>>,
    stats: &WriterStats,
    queued: impl FnMut() -> Option<Box<dyn WriteJob>>,
) {
    let began = Instant::now();
    let outcome = write(connection, files, group, queued);
    stats.group_seconds.observe(began.elapsed().as_secs_f64());
    // At most GROUP and as many again that waited in vain: exact as a float.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    stats.group_size.observe(group.len() as f64);
    if let Err(error) = &outcome {
        stats.failed.inc_by(group.len() as u64);
        log::error!("{} writes failed: {}", group.len(), error.described());
        if !connection.is_autocommit() {
            // What failed first is what everybody is told.
            let _ = connection.execute_batch("ROLLBACK");
        }
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

/// Runs `group`, and what comes in meanwhile, in one transaction; on an error, nothing of it stands.
fn write(
    connection: &Connection,
    files: &mut OpenFiles,
    group: &mut Vec<Box<dyn WriteJob>>,
    mut queued: impl FnMut() -> Option<Box<dyn WriteJob>>,
) -> Result<(), StoreError> {
    if let Err(error) = execute(connection, "BEGIN IMMEDIATE") {
        // Everybody in the queue has waited as long as the first for a lock that does not come.
        group.extend(std::iter::from_fn(queued).take(GROUP));
        return Err(error);
    }
    let mut at = 0;
    while let Some(job) = group.get_mut(at) {
        in_savepoint(connection, job.as_mut())?;
        at += 1;
        if at == group.len() && at < GROUP {
            group.extend(queued());
        }
    }
    // Before, so that nothing is added to files that are not ours any more; after, so that nothing is acknowledged
    // that went to a file which vanished meanwhile.
    files.check()?;
    execute(connection, "COMMIT")?;
    files.check()
}

fn in_savepoint(connection: &Connection, job: &mut dyn WriteJob) -> Result<(), StoreError> {
    execute(connection, "SAVEPOINT job")?;
    let hooks = commit_hooks::pending();
    match job.run(connection) {
        WriteOutcome::Keep => {}
        WriteOutcome::Failed(error) if connection.is_autocommit() => return Err(error),
        WriteOutcome::Undo | WriteOutcome::Failed(_) => {
            execute(connection, "ROLLBACK TO job")?;
            commit_hooks::roll_back_to(hooks);
        }
    }
    execute(connection, "RELEASE job")
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
