//! Sends events to the receiver in `on_event`: sign-ups, sign-ins from new places, changed passwords and ended
//! sessions.
//!
//! The queue is the audit log: requests only write their entry, and the database remembers how far the job has come. So
//! a slow or missing receiver slows nothing, and a restart loses nothing. A crash can lose the event that is being
//! sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use actix_web::rt::time;
use chrono::TimeDelta;
use serde_json::json;

use crate::domain::clock::rfc3339;
use crate::domain::notification::NotificationKind;
use crate::jobs::JobContext;
use crate::jobs::event_delivery::{DeliveryError, EventSender};
use crate::store::audit::AuditEntry;
use crate::store::{StoreError, event_position};

/// How often the job looks for new entries.
const INTERVAL: Duration = Duration::from_secs(1);
/// The entries that are read at once.
const BATCH: u32 = 100;
/// The tries of one event, and the pauses between them: 1 s, 2 s, 4 s … 5 min, in sum 27 minutes.
const MAX_TRIES: u32 = 13;
const MAX_PAUSE: Duration = Duration::from_mins(5);
/// Older events are skipped, such as after a day without the receiver.
const MAX_AGE: TimeDelta = TimeDelta::hours(24);

/// The id of the entry that is being sent, or 0.
#[derive(Clone, Debug, Default)]
pub struct SendingEvent(Arc<AtomicI64>);

impl SendingEvent {
    /// Lets the next start send the event that was being sent when the server stopped.
    pub async fn requeue(&self, job: &JobContext) {
        let id = self.0.swap(0, Ordering::Relaxed);
        if id == 0 {
            return;
        }
        if let Err(error) = job.db.write(move |connection| event_position::requeue(connection, id)).await {
            log::warn!("an event wasn't sent before the server stopped: {}", error.described());
        }
    }
}

/// Finds where the last server stopped. Must run before anything is written that could be sent.
pub async fn init_position(job: &JobContext) -> Result<i64, StoreError> {
    if job.config.on_event.is_some() {
        return job.db.write(event_position::start).await;
    }
    if job.db.read(event_position::is_there).await? {
        job.db.write(event_position::forget).await?;
    }
    Ok(0)
}

/// Sends the events after `position`. Runs until it is aborted.
pub async fn run(job: JobContext, position: i64, in_flight: SendingEvent) {
    let Some(target) = job.config.on_event.clone() else { return };
    let sender = match EventSender::start(target, job.config.on_event_secret.clone()) {
        Ok(sender) => sender,
        Err(error) => return log::error!("`on_event` is not told of events: no thread: {error}"),
    };
    let mut tick = time::interval(INTERVAL);
    let mut position = position;
    let mut is_logged = false;
    loop {
        tick.tick().await;
        match send_new(&job, &sender, &in_flight, &mut position).await {
            Ok(()) => is_logged = false,
            Err(error) if std::mem::replace(&mut is_logged, true) => log::debug!("{}", error.described()),
            Err(error) => log::warn!("events can't be read: {}", error.described()),
        }
    }
}

/// Sends all events after `position`.
async fn send_new(
    job: &JobContext,
    sender: &EventSender,
    in_flight: &SendingEvent,
    position: &mut i64,
) -> Result<(), StoreError> {
    loop {
        let last = *position;
        let entries = job.db.read(move |connection| event_position::next(connection, last, BATCH)).await?;
        if entries.is_empty() {
            return Ok(());
        }
        for entry in entries {
            let (previous, id) = (*position, entry.id);
            let (actor_name, detail) = (entry.actor_name.as_deref(), entry.detail.as_deref());
            if let Some(kind) = NotificationKind::of(&entry.action, entry.success, actor_name, detail)
                && job.db.write(move |connection| event_position::claim(connection, previous, id)).await?
            {
                in_flight.0.store(id, Ordering::Relaxed);
                send(job, sender, kind, &entry).await;
                in_flight.0.store(0, Ordering::Relaxed);
            }
            *position = id;
        }
    }
}

/// Sends one event, again and again until it arrives or is given up.
async fn send(job: &JobContext, sender: &EventSender, kind: NotificationKind, entry: &AuditEntry) {
    let body = body(kind, entry);
    let name = kind.as_str();
    let mut pause = Duration::from_secs(1);
    for tried in 1..=MAX_TRIES {
        let now = job.clock.now();
        if now - entry.at > MAX_AGE {
            return log::warn!("the event {name} of {} is too old to be sent", rfc3339(&entry.at));
        }
        match sender.deliver(body.clone(), now.timestamp()).await {
            Ok(()) => return log::debug!("`on_event` was told about {name}, entry {}", entry.id),
            Err(DeliveryError::Temporary(why)) if tried < MAX_TRIES => {
                // The first failure matters; the others follow from it.
                let level = if tried == 1 { log::Level::Warn } else { log::Level::Debug };
                log::log!(
                    level,
                    "`on_event` could not be told about {name}: {why}; the next try is in {} s",
                    pause.as_secs()
                );
                time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
            Err(error) => return log::error!("`on_event` will not be told about {name}, entry {}: {error}", entry.id),
        }
    }
}

/// The JSON of an event: its kind, and the fields of the audit entry as the API shows them.
fn body(kind: NotificationKind, entry: &AuditEntry) -> String {
    let AuditEntry { id, at, action, success, actor, actor_name, address, target, target_name, detail, .. } = entry;
    let event = json!({
        "event": kind.as_str(), "id": id, "at": rfc3339(at), "action": action, "success": success, "actor": actor,
        "actor_name": actor_name, "address": address, "target": target, "target_name": target_name, "detail": detail,
    });
    event.to_string()
}
