//! Owns the deletion of what has ended: sessions, reset links, old counts, old entries of the audit log. It is done by
//! the clock, and a clock can be far off: a home server whose battery is empty starts in 2099 until somebody tells it the
//! time. So the moment up to which the clock was believed is kept in the database, and a clock that is far from it is not
//! believed before it has run for hours without being set. What has ended is refused all the same.

use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::domain::clock::Timestamp;
use crate::domain::throttle::COUNT_LIFETIME;
use crate::jobs::JobContext;
use crate::store::{Connection, StoreError, audit, challenges, heartbeat, reset_links, sessions, throttle};

/// How often it is done.
const PERIOD: Duration = Duration::from_mins(10);
/// How far a clock may be from where it was believed last: servers are switched off for some days.
const LEAP: TimeDelta = TimeDelta::days(7);
/// How long a clock that is farther off must run without being set: time enough to be told the right time.
const STEADY: Duration = Duration::from_hours(6);
/// What two looks at a clock may differ by from the time between them, unless it was set.
const DRIFT: TimeDelta = TimeDelta::minutes(1);

/// Does it for as long as the server runs.
pub async fn run(job: JobContext) {
    let mut period = actix_web::rt::time::interval(PERIOD);
    let mut pace = Pace::new(job.clock.now(), Instant::now());
    let mut doubted = false;
    loop {
        period.tick().await;
        let now = job.clock.now();
        let (steady, audit_days) = (pace.steady(now, Instant::now()), job.config.audit_days);
        match job.db.write(move |connection| sweep(connection, now, steady, audit_days)).await {
            Ok(Outcome::Done) => doubted = false,
            Ok(Outcome::Doubted(believed)) => {
                if !std::mem::replace(&mut doubted, true) {
                    log::warn!(
                        "the clock says {now}, and {believed} when it was believed last: nothing that has ended is \
                         deleted before it has run for {} hours without being set",
                        STEADY.as_secs() / 3600
                    );
                }
            }
            Err(error) => log::warn!("what has ended could not be deleted: {}", error.described()),
        }
    }
}

/// Notes the moment up to which the clock was believed, for a database in which none is: before anything is written, what
/// the newest entry of the audit log says.
pub async fn begin(job: &JobContext) -> Result<(), StoreError> {
    if job.db.read(heartbeat::trusted_until).await?.is_some() {
        return Ok(());
    }
    let now = job.clock.now();
    let note = move |connection: &Connection| {
        let newest = audit::newest(connection)?;
        heartbeat::set_trusted_until(connection, newest.unwrap_or(now))
    };
    job.db.write(note).await
}

/// How steadily a clock runs.
struct Pace {
    seen: (Timestamp, Instant),
    since: Instant,
}

impl Pace {
    fn new(now: Timestamp, instant: Instant) -> Self {
        Self { seen: (now, instant), since: instant }
    }

