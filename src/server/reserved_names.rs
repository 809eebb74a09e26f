//! Owns what forward auth asks of people's names when the server starts: that they are kept, and that whoever set it up
//! hears where a name does not stand for the person it should.

use crate::http::pipeline::app::App;
use crate::store::{StoreError, reserved_names, users};

/// Keeps names from being given again while forward auth is on; before anybody is added.
pub async fn keep(app: &App) -> Result<(), StoreError> {
    let is_on = !app.config.forward_auth.is_empty();
    app.db.write(move |connection| reserved_names::set_enabled(connection, is_on)).await
}

/// Says in the log which rules list nobody, and who has a name that was somebody else's.
pub async fn look(app: &App) -> Result<(), StoreError> {
    if app.config.forward_auth.is_empty() {
        return Ok(());
    }
    let listed: Vec<String> = app.config.forward_auth.names().map(ToString::to_string).collect();
    let found = app.db.read(move |connection| {
        let mut nobodys = Vec::new();
        for name in listed {
            if users::find_by_name(connection, &name)?.is_none() {
                nobodys.push(name);
            }
        }
        Ok::<_, StoreError>((nobodys, reserved_names::holders_of_former_names(connection)?))
    });
    let (nobodys, successors) = found.await?;
    for name in nobodys {
        log::warn!("`forward_auth` lists {name:?}, which is nobody's name: whoever gets it may enter");
    }
    for name in successors {
        log::warn!("{name:?} was somebody else's name before, whom sites behind the proxy may take its owner for");
    }
    Ok(())
}
