//! The queue for password hashing, which by design takes a core for a quarter of a second. One thread per core takes
//! jobs from a bounded queue. One client network can fill half of it. A quarter is reserved for known requesters, and
//! at least every second job is one of theirs: a flood of sign-ins from many networks doesn't keep them out.
//!
//! The bound is a time: a job that would wait longer than [`MAX_WAIT`] is refused.
//!
//! The threads have normal priority. With a lower one, a program that keeps every core busy makes a sign-in take many
//! times as long, and requests aren't faster (docs/performance.md).

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

/// The longest estimated wait of an accepted job.
const MAX_WAIT: Duration = Duration::from_secs(7);
/// One in this many places of the queue is reserved for known requesters.
const RESERVED_SHARE: usize = 4;
/// The most jobs in the queue, however fast the machine is.
const MAX_QUEUED: usize = 1024;

/// Who asks for a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Requester {
    /// The client's address.
    pub address: IpAddr,
    /// Whether the account has signed in from this address before, or the client is a signed-in superuser.
    pub is_known: bool,
}

impl From<IpAddr> for Requester {
    /// Returns a requester that isn't known.
    fn from(address: IpAddr) -> Self {
        Self { address, is_known: false }
    }
}

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
}

struct Queue {
    known: VecDeque<Waiting>,
    /// The jobs of others, and of known requesters when `known` is full.
    others: VecDeque<Waiting>,
    /// Whether the next job is one of `known`, if both have some.
    known_is_next: bool,
    /// The number of jobs by requester, with the network in place of the address.
    per_network: HashMap<Requester, usize>,
    closed: bool,
    /// The moving average of the time between the ends of two jobs, while others waited.
    job_interval: Duration,
    /// When a job last ended while others waited.
    last_end: Option<Instant>,
}

struct Waiting {
    from: Requester,
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
                while let Some(job) = shared.next() {
                    shared.work(job);
                }
            })?;
        }
        Ok(Self { shared })
    }

    /// Returns the statistics since the start.
    pub fn stats(&self) -> &HashingStats {
        &self.shared.stats
    }

    /// Returns the number of waiting jobs.
    pub fn waiting(&self) -> usize {
        self.shared.lock().len()
    }

    /// Runs `work` for a requester. A job whose caller stopped waiting is skipped.
    ///
    /// # Errors
    /// Returns [`QueueRefusal::Busy`] at once if the queue is full.
    pub async fn run<T: Send + 'static>(
        &self,
        from: Requester,
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
        let from = Requester { address: client_network(from.address), ..from };
        self.shared.enqueue(from, job)?;
        answer.await.map_err(|_| QueueRefusal::Stopped)
    }
}

impl Drop for HashingQueue {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.known.clear();
        queue.others.clear();
        self.shared.filled.notify_all();
    }
}

impl Shared {
    fn new(threads: usize, typical: Duration) -> Self {
        let job_interval = typical / u32::try_from(threads).unwrap_or(u32::MAX);
        let queue = Queue {
            known: VecDeque::new(),
            others: VecDeque::new(),
            known_is_next: true,
            per_network: HashMap::new(),
            closed: false,
            job_interval,
            last_end: None,
        };
        let (queue, stats) = (Mutex::new(queue), HashingStats::default());
        Self { threads, stats, queue, filled: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, from: Requester, job: Job) -> Result<(), QueueRefusal> {
        let mut queue = self.lock();
        let now = Instant::now();
        let room = queue.room(now).max(2 * self.threads);
        let own = Some(from).filter(|from| from.is_known && queue.has_room(*from, room));
        let from = own.unwrap_or(Requester { is_known: false, ..from });
        if !queue.has_room(from, room) {
            self.stats.refused.inc();
            return Err(QueueRefusal::Busy);
        }
        *queue.per_network.entry(from).or_insert(0) += 1;
        queue.part(from.is_known).push_back(Waiting { from, since: now, job });
        self.filled.notify_one();
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

    fn work(&self, job: Job) {
        if catch_unwind(AssertUnwindSafe(job)).unwrap_or(true) {
            self.lock().record_end(Instant::now());
        }
    }
}

impl Queue {
    /// Returns how many jobs may wait at the recent rate, or at a lower one if no job has ended for longer than that.
    fn room(&self, now: Instant) -> usize {
        let still_since = self.last_end.or_else(|| self.oldest().map(|first| first.since));
        let job_interval =
            still_since.map_or(self.job_interval, |since| self.job_interval.max(now.saturating_duration_since(since)));
        let room = MAX_WAIT.as_micros() / job_interval.as_micros().max(1);
        usize::try_from(room).unwrap_or(MAX_QUEUED).min(MAX_QUEUED)
    }

    fn len(&self) -> usize {
        self.known.len() + self.others.len()
    }

    fn part(&mut self, is_known: bool) -> &mut VecDeque<Waiting> {
        if is_known { &mut self.known } else { &mut self.others }
    }

    /// Reports whether the requester's part of a queue for `room` jobs has a place, for its network too.
    fn has_room(&self, from: Requester, room: usize) -> bool {
        let reserved = room.div_ceil(RESERVED_SHARE);
        if from.is_known {
            return self.known.len() < reserved;
        }
        let per_network = self.per_network.get(&from).copied().unwrap_or(0);
        self.others.len() < room - reserved && per_network < room / 2
    }

    fn oldest(&self) -> Option<&Waiting> {
        self.known.front().into_iter().chain(self.others.front()).min_by_key(|first| first.since)
    }

    /// Takes from both parts in turn.
    fn take(&mut self, stats: &HashingStats) -> Option<Job> {
        let is_known = if self.known_is_next { !self.known.is_empty() } else { self.others.is_empty() };
        self.known_is_next = !is_known;
        self.take_from(is_known, stats)
    }

    fn take_from(&mut self, is_known: bool, stats: &HashingStats) -> Option<Job> {
        let Waiting { from, job, since } = self.part(is_known).pop_front()?;
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
        self.last_end = (self.len() > 0).then_some(now);
    }
}

#[cfg(test)]
mod tests;
