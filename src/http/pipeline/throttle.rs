//! Owns how attempts that fail are refused before they cost a hash, and counted after. Joins the rules in `auth` with
//! the counts in `store`. An attempt counts from its beginning: those under way are counted in memory, and what is known
//! to have failed in the database.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::web::Data;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::auth::password_hasher::HashError;
use crate::auth::throttle_keys::ThrottleKeys;
use crate::domain::clock::Timestamp;
use crate::domain::throttle::{AttemptKey, ThrottleRule, one_more, remaining};
use crate::http::pipeline::app::App;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::response::Response;
use crate::store::{Connection, StoreError, throttle};

/// How long an attempt waits for others at the same account from the same place, before it is refused.
const PATIENCE: Duration = Duration::from_secs(7);
/// How many attempts from one place wait so.
const WAITING: u32 = 40;
/// How long the refusal of an attempt is held back.
const PAUSE: Duration = Duration::from_millis(100);

/// Holds back the refusal of an attempt at a password for a moment. A client that tries again as soon as it is refused
/// would otherwise take the cores from those whose passwords are being hashed.
pub async fn hold_back(outcome: &Result<Response, ApiError>) {
    if matches!(outcome, Err(ApiError::TooMany(_) | ApiError::Hash(HashError::Busy))) {
        tokio::time::sleep(PAUSE).await;
    }
}

/// The keys, and what is under way right now.
pub struct Throttle {
    keys: ThrottleKeys,
    under_way: Arc<InFlight>,
}

impl Throttle {
    /// With the keys that the secret key makes.
    pub fn new(keys: ThrottleKeys) -> Self {
        Self { keys, under_way: Arc::default() }
    }

    /// Under how many keys attempts are under way.
    pub fn under_way(&self) -> usize {
        self.under_way.began.lock().len()
    }
}

/// What is under way; there is no more of it than connections.
#[derive(Default)]
struct InFlight {
    began: Counts,
    /// By place: those that wait for others.
    waiting: Counts,
    /// When one of `began` ends.
    ended: Notify,
}

/// How many there are, by key.
#[derive(Default)]
struct Counts(Mutex<HashMap<AttemptKey, u32>>);

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<AttemptKey, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One less.
    fn leave(&self, key: &AttemptKey) {
        let mut counts = self.lock();
        match counts.get_mut(key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(key)),
        }
    }
}

/// One key of an attempt.
#[derive(Clone, Copy, Debug)]
struct Counted {
    rule: ThrottleRule,
    key: AttemptKey,
    /// How many others were under way when this one began.
    others: u32,
}

impl Counted {
    /// How long to wait, as those under way may fail.
    fn left(&self, connection: &Connection, now: Timestamp) -> Result<Option<u64>, StoreError> {
        Ok(remaining(self.rule, throttle::count(connection, &self.key)?, self.others, now))
    }

    fn add(&self, connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
        let before = throttle::count(connection, &self.key)?;
        throttle::set(connection, &self.key, one_more(self.rule, before, now))
    }
}

/// An attempt's place among those under way, until it is dropped.
struct InFlightGuard<const N: usize> {
    counted: [Counted; N],
    under_way: Arc<InFlight>,
}

impl<const N: usize> InFlightGuard<N> {
    /// However many others are under way.
    fn new(app: &App, rules: [ThrottleRule; N], name: &str, address: IpAddr) -> Self {
        let Throttle { keys, under_way } = &app.throttle;
        let keyed = rules.map(|rule| (rule, keys.key(rule, name, address)));
        Self::begin(under_way, &mut under_way.began.lock(), keyed)
    }

    fn begin(
        under_way: &Arc<InFlight>,
        counts: &mut HashMap<AttemptKey, u32>,
        keyed: [(ThrottleRule, AttemptKey); N],
    ) -> Self {
        let counted = keyed.map(|(rule, key)| {
            let all = counts.entry(key).or_insert(0);
            *all += 1;
            Counted { rule, key, others: *all - 1 }
        });
        Self { counted, under_way: Arc::clone(under_way) }
    }
}

impl<const N: usize> Drop for InFlightGuard<N> {
    fn drop(&mut self) {
        for Counted { key, .. } in &self.counted {
            self.under_way.began.leave(key);
        }
        self.under_way.ended.notify_waiters();
    }
}

/// An attempt's place among those that wait, until it is dropped.
struct Waiting {
    place: AttemptKey,
    under_way: Arc<InFlight>,
}

impl Waiting {
    /// Unless too many from this place wait.
    fn begin(under_way: &Arc<InFlight>, place: AttemptKey) -> Option<Self> {
        let mut counts = under_way.waiting.lock();
        let all = counts.entry(place).or_insert(0);
        if *all >= WAITING {
            return None;
        }
        *all += 1;
        drop(counts);
        Some(Self { place, under_way: Arc::clone(under_way) })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.under_way.waiting.leave(&self.place);
    }
}

/// A log-in, or another attempt at somebody's password, under way.
pub struct Attempt {
    app: Data<App>,
    held: Option<InFlightGuard<3>>,
    /// Whether a password is being compared. Who goes away meanwhile has failed.
    open: Cell<bool>,
}

impl Attempt {
    /// Begins one, unless throttling is switched off. Somebody who signs in many times at once is not refused for what
    /// may come of it: attempts at one account from one place wait for those before them, so that no more are under way
    /// than may fail for free.
    pub async fn begin(app: &Data<App>, name: &str, address: IpAddr) -> Option<Self> {
        if !app.config.throttle {
            return None;
        }
        let held = Self::hold(&app.throttle, name, address).await;
        Some(Self { app: app.clone(), held: Some(held), open: Cell::new(false) })
    }

