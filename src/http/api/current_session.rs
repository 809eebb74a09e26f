//! Owns what a browser asks on arrival: is somebody signed in here?

use crate::http::models::{SessionResponse, UserRead};
use crate::http::pipeline::app::App;
use crate::http::pipeline::caller::{self, Authenticate, SignedIn};
use crate::http::pipeline::cookies;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::form::FormPairs;
use crate::http::pipeline::request::{NoInput, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use actix_web::HttpRequest;

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/session", session)
            .named("Login", "get_session_api_v1_session_get", "Get Session")
            .about("Whether somebody is signed in, by credentials or by the access token's cookie. Always 200.")
            .gives::<SessionResponse<'_>>(200),
    ]
}

/// Somebody, if credentials or the access token's cookie are valid. For telling, not for acting: it authorizes nothing.
struct CurrentSession(Option<SignedIn>);

impl Authenticate for CurrentSession {
    const NEEDS_CREDENTIALS: bool = false;

    async fn identify(app: &App, request: &HttpRequest, query: &FormPairs<'_>) -> Result<Self, ApiError> {
        let mut found = SignedIn::identify(app, request, query).await;
        let cookie = cookies::get(&app.config, request.headers(), cookies::ACCESS);
        if let (Err(ApiError::NoCredentials), Some(token)) = (&found, cookie) {
            found = caller::by_token(app, token).await;
        }
        match found {
            Ok(somebody) => Ok(Self(Some(somebody))),
            Err(error @ ApiError::Store(_)) => Err(error),
            Err(_) => Ok(Self(None)),
        }
    }
}

async fn session(call: Request<CurrentSession, NoInput>) -> Result<Response, ApiError> {
    let user = call.who.0.as_ref().map(|visitor| &visitor.user);
    Ok(Response::json(&SessionResponse {
        authenticated: user.is_some(),
        user: user.map(UserRead::from),
        store_api_key: user.and_then(|user| user.store_api_key.as_deref()),
    }))
}
