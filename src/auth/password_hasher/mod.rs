//! Hashes and verifies passwords with bcrypt, through the hashing queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::auth::hashing_queue::{HashingQueue, HashingStats, QueueRefusal, Requester};
use crate::domain::secret::{PasswordHash, Secret};

/// bcrypt reads no more bytes than this. Longer passwords are refused, never truncated (OWASP ASVS 5, 6.2.8).
pub const MAX_BYTES: usize = 72;
/// The measured duration of one of bcrypt's 2^cost rounds, as a first estimate.
const ROUND_MICROS: u64 = 58;

/// Why a password wasn't hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The queue is full, in total or for this network.
    #[error("the hashing queue is full")]
    Busy,
    /// The password is too long, or contains a NUL, at which bcrypt stops.
    #[error("this password can't be hashed")]
    Unhashable,
    /// bcrypt failed, or the server is stopping.
    #[error("hashing failed")]
    Failed,
}

/// The result of a password check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// The password is correct.
    Correct,
    /// The password is correct, but its hash is weaker than the settings require or in an old notation: hash it again.
    CorrectNeedsRehash,
    /// The password is wrong.
    Wrong,
}

/// Hashes and verifies passwords.
pub struct PasswordHasher {
    queue: HashingQueue,
    hashing: Arc<Hashing>,
}

struct Hashing {
    cost: u32,
    /// Compared with the password of an unknown name, so that both take the same time.
    dummy: PasswordHash,
    computed: AtomicU64,
    rounds: AtomicU64,
}

impl PasswordHasher {
    /// Starts `threads` threads that hash with `cost` (2^cost rounds).
    ///
    /// # Errors
    /// Returns an error if a thread can't be started.
    pub fn start(cost: u32, threads: usize) -> std::io::Result<Self> {
        let typical = Duration::from_micros(ROUND_MICROS << cost);
        let (computed, rounds) = (AtomicU64::new(0), AtomicU64::new(0));
        let hashing = Hashing { cost, dummy: dummy_hash(cost), computed, rounds };
        Ok(Self { queue: HashingQueue::start(threads, typical)?, hashing: Arc::new(hashing) })
    }

    /// Hashes a new password for a requester.
    ///
    /// # Errors
    /// Returns [`HashError::Busy`] at once if the queue is full, [`HashError::Unhashable`] for a password that bcrypt
    /// would truncate.
    pub async fn hash(&self, password: &Secret, from: impl Into<Requester>) -> Result<PasswordHash, HashError> {
        if !is_hashable(password) {
            return Err(HashError::Unhashable);
        }
        let password = password.clone();
        self.in_queue(from.into(), move |hashing| hashing.hash(&password)).await?
    }

    /// Compares a password with a hash. Without a hash, or with a password that can't be hashed, it takes as long and
    /// returns [`PasswordCheck::Wrong`].
    ///
    /// # Errors
    /// Returns [`HashError::Busy`] at once if the queue is full.
    pub async fn verify(
        &self,
        password: &Secret,
        hash: Option<PasswordHash>,
        from: impl Into<Requester>,
    ) -> Result<PasswordCheck, HashError> {
        let password = password.clone();
        self.in_queue(from.into(), move |hashing| hashing.verify(&password, hash.as_ref())).await
    }

    /// Returns the queue's statistics.
    pub fn stats(&self) -> &HashingStats {
        self.queue.stats()
    }

    /// Returns the number of waiting passwords.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Returns the number of hashes computed since the start.
    pub fn hash_count(&self) -> u64 {
        self.hashing.computed.load(Ordering::Relaxed)
    }

    /// Returns the number of bcrypt rounds since the start, which determines the time that an observer could measure.
    pub fn round_count(&self) -> u64 {
        self.hashing.rounds.load(Ordering::Relaxed)
    }

    async fn in_queue<T: Send + 'static>(
        &self,
        from: Requester,
        work: impl FnOnce(&Hashing) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let hashing = Arc::clone(&self.hashing);
        self.queue.run(from, move || work(&hashing)).await.map_err(|closed| match closed {
            QueueRefusal::Busy => HashError::Busy,
            QueueRefusal::Stopped => HashError::Failed,
        })
    }
}

impl Hashing {
    #[expect(clippy::disallowed_methods, reason = "this runs in the hashing queue")]
    fn hash(&self, password: &Secret) -> Result<PasswordHash, HashError> {
        self.computed.fetch_add(1, Ordering::Relaxed);
        bcrypt::hash(password.expose(), self.cost).map(PasswordHash::new).map_err(|error| {
            log::error!("bcrypt failed: {error}");
            HashError::Failed
        })
    }

    #[expect(clippy::disallowed_methods, reason = "this runs in the hashing queue")]
    fn verify(&self, password: &Secret, hash: Option<&PasswordHash>) -> PasswordCheck {
        self.computed.fetch_add(1, Ordering::Relaxed);
        let fit = is_hashable(password);
        let against = hash.filter(|_| fit).unwrap_or(&self.dummy);
        // A password that can't be hashed still costs a comparison with the dummy hash.
        let compared = if fit { password.expose() } else { "" };
        let equal = match bcrypt::verify(compared, against.expose()) {
            Ok(equal) => {
                let cost = cost_of(against).unwrap_or(self.cost);
                self.rounds.fetch_add(1 << cost, Ordering::Relaxed);
                // 2^c + (2^c + 2^(c+1) + …) = 2^cost: a weaker hash takes as long as an unknown name.
                for cost in cost..self.cost {
                    self.rounds.fetch_add(1 << cost, Ordering::Relaxed);
                    let _ = bcrypt::verify(compared, dummy_hash(cost).expose());
                }
                equal
            }
            Err(error) => {
                log::error!("A stored hash is not a bcrypt hash: {error}");
                self.rounds.fetch_add(1 << self.cost, Ordering::Relaxed);
                let _ = bcrypt::verify(compared, self.dummy.expose());
                false
            }
        };
        match hash {
            Some(hash) if fit && equal => {
                if self.is_stale(hash) {
                    PasswordCheck::CorrectNeedsRehash
                } else {
                    PasswordCheck::Correct
                }
            }
            _ => PasswordCheck::Wrong,
        }
    }

    fn is_stale(&self, hash: &PasswordHash) -> bool {
        !hash.expose().starts_with("$2b$") || cost_of(hash).is_none_or(|cost| cost < self.cost)
    }
}

/// Reports whether bcrypt reads the whole password. The crate's own check counts the terminating NUL and refuses 72
/// bytes, which bcrypt reads whole; hence the crate's truncating functions behind this check.
fn is_hashable(password: &Secret) -> bool {
    password.expose().len() <= MAX_BYTES && !password.expose().contains('\0')
}

/// Reports whether a text is a bcrypt hash that [`PasswordHasher::verify`] can check in reasonable time: at most at the
/// highest cost that the settings allow.
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

/// Returns the cost in a hash.
fn cost_of(hash: &PasswordHash) -> Option<u32> {
    hash.expose().split('$').nth(2)?.parse().ok()
}

/// Returns a well-formed hash of this cost that no password is checked against.
fn dummy_hash(cost: u32) -> PasswordHash {
    PasswordHash::new(format!("$2b${cost:02}$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY."))
}

#[cfg(test)]
mod tests;
