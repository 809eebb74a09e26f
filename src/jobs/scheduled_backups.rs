//! Scheduled backups. A backup has its own thread at the lowest priority and its own connection, so readers and the
//! writer don't wait for it. The files' names contain the time of the last backup, so a backup that was missed while
//! the server was down is made at startup.

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

/// How often the job checks whether a backup is due. Short, to notice a changed clock or a wake-up from sleep.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The pause after a failed backup.
const RETRY_AFTER: TimeDelta = TimeDelta::minutes(30);

/// Makes backups until `stop` is set. Returns when a running backup has ended.
pub async fn run(job: JobContext, stop: CancelFlag) {
    if job.config.backup_schedule == Schedule::Off {
        return;
    }
    let mut tick = actix_web::rt::time::interval(CHECK_INTERVAL);
    let mut due = None;
    while !stop.is_cancelled() {
        tick.tick().await;
        let now = job.clock.now();
        match due {
            None => due = Some(next(&job, now)),
            // The clock was set back since this was computed.
            Some(at) if at - now > longest(&job) => due = None,
            Some(at) if at <= now => {
                due = match make(&job, now, &stop).await {
                    Ok(()) => None,
                    Err(()) => Some(now + RETRY_AFTER),
                }
            }
            Some(_) => {}
        }
    }
}

fn longest(job: &JobContext) -> TimeDelta {
    // A day is longer when daylight saving time ends.
    job.config.backup_schedule.period().unwrap_or(TimeDelta::zero()).max(RETRY_AFTER) + TimeDelta::hours(2)
}

/// When the next backup is due: now if there is none. If the directory can't be listed, the backup fails and logs why.
fn next(job: &JobContext, now: Timestamp) -> Timestamp {
    let newest = retention::list(&job.config.data_dir).ok().and_then(|kept| retention::newest(&kept, now));
    newest.and_then(|last| job.config.backup_schedule.next_after(last, &Local)).unwrap_or(now)
}

/// Makes a backup and removes old ones.
async fn make(job: &JobContext, now: Timestamp, stop: &CancelFlag) -> Result<(), ()> {
    let (reply, answer) = oneshot::channel();
    let (dir, keep, stop) = (job.config.data_dir.clone(), job.config.backup_keep as usize, stop.clone());
    let work = move || {
        platform::lower_thread_priority();
        let made = retention::make(&dir, now, &mut BackupProgress { stop, progress: Box::new(|_, _, _| {}) });
        let made = made.map(|(path, bytes)| (retention::prune(&dir, keep, &path), path, bytes));
        // The server waits for the backup, even when it stops.
        let _ = reply.send(made);
    };
    let worker = thread::Builder::new().name("usher-backup".to_owned()).spawn(work);
    let made = match worker {
        Ok(_) => answer.await.unwrap_or_else(|_| Err(failed("the backup thread panicked"))),
        Err(error) => Err(failed(&error.to_string())),
    };
    let (outcome, detail) = match made {
        Ok((pruned, path, bytes)) => {
            log::info!("backup made and checked: {} ({bytes} bytes)", path.display());
            match pruned {
                Ok(gone) => gone.iter().for_each(|path| log::info!("old backup removed: {}", path.display())),
                Err(error) => log::warn!("old backups couldn't be removed: {error}"),
            }
            (Ok(()), path.file_name().map(|name| name.to_string_lossy().into_owned()))
        }
        Err(BackupError::Stopped) => return Err(()),
        Err(error) => {
            log::error!("backup failed: {error}; the next attempt is in {} minutes", RETRY_AFTER.num_minutes());
            (Err(()), None)
        }
    };
    let actor = Actor { name: Some(actor_names::SCHEDULE.to_owned()), ..Actor::default() };
    let event = Event { actor, action: Action::BackedUp, target: None, success: outcome.is_ok(), detail };
    let recorded = job.db.write(move |connection| audit::record(connection, &event, now)).await;
    if let Err::<_, StoreError>(error) = recorded {
        log::warn!("the backup couldn't be recorded in the audit log: {}", error.described());
    }
    outcome
}

fn failed(why: &str) -> BackupError {
    BackupError::Io { path: retention::DIRECTORY.into(), cause: io::Error::other(why.to_owned()) }
}
