//! The open database. [`Db::read`] and [`Db::write`] run a synchronous closure over a pooled connection on one of the
//! store's own threads, so that the server's workers never wait for the disk.
//!
//! A few dedicated threads are faster than `web::block`: a call costs one queue and one wake-up, and connections keep
//! their prepared statements. The queues are bounded, so overload is refused instead of queued.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use r2d2::Pool;
use scheduled_thread_pool::ScheduledThreadPool;
use tokio::sync::oneshot;

use crate::store::engine::connection::Connection;
use crate::store::engine::error::{StoreError, WriteError};
use crate::store::engine::pool::{Lease, Opener, PostgresOpener, pool};
use crate::store::engine::postgres::schema::{self, SchemaError};
use crate::store::engine::postgres::server::PostgresServer;
use crate::store::engine::sqlite::commit_watch::{CommitWatch, Version};
use crate::store::engine::sqlite::file::{self, DATABASE_FILE, OpenError};
use crate::store::engine::sqlite::log_owner;
use crate::store::engine::sqlite::open::{ConnectionKind, SqliteOpener};
use crate::store::engine::sqlite::open_files::OpenFiles;
use crate::store::engine::stats::{QueueLengths, WriterStats};
use crate::store::engine::thread_liveness::{ThreadActivity, ThreadLiveness};
use crate::store::engine::writer::{self, QueuedWrite, WriteJob};

/// The capacity of each queue. Further work is refused.
const QUEUE: usize = 1024;

/// A queued read. It gets an error if no connection can be opened.
type Read = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

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

