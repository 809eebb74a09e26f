//! Throttled attempts: password checks and sign-ups. An attempt that comes too soon is rejected before it costs a hash,
//! and counted when it fails.

use std::cell::Cell;
use std::net::IpAddr;

use actix_web::web::Data;
use uuid::Uuid;

use crate::auth::password_hasher::HashError;
use crate::domain::clock::Timestamp;
use crate::domain::throttle::{AttemptKey, ThrottleRule};
use crate::http::pipeline::app::App;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::throttle::{AttemptCounter, InFlightGuard};
use crate::store::{Connection, StoreError, throttle};

/// A sign-in, or another check of an account's password.
pub struct Attempt {
    app: Data<App>,
    guard: Option<InFlightGuard<3>>,
    /// Whether a password is being verified. If the client disconnects meanwhile, the attempt has failed.
    is_verifying: Cell<bool>,
}

impl Attempt {
    /// Starts an attempt, unless throttling is off.
    ///
    /// # Errors
    /// Returns [`HashError::Busy`] if others at the same account from the same network take too long.
    pub async fn begin(app: &Data<App>, name: &str, address: IpAddr) -> Result<Option<Self>, HashError> {
        if !app.config.throttle {
            return Ok(None);
        }
        let guard = app.throttle.start_password_check(name, address).await?;
        Ok(Some(Self { app: app.clone(), guard: Some(guard), is_verifying: Cell::new(false) }))
    }

    /// Returns the keys that the attempt is counted under, for the store's closures.
    pub fn keys(&self) -> Option<AttemptKeys> {
        let [pair, account, network] = self.guard.as_ref()?.counters;
        Some(AttemptKeys { pair, account, network })
    }

    /// Awaits the verification of a password. If the client disconnects meanwhile, a failure is counted.
    pub async fn verify<T>(attempt: Option<&Self>, verification: impl Future<Output = T>) -> T {
        let set = |is_verifying| attempt.inspect(|attempt| attempt.is_verifying.set(is_verifying));
        set(true);
        let outcome = verification.await;
        set(false);
        outcome
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let keys = self.keys().filter(|_| self.is_verifying.get());
        let (Some(keys), Some(guard)) = (keys, self.guard.take()) else { return };
        let (app, Ok(runtime)) = (self.app.clone(), tokio::runtime::Handle::try_current()) else { return };
        runtime.spawn(async move {
            let now = app.clock.now();
            if let Err(error) = app.db.write(move |connection| keys.count(connection, now)).await {
                log::warn!("an abandoned sign-in could not be counted: {}", error.described());
            }
            drop(guard);
        });
    }
}

/// The counters of a password check.
#[derive(Clone, Copy, Debug)]
pub struct AttemptKeys {
    pair: AttemptCounter,
    account: AttemptCounter,
    network: AttemptCounter,
}

impl AttemptKeys {
    /// Rejects an attempt that comes too soon. On a network that the user has signed in from before, the account's own
    /// count doesn't apply, so attackers elsewhere can't lock the user out. Returns whether the network is known in
    /// this way.
    pub fn check(&self, connection: &Connection, user: Option<Uuid>, now: Timestamp) -> Result<bool, ApiError> {
        let is_known = match user {
            Some(user) => throttle::is_known_network(connection, user, &self.network.key)?,
            None => false,
        };
        let account = if is_known { None } else { self.account.retry_after(connection, now)? };
        let pair = self.pair.retry_after(connection, now)?;
        let network = self.network.retry_after(connection, now)?;
        pair.max(network).max(account).map_or(Ok(is_known), |seconds| Err(ApiError::TooManyRequests(seconds)))
    }

    /// Rejects an attempt if others, perhaps on other servers, have failed since [`Self::check`] and left none for this
    /// one. Call it in the transaction that writes the outcome: a client learns only outcomes that the limits allow.
    pub fn confirm(&self, connection: &Connection, user: Option<Uuid>, now: Timestamp) -> Result<(), ApiError> {
        let Self { pair, account, network } = *self;
        Self { pair: pair.alone(), account: account.alone(), network: network.alone() }
            .check(connection, user, now)
            .map(drop)
    }

    /// Counts a failure, after [`Self::confirm`].
    pub fn failed(&self, connection: &Connection, user: Option<Uuid>, now: Timestamp) -> Result<(), ApiError> {
        self.confirm(connection, user, now)?;
        Ok(self.count(connection, now)?)
    }

    fn count(&self, connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
        let counters = [&self.pair, &self.account, &self.network];
        counters.into_iter().try_for_each(|counter| counter.record_failure(connection, now))
    }

    /// After [`Self::confirm`], clears the count of the account from this network, and remembers the network. The
    /// account's and the network's own counts stay. Reports whether the network is new, and not the user's first.
    pub fn succeeded(&self, connection: &Connection, user: Uuid, now: Timestamp) -> Result<bool, ApiError> {
        self.confirm(connection, Some(user), now)?;
        let is_new = !throttle::is_known_network(connection, user, &self.network.key)?
            && throttle::has_known_network(connection, user)?;
        throttle::clear(connection, &self.pair.key)?;
        throttle::remember_network(connection, user, &self.network.key, now)?;
        Ok(is_new)
    }
}

/// Counts a wrong API key that a program sent to a site, unless throttling is off.
///
/// # Errors
/// [`ApiError::TooManyRequests`] if it came too soon after others from its network.
pub async fn count_wrong_key(app: &App, address: IpAddr, now: Timestamp) -> Result<(), ApiError> {
    if !app.config.throttle {
        return Ok(());
    }
    let guard = app.throttle.start([ThrottleRule::SiteKey], "", address);
    let [counter] = guard.counters;
    let wait = app.db.read(move |connection| counter.retry_after(connection, now)).await?;
    wait.map_or(Ok(()), |seconds| Err(ApiError::TooManyRequests(seconds)))?;
    Ok(app.db.write(move |connection| counter.record_failure(connection, now)).await?)
}

pub struct SignUp(InFlightGuard<1>);

impl SignUp {
    /// Starts a sign-up, unless throttling is off.
    pub fn begin(app: &App, address: IpAddr) -> Option<Self> {
        app.config.throttle.then(|| Self(app.throttle.start([ThrottleRule::SignUp], "", address)))
    }

    /// Returns the key that the sign-up is counted under, for the store's closures.
    pub fn key(&self) -> SignUpKey {
        let [counter] = self.0.counters;
        SignUpKey(counter)
    }
}

/// The counter of a sign-up.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct SignUpKey(AttemptCounter);

impl SignUpKey {
    /// Rejects a sign-up that comes too soon after others from its network.
    pub fn check(self, connection: &Connection, now: Timestamp) -> Result<(), ApiError> {
        self.0.retry_after(connection, now)?.map_or(Ok(()), |seconds| Err(ApiError::TooManyRequests(seconds)))
    }

    /// Returns the keyed hash of the network.
    pub fn network(&self) -> AttemptKey {
        self.0.key
    }

    /// The key inside a write, where all earlier sign-ups are counted already.
    pub fn alone(self) -> Self {
        Self(self.0.alone())
    }

    /// Returns the error when too many accounts wait for approval. That can last, so clients should retry in an hour.
    pub fn full() -> ApiError {
        ApiError::TooManyRequests(3600)
    }

    /// Counts a sign-up, also if the name is taken: each one tells whether a name exists.
    pub fn count(self, connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
        self.0.record_failure(connection, now)
    }
}
