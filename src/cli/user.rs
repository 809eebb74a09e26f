//! Owns `usher user`: accounts, managed on the machine itself, by the rules that hold over HTTP.

use clap::{Args, Subcommand};

use crate::auth::password_policy;
use crate::cli::Failure;
use crate::cli::context::{self, CommandError, Context, ask_password, confirm, known, record};
use crate::config::Config;
use crate::domain::audit::Action;
use crate::domain::policy;
use crate::domain::user::{User, UserPatch};
use crate::domain::username::Username;
use crate::http::UserRead;
use crate::store::user_list::{self, UserQuery};
use crate::store::{Connection, StoreError, sessions, users};

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a link with which the user sets a new password, once and within 24 hours.
    #[command(after_long_help = "\
Examples:
  usher user reset-link alice
  usher user reset-link alice --json | jq -r .link")]
    ResetLink(Named),
    /// Add a user, active at once. The password is asked for, or read from standard input.
    #[command(after_long_help = "\
Examples:
  usher user add alice
  usher user add ci --superuser < password    its first line, where standard input is no terminal
  usher user add -- -alice                    a name that begins with a dash")]
    Add {
        /// The name to log in with.
        name: String,
        /// Let the user administer the others.
        #[arg(long)]
        superuser: bool,
    },
    /// Show who there is, in order of creation.
    #[command(after_long_help = "\
Examples:
  usher user list
  usher user list --search ali --json")]
    List {
        /// Only those whose name contains this, in any case.
        #[arg(long)]
        search: Option<String>,
    },
    /// Show one user.
    #[command(after_long_help = "\
Examples:
  usher user show alice
  usher user show 0190b8a4-5b7c-4d0e-9f5a-1c2d3e4f5a6b --json")]
    Show(Named),
    /// Give a user another name.
    #[command(after_long_help = "\
Examples:
  usher user rename alice 'Alice Liddell'")]
    Rename {
        /// The user's name, in any case, or id.
        name: String,
        /// The name from now on.
        new_name: String,
    },
    /// Set a user's password and end all sessions of the user. It is asked for, or read from standard input.
    #[command(after_long_help = "\
Examples:
  usher user set-password admin
  usher user set-password admin < password    its first line, where standard input is no terminal")]
    SetPassword(Named),
    /// Let a user sign in, also one who waits for approval.
    #[command(after_long_help = "\
Examples:
  usher user activate alice")]
    Activate(Named),
    /// Keep a user from signing in, and end all sessions of the user.
    #[command(after_long_help = "\
Examples:
  usher user deactivate alice")]
    Deactivate(Named),
    /// Let a user administer the others.
    #[command(after_long_help = "\
Examples:
  usher user promote alice")]
    Promote(Named),
    /// Keep a user from administering the others.
    #[command(after_long_help = "\
Examples:
  usher user demote alice")]
    Demote(Named),
    /// Delete a user with all keys and sessions.
    #[command(after_long_help = "\
