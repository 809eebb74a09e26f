//! `usher names`.

use clap::Subcommand;

use crate::cli::Failure;
use crate::cli::context::{CommandError, Context, with_context};
use crate::config::Config;
use crate::domain::actor_names;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::username::Username;
use crate::store::{audit, reserved_names};

/// Commands on reserved user names.
#[derive(Debug, Subcommand)]
pub enum NamesCommand {
    /// List the names of former users that no other user can take.
    #[command(after_help = "\
Examples:
  usher names list")]
    List,
    /// Let other users take the name of a former user.
    #[command(after_help = "\
Examples:
  usher names release bob

Sites behind the proxy identify users by name. The next user of the name gets \
the former user's data there.")]
    Release {
        /// The name.
        name: String,
    },
}

/// Runs a command on reserved user names.
pub fn run(config: &Config, json: bool, command: NamesCommand) -> Result<(), Failure> {
    with_context(config, json, async |context| match command {
        NamesCommand::List => list(context).await,
        NamesCommand::Release { name } => release(context, &name).await,
    })
}

async fn list(context: &Context<'_>) -> Result<(), Failure> {
    let names = context.db.read(reserved_names::all).await.map_err(CommandError::Store)?;
    let shown: Vec<_> =
        names.iter().map(|(name, id)| serde_json::json!({ "username": name, "former_user": id })).collect();
    let rows: Vec<_> = names.iter().map(|(name, id)| vec![name.clone(), id.to_string()]).collect();
    context.print_table(&shown, &["NAME", "FORMER USER"], &rows)
}

async fn release(context: &Context<'_>, name: &str) -> Result<(), Failure> {
    let username = Username::parse(name).map_err(|error| format!("{name:?} is not a valid user name: {error}"))?;
    let (now, released) = (context.now, username.clone());
    let done = context.write(Action::NameReleased, move |connection| {
        if !reserved_names::release(connection, &released)? {
            return Err(CommandError::Unchanged(format!("{:?} is not reserved", released.as_str())));
        }
        let event = Event::new(Actor::named(actor_names::COMMAND_LINE), Action::NameReleased);
        audit::record(connection, &event.detail(released.as_str()), now)?;
        Ok(())
    });
    done.await?;
    context.print(&serde_json::json!({ "released": username.as_str() }), || format!("released {username}"))
}
