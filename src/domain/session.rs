//! Sessions, and what happens when a refresh token is used.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::domain::clock::Timestamp;

/// The most sessions of a user. A new one ends the one that was refreshed least recently.
pub const MAX_PER_USER: i64 = 100;

/// A sign-in of a user on a client. Tokens are valid only while their session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The `sid` claim of its tokens.
    pub id: Uuid,
    /// Its user.
    pub user_id: Uuid,
    /// When the user signed in.
    pub created_at: Timestamp,
    /// When the newest refresh token was issued: its `iat`.
    pub refreshed_at: Timestamp,
    /// When the newest refresh token expires, and the session with it.
    pub expires_at: Timestamp,
    /// How many times the refresh token was replaced. The newest token carries this number.
    pub generation: i64,
    /// The address of the last sign-in or refresh.
    pub address: String,
    /// The `User-Agent` of the sign-in, shortened.
    pub client: Option<String>,
    /// Whether it began through `auto_login`, without a password.
    pub automatic: bool,
    /// When its owner last proved who they are: at sign-in, or again later.
    pub authenticated_at: Timestamp,
    /// When its owner last used a passkey.
    pub passkey_at: Option<Timestamp>,
}

/// What a request needs to know about its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionState {
    /// Whether it began without a password.
    pub automatic: bool,
    /// When its owner last proved who they are.
    pub authenticated_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// What to do with a refresh token of a live session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// It is the newest: issue its successor.
    Rotate,
    /// It was replaced a moment ago by another tab: issue the same successor.
    Repeat,
    /// It was replaced earlier: it was copied. End the session (RFC 9700, section 4.14.2).
    Reuse,
    /// It is newer than the session, as after a restored backup: refuse it.
    Unknown,
}

impl Session {
    /// Decides about a refresh token with this generation. `leeway` is how long a replaced token still works.
    pub fn refresh(&self, generation: i64, now: Timestamp, leeway: TimeDelta) -> RefreshOutcome {
        if generation == self.generation {
            RefreshOutcome::Rotate
        } else if generation > self.generation {
            RefreshOutcome::Unknown
        } else if generation + 1 == self.generation && now < self.refreshed_at + leeway {
            RefreshOutcome::Repeat
        } else {
            RefreshOutcome::Reuse
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_works_once_and_its_predecessor_only_within_the_leeway() {
        let at = Timestamp::from_timestamp(1_700_000_000, 0).unwrap();
        let session = Session {
            id: Uuid::nil(),
            user_id: Uuid::nil(),
            created_at: at,
            refreshed_at: at,
            expires_at: at + TimeDelta::days(7),
            generation: 3,
            address: String::new(),
            client: None,
            automatic: false,
            authenticated_at: at,
            passkey_at: None,
        };
        let leeway = TimeDelta::seconds(10);
        assert_eq!(session.refresh(3, at, leeway), RefreshOutcome::Rotate);
        assert_eq!(session.refresh(2, at + TimeDelta::seconds(9), leeway), RefreshOutcome::Repeat);
        assert_eq!(session.refresh(2, at + TimeDelta::seconds(10), leeway), RefreshOutcome::Reuse);
        assert_eq!(session.refresh(2, at, TimeDelta::zero()), RefreshOutcome::Reuse);
        assert_eq!(session.refresh(1, at, leeway), RefreshOutcome::Reuse);
        assert_eq!(session.refresh(4, at, leeway), RefreshOutcome::Unknown);
    }
}
