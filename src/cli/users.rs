//! `usher user`: manages users by the same rules as the API.

use clap::{Args, Subcommand};

use crate::auth::password_policy;
use crate::cli::context::{CommandError, Context, find_user, record_change, with_context};
use crate::cli::output::{format_time, notice, table};
use crate::cli::prompt::{read_new_password, require_confirmation};
use crate::cli::user_list::{self, ListOptions};
use crate::cli::{Failure, factors, reset_link};
use crate::config::Config;
use crate::domain::audit::{Action, account_changes};
use crate::domain::new_username::check_new;
use crate::domain::policy;
use crate::domain::user::{User, UserPatch};
use crate::domain::username::Username;
use crate::http::UserRead;
use crate::store::{Connection, StoreError, sessions, users};

/// Commands on users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make a link for setting a new password.
    #[command(after_help = "\
The link works once, within 24 hours.

Examples:
  usher user reset-link alice
  usher user reset-link alice --json | jq -r .link")]
    ResetLink(UserArgument),
    /// Add an active user.
    #[command(after_help = "\
Asks for the password, or reads it from standard input.

Examples:
  usher user add alice
  usher user add ci --superuser < password    read the first line of a file
  usher user add -- -alice                    a name that begins with a dash")]
    Add {
        /// The user name.
        name: String,
        /// Make the user a superuser.
        #[arg(long)]
        superuser: bool,
    },
    /// List the users, oldest first.
    #[command(after_help = "\
Examples:
  usher user list
  usher user list --search ali --json
  usher user list --state waiting --sort last_login --reverse --limit 20
  usher user list --csv > users.csv")]
    List(ListOptions),
    /// Show one user.
    #[command(after_help = "\
Examples:
  usher user show alice
  usher user show 0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b --json")]
    Show(UserArgument),
    /// Rename a user.
    #[command(after_help = "\
Examples:
  usher user rename alice 'Alice Liddell'")]
    Rename {
        /// The user's name or id.
        name: String,
        /// The new name.
        new_name: String,
    },
    /// Set a user's password, and end the user's sessions.
    #[command(after_help = "\
Asks for the password, or reads it from standard input.

Examples:
  usher user set-password admin
  usher user set-password admin < password    read the first line of a file
  usher user set-password alice --must-change")]
    SetPassword {
        /// The user's name or id.
        name: String,
        /// Make the user choose another password after the next sign-in.
        #[arg(long)]
        must_change: bool,
    },
    /// Make a user choose a new password.
    #[command(after_help = "\
Until then, the user's sessions can do nothing else.

Examples:
  usher user require-password alice
  usher user require-password alice --cancel  no longer ask for it")]
    RequirePassword {
        /// The user's name or id.
        name: String,
        /// No longer ask for a new password.
        #[arg(long)]
        cancel: bool,
    },
    /// Let a user sign in. Also approves a waiting user.
    #[command(after_help = "\
Examples:
  usher user activate alice")]
    Activate(UserArgument),
    /// Keep a user from signing in, and end the user's sessions.
    #[command(after_help = "\
Examples:
  usher user deactivate alice")]
    Deactivate(UserArgument),
    /// Let a user administer the others.
    #[command(after_help = "\
Examples:
  usher user promote alice")]
    Promote(UserArgument),
    /// Remove a user's superuser rights.
    #[command(after_help = "\
Examples:
  usher user demote alice")]
    Demote(UserArgument),
    /// List a user's second factors.
    #[command(after_help = "\
Examples:
  usher user factors alice")]
    Factors(UserArgument),
    /// Remove all second factors of a user who lost them.
    #[command(after_help = "\
The password alone then signs in.

Examples:
  usher user reset-factors alice
  usher user reset-factors alice --yes        don't ask for confirmation")]
    ResetFactors {
        /// The user's name or id.
        name: String,
        /// Don't ask for confirmation.
        #[arg(long)]
        yes: bool,
    },
    /// Delete a user, with all API keys and sessions.
    #[command(after_help = "\
Examples:
  usher user delete alice
  usher user delete alice --yes               don't ask for confirmation")]
    Delete {
        /// The user's name or id.
        name: String,
        /// Don't ask for confirmation.
        #[arg(long)]
        yes: bool,
    },
}

/// The argument of a command on one user.
#[derive(Debug, Args)]
pub struct UserArgument {
    /// The user's name or id.
    name: String,
}

