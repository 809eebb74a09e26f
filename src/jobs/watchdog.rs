//! Reports to the service manager that the server is alive, so that a hanging server is restarted. Checks that each
//! worker runs and that the database's threads answer. An error (a full disk, a lock) counts as an answer: a restart
//! wouldn't help.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::rt::{self, time};

use crate::jobs::JobContext;
use crate::platform::service;
use crate::store::{Db, StoreError, ThreadLiveness};

/// A tick counter for each worker.
#[derive(Clone, Debug, Default)]
pub struct WorkerTicks(Arc<Mutex<Vec<Arc<AtomicU64>>>>);

impl WorkerTicks {
    /// Counts a tick per `interval` on the worker that calls this.
    pub fn count_this_worker(&self, interval: Duration) {
        let ticks = Arc::new(AtomicU64::new(0));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&ticks));
        // Ends with the worker, and drops the counter.
        rt::spawn(async move {
            let mut interval = time::interval(interval);
            loop {
                interval.tick().await;
                ticks.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// Each worker's counter. A worker that panicked has been replaced and has none.
    fn ticks(&self) -> Vec<(usize, u64)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|ticks| Arc::strong_count(ticks) > 1);
        counts.iter().map(|ticks| (Arc::as_ptr(ticks) as usize, ticks.load(Ordering::Relaxed))).collect()
    }
}

/// Reports to the service manager twice per `timeout` while all checks pass. Runs until it is aborted.
pub async fn run(job: JobContext, workers: WorkerTicks, timeout: Duration) {
    let interval = timeout / 2;
    let mut check = LivenessCheck::new(job.db.clone(), workers);
    loop {
        time::sleep(interval).await;
        match check.run(interval).await {
            Ok(()) => service::notify_alive(),
            Err(what) => log::error!("{what}; nothing is reported to the service manager"),
        }
    }
}

/// Compares the threads' state with that of the last check.
struct LivenessCheck {
    db: Db,
    workers: WorkerTicks,
    threads: Option<ThreadLiveness>,
    ticks: Vec<(usize, u64)>,
}

impl LivenessCheck {
    fn new(db: Db, workers: WorkerTicks) -> Self {
        let (threads, ticks) = (db.thread_liveness(), workers.ticks());
        Self { db, workers, threads, ticks }
    }

    /// Returns what is wrong. The database has `timeout` to answer.
    async fn run(&mut self, timeout: Duration) -> Result<(), &'static str> {
        let (threads, ticks) = (self.db.thread_liveness(), self.workers.ticks());
        let (threads_before, ticks_before) =
            (std::mem::replace(&mut self.threads, threads.clone()), std::mem::replace(&mut self.ticks, ticks.clone()));
        if ticks.iter().any(|tick| ticks_before.contains(tick)) {
            return Err("a worker hangs");
        }
        let (Some(threads), Some(before)) = (threads, threads_before) else {
            return Err("a thread of the database has ended");
        };
        // Every wait for a PostgreSQL server has a limit, and during a failover a restart would only lose what waits.
        if self.db.is_shared() {
            return Ok(());
        }
        if threads.hangs_since(&before) {
            return Err("a thread of the database hangs");
        }
        let answers = async { (self.db.read(|_| Ok(())).await, self.db.write(|_| Ok(())).await) };
        match time::timeout(timeout, answers).await {
            Err(_) => Err("the database doesn't answer"),
            Ok((Err(StoreError::Stopped), _) | (_, Err(StoreError::Stopped))) => Err("the database has stopped"),
            Ok(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::store::Options;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn database() -> (tempfile::TempDir, Db) {
        let dir = tempfile::TempDir::new().unwrap();
        let db = Db::open(&Options { data_dir: dir.path().to_owned(), readers: 2, create: true }).unwrap();
        (dir, db)
    }

    /// Runs the check. `idle` first waits for the threads to finish, because no time passes between two checks here.
    async fn check_now(check: &mut LivenessCheck, idle: bool) -> Result<(), &'static str> {
        let works = |threads: ThreadLiveness| threads.hangs_since(&threads);
        while idle && check.db.thread_liveness().is_some_and(works) {
            std::thread::yield_now();
        }
        check.run(TIMEOUT).await
    }

    #[actix_web::test]
    async fn an_idle_server_is_alive_and_one_with_a_stopped_database_is_not() {
        let (_dir, db) = database();
        let mut check = LivenessCheck::new(db.clone(), WorkerTicks::default());
        assert_eq!(check_now(&mut check, true).await, Ok(()));
        assert_eq!(check_now(&mut check, true).await, Ok(()));
        db.close();
        assert_eq!(check_now(&mut check, true).await, Err("the database has stopped"));
    }

    #[actix_web::test]
    async fn a_database_that_refuses_writes_counts_as_alive() {
        let (dir, db) = database();
        let mut check = LivenessCheck::new(db.clone(), WorkerTicks::default());
        std::fs::remove_file(dir.path().join(crate::store::DATABASE_FILE)).unwrap();
        assert!(db.write(|_| Ok::<_, StoreError>(())).await.is_err());
        assert_eq!(check_now(&mut check, true).await, Ok(()));
    }

    #[actix_web::test]
    async fn one_hanging_reader_or_the_hanging_writer_is_found() {
        let (_dir, db) = database();
        let mut check = LivenessCheck::new(db.clone(), WorkerTicks::default());
        for write in [false, true] {
            let ((working, begun), (go_on, held)) = (mpsc::channel(), mpsc::channel::<()>());
            let hang = move || {
                working.send(()).unwrap();
                let _ = held.recv();
                Ok::<_, StoreError>(())
            };
            let db = db.clone();
            let work = rt::spawn(async move {
                if write { db.write(move |_| hang()).await } else { db.read(move |_| hang()).await }
            });
            rt::task::yield_now().await;
            begun.recv().unwrap();
            // At the first check, the thread may still be working.
            let first = check.run(Duration::from_millis(20)).await;
            assert_eq!(first, if write { Err("the database doesn't answer") } else { Ok(()) });
            assert_eq!(check_now(&mut check, false).await, Err("a thread of the database hangs"));
            drop(go_on);
            work.await.unwrap().unwrap();
            assert_eq!(check_now(&mut check, true).await, Ok(()));
        }
    }

    #[actix_web::test]
    async fn a_hanging_worker_is_found_and_one_that_ended_is_ignored() {
        let (_dir, db) = database();
        let workers = WorkerTicks::default();
        let (tick, ticks) = (Arc::new(AtomicU64::new(1)), workers.0.clone());
        ticks.lock().unwrap().push(Arc::clone(&tick));
        let mut check = LivenessCheck::new(db, workers);
        tick.fetch_add(1, Ordering::Relaxed);
        assert_eq!(check_now(&mut check, true).await, Ok(()));
        assert_eq!(check_now(&mut check, true).await, Err("a worker hangs"));
        drop(tick);
        assert_eq!(check_now(&mut check, true).await, Ok(()));
    }
}
