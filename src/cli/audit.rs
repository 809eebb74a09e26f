//! `usher audit`.

use crate::cli::Failure;
use crate::cli::context::{CommandError, find_user, with_context};
use crate::cli::output::{format_time, table};
use crate::config::Config;
use crate::http::AuditRead;
use crate::store::audit;

/// Prints the newest entries of the audit log.
pub fn run(config: &Config, json: bool, user: Option<String>, limit: u32) -> Result<(), Failure> {
    with_context(config, json, async |context| {
        let listed = context.db.read(move |connection| {
            let user = user.map(|name| find_user(connection, &name)).transpose()?.map(|user| user.id);
            let filter = audit::AuditFilter { limit: limit.into(), user, ..audit::AuditFilter::default() };
            Ok::<_, CommandError>(audit::list(connection, &filter)?)
        });
        let (_, entries) = listed.await?;
        context.print(&entries.iter().map(AuditRead::from).collect::<Vec<_>>(), || {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let rows = entries.iter().map(|entry| {
                let outcome = if entry.success { "ok" } else { "failed" }.to_owned();
                let (actor, target) = (text(&entry.actor_name), text(&entry.target_name));
                let (address, detail) = (text(&entry.address), text(&entry.detail));
                vec![format_time(Some(entry.at)), entry.action.clone(), outcome, actor, target, address, detail]
            });
            table(&["TIME", "ACTION", "OUTCOME", "ACTOR", "TARGET", "ADDRESS", "DETAIL"], &rows.collect::<Vec<_>>())
        })
    })
}
