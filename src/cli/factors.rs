//! `usher user factors` and `usher user reset-factors`.

use crate::cli::Failure;
use crate::cli::context::{CommandError, Context, find_user, record_change};
use crate::cli::output::{format_time, table};
use crate::cli::prompt::require_confirmation;
use crate::domain::audit::Action;
use crate::http::FactorsResponse;
use crate::store::{factors, users};

/// Lists the second factors of a user.
pub(super) async fn list(context: &Context<'_>, name: String) -> Result<(), Failure> {
    let found = context.db.read(move |connection| {
        let user = find_user(connection, &name)?;
        let left = factors::recovery_codes_left(connection, user.id)?;
        Ok::<_, CommandError>((factors::of_user(connection, user.id)?, left, user))
    });
    let (factors, left, user) = found.await?;
    let required = context.config.second_factor.requires(&user);
    let shown = FactorsResponse::of_command_line(&factors, left, required);
    context.print(&shown, || {
        let rows = factors.iter().map(|factor| {
            let kind = if factor.is_confirmed { factor.kind.as_str() } else { "totp, unconfirmed" };
            let (added, used) = (format_time(Some(factor.created_at)), format_time(factor.last_used_at));
            vec![factor.name.clone(), kind.to_owned(), added, used]
        });
        let listed = table(&["NAME", "KIND", "ADDED", "LAST USED"], &rows.collect::<Vec<_>>());
        format!("{listed}\nrecovery codes left: {left}")
    })
}

/// Removes all second factors and recovery codes of a user, who then signs in with the password alone.
pub(super) async fn reset(context: &Context<'_>, name: String, yes: bool) -> Result<(), Failure> {
    let user = context.find_user(name).await?;
    let question = format!("Remove all second factors and recovery codes of {}?", user.username);
    require_confirmation(yes, &question)?;
    let (id, now) = (user.id, context.now);
    let removed = context.write(Action::FactorRemoved, move |connection| {
        let user = users::find(connection, id)?.ok_or_else(|| CommandError::UserNotFound(user.username.to_string()))?;
        let removed = factors::remove_all(connection, id)?;
        if removed == 0 {
            return Err(CommandError::Unchanged(format!("{} has no second factor", user.username)));
        }
        record_change(connection, Action::FactorRemoved, &user, Some(format!("all {removed}")), now)?;
        Ok((user, removed))
    });
    let (user, removed) = removed.await?;
    let shown = serde_json::json!({ "username": user.username.as_str(), "removed": removed });
    context.print(&shown, || format!("{} signs in with the password alone; factors removed: {removed}", user.username))
}
