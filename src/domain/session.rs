//! Owns what a session is and what may be done with a refresh token. Must not know tokens' spelling or SQL.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::domain::clock::Timestamp;

/// One log-in of one person on one client; tokens are valid only while their session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The `sid` claim of its tokens.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When the newest refresh token was issued: its `iat`.
    pub refreshed_at: Timestamp,
    /// When the newest refresh token, and so the session, ends.
    pub expires_at: Timestamp,
    /// How many times the refresh token was replaced; the newest token carries this number.
    pub generation: i64,
    /// The address that signed in or refreshed last.
    pub address: String,
    /// The `User-Agent` that signed in, shortened.
    pub client: Option<String>,
    /// Whether it began without a password, by automatic log-in.
    pub automatic: bool,
}

/// What a refresh token that belongs to a living session gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// It is the newest: a successor is made.
    Rotate,
    /// It was replaced a moment ago, by another tab: the same successor again.
    Repeat,
    /// It was replaced earlier: somebody has a copy. The session ends (RFC 9700, section 4.14.2).
    Reuse,
    /// It is newer than the session knows, as after a restored backup: refused, nothing ends.
    Unknown,
}

impl Session {
    /// Decides about a refresh token of number `generation`; `leeway` is how long a replaced one still works.
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
