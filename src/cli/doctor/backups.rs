//! Owns what the doctor says of backups: whether there are any, how old the newest is, and whether the schedule is kept.

use crate::cli::doctor::{Report, ago};
use crate::cli::running_server::Server;
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::domain::schedule::Schedule;
use crate::store::backup::retention;
use crate::store::inspection::{BackupHistory, Inspection};

const CHECK: &str = "backups";
/// How long after it was due a backup may be.
const LEEWAY: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// Looks at them.
pub(super) fn look(
    config: &Config,
    now: Timestamp,
    server: &Server,
    inspection: Option<&Inspection>,
    report: &mut Report,
) {
    let noted = inspection.and_then(|inspection| inspection.backup_history().ok()).unwrap_or_default();
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
    if let Some(at) = noted.failed {
        let found = format!("the last attempt failed, {} ago", ago(now - at));
        report.problem(CHECK, found, "read the server's log, or try `usher backup FILE`, which says why");
    }
    if schedule == Schedule::Off {
        return unscheduled(now, newest, noted, report);
    }
    let late = match (newest, schedule.period()) {
        (Some(at), Some(period)) => now - at > period + LEEWAY,
        _ => true,
    };
    let age = newest.map_or_else(|| "none yet".to_owned(), |at| format!("newest {} old", ago(now - at)));
    let found = format!("{schedule}, kept: {} of {}, {age}", kept.len(), config.backup_keep);
    match (late, server) {
        (true, Server::Here) => {
            let remedy = "read the server's log; the server may have been started with other settings";
            report.problem(CHECK, format!("{found}, which is late"), remedy);
        }
        (true, _) => {
            report.warning(CHECK, format!("{found}, which is late"), "start the server, which makes up for it");
        }
        (false, _) => report.ok_unless_said(CHECK, found),
    }
}

/// Where somebody makes backups by hand, or by a program of their own, or not at all.
fn unscheduled(now: Timestamp, newest: Option<Timestamp>, noted: BackupHistory, report: &mut Report) {
    if let Some(at) = newest.max(noted.made) {
        let found = format!("`backup_schedule` is off; the last one was made {} ago", ago(now - at));
        report.ok_unless_said(CHECK, found);
    } else if noted.failed.is_none() {
        let remedy = "set `backup_schedule` to `daily`, or let something run `usher backup FILE`";
        report.warning(CHECK, "`backup_schedule` is off, and no backup is known", remedy);
    }
}
