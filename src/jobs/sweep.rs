//! Deletes expired sessions, reset links, invitations, attempt counts and audit entries.
//!
//! A clock can be far off: a home server with an empty battery may start in 2099 until its clock is set. So the
//! database stores the last time at which the clock was trusted. A clock that is far from that time is trusted again
//! only after it has run for hours without being set. Until then, expired rows aren't deleted, but still don't work.

use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::domain::audit::{Action, Actor, Event};
use crate::domain::clock::Timestamp;
use crate::domain::throttle::COUNT_LIFETIME;
use crate::jobs::JobContext;
use crate::store::{
    Connection, StoreError, audit, challenges, heartbeat, invitations, reset_links, sessions, sign_ups, throttle, users,
};

/// The most accounts that are deleted at once.
const MAX_UNAPPROVED: u32 = 100;
/// How often expired rows are deleted.
const INTERVAL: Duration = Duration::from_mins(10);
/// The largest trusted difference from the stored time. A server may be off for some days.
const MAX_JUMP: TimeDelta = TimeDelta::days(7);
/// How long a clock that is farther off must run without being set. Time synchronization needs less.
const TRUSTED_AFTER: Duration = Duration::from_hours(6);
/// The largest deviation from the monotonic clock between two checks. If it is larger, the clock was set.
const MAX_DRIFT: TimeDelta = TimeDelta::minutes(1);

/// Runs until it is aborted.
pub async fn run(job: JobContext) {
    let mut period = actix_web::rt::time::interval(INTERVAL);
    let mut clock = ClockStability::new(job.clock.now(), Instant::now());
    let mut is_logged = false;
    loop {
        period.tick().await;
        let now = job.clock.now();
        let stable = clock.stable_for(now, Instant::now());
        let retention = Retention { audit_days: job.config.audit_days, waiting_days: job.config.signup_waiting_days };
        let is_shared = job.db.is_shared();
        let work = move |connection: &Connection| {
            if is_shared && swept_recently(connection, now)? {
                return Ok(Outcome::Done);
            }
            sweep(connection, now, stable, retention)
        };
        match job.db.write(work).await {
            Ok(Outcome::Done) => is_logged = false,
            Ok(Outcome::ClockUntrusted(trusted)) => {
                if !std::mem::replace(&mut is_logged, true) {
                    log::warn!(
                        "the clock says {now}, but was last trusted at {trusted}: expired rows aren't deleted until it \
                         has run for {} hours without being set",
                        TRUSTED_AFTER.as_secs() / 3600
                    );
                }
            }
            Err(error) => log::warn!("expired rows couldn't be deleted: {}", error.described()),
        }
    }
}

/// Reports whether another server has just done the same.
fn swept_recently(connection: &Connection, now: Timestamp) -> Result<bool, StoreError> {
    let recently = TimeDelta::from_std(INTERVAL / 2).unwrap_or(TimeDelta::zero());
    Ok(heartbeat::trusted_until(connection)?.is_some_and(|last| last <= now && now - last < recently))
}

/// Stores the trusted time in a database that has none: the time of the newest audit entry, or else now. Must run
/// before anything is written.
pub async fn init_trusted_time(job: &JobContext) -> Result<(), StoreError> {
    if job.db.read(heartbeat::trusted_until).await?.is_some() {
        return Ok(());
    }
    let now = job.clock.now();
    let init = move |connection: &Connection| {
        let newest = audit::newest(connection)?;
        heartbeat::set_trusted_until(connection, newest.unwrap_or(now))
    };
    job.db.write(init).await
}

/// Tracks how long the clock has run without being set.
struct ClockStability {
    seen: (Timestamp, Instant),
    since: Instant,
}

impl ClockStability {
    fn new(now: Timestamp, instant: Instant) -> Self {
        Self { seen: (now, instant), since: instant }
    }

