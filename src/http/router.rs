//! The list of all routes, and the answers to requests that match none: 404, 405, and the redirect to the other
//! spelling of a path.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use actix_web::http::Method;
use actix_web::http::header::ACCEPT;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use crate::http::api::{
    api_keys, audit, auto_login, current_session, factors, health, invitations, login, login_again, metrics, openapi,
    own_data, passkeys, passwords, recovery_codes, reset_links, second_factor, server, sessions, setup, totp, users,
};
use crate::http::forward_auth::{site_token, verify};
use crate::http::pages;
use crate::http::pipeline::app::App;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::metrics::{NO_ROUTE, RequestTimer};
use crate::http::pipeline::openapi::document;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::{body, response};

/// The most path segments that a proxy's prefix may have.
const MAX_PREFIX_SEGMENTS: usize = 4;

/// Returns all routes.
fn all() -> Vec<Route> {
    [
        health::routes(),
        users::routes(),
        own_data::routes(),
        passwords::routes(),
        factors::routes(),
        totp::routes(),
        passkeys::routes(),
        recovery_codes::routes(),
        second_factor::routes(),
        login::routes(),
        login_again::routes(),
        auto_login::routes(),
        current_session::routes(),
        sessions::routes(),
        audit::routes(),
        server::routes(),
        api_keys::routes(),
        setup::routes(),
        reset_links::routes(),
        invitations::routes(),
        pages::routes(),
        openapi::routes(),
        metrics::routes(),
        verify::routes(),
        site_token::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the API description (OpenAPI) of a generation.
pub fn describe_routes(generation: &'static Generation) -> Value {
    document(TABLE.routes.iter().filter(|route| route.listed).map(|route| route.operation(generation)))
}

/// The route table, shared by all workers.
static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

struct Table {
    routes: Vec<Route>,
    /// The paths without a parameter come first.
    paths: Vec<Path>,
    /// The indexes of the paths without a parameter.
    exact: HashMap<&'static str, usize>,
}

/// The routes of one path.
struct Path {
    path: &'static str,
    /// Indexes of its own routes, and for other methods those of a pattern that also matches (`PATCH /users/whoami` is
    /// `PATCH /users/{user_id}`).
    routes: Vec<usize>,
    /// Their methods, for the `Allow` header.
    allowed: String,
}

impl Table {
    fn new() -> Self {
        let routes = all();
        let mut names: Vec<&'static str> = routes.iter().map(|route| route.path).collect();
        // Paths with fewer parameters come first, so `whoami` isn't taken for an id.
        names.sort_by_key(|path| path.matches('{').count());
        let mut seen = HashSet::new();
        names.retain(|path| seen.insert(*path));
        let answering = |path: &'static str| -> Vec<usize> {
            let wider = names.iter().filter(|name| **name != path && !path.contains('{') && matches(name, path));
            let mut found: Vec<usize> = Vec::new();
            for name in std::iter::once(path).chain(wider.copied()) {
                for (place, route) in routes.iter().enumerate().filter(|(_, route)| route.path == name) {
                    if found.iter().all(|&other| routes[other].method() != route.method()) {
                        found.push(place);
                    }
                }
            }
            found
        };
        let answering: Vec<Vec<usize>> = names.iter().map(|path| answering(path)).collect();
        let path = |(path, places): (&'static str, Vec<usize>)| {
            let mut allowed: Vec<&str> = places.iter().map(|&place| routes[place].method()).collect();
            if allowed.contains(&"GET") {
                allowed.push("HEAD");
            }
            Path { path, routes: places, allowed: allowed.join(", ") }
        };
        let paths: Vec<Path> = names.into_iter().zip(answering).map(path).collect();
        let exact = paths.iter().enumerate().filter(|(_, path)| !path.path.contains('{'));
        let exact: HashMap<_, _> = exact.map(|(place, path)| (path.path, place)).collect();
        Self { routes, paths, exact }
    }

    /// Finds the routes of a request's path.
    fn find(&self, path: &str) -> Option<&Path> {
        let exact = self.exact.get(path).map(|&place| &self.paths[place]);
        exact.or_else(|| self.paths[self.exact.len()..].iter().find(|pattern| matches(pattern.path, path)))
    }
}

/// Answers every request. usher finds the route itself: actix would compile a regular expression for each path with a
/// parameter, on each worker at startup, and match them one by one.
pub async fn respond(request: HttpRequest, payload: Payload, app: Data<App>) -> HttpResponse {
    let path = inner_path(request.match_info().as_str(), &app.config.base_path);
    let Some(path) = TABLE.find(path) else { return refuse(request, payload, app, None).await };
    // HEAD is GET without the body, which actix leaves out.
    let method = if request.method() == Method::HEAD { Method::GET.as_str() } else { request.method().as_str() };
    let mut routes = path.routes.iter().map(|&place| &TABLE.routes[place]);
    match routes.find(|route| route.method() == method) {
        Some(route) => route.respond(request, payload, app).await,
        None => refuse(request, payload, app, Some(&path.allowed)).await,
    }
}

/// The path without the base path: some proxies keep that prefix, others remove it.
fn inner_path<'a>(path: &'a str, base_path: &str) -> &'a str {
    // A path that only starts with the same letters, such as `/ushers`, stays.
    path.strip_prefix(base_path).filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path)
}

