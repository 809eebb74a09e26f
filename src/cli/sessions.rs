//! `usher session`.

use clap::Subcommand;
use uuid::Uuid;

use crate::cli::Failure;
use crate::cli::context::{CommandError, Context, find_user, record_change, with_context};
use crate::cli::output::format_time;
use crate::cli::prompt::require_confirmation;
use crate::config::Config;
use crate::domain::audit::Action;
use crate::http::SessionRead;
use crate::store::sessions;

/// Commands on sessions.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// List a user's sessions, newest first.
    #[command(after_help = "\
Examples:
  usher session list alice")]
    List {
        /// The user's name or id.
        user: String,
    },
    /// End one or all sessions of a user.
    #[command(override_usage = "usher session end [OPTIONS] <USER> (<ID> | --all)")]
    #[command(after_help = "\
Examples:
  usher session end alice 0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b
  usher session end alice --all --yes")]
    End {
        /// The user's name or id.
        user: String,
        /// The session's id.
        #[arg(required_unless_present = "all")]
        id: Option<Uuid>,
        /// End all sessions of the user.
        #[arg(long, conflicts_with = "id")]
        all: bool,
        /// Don't ask for confirmation.
        #[arg(long)]
        yes: bool,
    },
}

/// Runs a command on sessions.
pub fn run(config: &Config, json: bool, command: SessionCommand) -> Result<(), Failure> {
    with_context(config, json, async |context| match command {
        SessionCommand::List { user } => list(context, user).await,
        SessionCommand::End { user, id, all: _, yes } => end(context, user, id, yes).await,
    })
}

async fn list(context: &Context<'_>, name: String) -> Result<(), Failure> {
    let now = context.now;
    let found = context.db.read(move |connection| {
        let user = find_user(connection, &name)?;
        Ok::<_, CommandError>(sessions::of_user(connection, user.id, now)?)
    });
    let found = found.await?;
    let shown = found.iter().map(|session| SessionRead::new(session, None)).collect::<Vec<_>>();
    let rows = found.iter().map(|session| {
        vec![
            session.id.to_string(),
            format_time(Some(session.created_at)),
            format_time(Some(session.refreshed_at)),
            session.address.clone(),
            session.client.clone().unwrap_or_default(),
        ]
    });
    let header = ["ID", "SIGNED IN", "REFRESHED", "ADDRESS", "CLIENT"];
    context.print_table(&shown, &header, &rows.collect::<Vec<_>>())
}

async fn end(context: &Context<'_>, name: String, id: Option<Uuid>, yes: bool) -> Result<(), Failure> {
    let user = context.find_user(name).await?;
    let which = id.map_or_else(|| "all sessions".to_owned(), |id| format!("session {id}"));
    require_confirmation(yes, &format!("End {which} of {}?", user.username))?;
    let now = context.now;
    let ended = context.write(Action::SessionEnded, move |connection| {
        let ended = match id {
            Some(id) => usize::from(sessions::end_own(connection, user.id, id)?.is_some()),
            None => sessions::end_all_of_user(connection, user.id, None)?,
        };
        if ended == 0 {
            let none = if id.is_some() { "no such session" } else { "no sessions" };
            return Err(CommandError::Unchanged(format!("{} has {none}", user.username)));
        }
        record_change(connection, Action::SessionEnded, &user, Some(format!("{ended}")), now)?;
        Ok(ended)
    });
    let ended = ended.await?;
    context.print(&serde_json::json!({ "ended": ended }), || format!("sessions ended: {ended}"))
}
