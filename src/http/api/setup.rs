//! One-time setup: the link shown at startup creates the first superuser.

use std::io;
use std::sync::PoisonError;

use utoipa::ToSchema;

use crate::auth::password_hasher::MAX_BYTES;
use crate::config::Config;
use crate::domain::audit::{Action, Event};
use crate::domain::secret::Secret;
use crate::domain::user::User;
use crate::domain::username::{MAX_CHARS, Username};
use crate::http::models::link_token::LinkToken;
use crate::http::models::user_inputs::{CheckedUserCreate, UserCreate};
use crate::http::models::{Detail, UserRead, text};
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::Anyone;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields::Fields;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::{FieldErrors, Rejected};
use crate::http::pipeline::{coerce, messages};
use crate::store::{audit, users};

pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/setup", set_up)
            .named("Setup", "set_up_api_v1_setup_post", "Create the first superuser")
            .about(
                "Creates the first superuser, with the token of the one-time link that the server printed at startup.",
            )
            .gives::<UserRead<'_>>(201),
        Route::post("/api/v1/setup/check", check)
            .named("Setup", "check_setup_link_api_v1_setup_check_post", "Check the setup link")
            .about("Checks the token of the setup link. Doesn't use the link.")
            .gives::<Detail>(200),
    ]
}

/// The first superuser, and the token of the setup link.
#[derive(ToSchema)]
#[schema(title = "First superuser")]
#[expect(dead_code, reason = "describes the body")]
struct Setup {
    #[schema(value_type = String)]
    token: Secret,
    #[schema(schema_with = text::<1, MAX_CHARS>)]
    username: Username,
    #[schema(schema_with = text::<1, MAX_BYTES>)]
    password: Secret,
}

/// A [`Setup`] whose fields have the right types.
struct CheckedSetup {
    token: Secret,
    user: Result<UserCreate, Rejected>,
}

impl Input for CheckedSetup {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, faults)?;
        let token = fields.required("token", faults, coerce::string).map(Secret::new);
        let user = CheckedUserCreate::from_fields(&fields, source, faults);
        Some(CheckedSetup { token: token?, user: user?.0 })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Setup>("application/json");
    }
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

async fn set_up(request: Request<Anyone, CheckedSetup>) -> Result<Response, ApiError> {
    let Request { app, now, client, input: CheckedSetup { token, user }, .. } = request;
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