    /// How long the clock has run without being set.
    fn stable_for(&mut self, now: Timestamp, instant: Instant) -> Duration {
        let (then, before) = std::mem::replace(&mut self.seen, (now, instant));
        let passed = TimeDelta::from_std(instant - before).unwrap_or(TimeDelta::MAX);
        // A machine that slept looks as if its clock had been set. That is harmless.
        if (now - then - passed).abs() > MAX_DRIFT {
            self.since = instant;
        }
        instant - self.since
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    /// The clock is too far from this time, when it was last trusted.
    ClockUntrusted(Timestamp),
}

/// How long rows are kept, in days.
#[derive(Clone, Copy)]
struct Retention {
    audit_days: u32,
    /// Accounts that wait for approval.
    waiting_days: u32,
}

fn sweep(
    connection: &Connection,
    now: Timestamp,
    stable: Duration,
    retention: Retention,
) -> Result<Outcome, StoreError> {
    // Whatever the clock says, these tables have a maximum size.
    throttle::trim(connection)?;
    audit::trim(connection)?;
    let trusted = heartbeat::trusted_until(connection)?.unwrap_or(now);
    if (now - trusted).abs() > MAX_JUMP && stable < TRUSTED_AFTER {
        return Ok(Outcome::ClockUntrusted(trusted));
    }
    sessions::sweep(connection, now)?;
    reset_links::sweep(connection, now)?;
    invitations::sweep(connection, now)?;
    throttle::sweep(connection, now - COUNT_LIFETIME)?;
    challenges::sweep(connection, now)?;
    delete_unapproved(connection, now, retention.waiting_days)?;
    audit::sweep(connection, now - TimeDelta::days(retention.audit_days.into()))?;
    heartbeat::set_trusted_until(connection, now)?;
    Ok(Outcome::Done)
}

/// Deletes accounts that nobody has approved in time.
fn delete_unapproved(connection: &Connection, now: Timestamp, days: u32) -> Result<(), StoreError> {
    let end = now - TimeDelta::days(days.into());
    for user in sign_ups::waiting_since_before(connection, end, MAX_UNAPPROVED)? {
        users::delete(connection, user.id)?;
        let event = Event::new(Actor::default(), Action::UserDeleted).target(&user).detail("not approved in time");
        audit::record(connection, &event, now)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::PasswordHash;
    use crate::domain::throttle::AttemptCount;
    use crate::domain::user::User;
    use crate::domain::username::Username;
    use crate::store::{Db, Options};

    const RETENTION: Retention = Retention { audit_days: 90, waiting_days: 30 };

    fn at(text: &str) -> Timestamp {
        format!("{text}Z").parse().unwrap()
    }

    fn database(dir: &tempfile::TempDir) -> Db {
        Db::open(&Options { data_dir: dir.path().to_owned(), readers: 1, create: true }).unwrap()
    }

    /// Trusts the clock on 1 June 2026, and adds an audit entry of two months before, one of that day, and a count.
    async fn fill(db: &Db) {
        let event = |action| Event::new(Actor::default(), action);
        let work = move |connection: &Connection| {
            audit::record(connection, &event(Action::BackedUp), at("2026-04-01T00:00:00"))?;
            audit::record(connection, &event(Action::BackedUp), at("2026-06-01T00:00:00"))?;
            throttle::set(connection, &[7; 16], AttemptCount { count: 1, last_at: at("2026-06-01T00:00:00") })?;
            heartbeat::set_trusted_until(connection, at("2026-06-01T00:00:00"))
        };
        db.write(work).await.unwrap();
    }

    /// The number of audit entries and counts.
    async fn left(db: &Db) -> (i64, i64) {
        let sql = "SELECT (SELECT count(*) FROM audit), (SELECT count(*) FROM attempts)";
        let count = move |connection: &Connection| connection.one(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)));
        db.read(count).await.unwrap()
    }

    async fn swept(db: &Db, now: &str, stable: Duration) -> Outcome {
        let now = at(now);
        db.write(move |connection| sweep(connection, now, stable, RETENTION)).await.unwrap()
    }

