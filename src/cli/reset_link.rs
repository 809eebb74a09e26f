//! `usher user reset-link`.

use serde_json::json;

use crate::auth::api_key::sha256;
use crate::auth::random;
use crate::cli::context::{CommandError, Context, find_user, record_change};
use crate::cli::output::notice;
use crate::cli::{Failure, running_server};
use crate::domain::audit::Action;
use crate::domain::clock::rfc3339;
use crate::domain::secret::Secret;
use crate::http::api::reset_links::{VALID_FOR, link};
use crate::server::local_url;
use crate::store::reset_links;

/// Makes a reset link and prints it on standard output.
pub(super) async fn run(context: &Context<'_>, name: String) -> Result<(), Failure> {
    let token = Secret::new(random::url_safe_text()?);
    let (hash, now) = (sha256(token.expose()), context.now);
    let expires_at = now + VALID_FOR;
    let made = context.write(Action::ResetLinkMade, move |connection| {
        let user = find_user(connection, &name)?;
        reset_links::replace(connection, user.id, &hash, now, expires_at)?;
        record_change(connection, Action::ResetLinkMade, &user, None, now)?;
        Ok::<_, CommandError>(user.username)
    });
    let username = made.await?;
    let config = context.config;
    let running = running_server::record(config, &context.server).map(|server| server.public_url);
    let url = config.public_url.clone().or(running).unwrap_or_else(|| {
        let address = config.bind.resolve().ok().and_then(|found| found.into_iter().next());
        let url = address.map_or_else(|| format!("http://{}", config.bind), local_url);
        format!("{url}{}", config.base_path)
    });
    let link = link(&url, &token);
    let shown = json!({ "username": username.as_str(), "link": link, "expires_at": rfc3339(&expires_at) });
    context.print(&shown, || link.clone())?;
    if !context.json {
        let until = rfc3339(&expires_at);
        notice(format_args!("{username} can use this link once, until {until}, to set a password"));
    }
    Ok(())
}