Examples:
  usher user delete alice
  usher user delete alice --yes               does not ask")]
    Delete {
        /// The user's name, in any case, or id.
        name: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// One user.
#[derive(Debug, Args)]
pub struct Named {
    /// The user's name, in any case, or id.
    name: String,
}

/// Runs one of them.
pub fn run(config: &Config, json: bool, command: Command) -> Result<(), Failure> {
    context::at(config, json, async |desk| match command {
        Command::ResetLink(Named { name }) => super::reset_link::run(desk, name).await,
        Command::Add { name, superuser } => add(desk, &name, superuser).await,
        Command::List { search } => list(desk, search).await,
        Command::Show(Named { name }) => show(desk, name).await,
        Command::Rename { name, new_name } => rename(desk, name, &new_name).await,
        Command::SetPassword(Named { name }) => set_password(desk, name).await,
        Command::Activate(Named { name }) => change(desk, name, active(true), "active").await,
        Command::Deactivate(Named { name }) => change(desk, name, active(false), "inactive").await,
        Command::Promote(Named { name }) => change(desk, name, superuser(true), "a superuser").await,
        Command::Demote(Named { name }) => change(desk, name, superuser(false), "no superuser").await,
        Command::Delete { name, yes } => delete(desk, name, yes).await,
    })
}

fn active(is_active: bool) -> UserPatch {
    UserPatch { is_active: Some(is_active), ..UserPatch::default() }
}

fn superuser(is_superuser: bool) -> UserPatch {
    UserPatch { is_superuser: Some(is_superuser), ..UserPatch::default() }
}

fn parsed(name: &str) -> Result<Username, Failure> {
    Username::parse(name).map_err(|error| format!("{name:?} is no user name: {error}").into())
}

async fn add(desk: &Context<'_>, name: &str, is_superuser: bool) -> Result<(), Failure> {
    let (username, now) = (parsed(name)?, desk.now);
    let password = ask_password(&format!("Password for {username}: "))?;
    if let Err(weak) = password_policy::check_for(&password, desk.config.password_min_length, &username) {
        desk.note_refusal(Action::UserAdded, None, "refused: password").await;
        return Err(weak.into());
    }
    let hash = desk.hash(&password).await?;
    let user = User::new(username, true, is_superuser, now);
    let added = desk.change(Action::UserAdded, move |connection| {
        users::insert(connection, &user, &hash).map_err(|error| or_taken(connection, error, &user.username))?;
        record(connection, Action::UserAdded, &user, None, now)?;
        Ok::<_, CommandError>(user)
    });
    let user = added.await?;
    let kind = if user.is_superuser { "superuser" } else { "user" };
    desk.print(&UserRead::from(&user), || format!("added {kind} {} ({})", user.username, user.id))
}

/// Whoever has the name is named: the refusal is in that account's log.
fn or_taken(connection: &Connection, error: StoreError, username: &Username) -> CommandError {
    match (&error, users::find_by_name(connection, username.as_str())) {
        (StoreError::UsernameTaken, Ok(Some((owner, _)))) => CommandError::Taken(username.to_string(), Box::new(owner)),
        (StoreError::FormerUsername, _) => CommandError::Kept(username.to_string()),
        _ => CommandError::Store(error),
    }
}

async fn list(desk: &Context<'_>, search: Option<String>) -> Result<(), Failure> {
    let page = UserQuery { limit: i64::MAX, search, ..UserQuery::default() };
    let listed = desk.db.read(move |connection| user_list::list(connection, &page));
    let (_, users) = listed.await.map_err(CommandError::Store)?;
    desk.print(&users.iter().map(UserRead::from).collect::<Vec<_>>(), || {
        let yes = |is: bool, word: &str| if is { word.to_owned() } else { String::new() };
        let row = |user: &User| {
            let last = context::when(user.last_login_at);
            let state = yes(!user.is_active, if user.last_login_at.is_none() { "waiting" } else { "inactive" });
            vec![user.username.to_string(), state, yes(user.is_superuser, "superuser"), last, user.id.to_string()]
        };
        context::table(&["NAME", "STATE", "ROLE", "LAST LOG-IN", "ID"], &users.iter().map(row).collect::<Vec<_>>())
    })
}

async fn show(desk: &Context<'_>, name: String) -> Result<(), Failure> {
    let user = desk.db.read(move |connection| known(connection, &name)).await?;
    desk.print(&UserRead::from(&user), || {
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        let fact = |name: &str, value: String| vec![name.to_owned(), value];
        let facts = [
            fact("id", user.id.to_string()),
            fact("active", yes(user.is_active)),
            fact("superuser", yes(user.is_superuser)),
            fact("created", context::when(Some(user.create_at))),
            fact("changed", context::when(Some(user.updated_at))),
            fact("last log-in", context::when(user.last_login_at)),
        ];
        context::table(&["name", user.username.as_str()], &facts)
    })
}

async fn rename(desk: &Context<'_>, name: String, new_name: &str) -> Result<(), Failure> {
    let username = parsed(new_name)?;
    let text = format!("called {username}");
    let patch = UserPatch { username: Some(username), ..UserPatch::default() };
    change(desk, name, patch, &text).await
}

/// Changes what is not so yet.
async fn change(desk: &Context<'_>, name: String, patch: UserPatch, becomes: &str) -> Result<(), Failure> {
    let (now, so) = (desk.now, becomes.to_owned());
    let changed = desk.change(Action::UserChanged, move |connection| {
        let before = known(connection, &name)?;
        let after = patch.applied_to(&before, now);
        if after == (User { updated_at: now, ..before.clone() }) {
            return Err(CommandError::Nothing(format!("{} is {so} already", before.username)));
        }
        policy::keeps_a_superuser(&before, &after, users::other_superuser_exists(connection, before.id)?)
            .map_err(|_| CommandError::LastSuperuser(Box::new(before.clone())))?;
        users::update(connection, &before, &after).map_err(|error| or_taken(connection, error, &after.username))?;
        if !after.is_active {
            sessions::end_all_of_user(connection, after.id, None)?;
        }
        record(connection, Action::UserChanged, &before, Some(patch.fields().join(" ")), now)?;
        Ok((before, after))
    });
    let (before, after) = changed.await?;
    desk.print(&UserRead::from(&after), || format!("{} is {becomes} now", before.username))
}

async fn set_password(desk: &Context<'_>, name: String) -> Result<(), Failure> {
    let user = desk.db.read(move |connection| known(connection, &name)).await?;
    let password = ask_password(&format!("New password for {}: ", user.username))?;
    if let Err(weak) = password_policy::check_for(&password, desk.config.password_min_length, &user.username) {
        desk.note_refusal(Action::PasswordChanged, Some(&user), "refused: password").await;
        return Err(weak.into());
    }
    let (hash, id, now) = (desk.hash(&password).await?, user.id, desk.now);
    let changed = desk.change(Action::PasswordChanged, move |connection| {
        let user = users::find(connection, id)?.ok_or_else(|| CommandError::Nobody(user.username.to_string()))?;
        users::set_password(connection, id, &hash, now)?;
        let ended = sessions::end_all_of_user(connection, id, None)?;
        record(connection, Action::PasswordChanged, &user, None, now)?;
        Ok::<_, CommandError>((User { updated_at: now, ..user }, ended))
    });
    let (user, ended) = changed.await?;
    desk.print(&UserRead::from(&user), || format!("{} has a new password; sessions ended: {ended}", user.username))
}

async fn delete(desk: &Context<'_>, name: String, yes: bool) -> Result<(), Failure> {
    let user = desk.db.read(move |connection| known(connection, &name)).await?;
    confirm(yes, &format!("Delete {} ({}) with all keys and sessions?", user.username, user.id))?;
    let (id, now) = (user.id, desk.now);
    let deleted = desk.change(Action::UserDeleted, move |connection| {
        let user = users::find(connection, id)?.ok_or_else(|| CommandError::Nobody(user.username.to_string()))?;
        if user.is_superuser && user.is_active && !users::other_superuser_exists(connection, id)? {
            return Err(CommandError::LastSuperuser(Box::new(user)));
        }
        users::delete(connection, id)?;
        record(connection, Action::UserDeleted, &user, None, now)?;
        Ok(user)
    });
    let user = deleted.await?;
    desk.print(&UserRead::from(&user), || format!("deleted {} ({})", user.username, user.id))
}
