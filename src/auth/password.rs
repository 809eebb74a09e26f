//! Owns bcrypt, behind a gate: hashing takes a core for a quarter of a second by design, so it runs on threads of its
//! own, as many as there are cores, at the lowest priority, from a bounded queue of which no one place on the network
//! may hold more than half. Knows neither whose password it is nor where hashes are kept.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::oneshot;

use crate::domain::address::place;
use crate::domain::secret::{PasswordHash, Secret};
use crate::platform;

/// bcrypt reads no more than this; what is longer is refused, never cut (OWASP ASVS 5, 6.2.8).
pub const MAX_BYTES: usize = 72;
/// How many hashes may wait. At two cores and cost 12 the last of them waits about eight seconds.
const QUEUE: usize = 64;

/// Why nothing was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Too many wait already, in all or from this place.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The password cannot be hashed: too long, or with a NUL, at which bcrypt ends.
    #[error("this password cannot be hashed")]
    Unfit,
    /// bcrypt failed, or the server is stopping.
    #[error("hashing failed")]
    Failed,
}

/// What a log-in's password was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one.
    Right,
    /// It is the one, but its hash is weaker than the settings ask, or of an old notation: hash it anew.
    RightButStale,
    /// It is not.
    Wrong,
}

/// The gate.
pub struct Hasher {
    shared: Arc<Shared>,
}

struct Shared {
    cost: u32,
    /// What an unknown name's password is compared with, so that it takes as long as a known one's.
    nobody: PasswordHash,
    computed: AtomicU64,
    stats: HashingStats,
    rounds: AtomicU64,
    queue: Mutex<Queue>,
    filled: Condvar,
}

/// What the gate counts of itself, for whoever watches the server.
#[derive(Clone, Debug)]
pub struct HashingStats {
    /// How many seconds passwords waited until their turn came.
    pub waited: Histogram,
    /// Passwords that were not taken, as too many waited.
    pub refused: Counter,
}

impl Default for HashingStats {
    fn default() -> Self {
        let waited = Histogram::new([0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0]);
        Self { waited, refused: Counter::default() }
    }
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<(IpAddr, Job)>,
    /// How many of `jobs` each place holds.
    held: HashMap<IpAddr, usize>,
    closed: bool,
}

type Job = Box<dyn FnOnce(&Shared) + Send>;

