//! The verify route: tells a proxy whether a request may enter a site, and who sent it. The proxy calls it for every
//! request to every site, so it costs one indexed read and no write.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use chrono::TimeDelta;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::auth::api_key::sha256;
use crate::config::Config;
use crate::domain::audit::Action;
use crate::domain::caller::Duty;
use crate::domain::clock::Timestamp;
use crate::domain::forward_auth::AccessDenied;
use crate::domain::second_factor::SecondFactorPolicy;
use crate::domain::user::User;
use crate::http::forward_auth::basic::{self, BasicCredentials};
use crate::http::forward_auth::forwarded_request::{ForwardedRequest, ForwardedRequestError};
use crate::http::forward_auth::site_cookies;
use crate::http::models::Detail;
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::Anyone;
use crate::http::pipeline::caller::credentials;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::log_rate_limit::LogRateLimit;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::FieldErrors;
use crate::http::pipeline::{cookies, messages};
use crate::store::site_tokens::{self, SiteToken};
use crate::store::{Connection, StoreError};

/// The user name, for sites that identify users by it.
const REMOTE_USER: HeaderName = HeaderName::from_static("remote-user");
/// The user's id, which never changes.
const REMOTE_USER_ID: HeaderName = HeaderName::from_static("remote-user-id");
/// `users`, or `users,superusers`.
const REMOTE_GROUPS: HeaderName = HeaderName::from_static("remote-groups");
/// Characters that those headers contain unescaped: none that a site could take for a separator or an escape.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');
/// The age at which a browser is redirected to get a new token. Its user doesn't notice.
const RENEW_AFTER: TimeDelta = TimeDelta::days(1);

/// Asks for a user name and an API key.
const BASIC: &str = "Basic realm=\"usher\", charset=\"UTF-8\"";
/// Headers that browsers send and simple programs don't.
const BROWSER_HEADERS: [&str; 3] = ["sec-fetch-mode", "x-requested-with", "cookie"];

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/verify", verify)
            .named("Forward auth", "verify_api_v1_verify_get", "Check a request for a proxy")
            .about(
                "Tells a proxy in `trusted_proxies` whether to pass a request on to its site, and who sent it \
                 (`Remote-User`, `Remote-User-Id`, `Remote-Groups`), with the cookies and the `Authorization` for the \
                 site. Browsers are redirected to the sign-in page.",
            )
            .responds_empty(200, "Pass the request on.")
            .responds_empty(302, "Redirect the browser to the sign-in page.")
            .responds_empty(303, "Redirect the browser to the sign-in page.")
            .fails_with(401, "Nobody is signed in. `Location` has the address of the sign-in page.")
            .fails_with(403, "The user can't enter the site, or the site is unknown. For nginx, `Location` has the address of a page that says so.")
            .fails_with(404, "Forward auth is turned off.")
            .fails_with(429, "Too many wrong API keys as `Basic` credentials. nginx gets 403 instead."),
    ]
}

/// The proxy's request, with the credentials of the forwarded one.
struct VerifyRequest {
    original: Result<ForwardedRequest, ForwardedRequestError>,
    tokens: Vec<[u8; 32]>,
    key: Option<String>,
    basic: Option<BasicCredentials>,
    /// The `Cookie` header for the site.
    cookies: Option<HeaderValue>,
    /// The `Authorization` header for the site: if its rule doesn't accept `Basic` credentials, and if it does.
    authorization: [Option<HeaderValue>; 2],
    /// Whether it comes from a program that a challenge for `Basic` credentials is for. A browser would show a dialog.
    is_program: bool,
}

impl Input for VerifyRequest {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        let headers = source.request.headers();
        Some(Self {
            original: ForwardedRequest::of(source.request, source.config),
            tokens: cookies::site_tokens(source.config, headers).into_iter().map(sha256).collect(),
            key: credentials::api_key_header(headers).map(ToOwned::to_owned),
            basic: BasicCredentials::of(headers),
            cookies: site_cookies::for_site(headers),
            authorization: [false, true].map(|accepts_basic| basic::for_site(headers, accepts_basic)),
            is_program: BROWSER_HEADERS.iter().all(|name| !headers.contains_key(*name)),
        })
    }

    fn describe(_: &mut Operation) {}
}

