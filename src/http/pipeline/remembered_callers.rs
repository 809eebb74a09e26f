//! Callers who were looked up since the last commit. A request of one of them needs no trip to a reader thread, which
//! takes longer than everything else that whoami does.
//!
//! Nothing here is ever out of date: before each use, [`Db::version`] tells whether any process committed anything. If
//! so, everything is forgotten. With PostgreSQL that can't be told, so nothing is remembered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::domain::caller::FoundCaller;
use crate::domain::clock::Timestamp;
use crate::store::{Db, Version};

/// The most callers. A large picture and large `optins` are kept with each.
const MOST: usize = 256;

/// What a credential names, once its signature is checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKey {
    /// A session of a user.
    Session { user: Uuid, session: Uuid },
    /// An API key, by its hash.
    ApiKey([u8; 32]),
}

/// Who somebody is, asked at a version of the database.
#[derive(Clone, Copy)]
pub struct Lookup {
    version: Version,
    key: CredentialKey,
}

/// Callers who were looked up since the last commit, for all workers.
#[derive(Default)]
pub struct RememberedCallers(Mutex<State>);

#[derive(Default)]
struct State {
    version: Option<Version>,
    callers: HashMap<CredentialKey, FoundCaller>,
}

impl Lookup {
    /// Begins a lookup, before the database is read. `None` if its result can't be remembered.
    pub fn begin(db: &Db, key: CredentialKey) -> Option<Self> {
        Some(Self { version: db.version()?, key })
    }
}

impl RememberedCallers {
    /// Returns the caller, if they were looked up at the same version and haven't expired at `now`.
    pub fn find(&self, lookup: Option<Lookup>, now: Timestamp) -> Option<FoundCaller> {
        let Lookup { version, key } = lookup?;
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = state.callers.get(&key).filter(|_| state.version == Some(version))?;
        found.expires_at.is_none_or(|end| now < end).then(|| found.clone())
    }

    /// Remembers who was found after the lookup began.
    pub fn remember(&self, lookup: Option<Lookup>, caller: &FoundCaller) {
        let Some(Lookup { version, key }) = lookup else { return };
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.version != Some(version) || state.callers.len() >= MOST {
            state.callers.clear();
        }
        state.version = Some(version);
        state.callers.insert(key, caller.clone());
    }
}
