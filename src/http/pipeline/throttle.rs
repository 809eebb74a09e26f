//! The attempts that are in flight: sign-ins, other password checks and sign-ups. They are counted in memory from their
//! start, because the database only counts attempts that have failed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::auth::password_hasher::HashError;
use crate::auth::throttle_keys::ThrottleKeys;
use crate::domain::clock::Timestamp;
use crate::domain::throttle::{AttemptKey, ThrottleRule, record_failure, retry_after};
use crate::http::pipeline::error::ApiError;
use crate::store::{Connection, StoreError, throttle};

/// How long an attempt waits for others at the same account from the same network.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(7);
/// The password checks of one account from one network that run at once; further ones wait. Fewer than can fail without
/// a delay, so that none is rejected because of the others.
const MAX_PARALLEL: u32 = 5;
/// The most attempts from one network that wait.
const MAX_QUEUED: u32 = 40;
/// How long the rejection of an attempt is delayed.
const REJECTION_DELAY: Duration = Duration::from_millis(100);

/// Delays the rejection of an attempt. A client that retries at once would otherwise take the CPU from password
/// hashing.
pub async fn delay_rejection<T>(outcome: &Result<T, ApiError>) {
    if matches!(outcome, Err(ApiError::TooManyRequests(_) | ApiError::Hash(HashError::Busy))) {
        tokio::time::sleep(REJECTION_DELAY).await;
    }
}

/// The state of the throttle: the keys, and the attempts in flight.
pub struct Throttle {
    keys: ThrottleKeys,
    in_flight: Arc<InFlight>,
}

impl Throttle {
    /// Returns a throttle without attempts in flight.
    pub fn new(keys: ThrottleKeys) -> Self {
        Self { keys, in_flight: Arc::default() }
    }

    /// The number of keys that have attempts in flight.
    pub fn keys_in_flight(&self) -> usize {
        self.in_flight.attempts.lock().len()
    }

    /// Counts an attempt as in flight, without a limit.
    pub fn start<const N: usize>(&self, rules: [ThrottleRule; N], name: &str, address: IpAddr) -> InFlightGuard<N> {
        let keys = rules.map(|rule| (rule, self.keys.key(rule, name, address)));
        InFlightGuard::new(&self.in_flight, &mut self.in_flight.attempts.lock(), keys)
    }

    /// Counts a password check as in flight. Waits while [`MAX_PARALLEL`] checks of the account from the network are in
    /// flight: then a user who signs in many times at once isn't rejected.
    ///
    /// # Errors
    /// Returns [`HashError::Busy`] if so many are in flight after [`QUEUE_TIMEOUT`] that this one would be rejected for
    /// too many failures, none of which has happened yet.
    pub async fn start_password_check(&self, name: &str, address: IpAddr) -> Result<InFlightGuard<3>, HashError> {
        let keys = [ThrottleRule::Pair, ThrottleRule::Account, ThrottleRule::Network]
            .map(|rule| (rule, self.keys.key(rule, name, address)));
        let (deadline, mut slot) = (Instant::now() + QUEUE_TIMEOUT, None);
        loop {
            // Subscribe before looking at the counts, so that no end in between is missed.
            let ended = self.in_flight.ended.notified();
            let is_late = Instant::now() >= deadline;
            let most = if is_late { ThrottleRule::Pair.free_failures() } else { MAX_PARALLEL };
            if let Some(guard) = self.try_start(keys, most, &mut slot) {
                return Ok(guard);
            }
            if is_late {
                return Err(HashError::Busy);
            }
            let _ = timeout_at(deadline, ended).await;
        }
    }

    /// Returns `None` if the attempt should wait.
    fn try_start(
        &self,
        keys: [(ThrottleRule, AttemptKey); 3],
        most: u32,
        slot: &mut Option<QueueSlot>,
    ) -> Option<InFlightGuard<3>> {
        let [(_, pair), _, (_, network)] = keys;
        let mut counts = self.in_flight.attempts.lock();
        if counts.get(&pair).is_some_and(|&count| count >= most) {
            *slot = slot.take().or_else(|| QueueSlot::acquire(&self.in_flight, network));
            if slot.is_some() {
                return None;
            }
        }
        Some(InFlightGuard::new(&self.in_flight, &mut counts, keys))
    }
}

