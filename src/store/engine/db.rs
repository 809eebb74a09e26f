//! Owns the two doors to SQLite. Both take a synchronous closure over a pooled connection and run it on one of the
//! store's own threads, so that no worker of the server ever waits for the disk.
//!
//! Few threads of our own beat `web::block`: a hop costs one queue and one wake-up, connections and their prepared
//! statements stay with their thread, and the queues are bounded, so that overload is refused instead of piled up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use r2d2::{ManageConnection, Pool};
use rusqlite::Connection;
use scheduled_thread_pool::ScheduledThreadPool;
use tokio::sync::oneshot;

use crate::store::engine::connection::{ConnectionKind, ConnectionManager};
use crate::store::engine::error::{StoreError, WriteError};
use crate::store::engine::file::{self, DATABASE_FILE, OpenError};
use crate::store::engine::open_files::OpenFiles;
use crate::store::engine::stats::{QueueLengths, WriterStats};
use crate::store::engine::thread_liveness::{ThreadActivity, ThreadLiveness};
use crate::store::engine::writer::{self, QueuedWrite, WriteJob};

/// How much work each queue holds before further work is refused.
const QUEUE: usize = 1024;
/// How long the pools may take to open their connections.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// How a database is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory that holds [`DATABASE_FILE`]; it exists.
    pub data_dir: PathBuf,
    /// How many threads read.
    pub readers: usize,
    /// Whether a missing database is made; the command line never makes one.
    pub create: bool,
}

/// The open database; clones share it.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

/// A `None` in a queue ends the thread that takes it.
struct Inner {
    reads: Sender<Option<Read>>,
    writes: Sender<Option<Box<dyn WriteJob>>>,
    readers: Mutex<Vec<JoinHandle<()>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// One for each thread.
    beats: Vec<ThreadActivity>,
    stats: WriterStats,
}