/// Whether a route starts with the first segment of `base_path`, so that a path would be ambiguous.
pub fn conflicts_with(base_path: &str) -> bool {
    let first = |path: &str| path.split('/').nth(1).map(ToOwned::to_owned);
    TABLE.paths.iter().any(|path| first(path.path) == first(base_path))
}

/// Whether a route's path, in which `{name}` stands for any segment, matches a request's path.
fn matches(pattern: &str, path: &str) -> bool {
    // Most patterns differ before their first parameter.
    let literal = pattern.find('{').unwrap_or(pattern.len());
    if !path.as_bytes().starts_with(&pattern.as_bytes()[..literal]) {
        return false;
    }
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(segment)) if wanted == segment => {}
            (Some(wanted), Some(segment)) if wanted.starts_with('{') && !segment.is_empty() => {}
            _ => return false,
        }
    }
}

/// Answers a request that no route takes: with the `allowed` methods if the path is one of usher's.
async fn refuse(request: HttpRequest, payload: Payload, app: Data<App>, allowed: Option<&'static str>) -> HttpResponse {
    let timer = RequestTimer::start(&app.metrics);
    body::drain(&request, payload).await;
    let response = match allowed {
        Some(allowed) => response::send(&request, &app.config, Err(ApiError::MethodNotAllowed(allowed))),
        None => redirect_or_not_found(&request, &app),
    };
    timer.stop(&app.metrics, NO_ROUTE, response.status());
    response
}

/// Redirects if the path with or without its trailing slash is a route.
fn redirect_or_not_found(request: &HttpRequest, app: &App) -> HttpResponse {
    let (path, base_path) = (request.path(), app.config.base_path.as_str());
    let path = inner_path(path, base_path);
    let other = if path.ends_with('/') { path.trim_end_matches('/').to_owned() } else { format!("{path}/") };
    if TABLE.find(&other).is_some() {
        return response::redirect(request, base_path, &other);
    }
    warn_about_missing_base_path(path);
    if wants_html(request) {
        return response::send(request, &app.config, Ok(pages::not_found(app)));
    }
    response::send(request, &app.config, Err(ApiError::NotFound))
}

/// Whether the client is a browser that opens a page.
fn wants_html(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    request.method().is_safe() && accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Logs once that a route would match without the front of the path: a proxy probably adds a prefix that `base_path`
/// doesn't name.
fn warn_about_missing_base_path(path: &str) {
    static WARNED: std::sync::Once = std::sync::Once::new();
    if WARNED.is_completed() {
        return;
    }
    let inner = path.match_indices('/').map(|(at, _)| at).filter(|&at| at > 0).take(MAX_PREFIX_SEGMENTS);
    // Scanners request paths such as /x/docs, but only usher's clients request its API and assets.
    let found = inner
        .filter(|&at| path[at..].starts_with("/api/v1/") || path[at..].starts_with("/assets/"))
        .find(|&at| TABLE.find(&path[at..]).is_some());
    if let Some(at) = found {
        WARNED.call_once(|| {
            let (path, base) = (path.escape_debug(), path[..at].escape_debug());
            log::warn!("{path} was requested: if a proxy serves usher below {base}, set `base_path = \"{base}\"`");
        });
    }
}