/// Everything in flight. It is bounded by the number of connections.
#[derive(Default)]
struct InFlight {
    attempts: CountByKey,
    /// By network: the attempts that wait for others.
    queued: CountByKey,
    /// Notified when an attempt ends.
    ended: Notify,
}

#[derive(Default)]
struct CountByKey(Mutex<HashMap<AttemptKey, u32>>);

impl CountByKey {
    fn lock(&self) -> MutexGuard<'_, HashMap<AttemptKey, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decrement(&self, key: &AttemptKey) {
        let mut counts = self.lock();
        match counts.get_mut(key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(key)),
        }
    }
}

/// The counter of one rule that an attempt counts for.
#[derive(Clone, Copy, Debug)]
pub struct AttemptCounter {
    rule: ThrottleRule,
    pub key: AttemptKey,
    /// How many other attempts were in flight when this one started.
    others: u32,
}

impl AttemptCounter {
    /// Returns how many seconds the attempt must wait. The others in flight count as failures.
    pub fn retry_after(&self, connection: &Connection, now: Timestamp) -> Result<Option<u64>, StoreError> {
        Ok(retry_after(self.rule, throttle::count(connection, &self.key)?, self.others, now))
    }

    /// Counts a failure.
    pub fn record_failure(&self, connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
        let before = throttle::count(connection, &self.key)?;
        throttle::set(connection, &self.key, record_failure(self.rule, before, now))
    }

    /// The same counter without the others in flight.
    pub fn alone(self) -> Self {
        Self { others: 0, ..self }
    }
}

/// Counts an attempt as in flight until it is dropped.
pub struct InFlightGuard<const N: usize> {
    pub counters: [AttemptCounter; N],
    in_flight: Arc<InFlight>,
}

impl<const N: usize> InFlightGuard<N> {
    fn new(
        in_flight: &Arc<InFlight>,
        counts: &mut HashMap<AttemptKey, u32>,
        keys: [(ThrottleRule, AttemptKey); N],
    ) -> Self {
        let counters = keys.map(|(rule, key)| {
            let count = counts.entry(key).or_insert(0);
            *count += 1;
            AttemptCounter { rule, key, others: *count - 1 }
        });
        Self { counters, in_flight: Arc::clone(in_flight) }
    }
}

impl<const N: usize> Drop for InFlightGuard<N> {
    fn drop(&mut self) {
        for AttemptCounter { key, .. } in &self.counters {
            self.in_flight.attempts.decrement(key);
        }
        self.in_flight.ended.notify_waiters();
    }
}

/// The place of an attempt in its network's queue until it is dropped.
struct QueueSlot {
    network: AttemptKey,
    in_flight: Arc<InFlight>,
}

impl QueueSlot {
    /// Returns `None` if the network's queue is full.
    fn acquire(in_flight: &Arc<InFlight>, network: AttemptKey) -> Option<Self> {
        let mut counts = in_flight.queued.lock();
        let count = counts.entry(network).or_insert(0);
        if *count >= MAX_QUEUED {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Self { network, in_flight: Arc::clone(in_flight) })
    }
}

impl Drop for QueueSlot {
    fn drop(&mut self) {
        self.in_flight.queued.decrement(&self.network);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;

    #[tokio::test(start_paused = true)]
    async fn a_sign_in_that_waits_too_long_for_others_is_refused_as_busy_because_none_of_them_failed() {
        let throttle = Throttle::new(ThrottleKeys::new(&Secret::new("any")));
        let address = IpAddr::from([192, 0, 2, 1]);
        let others: Vec<_> = (0..16).map(|_| throttle.start([ThrottleRule::Pair], "ann", address)).collect();
        let began = Instant::now();
        assert!(matches!(throttle.start_password_check("ann", address).await, Err(HashError::Busy)));
        assert_eq!(began.elapsed(), QUEUE_TIMEOUT);
        drop(others);
        assert!(throttle.start_password_check("ann", address).await.is_ok());
    }
}