/// Runs a command on users.
pub fn run(config: &Config, json: bool, command: UserCommand) -> Result<(), Failure> {
    with_context(config, json, async |context| match command {
        UserCommand::ResetLink(UserArgument { name }) => reset_link::run(context, name).await,
        UserCommand::Add { name, superuser } => add(context, &name, superuser).await,
        UserCommand::List(options) => user_list::run(context, options).await,
        UserCommand::Show(UserArgument { name }) => show(context, name).await,
        UserCommand::Rename { name, new_name } => rename(context, name, &new_name).await,
        UserCommand::SetPassword { name, must_change } => set_password(context, name, must_change).await,
        UserCommand::RequirePassword { name, cancel } => require_password(context, name, !cancel).await,
        UserCommand::Activate(UserArgument { name }) => change(context, name, active(true), "active").await,
        UserCommand::Deactivate(UserArgument { name }) => change(context, name, active(false), "inactive").await,
        UserCommand::Promote(UserArgument { name }) => change(context, name, superuser(true), "a superuser").await,
        UserCommand::Demote(UserArgument { name }) => change(context, name, superuser(false), "not a superuser").await,
        UserCommand::Factors(UserArgument { name }) => factors::list(context, name).await,
        UserCommand::ResetFactors { name, yes } => factors::reset(context, name, yes).await,
        UserCommand::Delete { name, yes } => delete(context, name, yes).await,
    })
}

fn active(is_active: bool) -> UserPatch {
    UserPatch { is_active: Some(is_active), ..UserPatch::default() }
}

fn superuser(is_superuser: bool) -> UserPatch {
    UserPatch { is_superuser: Some(is_superuser), ..UserPatch::default() }
}

/// Parses the name of a new account or a new name for an account.
pub(super) fn parse_username(name: &str) -> Result<Username, Failure> {
    let invalid = |error: &dyn std::fmt::Display| format!("{name:?} is not a valid user name: {error}");
    let username = Username::parse(name).map_err(|error| invalid(&error))?;
    check_new(&username).map_err(|error| invalid(&error))?;
    Ok(username)
}

async fn add(context: &Context<'_>, name: &str, is_superuser: bool) -> Result<(), Failure> {
    let (username, now) = (parse_username(name)?, context.now);
    let password = read_new_password(&format!("Password for {username}: "))?;
    if let Err(weak) = password_policy::check_for(&password, context.config.password_min_length, &username) {
        context.record_refusal(Action::UserAdded, None, "refused: password").await;
        return Err(weak.into());
    }
    let hash = context.hash(&password).await?;
    let user = User::new(username, true, is_superuser, now);
    let added = context.write(Action::UserAdded, move |connection| {
        users::insert(connection, &user, &hash).map_err(|error| name_error(connection, error, &user.username))?;
        record_change(connection, Action::UserAdded, &user, None, now)?;
        Ok::<_, CommandError>(user)
    });
    let user = added.await?;
    if user.is_superuser
        && let Err(error) = std::fs::remove_file(context.config.setup_link_file())
        && error.kind() != std::io::ErrorKind::NotFound
    {
        notice(format_args!("warning: the setup link couldn't be deleted: {error}"));
    }
    let kind = if user.is_superuser { "superuser" } else { "user" };
    context.print(&UserRead::from(&user), || format!("added {kind} {} ({})", user.username, user.id))
}

/// Tells a name that is taken or reserved from other failures.
fn name_error(connection: &Connection, error: StoreError, username: &Username) -> CommandError {
    match (&error, users::find_by_name(connection, username.as_str())) {
        (StoreError::UsernameTaken, Ok(Some((owner, _)))) => {
            CommandError::NameTaken(username.to_string(), Box::new(owner))
        }
        (StoreError::FormerUsername, _) => CommandError::NameReserved(username.to_string()),
        _ => CommandError::Store(error),
    }
}

async fn show(context: &Context<'_>, name: String) -> Result<(), Failure> {
    let user = context.find_user(name).await?;
    context.print(&UserRead::from(&user).with_password_duty(&user), || {
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        let fact = |name: &str, value: String| vec![name.to_owned(), value];
        let facts = [
            fact("id", user.id.to_string()),
            fact("active", yes(user.is_active)),
            fact("superuser", yes(user.is_superuser)),
            fact("must change password", yes(user.must_change_password)),
            fact("created", format_time(Some(user.create_at))),
            fact("changed", format_time(Some(user.updated_at))),
            fact("last sign-in", format_time(user.last_login_at)),
        ];
        table(&["name", user.username.as_str()], &facts)
    })
}

