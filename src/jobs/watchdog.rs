//! Owns whether the server is alive, for a service manager that starts a dead one anew: whether each worker still turns,
//! and whether the database's threads still answer. An answer that is bad news (a full disk, a lock) is a sign of life:
//! starting anew would not help.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::rt::{self, time};

use crate::jobs::JobContext;
use crate::platform::service;
use crate::store::{Db, StoreError, ThreadLiveness};

/// The turns of every worker, counted by each as long as it lives.
#[derive(Clone, Debug, Default)]
pub struct WorkerTicks(Arc<Mutex<Vec<Arc<AtomicU64>>>>);

impl WorkerTicks {
    /// Begins to count the turns of the worker on whose thread it is called, at least `period` apart.
    pub fn count_this_worker(&self, period: Duration) {
        let turns = Arc::new(AtomicU64::new(0));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&turns));
        // Dropped with its worker, and the count with it.
        rt::spawn(async move {
            let mut period = time::interval(period);
            loop {
                period.tick().await;
                turns.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// How many turns each has made. A worker that panicked is replaced by another one and has no count any more.
    fn turns(&self) -> Vec<(usize, u64)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|turns| Arc::strong_count(turns) > 1);
        counts.iter().map(|turns| (Arc::as_ptr(turns) as usize, turns.load(Ordering::Relaxed))).collect()
    }
}

/// Gives a sign of life for as long as there is one, twice within the manager's patience.
pub async fn watch(job: JobContext, workers: WorkerTicks, patience: Duration) {
    let period = patience / 2;
    let mut check = Check::begin(job.db.clone(), workers);
    loop {
        time::sleep(period).await;
        match check.again(period).await {
            Ok(()) => service::alive(),
            Err(what) => log::error!("{what}; the service manager is not told that all is well"),
        }
    }
}

/// What was found last.
struct Check {
    db: Db,
    workers: WorkerTicks,
    pulse: Option<ThreadLiveness>,
    turns: Vec<(usize, u64)>,
}

impl Check {
    fn begin(db: Db, workers: WorkerTicks) -> Self {
        let (pulse, turns) = (db.thread_liveness(), workers.turns());
        Self { db, workers, pulse, turns }
    }

    /// What is wrong since the last check, if anything; asks the database for so long.
    async fn again(&mut self, patience: Duration) -> Result<(), &'static str> {
        let (pulse, turns) = (self.db.thread_liveness(), self.workers.turns());
        let (pulse_before, turns_before) =
            (std::mem::replace(&mut self.pulse, pulse.clone()), std::mem::replace(&mut self.turns, turns.clone()));
        if turns.iter().any(|turn| turns_before.contains(turn)) {
            return Err("a worker hangs");
        }
        let (Some(pulse), Some(before)) = (pulse, pulse_before) else {
            return Err("a thread of the database has ended");
        };
        if pulse.hangs_since(&before) {
            return Err("a thread of the database hangs");
        }
        let answers = async { (self.db.read(|_| Ok(())).await, self.db.write(|_| Ok(())).await) };
        match time::timeout(patience, answers).await {
            Err(_) => Err("the database does not answer"),
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

    const PATIENCE: Duration = Duration::from_secs(30);

    fn database() -> (tempfile::TempDir, Db) {
        let dir = tempfile::TempDir::new().unwrap();
        let db = Db::open(&Options { data_dir: dir.path().to_owned(), readers: 2, create: true }).unwrap();
        (dir, db)
    }

    /// Checks when what was done before is behind the threads: here no time passes between one check and the next.
    async fn look(check: &mut Check, idle: bool) -> Result<(), &'static str> {
        let works = |pulse: ThreadLiveness| pulse.hangs_since(&pulse);
        while idle && check.db.thread_liveness().is_some_and(works) {
            std::thread::yield_now();
        }
        check.again(PATIENCE).await
    }

    #[actix_web::test]
    async fn a_server_at_rest_is_alive_and_one_whose_database_has_stopped_is_not() {
        let (_dir, db) = database();
        let mut check = Check::begin(db.clone(), WorkerTicks::default());
        assert_eq!(look(&mut check, true).await, Ok(()));
        assert_eq!(look(&mut check, true).await, Ok(()));
        db.close();
        assert_eq!(look(&mut check, true).await, Err("the database has stopped"));
    }

    #[actix_web::test]
    async fn a_database_that_another_program_has_locked_is_bad_news_and_no_death() {
        let (dir, db) = database();
        let mut check = Check::begin(db, WorkerTicks::default());
        let path = dir.path().join(crate::store::DATABASE_FILE);
        #[expect(clippy::disallowed_methods, reason = "another program, which has the database open")]
        let other = rusqlite::Connection::open(path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert_eq!(look(&mut check, true).await, Ok(()));
    }

    #[actix_web::test]
    async fn one_reader_of_several_or_the_writer_that_hangs_is_found() {
        let (_dir, db) = database();
        let mut check = Check::begin(db.clone(), WorkerTicks::default());
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
            // Busy when it was looked at for the first time, it may still be at work.
            let first = check.again(Duration::from_millis(20)).await;
            assert_eq!(first, if write { Err("the database does not answer") } else { Ok(()) });
            assert_eq!(look(&mut check, false).await, Err("a thread of the database hangs"));
            drop(go_on);
            work.await.unwrap().unwrap();
            assert_eq!(look(&mut check, true).await, Ok(()));
        }
    }

    #[actix_web::test]
    async fn a_worker_that_does_not_turn_is_found_and_one_that_is_gone_is_not_missed() {
        let (_dir, db) = database();
        let workers = WorkerTicks::default();
        let (turn, turns) = (Arc::new(AtomicU64::new(1)), workers.0.clone());
        turns.lock().unwrap().push(Arc::clone(&turn));
        let mut check = Check::begin(db, workers);
        turn.fetch_add(1, Ordering::Relaxed);
        assert_eq!(look(&mut check, true).await, Ok(()));
        assert_eq!(look(&mut check, true).await, Err("a worker hangs"));
        drop(turn);
        assert_eq!(look(&mut check, true).await, Ok(()));
    }
}