    #[tokio::test]
    async fn a_clock_that_is_far_ahead_or_behind_at_startup_deletes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let db = database(&dir);
        fill(&db).await;
        let untrusted = Outcome::ClockUntrusted(at("2026-06-01T00:00:00"));
        for wrong in ["2099-01-01T00:00:00", "2001-01-01T00:00:00", "2026-06-08T00:00:01"] {
            assert_eq!(swept(&db, wrong, Duration::ZERO).await, untrusted, "{wrong}");
            assert_eq!(swept(&db, wrong, Duration::from_hours(5)).await, untrusted, "{wrong}");
            // Writing rows doesn't make it trusted.
            let wrong = at(wrong);
            db.write(move |connection| heartbeat::write(connection, wrong)).await.unwrap();
        }
        assert_eq!(left(&db).await, (2, 1));
        // Once it is set right, it is trusted.
        assert_eq!(swept(&db, "2026-06-02T00:00:01", Duration::ZERO).await, Outcome::Done);
        assert_eq!(left(&db).await, (2, 0));
        db.close();
    }

    #[tokio::test]
    async fn expired_rows_are_deleted_if_the_clock_is_near_or_has_run_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let db = database(&dir);
        fill(&db).await;
        assert_eq!(swept(&db, "2026-06-08T00:00:00", Duration::ZERO).await, Outcome::Done);
        assert_eq!(left(&db).await, (2, 0));
        assert_eq!(swept(&db, "2026-07-20T00:00:00", TRUSTED_AFTER).await, Outcome::Done);
        assert_eq!(left(&db).await, (1, 0));
        // That is the trusted time from now on.
        assert_eq!(swept(&db, "2026-07-26T00:00:00", Duration::ZERO).await, Outcome::Done);
        db.close();
    }

    #[tokio::test]
    async fn unapproved_accounts_are_deleted_after_their_time() {
        let dir = tempfile::tempdir().unwrap();
        let db = database(&dir);
        fill(&db).await;
        let work = move |connection: &Connection| {
            for name in ["waiting", "approved", "made", "recent"] {
                let user = User::new(Username::parse(name).unwrap(), false, false, at("2026-05-01T00:00:00"));
                users::insert(connection, &user, &PasswordHash::new("hash"))?;
                let then = if name == "recent" { "2026-05-20T00:00:00" } else { "2026-05-01T00:00:00" };
                if name != "made" {
                    sign_ups::add(connection, user.id, &[0; 16], at(then))?;
                }
                if name == "approved" {
                    users::update(connection, &user, &User { is_active: true, ..user.clone() })?;
                }
            }
            Ok::<_, StoreError>(())
        };
        db.write(work).await.unwrap();
        assert_eq!(swept(&db, "2026-06-02T00:00:00", Duration::ZERO).await, Outcome::Done);
        let names = |connection: &Connection| {
            connection.all("SELECT username FROM users ORDER BY id", &[], |row| row.get::<String>(0))
        };
        assert_eq!(db.read(names).await.unwrap(), ["approved", "made", "recent"]);
        db.close();
    }

    #[test]
    fn a_clock_is_stable_since_it_was_last_set() {
        let (begin, noon) = (Instant::now(), at("2026-06-01T12:00:00"));
        let mut clock = ClockStability::new(noon, begin);
        let mut look = |minutes: u64, shift: i64| {
            let passed = Duration::from_mins(minutes);
            let shown = noon + TimeDelta::from_std(passed).unwrap() + TimeDelta::seconds(shift);
            clock.stable_for(shown, begin + passed)
        };
        assert_eq!(look(10, 0), Duration::from_mins(10));
        assert_eq!(look(20, 30), Duration::from_mins(20), "it drifts");
        assert_eq!(look(30, 3600), Duration::ZERO, "it was set");
        assert_eq!(look(50, 3600), Duration::from_mins(20));
        assert_eq!(look(60, -86_400), Duration::ZERO, "and set back");
    }
}
