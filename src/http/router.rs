//! The list of all routes, and the answers to requests that match none: 404, 405, and the redirect to the other spelling
//! of a path.

use std::sync::LazyLock;

use actix_web::dev::ResourceDef;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};
use serde_json::Value;

use crate::http::api::{
    api_keys, audit, auto_login, current_session, health, login, metrics, openapi, passwords, reset_links, sessions,
    setup, users,
};
use crate::http::forward_auth::{grant, verify};
use crate::http::pages;
use crate::http::pipeline::app::App;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::metrics::{NO_ROUTE, RequestTimer};
use crate::http::pipeline::openapi::{Operation, document};
use crate::http::pipeline::route::Route;
use crate::http::pipeline::{body, response};

/// How many parts in front of a path are taken for a proxy's prefix.
const MOST_PREFIXES: usize = 4;

/// Every route there is.
fn all() -> Vec<Route> {
    [
        health::routes(),
        users::routes(),
        passwords::routes(),
        login::routes(),
        auto_login::routes(),
        current_session::routes(),
        sessions::routes(),
        audit::routes(),
        api_keys::routes(),
        setup::routes(),
        reset_links::routes(),
        pages::routes(),
        openapi::routes(),
        metrics::routes(),
        verify::routes(),
        grant::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The API's description.
pub fn describe_routes() -> Value {
    let operations: Vec<Operation> = TABLE.routes.iter().filter(|route| route.listed).map(Route::operation).collect();
    document(&operations)
}

/// The table, and what follows from it: made once for all workers, before the first of them can answer.
static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

struct Table {
    routes: Vec<Route>,
    paths: Vec<Path>,
}

/// Everything that answers at one path.
struct Path {
    path: &'static str,
    pattern: ResourceDef,
    /// Its own routes, and for methods that it has none for, those of a pattern that also matches it
    /// (`PATCH /users/whoami` is an id that is none); by their places in the table.
    routes: Vec<usize>,
    /// Their methods, as the header `Allow` names them.
    allowed: String,
}

impl Table {
    fn new() -> Self {
        let routes = all();
        let mut names: Vec<&'static str> = routes.iter().map(|route| route.path).collect();
        // Paths without parameters come first: `whoami` is no id.
        names.sort_by_key(|path| path.contains('{'));
        let mut seen = std::collections::HashSet::new();
        names.retain(|path| seen.insert(*path));
        let patterns: Vec<ResourceDef> = names.iter().map(|path| ResourceDef::new(*path)).collect();
        let answering = |path: &'static str| -> Vec<usize> {
            let wider = names.iter().zip(&patterns).filter(|(name, pattern)| {
                **name != path && name.contains('{') && !path.contains('{') && pattern.is_match(path)
            });
            let mut found: Vec<usize> = Vec::new();
            for name in std::iter::once(path).chain(wider.map(|(name, _)| *name)) {
                for (place, route) in routes.iter().enumerate().filter(|(_, route)| route.path == name) {
                    if found.iter().all(|&other| routes[other].method() != route.method()) {
                        found.push(place);
                    }
                }
            }
            found
        };
        let answering: Vec<Vec<usize>> = names.iter().map(|path| answering(path)).collect();
        let path = |((path, pattern), places): ((&'static str, ResourceDef), Vec<usize>)| {
            let mut allowed: Vec<&str> = places.iter().map(|&place| routes[place].method()).collect();
            if allowed.contains(&"GET") {
                allowed.push("HEAD");
            }
            Path { path, pattern, routes: places, allowed: allowed.join(", ") }
        };
        let paths = names.into_iter().zip(patterns).zip(answering).map(path).collect();
        Self { routes, paths }
    }
}

/// Puts all routes into a worker's application; under `base_path` too, as some proxies leave the prefix in the path and
/// others, and whoever asks directly, do not.
pub fn configure(config: &mut ServiceConfig, base_path: &str) {
    if !base_path.is_empty() {
        config.service(web::scope(base_path).configure(add_routes));
    }
    add_routes(config);
}

/// Whether a route's path begins with the first part of `base_path`: which of both is meant could not be told.
pub fn uses(base_path: &str) -> bool {
    let first = |path: &str| path.split('/').nth(1).map(ToOwned::to_owned);
    TABLE.paths.iter().any(|path| first(path.path) == first(base_path))
}

fn add_routes(config: &mut ServiceConfig) {
    for path in &TABLE.paths {
        config.service(resource(path));
    }
    config.default_service(web::to(elsewhere));
}

fn resource(path: &'static Path) -> Resource {
    let places = path.routes.iter();
    let resource = places.fold(web::resource(path.path), |resource, &place| TABLE.routes[place].add_to(resource));
    resource.default_service(web::to(move |request: HttpRequest, payload: Payload, app: Data<App>| async move {
        let timing = RequestTimer::begin(&app);
        body::drain(&request, payload).await;
        let response = response::send(&request, Err(ApiError::MethodNotAllowed(&path.allowed)));
        timing.end(&app, NO_ROUTE, response.status());
        response
    }))
}

/// A path that is no route.
async fn elsewhere(request: HttpRequest, payload: Payload, app: Data<App>) -> HttpResponse {
    let timing = RequestTimer::begin(&app);
    body::drain(&request, payload).await;
    let response = astray(&request);
    timing.end(&app, NO_ROUTE, response.status());
    response
}

/// Perhaps the other spelling of the path is a route.
fn astray(request: &HttpRequest) -> HttpResponse {
    let path = request.path();
    // Only what a scope took in still has the prefix; a path that merely begins so, such as `/ushers`, does not.
    let inner = path.strip_prefix(response::base_path(request)).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = inner.unwrap_or(path);
    let other = if path.ends_with('/') { path.trim_end_matches('/').to_owned() } else { format!("{path}/") };
    if TABLE.paths.iter().any(|known| known.pattern.is_match(&other)) {
        return response::redirect(request, &other);
    }
    hint_at_prefix(path);
    response::send(request, Err(ApiError::NotFound))
}

/// Says in the log, once, that a route would have been met without what stands in front of it in the path: the mark of
/// a proxy whose prefix usher was not told.
fn hint_at_prefix(path: &str) {
    static SAID: std::sync::Once = std::sync::Once::new();
    if SAID.is_completed() {
        return;
    }
    let inner = path.match_indices('/').map(|(at, _)| at).filter(|&at| at > 0).take(MOST_PREFIXES);
    // Scanners ask for /x/docs and the like; nobody but a client of usher asks for a route of its API.
    let found = inner
        .filter(|&at| path[at..].starts_with("/api/v1/") || path[at..].starts_with("/assets/"))
        .find(|&at| TABLE.paths.iter().any(|known| known.pattern.is_match(&path[at..])));
    if let Some(at) = found {
        SAID.call_once(|| {
            let (path, base) = (path.escape_debug(), path[..at].escape_debug());
            log::warn!("{path} is asked for: if a proxy has usher below {base}, set `base_path = \"{base}\"`");
        });
    }
}