/// The user of a forwarded request.
struct SiteUser {
    user: User,
    /// When the token was issued; `None` for an API key.
    since: Option<Timestamp>,
    /// What the user must do first.
    duty: Option<Duty>,
}

async fn verify(request: Request<Anyone, VerifyRequest>) -> Result<Response, ApiError> {
    let Request { app, now, client, input, .. } = request;
    let VerifyRequest { original, tokens, key, basic, cookies, authorization, is_program } = input;
    let rules = &app.config.forward_auth;
    if rules.is_empty() {
        return Err(ApiError::NotFound);
    }
    let original = original.map_err(|error| {
        static LOG_LIMIT: LogRateLimit = LogRateLimit::new();
        LOG_LIMIT.warn(now, || format!("{} a request to verify is refused: {error}", client.request));
        ApiError::AmbiguousForwardedRequest
    })?;
    if !rules.has_rule_for(&original.site) {
        static LOG_LIMIT: LogRateLimit = LogRateLimit::new();
        LOG_LIMIT
            .warn(now, || format!("all requests to {} are refused: `forward_auth` has no rule for it", original.site));
        return Err(ApiError::SiteForbidden);
    }
    let accepts_basic = rules.accepts_basic(&original.site);
    let mut found = authenticate(&app, tokens, key.as_deref(), now).await?;
    if let (None, Some(basic), true) = (&found, basic, accepts_basic) {
        let user = basic.user(&app, &client, now).await;
        let user = match user {
            // nginx takes no other status than 403.
            Err(ApiError::TooManyRequests(_)) if original.status_only => return Err(ApiError::SiteForbidden),
            user => user?,
        };
        found = user.map(|user| SiteUser { user, since: None, duty: None });
    }
    let Some(SiteUser { user, since, duty }) = found else {
        return Ok(redirect_to_sign_in(&app, &original, messages::SIGN_IN_TO_ENTER, accepts_basic && is_program));
    };
    // The console asks for it, and then redirects back.
    match duty {
        Some(Duty::ChangePassword) => {
            return Ok(redirect_to_sign_in(&app, &original, messages::PASSWORD_CHANGE_REQUIRED, false));
        }
        Some(Duty::SetUpFactor) => {
            return Ok(redirect_to_sign_in(&app, &original, messages::SECOND_FACTOR_MISSING, false));
        }
        None => {}
    }
    if rules.may_enter(&original.site, &user) == Err(AccessDenied::NotForYou) {
        let site = original.site.to_string();
        app.denied.record(&app.db, &client, now, Some((&user).into()), Action::Entered, site).await;
        return Ok(deny(&app, &original, &user));
    }
    let is_old = since.is_some_and(|since| now - since >= renew_after(&app.config));
    // Only a request that the browser can repeat is redirected.
    if is_old && original.is_navigation && original.is_safe {
        return Ok(redirect_to_sign_in(&app, &original, messages::SIGN_IN_TO_ENTER, false));
    }
    let [as_sent, without_basic] = authorization;
    Ok(allow(&user, cookies, if accepts_basic { without_basic } else { as_sent }))
}

/// Half of a session's life, so that using a site keeps the session alive, but at most a day.
fn renew_after(config: &Config) -> TimeDelta {
    RENEW_AFTER.min(TimeDelta::seconds(i64::from(config.refresh_token_seconds) / 2))
}

