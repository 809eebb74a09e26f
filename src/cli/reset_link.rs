//! `usher user reset-link`.

use serde_json::json;

use crate::auth::link_token::{LinkPage, NewLink};
use crate::cli::Failure;
use crate::cli::context::{CommandError, Context, find_user, record_change};
use crate::cli::output::notice;
use crate::domain::audit::Action;
use crate::domain::clock::rfc3339;
use crate::http::api::reset_links::VALID_FOR;
use crate::store::reset_links;

/// Makes a reset link and prints it on standard output.
pub(super) async fn run(context: &Context<'_>, name: String) -> Result<(), Failure> {
    let link = NewLink::generate()?;
    let (hash, now) = (link.hash, context.now);
    let expires_at = now + VALID_FOR;
    let made = context.write(Action::ResetLinkMade, move |connection| {
        let user = find_user(connection, &name)?;
        reset_links::replace(connection, user.id, &hash, now, expires_at)?;
        record_change(connection, Action::ResetLinkMade, &user, None, now)?;
        Ok::<_, CommandError>(user.username)
    });
    let username = made.await?;
    let link = link.url(&context.server_url(), LinkPage::Reset);
    let shown = json!({ "username": username.as_str(), "link": link, "expires_at": rfc3339(&expires_at) });
    context.print(&shown, || link.clone())?;
    if !context.json {
        let until = rfc3339(&expires_at);
        notice(format_args!("{username} can use this link once, until {until}, to set a password"));
    }
    Ok(())
}
