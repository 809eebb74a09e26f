//! User names at startup, while forward auth is on: reserves former names, and warns about rules that name a missing
//! user and about users who have a former name of another user.

use crate::http::pipeline::app::App;
use crate::store::{StoreError, reserved_names, users};

/// Reserves former names while forward auth is on. Must run before any user is added.
pub async fn apply_setting(app: &App) -> Result<(), StoreError> {
    let is_on = !app.config.forward_auth.is_empty();
    app.db.write(move |connection| reserved_names::set_enabled(connection, is_on)).await
}

/// Logs names in rules that no user has, and users who have a former name of another user.
pub async fn log_conflicts(app: &App) -> Result<(), StoreError> {
    if app.config.forward_auth.is_empty() {
        return Ok(());
    }
    let listed: Vec<String> = app.config.forward_auth.names().map(ToString::to_string).collect();
    let found = app.db.read(move |connection| {
        let mut missing = Vec::new();
        for name in listed {
            if users::find_by_name(connection, &name)?.is_none() {
                missing.push(name);
            }
        }
        Ok::<_, StoreError>((missing, reserved_names::holders_of_former_names(connection)?))
    });
    let (missing, successors) = found.await?;
    for name in missing {
        log::warn!(
            "`forward_auth` allows {name:?}, but no user has this name; the next user with this name will have access"
        );
    }
    for name in successors {
        log::warn!("{name:?} was another user's name before; sites behind the proxy may mistake one for the other");
    }
    Ok(())
}
