//! The queue for password hashing, which takes a core for a quarter of a second by design. It has a low-priority thread
//! per core and bounds the queue; one client network may fill half of it.
//!
//! The bound is a time: a job that would wait longer than [`MAX_WAIT`] is refused. Low-priority threads can starve when
//! other programs use all cores, so jobs that have waited for [`PRIORITY_AFTER`] run at normal priority.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::oneshot;

use crate::domain::client_network::client_network;
use crate::platform;

/// The longest estimated wait of an accepted job.
const MAX_WAIT: Duration = Duration::from_secs(7);
/// The wait after which a thread of normal priority helps.
const PRIORITY_AFTER: Duration = Duration::from_secs(5);
/// The most jobs in the queue, however fast the machine is.
const MAX_QUEUED: usize = 1024;

/// Why a job didn't run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueRefusal {
    /// The queue is full, in total or for this network.
    Busy,
    /// The queue is closed, or the job panicked.
    Stopped,
}

/// The hashing queue.
pub struct HashingQueue {
    shared: Arc<Shared>,
}

/// Statistics for metrics.
#[derive(Clone, Debug)]
pub struct HashingStats {
    /// Seconds that jobs waited.
    pub waited: Histogram,
    /// Jobs that were refused.
    pub refused: Counter,
}

impl Default for HashingStats {
    fn default() -> Self {
        let waited = Histogram::new([0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0]);
        Self { waited, refused: Counter::default() }
    }
}

struct Shared {
    threads: usize,
    stats: HashingStats,
    queue: Mutex<Queue>,
    filled: Condvar,
    /// Wakes the thread of normal priority.
    waiting: Condvar,
}

struct Queue {
    jobs: VecDeque<Waiting>,
    /// The number of `jobs` per network.
    per_network: HashMap<IpAddr, usize>,
    closed: bool,
    /// The moving average of the time between the ends of two jobs, while others waited.
    job_interval: Duration,
    /// When a job last ended while others waited.
    last_end: Option<Instant>,
}

struct Waiting {
    from: IpAddr,
    since: Instant,
    job: Job,
}

/// Returns whether it did any work.
type Job = Box<dyn FnOnce() -> bool + Send>;

impl HashingQueue {
    /// Starts the threads. `typical` is a first estimate of a job's duration.
    ///
    /// # Errors
    /// Returns an error if a thread can't be started.
    pub fn start(threads: usize, typical: Duration) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(threads.max(1), typical));
        for _ in 0..shared.threads {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("usher-hasher".to_owned()).spawn(move || {
                platform::lower_thread_priority();
                while let Some(job) = shared.next() {
                    shared.work(job);
                }
            })?;
        }
        let helper = Arc::clone(&shared);
        thread::Builder::new().name("usher-hasher-2".to_owned()).spawn(move || {
            while let Some(job) = helper.next_late() {
                helper.work(job);
            }
        })?;
        Ok(Self { shared })
    }

    /// Returns the statistics since the start.
    pub fn stats(&self) -> &HashingStats {
        &self.shared.stats
    }

    /// Returns the number of waiting jobs.
    pub fn waiting(&self) -> usize {
        self.shared.lock().jobs.len()
    }

    /// Runs `work` for a client at `from`. A job whose caller stopped waiting is skipped.
    ///
    /// # Errors
    /// Returns [`QueueRefusal::Busy`] at once if the queue is full.
    pub async fn run<T: Send + 'static>(
        &self,
        from: IpAddr,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueueRefusal> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            if reply.is_closed() {
                return false;
            }
            let _ = reply.send(work());
            true
        });
        self.shared.enqueue(client_network(from), job)?;
        answer.await.map_err(|_| QueueRefusal::Stopped)
    }
}

impl Drop for HashingQueue {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.jobs.clear();
        self.shared.filled.notify_all();
        self.shared.waiting.notify_all();
    }
}

