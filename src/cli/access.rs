//! Owns `usher session`, `usher key` and `usher audit`: what opens accounts, and what was done with them.

use clap::Subcommand;
use uuid::Uuid;

use crate::cli::Failure;
use crate::cli::context::{self, CommandError, Context, confirm, known, record, table, when};
use crate::config::Config;
use crate::domain::audit::Action;
use crate::http::{ApiKeyRead, AuditRead, SessionRead};
use crate::store::{api_keys, audit, sessions};

/// What can be done with sessions.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Show a user's sessions, newest first.
    #[command(after_long_help = "\
Examples:
  usher session list alice")]
    List {
        /// The user's name, in any case, or id.
        user: String,
    },
    /// End one session of a user, or all.
    #[command(override_usage = "usher session end [OPTIONS] <USER> (<ID> | --all)")]
    #[command(after_long_help = "\
Examples:
  usher session end alice 0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b
  usher session end alice --all --yes")]
    End {
        /// The user's name, in any case, or id.
        user: String,
        /// The session's id.
        #[arg(required_unless_present = "all")]
        id: Option<Uuid>,
        /// End all of them.
        #[arg(long, conflicts_with = "id")]
        all: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// What can be done with API keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Show a user's API keys, in order of creation. The keys themselves are not kept.
    #[command(after_long_help = "\
Examples:
  usher key list alice")]
    List {
        /// The user's name, in any case, or id.
        user: String,
    },
    /// Delete an API key of a user.
    #[command(after_long_help = "\
Examples:
  usher key delete alice 0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b")]
    Delete {
        /// The user's name, in any case, or id.
        user: String,
        /// The key's id.
        id: Uuid,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// Runs a command about sessions.
pub fn session(config: &Config, json: bool, command: SessionCommand) -> Result<(), Failure> {
    context::at(config, json, async |desk| match command {
        SessionCommand::List { user } => list_sessions(desk, user).await,
        SessionCommand::End { user, id, all: _, yes } => end_sessions(desk, user, id, yes).await,
    })
}

/// Runs a command about keys.
pub fn key(config: &Config, json: bool, command: KeyCommand) -> Result<(), Failure> {
    context::at(config, json, async |desk| match command {
        KeyCommand::List { user } => list_keys(desk, user).await,
        KeyCommand::Delete { user, id, yes } => delete_key(desk, user, id, yes).await,
    })
}

async fn list_sessions(desk: &Context<'_>, name: String) -> Result<(), Failure> {
    let now = desk.now;
    let found = desk.db.read(move |connection| {
        let user = known(connection, &name)?;
        Ok::<_, CommandError>(sessions::of_user(connection, user.id, now)?)
    });
    let found = found.await?;
    desk.print(&found.iter().map(|session| SessionRead::new(session, None)).collect::<Vec<_>>(), || {
        let rows = found.iter().map(|session| {
            let times = [session.created_at, session.refreshed_at].map(|time| when(Some(time)));
            let [began, seen] = times;
            vec![
                session.id.to_string(),
                began,
                seen,
                session.address.clone(),
                session.client.clone().unwrap_or_default(),
            ]
        });
        table(&["ID", "SIGNED IN", "REFRESHED", "ADDRESS", "CLIENT"], &rows.collect::<Vec<_>>())
    })
}

async fn end_sessions(desk: &Context<'_>, name: String, id: Option<Uuid>, yes: bool) -> Result<(), Failure> {
    let user = desk.db.read(move |connection| known(connection, &name)).await?;
    let which = id.map_or_else(|| "all sessions".to_owned(), |id| format!("the session {id}"));
    confirm(yes, &format!("End {which} of {}?", user.username))?;
    let now = desk.now;
    let ended = desk.change(Action::SessionEnded, move |connection| {
        let ended = match id {
            Some(id) => usize::from(sessions::end_own(connection, user.id, id)?),
            None => sessions::end_all_of_user(connection, user.id, None)?,
        };
        if ended == 0 {
            let none = if id.is_some() { "no such session" } else { "no sessions" };
            return Err(CommandError::Nothing(format!("{} has {none}", user.username)));
        }
        record(connection, Action::SessionEnded, &user, Some(format!("{ended}")), now)?;
        Ok(ended)
    });
    let ended = ended.await?;
    desk.print(&serde_json::json!({ "ended": ended }), || format!("sessions ended: {ended}"))
}

async fn list_keys(desk: &Context<'_>, name: String) -> Result<(), Failure> {
    let found = desk.db.read(move |connection| {
        let user = known(connection, &name)?;
        Ok::<_, CommandError>(api_keys::of_user(connection, user.id)?)
    });
    let found = found.await?;
    desk.print(&found.iter().map(ApiKeyRead::from).collect::<Vec<_>>(), || {
        let rows = found.iter().map(|key| {
            let name = key.name.clone().unwrap_or_default();
            let (used, end) = (when(key.last_used_at), when(key.expires_at));
            vec![key.id.to_string(), name, key.prefix.clone(), key.total_uses.to_string(), used, end]
        });
        table(&["ID", "NAME", "BEGINS", "USES", "LAST USED", "EXPIRES"], &rows.collect::<Vec<_>>())
    })
}

async fn delete_key(desk: &Context<'_>, name: String, id: Uuid, yes: bool) -> Result<(), Failure> {
    let user = desk.db.read(move |connection| known(connection, &name)).await?;
    confirm(yes, &format!("Delete the API key {id} of {}?", user.username))?;
    let now = desk.now;
    let deleted = desk.change(Action::KeyDeleted, move |connection| {
        if !api_keys::delete(connection, user.id, id)? {
            return Err(CommandError::Nothing(format!("{} has no such key", user.username)));
        }
        record(connection, Action::KeyDeleted, &user, Some(id.to_string()), now)?;
        Ok(())
    });
    deleted.await?;
    desk.print(&serde_json::json!({ "deleted": id }), || format!("deleted the key {id}"))
}

/// Shows the newest entries of the audit log.
pub fn audit(config: &Config, json: bool, user: Option<String>, limit: u32) -> Result<(), Failure> {
    context::at(config, json, async |desk| {
        let listed = desk.db.read(move |connection| {
            let user = user.map(|name| known(connection, &name)).transpose()?.map(|user| user.id);
            let filter = audit::AuditFilter { skip: 0, limit: limit.into(), user, action: None };
            Ok::<_, CommandError>(audit::list(connection, &filter)?)
        });
        let (_, entries) = listed.await?;
        desk.print(&entries.iter().map(AuditRead::from).collect::<Vec<_>>(), || {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let rows = entries.iter().map(|entry| {
                let outcome = if entry.success { "ok" } else { "failed" }.to_owned();
                let (by, on) = (text(&entry.actor_name), text(&entry.target_name));
                let (address, detail) = (text(&entry.address), text(&entry.detail));
                vec![when(Some(entry.at)), entry.action.clone(), outcome, by, on, address, detail]
            });
            table(&["WHEN", "WHAT", "OUTCOME", "BY", "ON", "FROM", "DETAIL"], &rows.collect::<Vec<_>>())
        })
    })
}
