//! `GET /session`: whether this browser is signed in.

use crate::domain::caller::Duty;
use crate::http::models::{SessionResponse, UserRead};
use crate::http::pipeline::app::App;
use crate::http::pipeline::caller::Authenticate;
use crate::http::pipeline::caller::credentials::{Authenticated, Credentials, UncheckedCredential};
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::request::{NoInput, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/session", session)
            .named("Login", "get_session_api_v1_session_get", "Read the current session")
            .about("Returns the user who is signed in, by access token, in the header or in the cookie. The status is 200 even if nobody is signed in.")
            .responds_with::<SessionResponse<'_>>(200),
    ]
}

/// The caller, if an access token is valid. API keys have no session.
struct CurrentSession(Option<Authenticated>);

impl Authenticate for CurrentSession {
    const NEEDS_CREDENTIALS: bool = false;

    async fn authenticate(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        let Ok(token) = UncheckedCredential::access_token(app, credentials) else { return Ok(Self(None)) };
        match token.look_up(app, credentials.now).await {
            Ok(caller) => Ok(Self(Some(caller))),
            Err(error @ ApiError::Store(_)) => Err(error),
            Err(_) => Ok(Self(None)),
        }
    }
}

async fn session(request: Request<CurrentSession, NoInput>) -> Result<Response, ApiError> {
    let user = request.caller.0.as_ref().map(|caller| &caller.user);
    let duty = request.caller.0.as_ref().and_then(Authenticated::duty);
    Ok(Response::json(&SessionResponse {
        authenticated: user.is_some(),
        user: user.map(|user| UserRead::from(user).without_store_key()),
        store_api_key: None,
        second_factor_missing: duty == Some(Duty::SetUpFactor),
        must_change_password: duty == Some(Duty::ChangePassword),
    }))
}