/// Returns the user of the site tokens, or else of the API key. Any site below `cookie_domain` can add a token: those
/// that don't verify are ignored, and if those of two users do, the request counts as not signed in.
async fn authenticate(
    app: &App,
    tokens: Vec<[u8; 32]>,
    key: Option<&str>,
    now: Timestamp,
) -> Result<Option<SiteUser>, ApiError> {
    let mut found: Vec<SiteUser> = Vec::new();
    if !tokens.is_empty() {
        let policy = app.config.second_factor;
        let read = app.db.read(move |connection| {
            let read = tokens.iter().map(|sha256| by_site_token(connection, sha256, policy, now));
            read.collect::<Result<Vec<_>, StoreError>>()
        });
        found = read.await?.into_iter().flatten().filter(|known| known.user.is_active).collect();
    }
    if found.windows(2).any(|pair| pair[0].user.id != pair[1].user.id) {
        static LOG_LIMIT: LogRateLimit = LogRateLimit::new();
        LOG_LIMIT.warn(now, || "a request with the site cookies of two accounts is refused".to_owned());
        return Ok(None);
    }
    if let Some(newest) = found.into_iter().max_by_key(|known| known.since) {
        return Ok(Some(newest));
    }
    let Some(key) = key else { return Ok(None) };
    match credentials::by_api_key(app, key, now).await {
        Ok(caller) => Ok(Some(SiteUser { user: caller.into_user(), since: None, duty: None })),
        Err(error @ ApiError::Store(_)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Returns the user of a site token, if it is alive.
fn by_site_token(
    connection: &Connection,
    sha256: &[u8; 32],
    policy: SecondFactorPolicy,
    now: Timestamp,
) -> Result<Option<SiteUser>, StoreError> {
    let Some(SiteToken { user, made_at, automatic }) = site_tokens::find(connection, sha256, now)? else {
        return Ok(None);
    };
    let duty = credentials::duty_of(connection, policy, &user, automatic)?;
    Ok(Some(SiteUser { user, since: Some(made_at), duty }))
}

fn allow(user: &User, cookies: Option<HeaderValue>, authorization: Option<HeaderValue>) -> Response {
    let groups = if user.is_superuser { "users,superusers" } else { "users" };
    let mut response = Response::empty()
        .header(REMOTE_USER, &utf8_percent_encode(user.username.as_str(), &ESCAPED).to_string())
        .header(REMOTE_USER_ID, &user.id.to_string())
        .header(REMOTE_GROUPS, groups);
    for (name, value) in [(COOKIE, cookies), (AUTHORIZATION, authorization)] {
        if let Some(value) = value {
            response = response.replace_header(name, value);
        }
    }
    response
}

/// Redirects a browser to the sign-in page, which sends it back. A program gets a 401.
fn redirect_to_sign_in(app: &App, original: &ForwardedRequest, why: &'static str, offers_basic: bool) -> Response {
    let unknown = Response::json(&Detail { detail: why })
        .status(StatusCode::UNAUTHORIZED)
        .header(WWW_AUTHENTICATE, if offers_basic { BASIC } else { "ApiKey" });
    if !original.is_navigation {
        return unknown;
    }
    let address = sign_in_page(app, original);
    match (original.status_only, original.is_safe) {
        (true, _) => unknown.header(LOCATION, &address),
        (false, true) => Response::empty().status(StatusCode::FOUND).header(LOCATION, &address),
        // The page must not get the request's body (RFC 9110, section 15.4.4).
        (false, false) => Response::empty().status(StatusCode::SEE_OTHER).header(LOCATION, &address),
    }
}

/// The sign-in page. It returns to the site, or says that the user can't enter it.
fn sign_in_page(app: &App, original: &ForwardedRequest) -> String {
    format!("{}/?{}", app.url, return_query(original))
}

/// The query that makes the console return to the site.
fn return_query(original: &ForwardedRequest) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("return_to", &original.return_to()).finish()
}

/// Refuses a request. A browser gets a page that names the user, with a link to the console. nginx drops the page, so
/// it gets the address of the console's page.
fn deny(app: &App, original: &ForwardedRequest, user: &User) -> Response {
    let denied = || Response::json(&Detail { detail: messages::SITE_FORBIDDEN }).status(StatusCode::FORBIDDEN);
    if !original.is_navigation {
        return denied();
    }
    if original.status_only {
        return denied().header(LOCATION, &sign_in_page(app, original));
    }
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let page = crate::console::ACCESS_DENIED
        .replace("{url}", &escaped(&app.url))
        .replace("{query}", &return_query(original))
        .replace("{site}", &escaped(&original.site.to_string()))
        // Last, because a name may contain a placeholder.
        .replace("{name}", &escaped(user.username.as_str()));
    Response::file(page, "text/html; charset=utf-8").status(StatusCode::FORBIDDEN)
}
