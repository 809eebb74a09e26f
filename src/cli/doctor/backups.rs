//! Checks the backups: whether there are any, the newest one's age, and the schedule.

use crate::cli::doctor::{Report, format_age};
use crate::cli::running_server::ServerLocation;
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::domain::schedule::Schedule;
use crate::store::backup::retention;
use crate::store::inspection::{BackupHistory, Inspection};

const CHECK: &str = "backups";
/// How late a backup can be without a warning.
const LEEWAY: chrono::TimeDelta = chrono::TimeDelta::hours(1);

pub(super) fn check(
    config: &Config,
    now: Timestamp,
    server: &ServerLocation,
    inspection: Option<&Inspection>,
    report: &mut Report,
) {
    if config.database.is_some() {
        return report.ok(CHECK, "usher doesn't see PostgreSQL's backups; keep the secret key with them");
    }
    let recorded = inspection.and_then(|inspection| inspection.backup_history().ok()).unwrap_or_default();
    let kept = match retention::list(&config.data_dir) {
        Ok(kept) => kept,
        Err(error) => {
            let path = config.data_dir.join(retention::DIRECTORY);
            report.problem(CHECK, format!("{}: {error}", path.display()), "run this as the server's user");
            return;
        }
    };
    let newest = retention::newest(&kept, now);
    let schedule = config.backup_schedule;
    if let Some(at) = recorded.failed {
        let found = format!("the last attempt failed, {} ago", format_age(now - at));
        report.problem(CHECK, found, "read the server's log, or run `usher backup FILE`, which prints the reason");
    }
    if schedule == Schedule::Off {
        return check_unscheduled(now, newest, recorded, report);
    }
    let late = match (newest, schedule.period()) {
        (Some(at), Some(period)) => now - at > period + LEEWAY,
        _ => true,
    };
    let age = newest.map_or_else(|| "none yet".to_owned(), |at| format!("newest {} old", format_age(now - at)));
    let found = format!("{schedule}, kept: {} of {}, {age}", kept.len(), config.backup_keep);
    match (late, server) {
        (true, ServerLocation::SameDirectory) => {
            let remedy = "read the server's log; the server may have other settings";
            report.problem(CHECK, format!("{found}, which is late"), remedy);
        }
        (true, _) => {
            report.warning(CHECK, format!("{found}, which is late"), "start the server, which makes the missed backup");
        }
        (false, _) => report.ok_if_clean(CHECK, found),
    }
}

/// Checks backups that are made by hand or by another program.
fn check_unscheduled(now: Timestamp, newest: Option<Timestamp>, recorded: BackupHistory, report: &mut Report) {
    if let Some(at) = newest.max(recorded.made) {
        let found = format!("`backup_schedule` is off; the last one was made {} ago", format_age(now - at));
        report.ok_if_clean(CHECK, found);
    } else if recorded.failed.is_none() {
        let remedy = "set `backup_schedule` to `daily`, or run `usher backup FILE` regularly";
        report.warning(CHECK, "`backup_schedule` is off, and no backup is known", remedy);
    }
}
