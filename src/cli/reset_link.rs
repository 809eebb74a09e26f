//! Owns `usher user reset-link`: a way back in for somebody who forgot the password, without e-mail.

use serde_json::json;

use crate::auth::api_key::sha256;
use crate::auth::random;
use crate::cli::Failure;
use crate::cli::context::{CommandError, Context, known, record, tell};
use crate::domain::audit::Action;
use crate::domain::clock::rfc3339;
use crate::domain::secret::Secret;
use crate::http::api::reset_links::{VALID_FOR, link};
use crate::server::local_url;
use crate::store::reset_links;

/// Makes the link and prints it, alone on standard output.
pub(super) async fn run(desk: &Context<'_>, name: String) -> Result<(), Failure> {
    let token = Secret::new(random::url_safe_text()?);
    let (hash, now) = (sha256(token.expose()), desk.now);
    let end = now + VALID_FOR;
    let made = desk.change(Action::ResetLinkMade, move |connection| {
        let user = known(connection, &name)?;
        reset_links::replace(connection, user.id, &hash, now, end)?;
        record(connection, Action::ResetLinkMade, &user, None, now)?;
        Ok::<_, CommandError>(user.username)
    });
    let username = made.await?;
    let config = desk.config;
    let url = config.public_url.clone().unwrap_or_else(|| {
        let address = config.bind.resolve().ok().and_then(|found| found.into_iter().next());
        let url = address.map_or_else(|| format!("http://{}", config.bind), local_url);
        format!("{url}{}", config.base_path)
    });
    let link = link(&url, &token);
    let shown = json!({ "username": username.as_str(), "link": link, "expires_at": rfc3339(&end) });
    desk.print(&shown, || link.clone())?;
    if !desk.json {
        tell(format_args!("{username} can set a new password with this link, once, until {}", rfc3339(&end)));
    }
    Ok(())
}