impl Db {
    /// Opens the database, makes it if `create` says so, and brings its schema up to date, keeping a copy of the
    /// file before it changes an older one. A file that is not usher's is refused untouched.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        Self::open_for_test(options, "")
    }

    /// Opens it as [`Db::open`] does, and then runs `setup` on the connection that writes. For tests that need
    /// checkpoints more often, or that must fail when the log is not synced; nothing else may call it.
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
        // Opened by hand and first: a pool retries for seconds and forgets SQLite's code; this one says at once what
        // is wrong, and while it is open the readers find the log in place.
        let first = ConnectionManager { path: path.clone(), kind: ConnectionKind::Writer, setup }
            .connect()
            .map_err(|error| failed(error.into()))?;
        file::bring_up_to_date(&path, &first)?;
        let opener = Arc::new(ScheduledThreadPool::new(1));
        let pool =
            |kind, size| pool(ConnectionManager { path: path.clone(), kind, setup }, size, &opener).map_err(failed);
        let (writer, readers) = (pool(ConnectionKind::Writer, 1)?, pool(ConnectionKind::Reader, options.readers)?);
        drop(first);
        let mut files = OpenFiles::of(&path);
        let (writes, jobs) = bounded::<Option<Box<dyn WriteJob>>>(QUEUE);
        let beat = ThreadActivity::default();
        let mut beats = vec![beat.clone()];
        let stats = WriterStats::default();
        let counted = stats.clone();
        let write = move || {
            checked_out(&writer, |connection| writer::run(connection, &mut files, &jobs, &beat, &counted));
        };
        let writer = spawn("usher-writer", write).map_err(|cause| OpenError::Io { path: path.clone(), cause })?;
        let (reads, jobs) = bounded::<Option<Read>>(QUEUE);
        let readers = (0..options.readers)
            .map(|_| {
                let (pool, jobs, beat) = (readers.clone(), jobs.clone(), ThreadActivity::default());
                beats.push(beat.clone());
                spawn("usher-reader", move || checked_out(&pool, |connection| read(connection, &jobs, &beat)))
            })
            .collect::<Result<_, _>>()
            .map_err(|cause| OpenError::Io { path: path.clone(), cause })?;
        let (readers, writer) = (Mutex::new(readers), Mutex::new(Some(writer)));
        Ok(Self(Arc::new(Inner { reads, writes, readers, writer, beats, stats })))
    }

    /// Runs `work` on a connection that can only read.
    ///
    /// # Errors
    /// What `work` returns, or [`StoreError::Overloaded`] at once when too much is queued already.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        // A client that went away does not hear of it.
        let job: Read = Box::new(move |connection| drop(reply.send(work(connection))));
        self.0.reads.try_send(Some(job)).map_err(refused)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Stopped.into()))
    }

    /// Queues `work` for a reader thread and returns at once. If the queue is full, `work` doesn't run.
    pub fn read_detached(&self, work: impl FnOnce(&Connection) + Send + 'static) {
        let _ = self.0.reads.try_send(Some(Box::new(work)));
    }

    /// Runs `work` in a transaction and answers when it is on the disk. When `work` refuses, what it had changed is
    /// undone; when it changed nothing, its answer still waits for the group's commit, as it may rest on a row that
    /// was written just before it.
    ///
    /// # Errors
    /// What `work` returns, or why nothing was written: [`StoreError::Overloaded`] at once, or what the commit met.
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

    /// What the writing thread has counted so far.
    pub fn stats(&self) -> &WriterStats {
        &self.0.stats
    }

    /// How much waits.
    pub fn queued(&self) -> QueueLengths {
        QueueLengths { reads: self.0.reads.len(), writes: self.0.writes.len() }
    }

    /// How far each thread is; `None` when one has ended before [`Db::close`].
    pub fn pulse(&self) -> Option<ThreadLiveness> {
        let ended = |thread: &JoinHandle<()>| thread.is_finished();
        let readers = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let all_live = !readers.iter().any(ended) && !writer.as_ref().is_some_and(ended);
        all_live.then(|| ThreadLiveness::of(self.0.beats.iter()))
    }

    /// Does what is queued, folds the write-ahead log into the file, and ends the threads. Later calls through other
    /// clones get [`StoreError::Stopped`].
    pub fn close(&self) {
        let readers = std::mem::take(&mut *self.0.readers.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in &readers {
            // Fails when the threads are gone, which is what is wanted.
            let _ = self.0.reads.send(None);
        }
        join(readers);
        // Last, and alone: SQLite removes the log with the last connection that is closed, and of two that are closed at
        // once neither is the last.
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
            log::error!("a thread of the database panicked");
        }
    }
}

fn refused<T>(error: TrySendError<T>) -> StoreError {
    match error {
        TrySendError::Full(_) => StoreError::Overloaded,
        TrySendError::Disconnected(_) => StoreError::Stopped,
    }
}

fn read(connection: &Connection, jobs: &Receiver<Option<Read>>, beat: &ThreadActivity) {
    while let Ok(Some(job)) = jobs.recv() {
        if beat.during(|| catch_unwind(AssertUnwindSafe(|| job(connection)))).is_err() {
            log::error!("a read panicked");
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// A pool of `size` connections, all open when it returns.
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

/// Gives a thread its connection for as long as it lives, and closes it there: back in the pool it would be closed when
/// the last that holds the pool lets go, which may be the thread that opened it, and later than [`Db::close`] thinks.
#[expect(clippy::disallowed_methods, reason = "this is what both doors lead to")]
fn checked_out(pool: &Pool<ConnectionManager>, work: impl FnOnce(&Connection)) {
    match pool.get() {
        Ok(mut connection) => {
            work(&connection);
            if let Ok(nothing) = Connection::open_in_memory() {
                drop(std::mem::replace(&mut *connection, nothing));
            }
        }
        Err(error) => log::error!("no connection to the database: {error}"),
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
