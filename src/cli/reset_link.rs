//! Owns `usher user reset-link`: a way back in for somebody who forgot the password, without e-mail.

use std::io::{self, Write};

use super::Failure;
use super::desk::command_line;
use crate::auth::{api_key::sha256, random};
use crate::config::Config;
use crate::domain::audit::{Action, Event};
use crate::domain::clock::{Clock, rfc3339};
use crate::domain::secret::Secret;
use crate::http::reset_links::{VALID_FOR, link};
use crate::store::{Db, StoreError, audit, reset_links, users};

/// Makes the link and prints it, alone on standard output.
pub(super) async fn run(config: &Config, db: &Db, name: &str) -> Result<(), Failure> {
    let token = Secret::new(random::text()?);
    let (hash, now, typed) = (sha256(token.expose()), Clock::system().now(), name.to_owned());
    let end = now + VALID_FOR;
    let made = db.write(move |connection| {
        let Some((user, _)) = users::find_by_name(connection, &typed)? else { return Ok(None) };
        reset_links::replace(connection, user.id, &hash, now, end)?;
        let target = Some((user.id, user.username.to_string()));
        let event = Event { actor: command_line(), action: Action::ResetLinkMade, target, success: true, detail: None };
        audit::record(connection, &event, now)?;
        Ok::<_, StoreError>(Some(user.username))
    });
    let found = made.await.map_err(|error| error.described())?;
    let username = found.ok_or_else(|| format!("nobody is called {name:?}"))?;
    let url = config.public_url.clone().unwrap_or_else(|| format!("http://{}{}", config.bind, config.base_path));
    writeln!(io::stdout(), "{}", link(&url, &token))?;
    writeln!(io::stderr(), "{username} can set a new password with this link, once, until {}", rfc3339(&end))?;
    Ok(())
}