    async fn hold(Throttle { keys, under_way }: &Throttle, name: &str, address: IpAddr) -> InFlightGuard<3> {
        let keyed = [ThrottleRule::Pair, ThrottleRule::Account, ThrottleRule::Place]
            .map(|rule| (rule, keys.key(rule, name, address)));
        let (until, mut waiting) = (Instant::now() + PATIENCE, None);
        loop {
            // Before the look at the counts, so that no end between the two is missed.
            let ended = under_way.ended.notified();
            if let Some(held) = Self::try_hold(under_way, keyed, until, &mut waiting) {
                return held;
            }
            // Whether it is time or somebody's end, what comes of it is looked at above.
            let _ = timeout_at(until, ended).await;
        }
    }

    /// `None` where it should wait.
    fn try_hold(
        under_way: &Arc<InFlight>,
        keyed: [(ThrottleRule, AttemptKey); 3],
        until: Instant,
        waiting: &mut Option<Waiting>,
    ) -> Option<InFlightGuard<3>> {
        let [(_, pair), _, (_, place)] = keyed;
        let mut counts = under_way.began.lock();
        let is_crowded = counts.get(&pair).is_some_and(|&count| count >= ThrottleRule::Pair.free());
        if is_crowded && Instant::now() < until {
            *waiting = waiting.take().or_else(|| Waiting::begin(under_way, place));
            if waiting.is_some() {
                return None;
            }
        }
        Some(InFlightGuard::begin(under_way, &mut counts, keyed))
    }

    /// What it is counted under, to be taken into the store's closures.
    pub fn keys(&self) -> Option<AttemptKeys> {
        let [pair, account, place] = self.held.as_ref()?.counted;
        Some(AttemptKeys { pair, account, place })
    }

    /// Waits for a comparison; if the client does not wait for it too, the attempt has failed.
    pub async fn at_stake<T>(attempt: Option<&Self>, comparison: impl Future<Output = T>) -> T {
        let set = |open| attempt.inspect(|attempt| attempt.open.set(open));
        set(true);
        let outcome = comparison.await;
        set(false);
        outcome
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let keys = self.keys().filter(|_| self.open.get());
        let (Some(keys), Some(held)) = (keys, self.held.take()) else { return };
        let (app, Ok(runtime)) = (self.app.clone(), tokio::runtime::Handle::try_current()) else { return };
        runtime.spawn(async move {
            let now = app.clock.now();
            if let Err(error) = app.db.write(move |connection| keys.failed(connection, now)).await {
                log::warn!("an abandoned log-in could not be counted: {}", error.described());
            }
            drop(held);
        });
    }
}

/// An attempt's keys.
#[derive(Clone, Copy, Debug)]
pub struct AttemptKeys {
    pair: Counted,
    account: Counted,
    place: Counted,
}

impl AttemptKeys {
    /// Refuses an attempt that comes too soon. The account's own count does not hold at a place that the person has
    /// signed in from before: an attacker elsewhere cannot lock anybody out there.
    pub fn check(&self, connection: &Connection, user: Option<Uuid>, now: Timestamp) -> Result<(), ApiError> {
        let known = match user {
            Some(user) => throttle::is_known_place(connection, user, &self.place.key)?,
            None => false,
        };
        let by_account = if known { None } else { self.account.left(connection, now)? };
        let longest = self.pair.left(connection, now)?.max(self.place.left(connection, now)?).max(by_account);
        longest.map_or(Ok(()), |seconds| Err(ApiError::TooMany(seconds)))
    }

    /// Counts a failure.
    pub fn failed(&self, connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
        [&self.pair, &self.account, &self.place].into_iter().try_for_each(|counted| counted.add(connection, now))
    }

    /// Forgets the pair's failures, but neither the account's nor the place's, and remembers the place.
    pub fn succeeded(&self, connection: &Connection, user: Uuid, now: Timestamp) -> Result<(), StoreError> {
        throttle::clear(connection, &self.pair.key)?;
        throttle::note_place(connection, user, &self.place.key, now)
    }
}

/// A sign-up under way.
pub struct SignUp(InFlightGuard<1>);

impl SignUp {
    /// Begins one, unless throttling is switched off.
    pub fn begin(app: &App, address: IpAddr) -> Option<Self> {
        app.config.throttle.then(|| Self(InFlightGuard::new(app, [ThrottleRule::SignUp], "", address)))
    }

    /// What it is counted under, to be taken into the store's closures.
    pub fn key(&self) -> SignUpKey {
        let [counted] = self.0.counted;
        SignUpKey(counted)
    }
}

/// A sign-up's key.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct SignUpKey(Counted);

impl SignUpKey {
    /// Refuses one that comes too soon after others from its place.
    pub fn check(self, connection: &Connection, now: Timestamp) -> Result<(), ApiError> {
        self.0.left(connection, now)?.map_or(Ok(()), |seconds| Err(ApiError::TooMany(seconds)))
    }

    /// The same inside of a write, where all that came before has been counted.
    pub fn alone(self) -> Self {
        Self(Counted { others: 0, ..self.0 })
    }

    /// The refusal when too many accounts wait for approval; that does not pass by itself, so come back in an hour.
    pub fn full() -> ApiError {
        ApiError::TooMany(3600)
    }

    /// Counts one, whether or not its name is taken: who asks for many names learns which of them there are.
    pub fn count(self, connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
        self.0.add(connection, now)
    }
}
