//! The open database. [`Db::read`] and [`Db::write`] run a synchronous closure over a pooled connection on one of the
//! store's own threads, so that no server worker waits for the disk.
//!
//! A few dedicated threads are faster than `web::block`: a call costs one queue and one wake-up, and connections keep
//! their prepared statements. The queues are bounded, so overload is refused instead of queued.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use r2d2::{ManageConnection, Pool};
use scheduled_thread_pool::ScheduledThreadPool;
use tokio::sync::oneshot;

use crate::store::engine::connection::Connection;
use crate::store::engine::error::{StoreError, WriteError};
use crate::store::engine::sqlite::file::{self, DATABASE_FILE, OpenError};
use crate::store::engine::sqlite::open::{ConnectionKind, ConnectionManager};
use crate::store::engine::sqlite::open_files::OpenFiles;
use crate::store::engine::stats::{QueueLengths, WriterStats};
use crate::store::engine::thread_liveness::{ThreadActivity, ThreadLiveness};
use crate::store::engine::writer::{self, QueuedWrite, WriteJob};

/// The capacity of each queue. Further work is refused.
const QUEUE: usize = 1024;
/// How long a pool may take to open its connections.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// How to open a database.
#[derive(Clone, Debug)]
pub struct Options {
    /// The existing directory that holds [`DATABASE_FILE`].
    pub data_dir: PathBuf,
    /// The number of reader threads.
    pub readers: usize,
    /// Create the database if it is missing. Commands never do.
    pub create: bool,
}

/// A handle to the open database. Clones share it.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

/// A `None` in a queue ends the thread that receives it.
struct Inner {
    reads: Sender<Option<Read>>,
    writes: Sender<Option<Box<dyn WriteJob>>>,
    readers: Mutex<Vec<JoinHandle<()>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// One per thread.
    activities: Vec<ThreadActivity>,
    stats: WriterStats,
}

impl Db {
    /// Opens the database, creates it if `create` is set, and migrates its schema. Before an older file is changed, a
    /// copy of it is kept. A file of another program is refused untouched.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        Self::open_for_test(options, "")
    }

    /// Opens the database like [`Db::open`] and runs `setup` on the writer's connection. Only for tests that need more
    /// frequent checkpoints or a log that isn't synced.
    #[doc(hidden)]
    pub fn open_for_test(options: &Options, setup: &'static str) -> Result<Self, OpenError> {
        let path = options.data_dir.join(DATABASE_FILE);
        if file::check_header(&path)? {
            file::make_private(&path)?;
        } else {
            if !options.create {
                return Err(OpenError::Missing(path));
            }
            file::create(&path)?;
        }
        let failed = |cause| OpenError::Store { path: path.clone(), cause };
        // Open one connection without the pool first: a pool retries for seconds and loses SQLite's error code. While
        // it is open, the readers find the log in place.
        let first = ConnectionManager { path: path.clone(), kind: ConnectionKind::Writer, setup }
            .connect()
            .map_err(|error| failed(error.into()))?;
        file::migrate(&path, first.sqlite())?;
        let opener = Arc::new(ScheduledThreadPool::new(1));
        let pool =
            |kind, size| pool(ConnectionManager { path: path.clone(), kind, setup }, size, &opener).map_err(failed);
        let (writer, readers) = (pool(ConnectionKind::Writer, 1)?, pool(ConnectionKind::Reader, options.readers)?);
        drop(first);
        let mut files = OpenFiles::of(&path);
        let (writes, jobs) = bounded::<Option<Box<dyn WriteJob>>>(QUEUE);
        let activity = ThreadActivity::default();
        let mut activities = vec![activity.clone()];
        let stats = WriterStats::default();
        let counted = stats.clone();
        let write = move || {
            checked_out(&writer, |connection| writer::run(connection, &mut files, &jobs, &activity, &counted));
        };
        let writer = spawn("usher-writer", write).map_err(|cause| OpenError::Io { path: path.clone(), cause })?;
        let (reads, jobs) = bounded::<Option<Read>>(QUEUE);
        let readers = (0..options.readers)
            .map(|_| {
                let (pool, jobs, activity) = (readers.clone(), jobs.clone(), ThreadActivity::default());
                activities.push(activity.clone());
                spawn("usher-reader", move || checked_out(&pool, |connection| read(connection, &jobs, &activity)))
            })
            .collect::<Result<_, _>>()
            .map_err(|cause| OpenError::Io { path: path.clone(), cause })?;
        let (readers, writer) = (Mutex::new(readers), Mutex::new(Some(writer)));
        Ok(Self(Arc::new(Inner { reads, writes, readers, writer, activities, stats })))
    }

    /// Runs `work` on a read-only connection.
    ///
    /// # Errors
    /// Returns the error of `work`, or [`StoreError::Overloaded`] at once if the queue is full.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        // The send fails if the caller is gone.
        let job: Read = Box::new(move |connection| drop(reply.send(work(connection))));
        self.0.reads.try_send(Some(job)).map_err(refused)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Stopped.into()))
    }

    /// Queues `work` for a reader thread and returns at once. If the queue is full, `work` doesn't run.
    pub fn read_detached(&self, work: impl FnOnce(&Connection) + Send + 'static) {
        let _ = self.0.reads.try_send(Some(Box::new(work)));
    }

    /// Runs `work` in a transaction and returns once the commit is on the disk. If `work` fails, its changes are rolled
    /// back. If it changed nothing, it still waits for the group's commit, because its result may depend on a row that
    /// was written just before.
    ///
    /// # Errors
    /// Returns the error of `work`, [`StoreError::Overloaded`] at once if the queue is full, or the error of the
    /// commit.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: WriteError + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.0.writes.try_send(Some(Box::new(QueuedWrite::new(work, reply)))).map_err(refused)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Stopped.into()))
    }

    /// Returns the writer thread's statistics.
    pub fn stats(&self) -> &WriterStats {
        &self.0.stats
    }

    /// Returns the queue lengths.
    pub fn queued(&self) -> QueueLengths {
        QueueLengths { reads: self.0.reads.len(), writes: self.0.writes.len() }
    }

    /// Returns each thread's activity, or `None` if a thread ended before [`Db::close`].
    pub fn thread_liveness(&self) -> Option<ThreadLiveness> {
        let ended = |thread: &JoinHandle<()>| thread.is_finished();
        let readers = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let all_live = !readers.iter().any(ended) && !writer.as_ref().is_some_and(ended);
        all_live.then(|| ThreadLiveness::of(self.0.activities.iter()))
    }

    /// Runs what is queued, checkpoints the write-ahead log into the file, and ends the threads. Later calls through
    /// other clones get [`StoreError::Stopped`].
    pub fn close(&self) {
        let readers = std::mem::take(&mut *self.0.readers.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in &readers {
            // This fails if the threads are gone already.
            let _ = self.0.reads.send(None);
        }
        join(readers);
        // The writer closes last and alone: SQLite removes the log when the last connection closes, and of two that
        // close at the same time neither is the last.
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some() {
            let _ = self.0.writes.send(None);
        }
        join(writer);
    }
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            log::error!("A database thread panicked.");
        }
    }
}

