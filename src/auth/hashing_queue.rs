//! Owns the gate in front of work that takes a core for a quarter of a second by design: threads of its own, as many as
//! there are cores, at the lowest priority, and a bounded queue of which no one place on the network may hold more than
//! half. Knows not what the work is.
//!
//! The queue is bounded by time: whoever would wait for longer than [`PATIENCE`] is refused instead. Work at the lowest
//! priority may starve where everything else uses all cores, so what has waited for [`LATE`] is done at normal priority.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::oneshot;

use crate::domain::client_network::place;
use crate::platform;

/// How long what is taken into the queue may have to wait, as far as can be told: nobody waits for ten seconds.
const PATIENCE: Duration = Duration::from_secs(7);
/// After what time a thread of normal priority helps.
const LATE: Duration = Duration::from_secs(5);
/// The most that wait, however fast the machine is.
const QUEUE: usize = 1024;

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueRefusal {
    /// Too much waits already, in all or from this place.
    Busy,
    /// The gate is being taken down, or the work panicked.
    Stopped,
}

/// The gate.
pub struct HashingQueue {
    shared: Arc<Shared>,
}

/// What the gate counts of itself, for whoever watches the server.
#[derive(Clone, Debug)]
pub struct HashingStats {
    /// How many seconds it took until a turn came.
    pub waited: Histogram,
    /// What was not taken, as too much waited.
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
    /// Wakes the thread that helps.
    waiting: Condvar,
}

struct Queue {
    jobs: VecDeque<Waiting>,
    /// How many of `jobs` each place holds.
    held: HashMap<IpAddr, usize>,
    closed: bool,
    /// The time from one job's end to the next one's, while others waited: a moving average.
    pace: Duration,
    /// When a job ended last while others waited.
    ended: Option<Instant>,
}

struct Waiting {
    from: IpAddr,
    since: Instant,
    job: Job,
}

/// Says whether there was something to do.
type Job = Box<dyn FnOnce() -> bool + Send>;

