//! Issues site tokens: a signed-in user gets a cookie that the proxy accepts for its sites, and nothing else.

use utoipa::ToSchema;

use crate::auth::api_key::sha256;
use crate::auth::random;
use crate::domain::audit::{Action, Event};
use crate::domain::forward_auth::AccessDenied;
use crate::domain::policy;
use crate::domain::secret::Secret;
use crate::http::forward_auth::return_url::ReturnUrl;
use crate::http::models::EnterResponse;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::SignedIn;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields::Fields;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::FieldErrors;
use crate::http::pipeline::{coerce, cookies};
use crate::store::{audit, sessions, site_tokens};

pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/enter", enter)
            .named("Forward auth", "enter_api_v1_enter_post", "Enter a site")
            .about(
                "Sets the cookie that opens the sites behind the proxy, and returns the address to go to: \
                 `return_to`, if it belongs to a site that you can enter.",
            )
            .responds_with::<EnterResponse<'_>>(200)
            .fails_with(403, "The address doesn't belong to a site, you can't enter the site, or you used an API key.")
            .fails_with(404, "Forward auth is turned off."),
    ]
}

/// The address that the browser wants to open.
#[derive(ToSchema)]
#[schema(as = Enter, title = "Site to enter")]
struct SiteTokenRequest {
    return_to: String,
}

impl Input for SiteTokenRequest {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        let return_to = fields.required("return_to", errors, coerce::string)?;
        Some(Self { return_to: return_to.to_owned() })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Self>("application/json");
    }
}

async fn enter(request: Request<SignedIn, SiteTokenRequest>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: SiteTokenRequest { return_to } } = request;
    if app.config.forward_auth.is_empty() {
        return Err(ApiError::NotFound);
    }
    let session = policy::may_enter_sites(&caller)?;
    let target = ReturnUrl::parse(&return_to).ok_or(ApiError::InvalidReturnUrl)?;
    if app.config.site_cookie_is_secure() && !target.site.https {
        return Err(ApiError::SiteNeedsHttps);
    }
    let event = Event::new(caller.actor(&client), Action::Entered).detail(target.site.to_string());
    match app.config.forward_auth.may_enter(&target.site, &caller.user) {
        Err(AccessDenied::UnknownHost) => return Err(ApiError::InvalidReturnUrl),
        Err(AccessDenied::NotForYou) => {
            let event = event.failed();
            app.db.write(move |connection| audit::record(connection, &event, now)).await?;
            return Err(ApiError::SiteForbidden);
        }
        Ok(()) => {}
    }
    let token = Secret::new(random::url_safe_text()?);
    let sha256 = sha256(token.expose());
    let created = caller.write(&app, move |connection| {
        let (session, _) = sessions::find(connection, session, now)?.ok_or(ApiError::SessionEnded)?;
        site_tokens::add(connection, session.id, &sha256, now)?;
        audit::record(connection, &event, now)?;
        Ok(session.expires_at)
    });
    let seconds = u64::try_from((created.await? - now).num_seconds()).unwrap_or(0);
    let cookie = cookies::set_site_token(&app.config, token.expose(), seconds);
    Ok(Response::json(&EnterResponse { location: &target.url }).cookie(&cookie))
}
