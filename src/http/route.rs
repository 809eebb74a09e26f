//! Owns the route table: which path and method leads to which handler, and what it is called in the API's description.
//! Everything that is no route ends here too: 404, 405, and the redirect to the other spelling of a path.

use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;

use actix_web::dev::ResourceDef;
use actix_web::http::Method;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};
use futures_util::FutureExt;
use serde_json::Value;

use super::app::App;
use super::body;
use super::call::{Call, Input};
use super::caller::Who;
use super::error::ApiError;
use super::metrics::{self, Timing};
use super::openapi::{self, Operation};
use super::reply::{self, Reply};
use super::{
    api_keys, audit, console, docs, enter, health, login, refusals, reset_links, sessions, setup, throttle, users,
    verify, visitor,
};

type Describe = Box<dyn Fn(&mut Operation) + Send + Sync>;

/// How many parts in front of a path are taken for a proxy's prefix.
const MOST_PREFIXES: usize = 4;

/// One line of the table.
pub struct Route {
    method: Method,
    path: &'static str,
    /// Whether it is part of the API, and so of its description.
    listed: bool,
    /// Run in turn when the description is asked for, which most servers never are.
    describe: Vec<Describe>,
    /// Puts the handler into a resource; the number is the route's place in the table.
    handler: Box<dyn Fn(Resource, usize) -> Resource + Send + Sync>,
}

impl Route {
    /// Leads `method path` to `handler`, whose argument says who may call and what is taken.
    pub fn new<W, I, F>(method: Method, path: &'static str, handler: fn(Call<W, I>) -> F) -> Self
    where
        W: Who + 'static,
        I: Input + 'static,
        F: Future<Output = Result<Reply, ApiError>> + 'static,
    {
        let safe = method.is_safe();
        let describe: Describe = Box::new(move |operation: &mut Operation| {
            operation.needs_credentials = W::NEEDS_CREDENTIALS;
            I::describe(operation);
            operation.common_refusals(I::BODY, safe);
        });
        let (guard, is_get) = (method.clone(), method == Method::GET);
        let handler = Box::new(move |resource: Resource, place: usize| {
            let run = move |request: HttpRequest, payload: Payload, app: Data<App>| async move {
                let timing = Timing::begin(&app);
                let answer = async {
                    let call = Call::<W, I>::receive(&request, payload, app.clone()).await?;
                    handler(call).await
                };
                // A fault of ours ends one request and not the connection, whose client would hear nothing.
                let outcome = AssertUnwindSafe(answer).catch_unwind().await.unwrap_or(Err(ApiError::Panicked));
                if let Err(error) = &outcome {
                    refusals::note(&app, &request, (request.method().as_str(), path), error).await;
                }
                throttle::hold_back(&outcome).await;
                let response = reply::send(&request, outcome);
                timing.end(&request, Some(place), response.status());
                response
            };
            let resource = resource.route(web::method(guard.clone()).to(run));
            if is_get { resource.route(web::head().to(run)) } else { resource }
        });
        Self { method, path, listed: true, describe: vec![describe], handler }
    }

    fn described(mut self, describe: impl Fn(&mut Operation) + Send + Sync + 'static) -> Self {
        self.describe.push(Box::new(describe));
        self
    }

    /// Names the operation: the original's id where the original has it.
    pub fn named(self, tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        self.described(move |operation| (operation.tag, operation.id, operation.summary) = (tag, id, summary))
    }

    /// No part of the API: a page for people.
    pub fn unlisted(self) -> Self {
        Self { listed: false, ..self }
    }

    /// Describes what the name does not say.
    pub fn about(self, description: &'static str) -> Self {
        self.described(move |operation| operation.description = description)
    }

    /// What a success looks like.
    pub fn gives<T: super::schema::Described>(self, status: u16) -> Self {
        self.described(move |operation| operation.success::<T>(status))
    }

    /// What a success looks like when it is no named object.
    pub fn replies(self, status: u16, description: &'static str, schema: fn() -> Value) -> Self {
        self.described(move |operation| operation.reply(status, description, schema()))
    }

    /// What a success looks like when it is plain text.
    pub fn gives_text(self, status: u16, description: &'static str) -> Self {
        self.described(move |operation| operation.reply_text(status, description))
    }

    /// A reply that is its status and headers.
    pub fn status_alone(self, status: u16, description: &'static str) -> Self {
        self.described(move |operation| operation.status_alone(status, description))
    }

    /// A refusal that the handler alone knows of.
    pub fn refuses(self, status: u16, description: &'static str) -> Self {
        self.described(move |operation| operation.refusal(status, description))
    }

    fn verb(&self) -> &'static str {
        match self.method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PATCH => "PATCH",
            _ => "DELETE",
        }
    }

    fn operation(&self) -> Operation {
        let mut operation = Operation { method: self.verb(), path: self.path, ..Operation::default() };
        self.describe.iter().for_each(|describe| describe(&mut operation));
        operation
    }
}

/// Every route there is.
fn all() -> Vec<Route> {
    [
        health::routes(),
        users::routes(),
        login::routes(),
        visitor::routes(),
        sessions::routes(),
        audit::routes(),
        api_keys::routes(),
        setup::routes(),
        reset_links::routes(),
        console::routes(),
        docs::routes(),
        metrics::routes(),
        verify::routes(),
        enter::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The API's description.
pub fn describe_routes() -> Value {
    let operations: Vec<Operation> = TABLE.routes.iter().filter(|route| route.listed).map(Route::operation).collect();
    openapi::document(&operations)
}

/// How many routes there are.
pub fn count() -> usize {
    TABLE.routes.len()
}

/// Path and method of the route at this place.
pub fn name(place: usize) -> Option<(&'static str, &'static str)> {
    TABLE.routes.get(place).map(|route| (route.path, route.verb()))
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
                    if found.iter().all(|&other| routes[other].method != route.method) {
                        found.push(place);
                    }
                }
            }
            found
        };
        let answering: Vec<Vec<usize>> = names.iter().map(|path| answering(path)).collect();
        let path = |((path, pattern), places): ((&'static str, ResourceDef), Vec<usize>)| {
            let mut allowed: Vec<&str> = places.iter().map(|&place| routes[place].method.as_str()).collect();
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
    let resource =
        places.fold(web::resource(path.path), |resource, &place| (TABLE.routes[place].handler)(resource, place));
    resource.default_service(web::to(move |request: HttpRequest, payload: Payload, app: Data<App>| async move {
        let timing = Timing::begin(&app);
        body::drain(&request, payload).await;
        let response = reply::send(&request, Err(ApiError::MethodNotAllowed(&path.allowed)));
        timing.end(&request, None, response.status());
        response
    }))
}

/// A path that is no route.
async fn elsewhere(request: HttpRequest, payload: Payload, app: Data<App>) -> HttpResponse {
    let timing = Timing::begin(&app);
    body::drain(&request, payload).await;
    let response = astray(&request);
    timing.end(&request, None, response.status());
    response
}

/// Perhaps the other spelling of the path is a route.
fn astray(request: &HttpRequest) -> HttpResponse {
    let path = request.path();
    // Only what a scope took in still has the prefix; a path that merely begins so, such as `/ushers`, does not.
    let inner = path.strip_prefix(reply::base_path(request)).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = inner.unwrap_or(path);
    let other = if path.ends_with('/') { path.trim_end_matches('/').to_owned() } else { format!("{path}/") };
    if TABLE.paths.iter().any(|known| known.pattern.is_match(&other)) {
        return reply::redirect(request, &other);
    }
    hint_at_prefix(path);
    reply::send(request, Err(ApiError::NotFound))
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
