//! `usher audit`.

use crate::cli::Failure;
use crate::cli::context::{CommandError, find_user, with_context};
use crate::cli::output::format_time;
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::http::AuditRead;
use crate::store::audit::{self, AuditFilter};

/// Parses a date, at midnight in UTC, or a time as RFC 3339 writes it.
pub(super) fn parse_time(text: &str) -> Result<Timestamp, &'static str> {
    let midnight = format!("{text}T00:00:00Z");
    let parsed = text.parse().or_else(|_| midnight.parse());
    parsed.map_err(|_| "it must be a date or a time, such as 2026-01-31 or 2026-01-31T12:00:00Z")
}

/// Prints the newest entries of the audit log.
pub fn run(config: &Config, json: bool, user: Option<String>, filter: AuditFilter) -> Result<(), Failure> {
    with_context(config, json, async |context| {
        let listed = context.db.read(move |connection| {
            let user = user.map(|name| find_user(connection, &name)).transpose()?.map(|user| user.id);
            Ok::<_, CommandError>(audit::list(connection, &AuditFilter { user, ..filter })?)
        });
        let (_, entries) = listed.await?;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let rows = entries.iter().map(|entry| {
            let outcome = if entry.success { "ok" } else { "failed" }.to_owned();
            let (actor, target) = (text(&entry.actor_name), text(&entry.target_name));
            let (address, detail) = (text(&entry.address), text(&entry.detail));
            let action = match entry.count {
                1 => entry.action.clone(),
                count => format!("{} ({count} times)", entry.action),
            };
            vec![format_time(Some(entry.at)), action, outcome, actor, target, address, detail]
        });
        let header = ["TIME", "ACTION", "OUTCOME", "ACTOR", "TARGET", "ADDRESS", "DETAIL"];
        let shown = entries.iter().map(AuditRead::from).collect::<Vec<_>>();
        context.print_table(&shown, &header, &rows.collect::<Vec<_>>())
    })
}