    /// For how long it has not been set.
    fn steady(&mut self, now: Timestamp, instant: Instant) -> Duration {
        let (then, before) = std::mem::replace(&mut self.seen, (now, instant));
        let passed = TimeDelta::from_std(instant - before).unwrap_or(TimeDelta::MAX);
        // A machine that slept looks as if its clock had been set, which does no harm.
        if (now - then - passed).abs() > DRIFT {
            self.since = instant;
        }
        instant - self.since
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    /// The clock is too far from this moment.
    Doubted(Timestamp),
}

fn sweep(connection: &Connection, now: Timestamp, steady: Duration, audit_days: u32) -> Result<Outcome, StoreError> {
    // However late it is, tables do not grow without end.
    throttle::trim(connection)?;
    audit::trim(connection)?;
    let believed = heartbeat::trusted_until(connection)?.unwrap_or(now);
    if (now - believed).abs() > LEAP && steady < STEADY {
        return Ok(Outcome::Doubted(believed));
    }
    sessions::sweep(connection, now)?;
    reset_links::sweep(connection, now)?;
    throttle::sweep(connection, now - COUNT_LIFETIME)?;
    challenges::sweep(connection, now)?;
    audit::sweep(connection, now - TimeDelta::days(audit_days.into()))?;
    heartbeat::set_trusted_until(connection, now)?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::{Action, Actor, Event};
    use crate::domain::throttle::AttemptCount;
    use crate::store::{Db, Options};

    const AUDIT_DAYS: u32 = 90;

    fn at(text: &str) -> Timestamp {
        format!("{text}Z").parse().unwrap()
    }

    /// A database whose clock was believed on the 1st of June 2026, with an entry of two months before and one of that
    /// day, and with a count of that day.
    fn database(dir: &tempfile::TempDir) -> Db {
        Db::open(&Options { data_dir: dir.path().to_owned(), readers: 1, create: true }).unwrap()
    }

    async fn fill(db: &Db) {
        let event = |action| Event { actor: Actor::default(), action, target: None, success: true, detail: None };
        let work = move |connection: &Connection| {
            audit::record(connection, &event(Action::BackedUp), at("2026-04-01T00:00:00"))?;
            audit::record(connection, &event(Action::BackedUp), at("2026-06-01T00:00:00"))?;
            throttle::set(connection, &[7; 16], AttemptCount { count: 1, last_at: at("2026-06-01T00:00:00") })?;
            heartbeat::set_trusted_until(connection, at("2026-06-01T00:00:00"))
        };
        db.write(work).await.unwrap();
    }

    /// How many entries and counts are left.
    async fn left(db: &Db) -> (i64, i64) {
        let sql = "SELECT (SELECT count(*) FROM audit), (SELECT count(*) FROM attempts)";
        let count = move |connection: &Connection| connection.one(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)));
        db.read(count).await.unwrap()
    }

    async fn swept(db: &Db, now: &str, steady: Duration) -> Outcome {
        let now = at(now);
        db.write(move |connection| sweep(connection, now, steady, AUDIT_DAYS)).await.unwrap()
    }

    #[tokio::test]
    async fn a_clock_that_is_far_ahead_or_behind_at_the_start_deletes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let db = database(&dir);
        fill(&db).await;
        let doubted = Outcome::Doubted(at("2026-06-01T00:00:00"));
        for wrong in ["2099-01-01T00:00:00", "2001-01-01T00:00:00", "2026-06-08T00:00:01"] {
            assert_eq!(swept(&db, wrong, Duration::ZERO).await, doubted, "{wrong}");
            assert_eq!(swept(&db, wrong, Duration::from_hours(5)).await, doubted, "{wrong}");
            // Neither is it believed for what is written meanwhile.
            let wrong = at(wrong);
            db.write(move |connection| heartbeat::write(connection, wrong)).await.unwrap();
        }
        assert_eq!(left(&db).await, (2, 1));
        // Set right, it is believed at once.
        assert_eq!(swept(&db, "2026-06-02T00:00:01", Duration::ZERO).await, Outcome::Done);
        assert_eq!(left(&db).await, (2, 0));
        db.close();
    }

    #[tokio::test]
    async fn what_has_ended_is_deleted_by_a_clock_that_is_near_or_has_run_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let db = database(&dir);
        fill(&db).await;
        assert_eq!(swept(&db, "2026-06-08T00:00:00", Duration::ZERO).await, Outcome::Done);
        assert_eq!(left(&db).await, (2, 0));
        assert_eq!(swept(&db, "2026-07-20T00:00:00", STEADY).await, Outcome::Done);
        assert_eq!(left(&db).await, (1, 0));
        // From then on that is where it was believed.
        assert_eq!(swept(&db, "2026-07-26T00:00:00", Duration::ZERO).await, Outcome::Done);
        db.close();
    }

    #[test]
    fn a_clock_is_steady_from_when_it_was_set_last() {
        let (begin, noon) = (Instant::now(), at("2026-06-01T12:00:00"));
        let mut pace = Pace::new(noon, begin);
        let mut look = |minutes: u64, shift: i64| {
            let passed = Duration::from_mins(minutes);
            let shown = noon + TimeDelta::from_std(passed).unwrap() + TimeDelta::seconds(shift);
            pace.steady(shown, begin + passed)
        };
        assert_eq!(look(10, 0), Duration::from_mins(10));
        assert_eq!(look(20, 30), Duration::from_mins(20), "it drifts");
        assert_eq!(look(30, 3600), Duration::ZERO, "it was set");
        assert_eq!(look(50, 3600), Duration::from_mins(20));
        assert_eq!(look(60, -86_400), Duration::ZERO, "and set back");
    }
}
