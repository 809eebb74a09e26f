//! Owns bcrypt, behind the gate. Knows neither whose password it is nor where hashes are kept.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::auth::hashing_queue::{HashingQueue, HashingStats, QueueRefusal};
use crate::domain::secret::{PasswordHash, Secret};

/// bcrypt reads no more than this; what is longer is refused, never cut (OWASP ASVS 5, 6.2.8).
pub const MAX_BYTES: usize = 72;
/// How long one of bcrypt's rounds takes, of which there are 2^cost; measured, and no more than a first guess.
const ROUND_MICROS: u64 = 58;

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
pub enum PasswordCheck {
    /// It is the one.
    Right,
    /// It is the one, but its hash is weaker than the settings ask, or of an old notation: hash it anew.
    RightButStale,
    /// It is not.
    Wrong,
}

/// Hashes, behind the gate.
pub struct PasswordHasher {
    gate: HashingQueue,
    hashing: Arc<Hashing>,
}

struct Hashing {
    cost: u32,
    /// What an unknown name's password is compared with, so that it takes as long as a known one's.
    nobody: PasswordHash,
    computed: AtomicU64,
    rounds: AtomicU64,
}

impl PasswordHasher {
    /// Starts `threads` threads that hash at `cost` (2^cost rounds).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(cost: u32, threads: usize) -> std::io::Result<Self> {
        let typical = Duration::from_micros(ROUND_MICROS << cost);
        let (computed, rounds) = (AtomicU64::new(0), AtomicU64::new(0));
        let hashing = Hashing { cost, nobody: nobodys_hash(cost), computed, rounds };
        Ok(Self { gate: HashingQueue::start(threads, typical)?, hashing: Arc::new(hashing) })
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
        self.behind_gate(from, move |hashing| hashing.hash(&password)).await?
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
    ) -> Result<PasswordCheck, HashError> {
        let password = password.clone();
        self.behind_gate(from, move |hashing| hashing.verify(&password, hash.as_ref())).await
    }

    /// What was counted of the gate since the start.
    pub fn stats(&self) -> &HashingStats {
        self.gate.stats()
    }

    /// How many passwords wait for their turn.
    pub fn waiting(&self) -> usize {
        self.gate.waiting()
    }

    /// How many hashes were computed since the start.
    pub fn computed(&self) -> u64 {
        self.hashing.computed.load(Ordering::Relaxed)
    }

    /// How many rounds of bcrypt those took: what an observer of times could see.
    pub fn rounds(&self) -> u64 {
        self.hashing.rounds.load(Ordering::Relaxed)
    }

    async fn behind_gate<T: Send + 'static>(
        &self,
        from: IpAddr,
        work: impl FnOnce(&Hashing) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let hashing = Arc::clone(&self.hashing);
        self.gate.run(from, move || work(&hashing)).await.map_err(|closed| match closed {
            QueueRefusal::Busy => HashError::Busy,
            QueueRefusal::Stopped => HashError::Failed,
        })
    }
}

impl Hashing {
    #[expect(clippy::disallowed_methods, reason = "this runs behind the gate")]
    fn hash(&self, password: &Secret) -> Result<PasswordHash, HashError> {
        self.computed.fetch_add(1, Ordering::Relaxed);
        bcrypt::hash(password.expose(), self.cost).map(PasswordHash::new).map_err(|error| {
            log::error!("bcrypt failed: {error}");
            HashError::Failed
        })
    }

    #[expect(clippy::disallowed_methods, reason = "this runs behind the gate")]
    fn verify(&self, password: &Secret, hash: Option<&PasswordHash>) -> PasswordCheck {
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
                    PasswordCheck::RightButStale
                } else {
                    PasswordCheck::Right
                }
            }
            _ => PasswordCheck::Wrong,
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

/// Whether a text is a hash that [`PasswordHasher::verify`] can compare with in reasonable time: bcrypt's notation, at most
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
mod tests;
