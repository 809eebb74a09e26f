//! Owns how attempts that fail are refused before they cost a hash, and counted after. Joins the rules in `auth` with
//! the counts in `store`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::app::App;
use super::error::ApiError;
use super::reply::Reply;
use crate::auth::password::HashError;
use crate::auth::throttle::{FORGOTTEN_AFTER, Keys, Rule, remaining};
use crate::domain::attempts::Key;
use crate::domain::clock::Timestamp;
use crate::store::{Connection, StoreError, throttle};

/// How many attempts for one pair may be under way at once, so that trying in parallel does not outrun the count.
const AT_ONCE: u32 = 8;

/// How long the refusal of an attempt is held back.
const PAUSE: Duration = Duration::from_millis(100);

/// Holds back the refusal of an attempt at a password for a moment. A client that tries again as soon as it is refused
/// would otherwise take the cores from those whose passwords are being hashed.
pub async fn hold_back(outcome: &Result<Reply, ApiError>) {
    if matches!(outcome, Err(ApiError::TooMany(_) | ApiError::Hash(HashError::Busy))) {
        tokio::time::sleep(PAUSE).await;
    }
}

/// The keys, and what is under way right now.
pub struct Throttle {
    keys: Keys,
    under_way: Arc<Mutex<HashMap<Key, u32>>>,
}

impl Throttle {
    /// With the keys that the secret key makes.
    pub fn new(keys: Keys) -> Self {
        Self { keys, under_way: Arc::default() }
    }
}

/// A log-in, or another attempt at somebody's password, under way. While it lives, it counts as one that may fail.
pub struct Attempt {
    pair: Key,
    account: Key,
    place: Key,
    under_way: Arc<Mutex<HashMap<Key, u32>>>,
    others: u32,
}

impl Attempt {
    /// Begins one, unless throttling is switched off.
    pub fn begin(app: &App, name: &str, address: IpAddr) -> Option<Self> {
        if !app.config.throttle {
            return None;
        }
        let Throttle { keys, under_way } = &app.throttle;
        let key = |rule| keys.key(rule, name, address);
        let pair = key(Rule::Pair);
        let mut counts = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = counts.entry(pair).or_insert(0);
        let others = *mine;
        *mine += 1;
        drop(counts);
        let under_way = Arc::clone(under_way);
        Some(Self { pair, account: key(Rule::Account), place: key(Rule::Place), under_way, others })
    }

    /// What it is counted under, to be taken into the store's closures.
    pub fn keys(&self) -> Keyed {
        Keyed { pair: self.pair, account: self.account, place: self.place, others: self.others }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut counts = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&self.pair) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.pair)),
        }
    }
}

/// An attempt's keys.
#[derive(Clone, Copy, Debug)]
pub struct Keyed {
    pair: Key,
    account: Key,
    place: Key,
    others: u32,
}

impl Keyed {
    /// Refuses an attempt that comes too soon. The account's own count does not hold at a place that the person has
    /// signed in from before: an attacker elsewhere cannot lock anybody out there.
    pub fn check(&self, connection: &Connection, user: Option<Uuid>, now: Timestamp) -> Result<(), ApiError> {
        let left = |rule, key| Ok::<_, StoreError>(remaining(rule, throttle::count(connection, key)?, now));
        let known = match user {
            Some(user) => throttle::is_known_place(connection, user, &self.place)?,
            None => false,
        };
        let by_account = if known { None } else { left(Rule::Account, &self.account)? };
        let longest = left(Rule::Pair, &self.pair)?.max(left(Rule::Place, &self.place)?).max(by_account);
        let crowded = (self.others >= AT_ONCE).then_some(1);
        longest.max(crowded).map_or(Ok(()), |seconds| Err(ApiError::TooMany(seconds)))
    }

    /// Counts a failure.
    pub fn failed(&self, connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
        [&self.pair, &self.account, &self.place]
            .into_iter()
            .try_for_each(|key| throttle::add(connection, key, now, now - FORGOTTEN_AFTER))
    }

    /// Forgets the pair's failures, but neither the account's nor the place's, and remembers the place.
    pub fn succeeded(&self, connection: &Connection, user: Uuid, now: Timestamp) -> Result<(), StoreError> {
        throttle::clear(connection, &self.pair)?;
        throttle::note_place(connection, user, &self.place, now)
    }
}

/// Refuses a sign-up that comes too soon after others from its place, and counts it.
pub fn sign_up(app: &App, address: IpAddr) -> Option<SignUp> {
    app.config.throttle.then(|| SignUp(app.throttle.keys.key(Rule::SignUp, "", address)))
}

/// A sign-up's key.
#[derive(Clone, Copy, Debug)]
pub struct SignUp(Key);

impl SignUp {
    /// Refuses one that comes too soon.
    pub fn check(self, connection: &Connection, now: Timestamp) -> Result<(), ApiError> {
        let left = remaining(Rule::SignUp, throttle::count(connection, &self.0)?, now);
        left.map_or(Ok(()), |seconds| Err(ApiError::TooMany(seconds)))
    }

    /// The refusal when too many accounts wait for approval; that does not pass by itself, so come back in an hour.
    pub fn full(self) -> ApiError {
        ApiError::TooMany(3600)
    }

    /// Counts one.
    pub fn count(self, connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
        throttle::add(connection, &self.0, now, now - FORGOTTEN_AFTER)
    }
}