fn refused<T>(error: TrySendError<T>) -> StoreError {
    match error {
        TrySendError::Full(_) => StoreError::Overloaded,
        TrySendError::Disconnected(_) => StoreError::Stopped,
    }
}

fn read(connection: &Connection, jobs: &Receiver<Option<Read>>, activity: &ThreadActivity) {
    while let Ok(Some(job)) = jobs.recv() {
        if activity.during(|| catch_unwind(AssertUnwindSafe(|| job(connection)))).is_err() {
            log::error!("A read panicked.");
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// Opens a pool of `size` connections.
fn pool(
    manager: ConnectionManager,
    size: usize,
    opener: &Arc<ScheduledThreadPool>,
) -> Result<Pool<ConnectionManager>, StoreError> {
    Pool::builder()
        .max_size(u32::try_from(size).unwrap_or(u32::MAX))
        .test_on_check_out(false)
        .max_lifetime(None)
        .idle_timeout(None)
        .connection_timeout(OPEN_TIMEOUT)
        .error_handler(Box::new(r2d2::LoggingErrorHandler))
        .thread_pool(Arc::clone(opener))
        .build(manager)
        .map_err(|error| StoreError::Pool(Arc::new(error)))
}

/// Lends a connection to this thread for the thread's life, and closes it here. Back in the pool it would be closed by
/// whichever thread drops the pool last, possibly after [`Db::close`] returned.
#[expect(clippy::disallowed_methods, reason = "the one place that checks a connection out")]
fn checked_out(pool: &Pool<ConnectionManager>, work: impl FnOnce(&Connection)) {
    match pool.get() {
        Ok(mut connection) => {
            work(&connection);
            if let Ok(placeholder) = rusqlite::Connection::open_in_memory() {
                drop(std::mem::replace(&mut *connection, placeholder.into()));
            }
        }
        Err(error) => log::error!("No connection to the database: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn closing_leaves_one_file_without_a_log() {
        let dir = tempfile::TempDir::new().unwrap();
        for _ in 0..20 {
            let options = Options { data_dir: dir.path().to_owned(), readers: 8, create: true };
            let db = Db::open(&options).unwrap();
            let all: Vec<_> = (0..8).map(|_| db.read(|_| Ok::<_, StoreError>(()))).collect();
            for one in all {
                one.await.unwrap();
            }
            db.close();
            let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left, [DATABASE_FILE]);
        }
    }
}
