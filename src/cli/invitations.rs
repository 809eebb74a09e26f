//! `usher invitation`.

use chrono::TimeDelta;
use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use crate::auth::link_token::{LinkPage, NewLink};
use crate::cli::Failure;
use crate::cli::context::{CommandError, Context, audit_event, with_context};
use crate::cli::output::{format_time, notice};
use crate::cli::users::parse_username;
use crate::config::Config;
use crate::domain::audit::{Action, Event};
use crate::domain::clock::{Timestamp, rfc3339};
use crate::domain::invitation::{DEFAULT_LIFETIME, Invitation, MAX_LIFETIME, MAX_OPEN, MAX_USES};
use crate::http::{InvitationMade, InvitationRead};
use crate::store::{Connection, StoreError, audit, invitations, users};

/// Commands on invitations.
#[derive(Debug, Subcommand)]
pub enum InvitationCommand {
    /// Make a link with which people create active accounts, and print it.
    #[command(after_help = "\
Examples:
  usher invitation add
  usher invitation add --username alice
  usher invitation add --uses 20 --days 1 --json | jq -r .link")]
    Add {
        /// The account's user name. Without it, the invited person chooses.
        #[arg(long, value_name = "NAME", conflicts_with = "uses")]
        username: Option<String>,
        /// How many accounts can be created with the link.
        #[arg(long, value_name = "NUMBER", default_value_t = 1,
            value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_USES)))]
        uses: u32,
        /// How many days the link works.
        #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_LIFETIME.num_days(),
            value_parser = clap::value_parser!(i64).range(1..=MAX_LIFETIME.num_days()))]
        days: i64,
    },
    /// List the open invitations, newest first.
    #[command(after_help = "\
Their links aren't stored.

Examples:
  usher invitation list")]
    List,
    /// Make an invitation invalid.
    #[command(after_help = "\
Examples:
  usher invitation revoke 0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b")]
    Revoke {
        /// The invitation's id.
        id: Uuid,
    },
}

/// Runs a command on invitations.
pub fn run(config: &Config, json: bool, command: InvitationCommand) -> Result<(), Failure> {
    with_context(config, json, async |context| match command {
        InvitationCommand::Add { username, uses, days } => add(context, username, uses, days).await,
        InvitationCommand::List => list(context).await,
        InvitationCommand::Revoke { id } => revoke(context, id).await,
    })
}

fn record(connection: &Connection, action: Action, invitation: &Invitation, now: Timestamp) -> Result<(), StoreError> {
    let event = Event { detail: Some(invitation.audit_detail()), ..audit_event(action) };
    audit::record(connection, &event, now)
}

async fn add(context: &Context<'_>, username: Option<String>, uses: u32, days: i64) -> Result<(), Failure> {
    let username = username.map(|name| parse_username(&name)).transpose()?;
    let (link, now) = (NewLink::generate()?, context.now);
    let invitation = Invitation::new(username, uses, now + TimeDelta::days(days), now);
    let hash = link.hash;
    let made = context.write(Action::InvitationMade, move |connection| {
        if invitations::count(connection, now)? >= MAX_OPEN {
            return Err(CommandError::Unchanged(format!("{MAX_OPEN} invitations are open; revoke one first")));
        }
        if let Some(name) = &invitation.username
            && let Some((owner, _)) = users::find_by_name(connection, name)?
        {
            return Err(CommandError::NameTaken(name.clone(), Box::new(owner)));
        }
        invitations::insert(connection, &invitation, &hash)?;
        record(connection, Action::InvitationMade, &invitation, now)?;
        Ok(invitation)
    });
    let made = made.await?;
    let link = link.url(&context.server_url(), LinkPage::Invitation);
    context.print(&InvitationMade { link: &link, invitation: InvitationRead::from(&made) }, || link.clone())?;
    if !context.json {
        let who = match (&made.username, made.max_uses) {
            (Some(name), _) => format!("{name} can use this link"),
            (None, 1) => "one person can use this link".to_owned(),
            (None, many) => format!("up to {many} people can use this link"),
        };
        notice(format_args!("{who} until {} to create an account", rfc3339(&made.expires_at)));
    }
    Ok(())
}

async fn list(context: &Context<'_>) -> Result<(), Failure> {
    let now = context.now;
    let open =
        context.db.read(move |connection| invitations::open(connection, now).map_err(CommandError::from)).await?;
    let row = |invitation: &Invitation| {
        vec![
            invitation.id.to_string(),
            invitation.username.clone().unwrap_or_default(),
            format!("{} of {}", invitation.uses, invitation.max_uses),
            format_time(Some(invitation.created_at)),
            format_time(Some(invitation.expires_at)),
        ]
    };
    context.print_table(
        &open.iter().map(InvitationRead::from).collect::<Vec<_>>(),
        &["ID", "USER NAME", "USED", "CREATED", "EXPIRES"],
        &open.iter().map(row).collect::<Vec<_>>(),
    )
}

async fn revoke(context: &Context<'_>, id: Uuid) -> Result<(), Failure> {
    let now = context.now;
    let revoked = context.write(Action::InvitationRevoked, move |connection| {
        let Some(revoked) = invitations::revoke(connection, id, now)? else {
            return Err(CommandError::Unchanged("there is no such open invitation".to_owned()));
        };
        record(connection, Action::InvitationRevoked, &revoked, now)?;
        Ok(())
    });
    revoked.await?;
    context.print(&json!({ "revoked": id }), || format!("revoked invitation {id}"))
}
