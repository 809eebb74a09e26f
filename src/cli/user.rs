//! Owns `usher user`: accounts, managed on the machine itself.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Subcommand;
use uuid::Uuid;

use super::Failure;
use crate::auth::password::Hasher;
use crate::auth::rules;
use crate::config::Config;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::clock::Clock;
use crate::domain::secret::Secret;
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::store::{Db, Options, StoreError, audit, users};

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a link with which the user sets a new password, once and within 24 hours.
    ResetLink {
        /// The user's name.
        name: String,
    },
    /// Add a user, active at once. The password is asked for, or read from standard input.
    Add {
        /// The name to log in with.
        name: String,
        /// Let the user administer the others.
        #[arg(long)]
        superuser: bool,
    },
}

/// Runs one of them.
pub fn run(config: &Config, command: Command) -> Result<(), Failure> {
    let db = Db::open(&Options { data_dir: config.data_dir.clone(), readers: 1, create: false })?;
    writeln!(io::stderr(), "database: {}", config.data_dir.join(crate::store::DATABASE_FILE).display())?;
    let done = actix_web::rt::System::new().block_on(async {
        match command {
            Command::ResetLink { name } => super::reset_link::run(config, &db, &name).await,
            Command::Add { name, superuser } => add(config, &db, &name, superuser).await,
        }
    });
    db.close();
    done
}

async fn add(config: &Config, db: &Db, name: &str, is_superuser: bool) -> Result<(), Failure> {
    let username = Username::parse(name).map_err(|error| format!("{name:?} is no user name: {error}"))?;
    let password = ask_password(&format!("Password for {username}: "))?;
    rules::check_for(&password, config.password_min_length, &username)?;
    let here = std::net::IpAddr::from([127, 0, 0, 1]);
    let hash = Hasher::start(config.bcrypt_cost, 1)?.hash(&password, here).await?;
    let now = Clock::system().now();
    let user = User {
        id: Uuid::new_v4(),
        username,
        profile_image: None,
        store_api_key: None,
        is_active: true,
        is_superuser,
        create_at: now,
        updated_at: now,
        last_login_at: None,
    };
    let added = db.write(move |connection| {
        users::insert(connection, &user, &hash)?;
        let target = Some((user.id, user.username.to_string()));
        let event = Event { actor: command_line(), action: Action::UserAdded, target, success: true, detail: None };
        audit::record(connection, &event, now)?;
        Ok(user)
    });
    match added.await {
        Ok(user) => {
            let kind = if user.is_superuser { "superuser" } else { "user" };
            writeln!(io::stdout(), "added {kind} {} ({})", user.username, user.id)?;
            Ok(())
        }
        Err(StoreError::UsernameTaken) => {
            Err(format!("somebody is called {name:?} already; choose another name").into())
        }
        Err(error) => Err(error.described().into()),
    }
}

pub(super) fn command_line() -> Actor {
    Actor { id: None, name: Some("command line".to_owned()), address: None }
}

/// Asks twice on a terminal, without echo; elsewhere reads the first line of standard input.
fn ask_password(prompt: &str) -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            return Err("no password came on standard input".into());
        }
        return Ok(Secret::new(line.trim_end_matches(['\n', '\r'])));
    }
    let first = Secret::new(rpassword::prompt_password(prompt)?);
    if first == Secret::new(rpassword::prompt_password("The same again: ")?) {
        Ok(first)
    } else {
        Err("the two passwords are not the same".into())
    }
}
