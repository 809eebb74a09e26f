//! One-time setup: the link shown at startup creates the first superuser.

use std::io;
use std::sync::PoisonError;

use crate::config::Config;
use crate::domain::audit::{Action, Event};
use crate::domain::secret::Secret;
use crate::domain::user::User;
use crate::http::models::link_token::{LinkSignUp, LinkToken};
use crate::http::models::user_inputs::UserCreate;
use crate::http::models::{Detail, UserRead};
use crate::http::pipeline::app::App;
use crate::http::pipeline::caller::Anyone;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::messages;
use crate::http::pipeline::request::Request;
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::store::{audit, users};

pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/setup", set_up)
            .named("Setup", "set_up_api_v1_setup_post", "Create the first superuser")
            .about(
                "Creates the first superuser, with the token of the one-time link that the server printed at startup.",
            )
            .responds_with::<UserRead<'_>>(201),
        Route::post("/api/v1/setup/check", check)
            .named("Setup", "check_setup_link_api_v1_setup_check_post", "Check the setup link")
            .about("Checks the token of the setup link. Doesn't use the link.")
            .responds_with::<Detail>(200),
    ]
}

async fn check(request: Request<Anyone, LinkToken>) -> Result<Response, ApiError> {
    check_token(&request.app, &request.input.token).await?;
    Ok(Response::json(&Detail { detail: messages::SETUP_LINK_VALID }))
}

/// Checks that setup is not complete and that the token is right.
async fn check_token(app: &App, token: &Secret) -> Result<(), ApiError> {
    if app.db.read(users::superuser_exists).await? {
        return Err(ApiError::SetupComplete);
    }
    let matches = app.setup_token.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(token);
    if matches { Ok(()) } else { Err(ApiError::InvalidSetupToken) }
}

async fn set_up(request: Request<Anyone, LinkSignUp>) -> Result<Response, ApiError> {
    let Request { app, now, client, input: LinkSignUp { token, user }, .. } = request;
    check_token(&app, &token).await?;
    let UserCreate { username, password, optins } = user?;
    let hash = app.hasher.hash(&password, client.address).await?;
    let user = User { optins, ..User::new(username, true, true, now) };
    let actor = client.actor();
    let made = app.db.write(move |connection| {
        if users::superuser_exists(connection)? {
            return Err(ApiError::SetupComplete);
        }
        users::insert(connection, &user, &hash)?;
        audit::record(connection, &Event::new(actor, Action::SetUp).target(&user), now)?;
        Ok(user)
    });
    let user = made.await?;
    *app.setup_token.lock().unwrap_or_else(PoisonError::into_inner) = None;
    delete_link_file(&app.config);
    Ok(Response::json(&UserRead::from(&user)).created(&format!("/api/v1/users/{}", user.id)))
}

/// Deletes the file with the setup link. The link no longer works, so a failure is only logged.
fn delete_link_file(config: &Config) {
    let path = config.setup_link_file();
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            log::warn!("{} can't be deleted: {error}", path.display());
        }
        _ => {}
    }
}