/// Why a PostgreSQL database couldn't be opened.
#[derive(Debug, thiserror::Error)]
pub enum PostgresOpenError {
    /// The database can't be used.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The server can't be reached, or refuses.
    #[error("{}", .0.described())]
    Store(#[from] StoreError),
    /// The system started no thread.
    #[error("no thread could be started: {0}")]
    Thread(#[from] io::Error),
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
    /// SQLite's file.
    path: Option<PathBuf>,
    /// Watches SQLite's file.
    commits: Option<CommitWatch>,
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
        let had_log = file::has_log(&path);
        // Open one connection without the pool first: a pool retries for seconds and loses SQLite's error code. While
        // it is open, the readers find the log in place.
        let opener = |kind| SqliteOpener { path: path.clone(), kind, setup };
        let first = opener(ConnectionKind::Writer).open().map_err(|error| failed(error.into()))?;
        file::migrate(&path, &first)?;
        if !had_log {
            let recorded =
                if options.create { log_owner::mark(&path, &first) } else { log_owner::forget_former(&path) };
            if let Err(error) = recorded {
                log::warn!("After a crash, usher won't notice if {} is replaced: {error}", path.display());
            }
        }
        let threads = Arc::new(ScheduledThreadPool::new(1));
        let pool = |kind, size| pool(Opener::Sqlite(opener(kind)), size, &threads).map_err(failed);
        let (writer, readers) = (pool(ConnectionKind::Writer, 1)?, pool(ConnectionKind::Reader, options.readers)?);
        let (files, commits) = (OpenFiles::of(&path), CommitWatch::of(&path));
        drop(first);
        Self::start(&writer, &readers, options.readers, Some((files, commits)))
            .map_err(|cause| OpenError::Io { path, cause })
    }

    /// Connects to a PostgreSQL server, creates the schema in an empty database if `create` is set, and checks its
    /// version.
    pub fn open_postgres(server: &PostgresServer, readers: usize, create: bool) -> Result<Self, PostgresOpenError> {
        // A thread that runs a server's worker can't wait for the connection's runtime.
        let prepare = || {
            let connection = server.connect()?;
            schema::prepare(&connection, create)?;
            Ok::<_, SchemaError>(connection)
        };
        let prepared = thread::scope(|scope| scope.spawn(prepare).join());
        let first = prepared.map_err(|_| StoreError::Stopped)??;
        // One pool for the writer and the readers: the first thread that works gets the open connection, so that a
        // command that only reads opens no second one.
        let opener = Opener::Postgres(Box::new(PostgresOpener::new(server, first)));
        let pool = pool(opener, readers + 1, &Arc::new(ScheduledThreadPool::new(1)))?;
        Ok(Self::start(&pool, &pool, readers, None)?)
    }

    /// Reports whether other servers can use the database, too.
    pub fn is_shared(&self) -> bool {
        self.0.path.is_none()
    }

    /// Returns the version, which changes with each commit of any process, before that commit is acknowledged. `None`
    /// if it can't be told at once, as with PostgreSQL. What was read after a version was returned is true for as long
    /// as the version stays the same. Waits for nothing, so that a worker can ask.
    pub fn version(&self) -> Option<Version> {
        self.0.commits.as_ref()?.version()
    }

    fn start(
        writer: &Pool<Opener>,
        readers: &Pool<Opener>,
        reader_threads: usize,
        sqlite: Option<(OpenFiles, CommitWatch)>,
    ) -> io::Result<Self> {
        let (mut files, commits) = sqlite.unzip();
        let path = files.as_ref().map(|files: &OpenFiles| files.database().to_owned());
        let (writes, jobs) = bounded::<Option<Box<dyn WriteJob>>>(QUEUE);
        let activity = ThreadActivity::default();
        let mut activities = vec![activity.clone()];
        let stats = WriterStats::default();
        let counted = stats.clone();
        let mut lease = Lease::new(writer.clone());
        let writer = spawn("usher-writer", move || {
            writer::run(&mut lease, files.as_mut(), &jobs, &activity, &counted);
        })?;
        let (reads, jobs) = bounded::<Option<Read>>(QUEUE);
        let readers = (0..reader_threads)
            .map(|_| {
                let (mut lease, jobs, activity) =
                    (Lease::new(readers.clone()), jobs.clone(), ThreadActivity::default());
                activities.push(activity.clone());
                spawn("usher-reader", move || read(&mut lease, &jobs, &activity))
            })
            .collect::<Result<_, _>>()?;
        let (readers, writer) = (Mutex::new(readers), Mutex::new(Some(writer)));
        Ok(Self(Arc::new(Inner { reads, writes, readers, writer, activities, stats, path, commits })))
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
        let job: Read = Box::new(move |connection| drop(reply.send(connection.map_err(E::from).and_then(work))));
        self.0.reads.try_send(Some(job)).map_err(refused)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Stopped.into()))
    }

    /// Queues `work` for a reader thread and returns at once. If the queue is full, `work` doesn't run.
    pub fn read_detached(&self, work: impl FnOnce(&Connection) + Send + 'static) {
        let job: Read = Box::new(move |connection| match connection {
            Ok(connection) => work(connection),
            Err(error) => log::warn!("No connection to the database: {}", error.described()),
        });
        let _ = self.0.reads.try_send(Some(job));
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
        if let Some(commits) = &self.0.commits {
            commits.stop();
        }
        // The writer closes last and alone: SQLite removes the log when the last connection closes, and of two that
        // close at the same time neither is the last.
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some() {
            let _ = self.0.writes.send(None);
        }
        join(writer);
        if let Some(path) = &self.0.path
            && let Err(error) = log_owner::forget_without_log(path)
        {
            log::warn!("{}: {error}", path.display());
        }
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

fn read(lease: &mut Lease, jobs: &Receiver<Option<Read>>, activity: &ThreadActivity) {
    while let Ok(Some(job)) = jobs.recv() {
        let connection = match lease.connection() {
            Ok(connection) => connection,
            Err(error) => {
                job(Err(error.clone()));
                // The others have waited as long for a connection.
                for queued in jobs.try_iter() {
                    let Some(job) = queued else { return };
                    job(Err(error.clone()));
                }
                continue;
            }
        };
        if activity.during(|| catch_unwind(AssertUnwindSafe(|| job(Ok(connection))))).is_err() {
            log::error!("A read panicked.");
            // It may have left its snapshot open.
            let _ = connection.roll_back();
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
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
            assert!(db.version().is_some());
            db.close();
            assert_eq!(db.version(), None);
            let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left, [DATABASE_FILE]);
        }
    }
}
