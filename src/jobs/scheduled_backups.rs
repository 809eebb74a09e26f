//! Owns the backups that the server makes by itself. They run on a thread of their own at the lowest priority and with a
//! connection of their own, so that neither readers nor the writer wait for them. When the last one was made is told by
//! the files, so that one that was missed while the server was down is made up for.

use std::io;
use std::thread;
use std::time::Duration;

use chrono::{Local, TimeDelta};
use tokio::sync::oneshot;

use crate::domain::actor_names;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::cancel_flag::CancelFlag;
use crate::domain::clock::Timestamp;
use crate::domain::schedule::Schedule;
use crate::jobs::JobContext;
use crate::platform;
use crate::store::backup::error::{BackupError, BackupProgress};
use crate::store::backup::retention;
use crate::store::{StoreError, audit};

/// How often it is asked whether one is due; a clock that jumps or a machine that slept is noticed within this.
const TICK: Duration = Duration::from_secs(1);
/// How long after one that failed the next is tried.
const AGAIN: TimeDelta = TimeDelta::minutes(30);

/// Makes them until it is stopped; returns when the one under way, if any, has ended.
pub async fn run(job: JobContext, stop: CancelFlag) {
    if job.config.backup_schedule == Schedule::Off {
        return;
    }
    let mut tick = actix_web::rt::time::interval(TICK);
    let mut due = None;
    while !stop.is_cancelled() {
        tick.tick().await;
        let now = job.clock.now();
        match due {
            None => due = Some(next(&job, now)),
            // One that is due far later than it can be was reckoned by a clock that has been set back since.
            Some(at) if at - now > longest(&job) => due = None,
            Some(at) if at <= now => {
                due = match make(&job, now, &stop).await {
                    Ok(()) => None,
                    Err(()) => Some(now + AGAIN),
                }
            }
            Some(_) => {}
        }
    }
}

fn longest(job: &JobContext) -> TimeDelta {
    // Clocks that are changed for the summer make a day longer.
    job.config.backup_schedule.period().unwrap_or(TimeDelta::zero()).max(AGAIN) + TimeDelta::hours(2)
}

/// When the next one is due: at once if there is none yet. What cannot be listed cannot be written either, which is then
/// told as any failure is.
fn next(job: &JobContext, now: Timestamp) -> Timestamp {
    let newest = retention::list(&job.config.data_dir).ok().and_then(|kept| retention::newest(&kept, now));
    newest.and_then(|last| job.config.backup_schedule.next_after(last, &Local)).unwrap_or(now)
}

/// Makes one and removes the oldest of too many.
async fn make(job: &JobContext, now: Timestamp, stop: &CancelFlag) -> Result<(), ()> {
    let (reply, answer) = oneshot::channel();
    let (dir, keep, stop) = (job.config.data_dir.clone(), job.config.backup_keep as usize, stop.clone());
    let work = move || {
        platform::lower_thread_priority();
        let made = retention::make(&dir, now, &mut BackupProgress { stop, progress: Box::new(|_, _, _| {}) });
        let made = made.map(|(path, bytes)| (retention::prune(&dir, keep, &path), path, bytes));
        // The server waits for it, even when it stops.
        let _ = reply.send(made);
    };
    let worker = thread::Builder::new().name("usher-backup".to_owned()).spawn(work);
    let made = match worker {
        Ok(_) => answer.await.unwrap_or_else(|_| Err(failed("the thread was cut off by a fault"))),
        Err(error) => Err(failed(&error.to_string())),
    };
    let (outcome, detail) = match made {
        Ok((pruned, path, bytes)) => {
            log::info!("a backup was made and checked: {} ({bytes} bytes)", path.display());
            match pruned {
                Ok(gone) => gone.iter().for_each(|path| log::info!("an old backup was removed: {}", path.display())),
                Err(error) => log::warn!("old backups could not be removed: {error}"),
            }
            (Ok(()), path.file_name().map(|name| name.to_string_lossy().into_owned()))
        }
        Err(BackupError::Stopped) => return Err(()),
        Err(error) => {
            log::error!("no backup was made: {error}; the next attempt is in {} minutes", AGAIN.num_minutes());
            (Err(()), None)
        }
    };
    let actor = Actor { name: Some(actor_names::SCHEDULE.to_owned()), ..Actor::default() };
    let event = Event { actor, action: Action::BackedUp, target: None, success: outcome.is_ok(), detail };
    let noted = job.db.write(move |connection| audit::record(connection, &event, now)).await;
    if let Err::<_, StoreError>(error) = noted {
        log::warn!("the backup is not in the audit log: {}", error.described());
    }
    outcome
}

fn failed(why: &str) -> BackupError {
    BackupError::Io { path: retention::DIRECTORY.into(), cause: io::Error::other(why.to_owned()) }
}