async fn rename(context: &Context<'_>, name: String, new_name: &str) -> Result<(), Failure> {
    let username = parse_username(new_name)?;
    let text = format!("called {username}");
    let patch = UserPatch { username: Some(username), ..UserPatch::default() };
    change(context, name, patch, &text).await
}

/// Applies a patch. Fails if the user already is `outcome`.
async fn change(context: &Context<'_>, name: String, patch: UserPatch, outcome: &str) -> Result<(), Failure> {
    let (now, state, shows_duty) = (context.now, outcome.to_owned(), patch.must_change_password.is_some());
    let changed = context.write(Action::UserChanged, move |connection| {
        let before = find_user(connection, &name)?;
        let after = patch.applied_to(&before, now);
        if after == (User { updated_at: now, ..before.clone() }) {
            return Err(CommandError::Unchanged(format!("{} is already {state}", before.username)));
        }
        policy::keeps_a_superuser(&before, &after, users::other_superuser_exists(connection, before.id)?)
            .map_err(|_| CommandError::LastSuperuser(Box::new(before.clone())))?;
        users::update(connection, &before, &after).map_err(|error| name_error(connection, error, &after.username))?;
        if !after.is_active {
            sessions::end_all_of_user(connection, after.id, None)?;
        }
        for (action, detail) in account_changes(&before, &after) {
            record_change(connection, action, &before, Some(detail), now)?;
        }
        Ok((before, after))
    });
    let (before, after) = changed.await?;
    let read = UserRead::from(&after);
    let read = if shows_duty { read.with_password_duty(&after) } else { read };
    context.print(&read, || format!("{} is now {outcome}", before.username))
}

async fn require_password(context: &Context<'_>, name: String, must_change_password: bool) -> Result<(), Failure> {
    let outcome = if must_change_password { "required to change the password" } else { "free to keep the password" };
    let patch = UserPatch { must_change_password: Some(must_change_password), ..UserPatch::default() };
    change(context, name, patch, outcome).await
}

async fn set_password(context: &Context<'_>, name: String, must_change: bool) -> Result<(), Failure> {
    let user = context.find_user(name).await?;
    let password = read_new_password(&format!("New password for {}: ", user.username))?;
    if let Err(weak) = password_policy::check_for(&password, context.config.password_min_length, &user.username) {
        context.record_refusal(Action::PasswordChanged, Some(&user), "refused: password").await;
        return Err(weak.into());
    }
    let (hash, id, now) = (context.hash(&password).await?, user.id, context.now);
    let changed = context.write(Action::PasswordChanged, move |connection| {
        let user = users::find(connection, id)?.ok_or_else(|| CommandError::UserNotFound(user.username.to_string()))?;
        users::set_password(connection, id, &hash, now)?;
        let after = User { updated_at: now, must_change_password: must_change, ..user.clone() };
        users::update(connection, &user, &after)?;
        let ended = sessions::end_all_of_user(connection, id, None)?;
        record_change(connection, Action::PasswordChanged, &user, None, now)?;
        for (action, detail) in account_changes(&user, &after) {
            record_change(connection, action, &user, Some(detail), now)?;
        }
        Ok::<_, CommandError>((after, ended))
    });
    let (user, ended) = changed.await?;
    context.print(&UserRead::from(&user).with_password_duty(&user), || {
        format!("{} has a new password; sessions ended: {ended}", user.username)
    })
}

async fn delete(context: &Context<'_>, name: String, yes: bool) -> Result<(), Failure> {
    let user = context.find_user(name).await?;
    require_confirmation(yes, &format!("Delete {} ({}) with all API keys and sessions?", user.username, user.id))?;
    let (id, now) = (user.id, context.now);
    let deleted = context.write(Action::UserDeleted, move |connection| {
        let user = users::find(connection, id)?.ok_or_else(|| CommandError::UserNotFound(user.username.to_string()))?;
        if user.is_superuser && user.is_active && !users::other_superuser_exists(connection, id)? {
            return Err(CommandError::LastSuperuser(Box::new(user)));
        }
        users::delete(connection, id)?;
        record_change(connection, Action::UserDeleted, &user, None, now)?;
        Ok(user)
    });
    let user = deleted.await?;
    context.print(&UserRead::from(&user), || format!("deleted {} ({})", user.username, user.id))
}