impl Hasher {
    /// Starts `threads` threads that hash at `cost` (2^cost rounds).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(cost: u32, threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            cost,
            nobody: nobodys_hash(cost),
            computed: AtomicU64::new(0),
            stats: HashingStats::default(),
            rounds: AtomicU64::new(0),
            queue: Mutex::default(),
            filled: Condvar::new(),
        });
        for _ in 0..threads.max(1) {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("usher-hasher".to_owned()).spawn(move || {
                platform::yield_to_others();
                shared.work();
            })?;
        }
        Ok(Self { shared })
    }

    /// Hashes a new password, asked for from `from`.
    ///
    /// # Errors
    /// [`HashError::Busy`] at once when too many wait; [`HashError::Unfit`] for one that bcrypt would cut.
    pub async fn hash(&self, password: &Secret, from: IpAddr) -> Result<PasswordHash, HashError> {
        if !is_fit(password) {
            return Err(HashError::Unfit);
        }
        let password = password.clone();
        self.queue(from, move |shared| shared.hash(&password)).await?
    }

    /// Compares a password with a hash; without one it takes as long and is wrong. The same holds for a password
    /// that can be nobody's.
    ///
    /// # Errors
    /// [`HashError::Busy`] at once when too many wait.
    pub async fn verify(
        &self,
        password: &Secret,
        hash: Option<PasswordHash>,
        from: IpAddr,
    ) -> Result<Verdict, HashError> {
        let password = password.clone();
        self.queue(from, move |shared| shared.verify(&password, hash.as_ref())).await
    }

    /// What was counted since the start.
    pub fn stats(&self) -> &HashingStats {
        &self.shared.stats
    }

    /// How many passwords wait for their turn.
    pub fn waiting(&self) -> usize {
        self.shared.lock().jobs.len()
    }

    /// How many hashes were computed since the start.
    pub fn computed(&self) -> u64 {
        self.shared.computed.load(Ordering::Relaxed)
    }

    /// How many rounds of bcrypt those took: what an observer of times could see.
    pub fn rounds(&self) -> u64 {
        self.shared.rounds.load(Ordering::Relaxed)
    }

    async fn queue<T: Send + 'static>(
        &self,
        from: IpAddr,
        work: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let (reply, answer) = oneshot::channel();
        let began = Instant::now();
        let job: Job = Box::new(move |shared| {
            shared.stats.waited.observe(began.elapsed().as_secs_f64());
            // Whoever asked may have hung up while waiting; a quarter of a second is not spent on that.
            if !reply.is_closed() {
                let _ = reply.send(work(shared));
            }
        });
        self.shared.enqueue(place(from), job)?;
        answer.await.map_err(|_| HashError::Failed)
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.jobs.clear();
        self.shared.filled.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, from: IpAddr, job: Job) -> Result<(), HashError> {
        let mut queue = self.lock();
        let held = queue.held.get(&from).copied().unwrap_or(0);
        if queue.jobs.len() >= QUEUE || held >= QUEUE / 2 {
            self.stats.refused.inc();
            return Err(HashError::Busy);
        }
        queue.held.insert(from, held + 1);
        queue.jobs.push_back((from, job));
        self.filled.notify_one();
        Ok(())
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            job(self);
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some((from, job)) = queue.jobs.pop_front() {
                match queue.held.get_mut(&from) {
                    Some(held) if *held > 1 => *held -= 1,
                    _ => drop(queue.held.remove(&from)),
                }
                return Some(job);
            }
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the gate")]
    fn hash(&self, password: &Secret) -> Result<PasswordHash, HashError> {
        self.computed.fetch_add(1, Ordering::Relaxed);
        bcrypt::hash(password.expose(), self.cost).map(PasswordHash::new).map_err(|error| {
            log::error!("bcrypt failed: {error}");
            HashError::Failed
        })
    }

    #[expect(clippy::disallowed_methods, reason = "this is the gate")]
    fn verify(&self, password: &Secret, hash: Option<&PasswordHash>) -> Verdict {
        self.computed.fetch_add(1, Ordering::Relaxed);
        let fit = is_fit(password);
        let against = hash.filter(|_| fit).unwrap_or(&self.nobody);
        // A password that is unfit still costs a comparison, of the part that bcrypt can read, with nobody's hash.
        let compared = if fit { password.expose() } else { "" };
        let equal = match bcrypt::verify(compared, against.expose()) {
            Ok(equal) => {
                let cost = cost_of(against).unwrap_or(self.cost);
                self.rounds.fetch_add(1 << cost, Ordering::Relaxed);
                // 2^c + (2^c + 2^(c+1) + … ) = 2^cost: a weaker hash takes as long as a name that nobody has.
                for cost in cost..self.cost {
                    self.rounds.fetch_add(1 << cost, Ordering::Relaxed);
                    let _ = bcrypt::verify(compared, nobodys_hash(cost).expose());
                }
                equal
            }
            Err(error) => {
                log::error!("a stored hash is not bcrypt's: {error}");
                self.rounds.fetch_add(1 << self.cost, Ordering::Relaxed);
                let _ = bcrypt::verify(compared, self.nobody.expose());
                false
            }
        };
        match hash {
            Some(hash) if fit && equal => {
                if self.is_stale(hash) {
                    Verdict::RightButStale
                } else {
                    Verdict::Right
                }
            }
            _ => Verdict::Wrong,
        }
    }

    fn is_stale(&self, hash: &PasswordHash) -> bool {
        !hash.expose().starts_with("$2b$") || cost_of(hash).is_none_or(|cost| cost < self.cost)
    }
}

/// The crate's own check for length counts the NUL that ends the password and so refuses one of exactly 72 bytes,
/// which bcrypt reads whole; hence its functions that cut, behind a check that leaves nothing to cut.
fn is_fit(password: &Secret) -> bool {
    password.expose().len() <= MAX_BYTES && !password.expose().contains('\0')
}

/// Whether a text is a hash that [`Hasher::verify`] can compare with in reasonable time: bcrypt's notation, at most
/// at the highest cost that the settings allow.
pub fn is_hash(text: &str) -> bool {
    let mut parts = text.split('$');
    let (empty, version, cost, rest) = (parts.next(), parts.next(), parts.next(), parts.next());
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/';
    empty == Some("")
        && matches!(version, Some("2a" | "2b" | "2x" | "2y"))
        && cost.is_some_and(|cost| cost.len() == 2 && matches!(cost.parse::<u32>(), Ok(4..=20)))
        && rest.is_some_and(|rest| rest.len() == 53 && rest.bytes().all(base64))
        && parts.next().is_none()
}

/// The cost in a hash's notation.
fn cost_of(hash: &PasswordHash) -> Option<u32> {
    hash.expose().split('$').nth(2)?.parse().ok()
}

/// A well-formed hash of this cost that belongs to nobody; what is compared with it is wrong whatever comes out.
fn nobodys_hash(cost: u32) -> PasswordHash {
    PasswordHash::new(format!("$2b${cost:02}$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY."))
}

#[cfg(test)]
#[path = "password_tests.rs"]
mod tests;
