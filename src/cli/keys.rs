//! `usher key`.

use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use crate::auth::api_key;
use crate::cli::Failure;
use crate::cli::context::{CommandError, Context, find_user, record_change, with_context};
use crate::cli::output::format_time;
use crate::cli::prompt::require_confirmation;
use crate::config::Config;
use crate::domain::api_key::{ApiKey, MAX_PER_USER};
use crate::domain::audit::Action;
use crate::domain::printable::has_controls;
use crate::http::ApiKeyRead;
use crate::store::api_keys;

/// Commands on API keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List a user's API keys, oldest first.
    #[command(after_help = "\
The keys themselves aren't stored.

Examples:
  usher key list alice")]
    List {
        /// The user's name or id.
        user: String,
    },
    /// Make an API key for a user and print it.
    #[command(after_help = "\
The key isn't shown again.

Examples:
  usher key add alice
  usher key add ci --name deploy --json | jq -r .api_key")]
    Add {
        /// The user's name or id.
        user: String,
        /// What to call the key.
        #[arg(long)]
        name: Option<String>,
    },
    /// Delete all API keys of a user.
    #[command(after_help = "\
Examples:
  usher key delete-all alice")]
    DeleteAll {
        /// The user's name or id.
        user: String,
        /// Don't ask for confirmation.
        #[arg(long)]
        yes: bool,
    },
    /// Delete an API key of a user.
    #[command(after_help = "\
Examples:
  usher key delete alice 0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b")]
    Delete {
        /// The user's name or id.
        user: String,
        /// The key's id.
        id: Uuid,
        /// Don't ask for confirmation.
        #[arg(long)]
        yes: bool,
    },
}

/// Runs a command on API keys.
pub fn run(config: &Config, json: bool, command: KeyCommand) -> Result<(), Failure> {
    with_context(config, json, async |context| match command {
        KeyCommand::List { user } => list(context, user).await,
        KeyCommand::Add { user, name } => add(context, user, name).await,
        KeyCommand::DeleteAll { user, yes } => delete_all(context, user, yes).await,
        KeyCommand::Delete { user, id, yes } => delete(context, user, id, yes).await,
    })
}

async fn list(context: &Context<'_>, name: String) -> Result<(), Failure> {
    let found = context.db.read(move |connection| {
        let user = find_user(connection, &name)?;
        Ok::<_, CommandError>(api_keys::of_user(connection, user.id)?)
    });
    let found = found.await?;
    let rows = found.iter().map(|key| {
        vec![
            key.id.to_string(),
            key.name.clone().unwrap_or_default(),
            key.prefix.clone(),
            key.total_uses.to_string(),
            format_time(key.last_used_at),
            format_time(key.expires_at),
        ]
    });
    context.print_table(
        &found.iter().map(ApiKeyRead::from).collect::<Vec<_>>(),
        &["ID", "NAME", "PREFIX", "USES", "LAST USED", "EXPIRES"],
        &rows.collect::<Vec<_>>(),
    )
}

async fn add(context: &Context<'_>, user: String, name: Option<String>) -> Result<(), Failure> {
    if name.as_deref().is_some_and(has_controls) {
        return Err("the name of a key can't contain control characters".into());
    }
    let unmasked = api_key::generate()?;
    let (now, hash, text) = (context.now, api_key::sha256(unmasked.expose()), unmasked.clone());
    let added = context.write(Action::KeyMade, move |connection| {
        let user = find_user(connection, &user)?;
        if api_keys::count_of_user(connection, user.id)? >= MAX_PER_USER {
            return Err(CommandError::Unchanged(format!("{} has {MAX_PER_USER} API keys", user.username)));
        }
        let key = ApiKey::new(user.id, &text, name, None, now);
        api_keys::insert(connection, &key, &hash)?;
        record_change(connection, Action::KeyMade, &user, Some(format!("key {}", key.id)), now)?;
        Ok(key)
    });
    let key = added.await?;
    let shown = json!({ "id": key.id, "name": key.name, "api_key": unmasked.expose() });
    context.print(&shown, || unmasked.expose().to_owned())
}

async fn delete_all(context: &Context<'_>, name: String, yes: bool) -> Result<(), Failure> {
    let user = context.find_user(name).await?;
    require_confirmation(yes, &format!("Delete all API keys of {}?", user.username))?;
    let now = context.now;
    let deleted = context.write(Action::KeyDeleted, move |connection| {
        let count = api_keys::delete_all_of_user(connection, user.id)?;
        record_change(connection, Action::KeyDeleted, &user, Some(format!("{count} keys")), now)?;
        Ok(count)
    });
    let count = deleted.await?;
    context.print(&serde_json::json!({ "deleted": count }), || format!("deleted API keys: {count}"))
}

async fn delete(context: &Context<'_>, name: String, id: Uuid, yes: bool) -> Result<(), Failure> {
    let user = context.find_user(name).await?;
    require_confirmation(yes, &format!("Delete API key {id} of {}?", user.username))?;
    let now = context.now;
    let deleted = context.write(Action::KeyDeleted, move |connection| {
        let Some(key) = api_keys::delete(connection, user.id, id)? else {
            return Err(CommandError::Unchanged(format!("{} has no such key", user.username)));
        };
        record_change(connection, Action::KeyDeleted, &user, Some(format!("key \"{key}\"")), now)?;
        Ok(())
    });
    deleted.await?;
    context.print(&serde_json::json!({ "deleted": id }), || format!("deleted key {id}"))
}