impl HashingQueue {
    /// Starts the threads. `typical` is how long one job takes, as a first guess.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(threads: usize, typical: Duration) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(threads.max(1), typical));
        for _ in 0..shared.threads {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("usher-hasher".to_owned()).spawn(move || {
                platform::yield_to_others();
                while let Some(job) = shared.next() {
                    shared.work(job);
                }
            })?;
        }
        let helper = Arc::clone(&shared);
        thread::Builder::new().name("usher-helper".to_owned()).spawn(move || {
            while let Some(job) = helper.next_late() {
                helper.work(job);
            }
        })?;
        Ok(Self { shared })
    }

    /// What was counted since the start.
    pub fn stats(&self) -> &HashingStats {
        &self.shared.stats
    }

    /// How much waits for its turn.
    pub fn waiting(&self) -> usize {
        self.shared.lock().jobs.len()
    }

    /// Does `work`, asked for from `from`, when it is its turn. Whoever stops waiting is left out.
    ///
    /// # Errors
    /// [`QueueRefusal::Busy`] at once when too much waits.
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
        self.shared.enqueue(place(from), job)?;
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
        let pace = typical / u32::try_from(threads).unwrap_or(u32::MAX);
        let queue = Queue { jobs: VecDeque::new(), held: HashMap::new(), closed: false, pace, ended: None };
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
        let held = queue.held.get(&from).copied().unwrap_or(0);
        if queue.jobs.len() >= room || held >= room / 2 {
            self.stats.refused.inc();
            return Err(QueueRefusal::Busy);
        }
        queue.held.insert(from, held + 1);
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

    /// The next job once it has waited for too long.
    fn next_late(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            let left = queue.jobs.front().map(|first| LATE.saturating_sub(first.since.elapsed()));
            queue = match left {
                Some(Duration::ZERO) => return queue.take(&self.stats),
                Some(left) => self.waiting.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.waiting.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn work(&self, job: Job) {
        if catch_unwind(AssertUnwindSafe(job)).unwrap_or(true) {
            self.lock().note_end(Instant::now());
        }
    }
}

impl Queue {
    /// How many may wait, at the pace of late; slower when nothing has ended for longer than that.
    fn room(&self, now: Instant) -> usize {
        let still_since = self.ended.or_else(|| self.jobs.front().map(|first| first.since));
        let pace = still_since.map_or(self.pace, |since| self.pace.max(now.saturating_duration_since(since)));
        let room = PATIENCE.as_micros() / pace.as_micros().max(1);
        usize::try_from(room).unwrap_or(QUEUE).min(QUEUE)
    }

    fn take(&mut self, stats: &HashingStats) -> Option<Job> {
        let Waiting { from, job, since } = self.jobs.pop_front()?;
        stats.waited.observe(since.elapsed().as_secs_f64());
        match self.held.get_mut(&from) {
            Some(held) if *held > 1 => *held -= 1,
            _ => drop(self.held.remove(&from)),
        }
        Some(job)
    }

    fn note_end(&mut self, now: Instant) {
        if let Some(before) = self.ended {
            self.pace = (self.pace * 3 + now.saturating_duration_since(before)) / 4;
        }
        self.ended = (!self.jobs.is_empty()).then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREADS: usize = 2;
    /// At which 64 fit into the queue.
    const TYPICAL: Duration = Duration::from_micros(7_000_000 / 64 * 2);

    /// Without threads, so that nothing is taken from the queue while it is looked at.
    fn unmanned() -> Shared {
        Shared::new(THREADS, TYPICAL)
    }

    fn fill(shared: &Shared, address: &str) -> usize {
        let from = place(address.parse().unwrap());
        (0..QUEUE).take_while(|_| shared.enqueue(from, Box::new(|| true)).is_ok()).count()
    }

    #[test]
    fn one_place_fills_no_more_than_half_of_the_queue_and_a_full_queue_refuses_at_once() {
        let shared = unmanned();
        assert_eq!(fill(&shared, "2001:db8::1"), 32);
        assert_eq!(fill(&shared, "2001:db8::2"), 0);
        assert_eq!(fill(&shared, "192.0.2.1"), 32);
        assert_eq!(fill(&shared, "192.0.2.2"), 0);
        while shared.lock().jobs.len() > 32 {
            drop(shared.next());
        }
        assert_eq!(fill(&shared, "192.0.2.2"), 32);
        assert_eq!(shared.lock().held.len(), 2);
    }

    #[test]
    fn a_slower_machine_takes_fewer_so_that_nobody_waits_longer() {
        let shared = unmanned();
        let start = Instant::now();
        shared.lock().jobs.push_back(Waiting { from: [192, 0, 2, 9].into(), since: start, job: Box::new(|| true) });
        for second in 0..20 {
            shared.lock().note_end(start + Duration::from_secs(second));
        }
        let now = start + Duration::from_secs(19);
        let room = shared.lock().room(now);
        assert!((6..=8).contains(&room), "{room}");
        // Nothing has ended for four seconds: it may go on like that.
        assert_eq!(shared.lock().room(now + Duration::from_secs(3)), 2);
    }

    #[test]
    fn times_when_nobody_waited_say_nothing_about_the_pace() {
        let shared = unmanned();
        let start = Instant::now();
        for hour in 0..5 {
            shared.lock().note_end(start + Duration::from_secs(3600 * hour));
        }
        assert_eq!(shared.lock().room(start + Duration::from_secs(20_000)), 64);
    }

    #[test]
    fn what_waits_for_too_long_is_done_by_the_thread_that_helps() {
        let shared = unmanned();
        let (from, since) = ([192, 0, 2, 1].into(), Instant::now().checked_sub(LATE).unwrap());
        shared.lock().jobs.push_back(Waiting { from, since, job: Box::new(|| true) });
        shared.work(shared.next_late().unwrap());
        assert!(shared.lock().jobs.is_empty());
    }

    #[tokio::test]
    async fn work_is_done_and_what_nobody_waits_for_is_left_out() {
        let gate = HashingQueue::start(1, TYPICAL).unwrap();
        let here = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(gate.run(here, || 7).await, Ok(7));
        let (held, holds) = std::sync::mpsc::channel::<()>();
        let first = gate.run(here, move || holds.recv().is_ok());
        let (touch, touched) = std::sync::mpsc::channel::<()>();
        let given_up = gate.run(here, move || touch.send(()).is_ok());
        let give_up = async {
            assert!(tokio::time::timeout(Duration::from_millis(5), given_up).await.is_err());
            drop(held);
        };
        assert_eq!(tokio::join!(first, give_up), (Ok(false), ()));
        assert_eq!(gate.run(here, || 8).await, Ok(8));
        assert!(touched.try_recv().is_err());
    }
}