impl Shared {
    fn new(threads: usize, typical: Duration) -> Self {
        let job_interval = typical / u32::try_from(threads).unwrap_or(u32::MAX);
        let queue =
            Queue { jobs: VecDeque::new(), per_network: HashMap::new(), closed: false, job_interval, last_end: None };
        let (queue, stats) = (Mutex::new(queue), HashingStats::default());
        Self { threads, stats, queue, filled: Condvar::new(), waiting: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, from: IpAddr, job: Job) -> Result<(), QueueRefusal> {
        let mut queue = self.lock();
        let now = Instant::now();
        let room = queue.room(now).max(2 * self.threads);
        let per_network = queue.per_network.get(&from).copied().unwrap_or(0);
        if queue.jobs.len() >= room || per_network >= room / 2 {
            self.stats.refused.inc();
            return Err(QueueRefusal::Busy);
        }
        queue.per_network.insert(from, per_network + 1);
        queue.jobs.push_back(Waiting { from, since: now, job });
        self.filled.notify_one();
        if queue.jobs.len() == 1 {
            self.waiting.notify_one();
        }
        Ok(())
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(job) = queue.take(&self.stats) {
                return Some(job);
            }
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns the next job that has waited for [`PRIORITY_AFTER`].
    fn next_late(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            let left = queue.jobs.front().map(|first| PRIORITY_AFTER.saturating_sub(first.since.elapsed()));
            queue = match left {
                Some(Duration::ZERO) => return queue.take(&self.stats),
                Some(left) => self.waiting.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.waiting.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn work(&self, job: Job) {
        if catch_unwind(AssertUnwindSafe(job)).unwrap_or(true) {
            self.lock().record_end(Instant::now());
        }
    }
}

impl Queue {
    /// Returns how many jobs may wait at the recent rate, or at a lower one if no job has ended for longer than that.
    fn room(&self, now: Instant) -> usize {
        let still_since = self.last_end.or_else(|| self.jobs.front().map(|first| first.since));
        let job_interval =
            still_since.map_or(self.job_interval, |since| self.job_interval.max(now.saturating_duration_since(since)));
        let room = MAX_WAIT.as_micros() / job_interval.as_micros().max(1);
        usize::try_from(room).unwrap_or(MAX_QUEUED).min(MAX_QUEUED)
    }

    fn take(&mut self, stats: &HashingStats) -> Option<Job> {
        let Waiting { from, job, since } = self.jobs.pop_front()?;
        stats.waited.observe(since.elapsed().as_secs_f64());
        match self.per_network.get_mut(&from) {
            Some(per_network) if *per_network > 1 => *per_network -= 1,
            _ => drop(self.per_network.remove(&from)),
        }
        Some(job)
    }

    fn record_end(&mut self, now: Instant) {
        if let Some(before) = self.last_end {
            self.job_interval = (self.job_interval * 3 + now.saturating_duration_since(before)) / 4;
        }
        self.last_end = (!self.jobs.is_empty()).then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREADS: usize = 2;
    /// The queue holds 64 of these.
    const TYPICAL: Duration = Duration::from_micros(7_000_000 / 64 * 2);

    /// Without threads, so that jobs stay in the queue.
    fn without_threads() -> Shared {
        Shared::new(THREADS, TYPICAL)
    }

    fn fill(shared: &Shared, address: &str) -> usize {
        let from = client_network(address.parse().unwrap());
        (0..MAX_QUEUED).take_while(|_| shared.enqueue(from, Box::new(|| true)).is_ok()).count()
    }

    #[test]
    fn one_network_fills_at_most_half_of_the_queue_and_a_full_queue_refuses_at_once() {
        let shared = without_threads();
        assert_eq!(fill(&shared, "2001:db8::1"), 32);
        assert_eq!(fill(&shared, "2001:db8::2"), 0);
        assert_eq!(fill(&shared, "192.0.2.1"), 32);
        assert_eq!(fill(&shared, "192.0.2.2"), 0);
        while shared.lock().jobs.len() > 32 {
            drop(shared.next());
        }
        assert_eq!(fill(&shared, "192.0.2.2"), 32);
        assert_eq!(shared.lock().per_network.len(), 2);
    }

    #[test]
    fn a_slower_machine_accepts_fewer_jobs() {
        let shared = without_threads();
        let start = Instant::now();
        shared.lock().jobs.push_back(Waiting { from: [192, 0, 2, 9].into(), since: start, job: Box::new(|| true) });
        for second in 0..20 {
            shared.lock().record_end(start + Duration::from_secs(second));
        }
        let now = start + Duration::from_secs(19);
        let room = shared.lock().room(now);
        assert!((6..=8).contains(&room), "{room}");
        // No job has ended for four seconds.
        assert_eq!(shared.lock().room(now + Duration::from_secs(3)), 2);
    }

    #[test]
    fn idle_times_dont_change_the_estimated_rate() {
        let shared = without_threads();
        let start = Instant::now();
        for hour in 0..5 {
            shared.lock().record_end(start + Duration::from_secs(3600 * hour));
        }
        assert_eq!(shared.lock().room(start + Duration::from_secs(20_000)), 64);
    }

    #[test]
    fn late_jobs_run_on_the_thread_of_normal_priority() {
        let shared = without_threads();
        let (from, since) = ([192, 0, 2, 1].into(), Instant::now().checked_sub(PRIORITY_AFTER).unwrap());
        shared.lock().jobs.push_back(Waiting { from, since, job: Box::new(|| true) });
        shared.work(shared.next_late().unwrap());
        assert!(shared.lock().jobs.is_empty());
    }

    #[tokio::test]
    async fn jobs_run_unless_their_caller_stopped_waiting() {
        let gate = HashingQueue::start(1, TYPICAL).unwrap();
        let here = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(gate.run(here, || 7).await, Ok(7));
        let (per_network, holds) = std::sync::mpsc::channel::<()>();
        let first = gate.run(here, move || holds.recv().is_ok());
        let (touch, touched) = std::sync::mpsc::channel::<()>();
        let given_up = gate.run(here, move || touch.send(()).is_ok());
        let give_up = async {
            assert!(tokio::time::timeout(Duration::from_millis(5), given_up).await.is_err());
            drop(per_network);
        };
        assert_eq!(tokio::join!(first, give_up), (Ok(false), ()));
        assert_eq!(gate.run(here, || 8).await, Ok(8));
        assert!(touched.try_recv().is_err());
    }
}
