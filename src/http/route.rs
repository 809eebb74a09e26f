//! Owns the route table: which path and method leads to which handler, and what it is called in the API's description.
//! Everything that is no route ends here too: 404, 405, and the redirect to the other spelling of a path.

use std::sync::Arc;

use actix_web::dev::ResourceDef;
use actix_web::http::Method;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};
use serde_json::Value;

use super::app::App;
use super::body;
use super::call::{Call, Input};
use super::caller::Who;
use super::error::ApiError;
use super::openapi::{self, Operation};
use super::reply::{self, Reply};
use super::{api_keys, audit, console, docs, health, login, reset_links, sessions, setup, users, visitor};

/// One line of the table.
pub struct Route {
    operation: Operation,
    /// Whether it is part of the API, and so of its description.
    listed: bool,
    handler: Box<dyn Fn(Resource) -> Resource>,
}

impl Route {
    /// Leads `method path` to `handler`, whose argument says who may call and what is taken.
    pub fn new<W, I, F>(method: Method, path: &'static str, handler: fn(Call<W, I>) -> F) -> Self
    where
        W: Who + 'static,
        I: Input + 'static,
        F: Future<Output = Result<Reply, ApiError>> + 'static,
    {
        let verb = match method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PATCH => "PATCH",
            _ => "DELETE",
        };
        let mut operation = Operation {
            method: verb,
            path,
            id: "",
            tag: "",
            summary: "",
            description: "",
            needs_credentials: W::NEEDS_CREDENTIALS,
            parameters: Vec::new(),
            request_body: None,
            responses: std::collections::BTreeMap::new(),
            schemas: std::collections::BTreeMap::new(),
        };
        I::describe(&mut operation);
        operation.common_refusals(I::BODY, method.is_safe());
        let (guard, is_get) = (method.clone(), method == Method::GET);
        let handler = Box::new(move |resource: Resource| {
            let run = move |request: HttpRequest, payload: Payload, app: Data<App>| async move {
                let outcome = match Call::<W, I>::receive(&request, payload, app).await {
                    Ok(call) => handler(call).await,
                    Err(error) => Err(error),
                };
                reply::send(&request, outcome)
            };
            let resource = resource.route(web::method(guard.clone()).to(run));
            if is_get { resource.route(web::head().to(run)) } else { resource }
        });
        Self { operation, listed: true, handler }
    }

    /// Names the operation: the original's id where the original has it.
    pub fn named(mut self, tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        (self.operation.tag, self.operation.id, self.operation.summary) = (tag, id, summary);
        self
    }

    /// No part of the API: a page for people.
    pub fn unlisted(self) -> Self {
        Self { listed: false, ..self }
    }

    /// Describes what the name does not say.
    pub fn about(mut self, description: &'static str) -> Self {
        self.operation.description = description;
        self
    }

    /// What a success looks like.
    pub fn gives<T: super::schema::Described>(mut self, status: u16) -> Self {
        self.operation.success::<T>(status);
        self
    }

    /// What a success looks like when it is no named object.
    pub fn replies(mut self, status: u16, description: &'static str, schema: Value) -> Self {
        self.operation.reply(status, description, schema);
        self
    }

    /// A refusal that the handler alone knows of.
    pub fn refuses(mut self, status: u16, description: &'static str) -> Self {
        self.operation.refusal(status, description);
        self
    }
}

/// Every route there is.
fn table() -> Vec<Route> {
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
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The API's description.
pub fn describe_routes() -> Value {
    let operations: Vec<Operation> =
        table().into_iter().filter(|route| route.listed).map(|route| route.operation).collect();
    openapi::document(&operations)
}

/// Puts all routes into a worker's application.
pub fn configure(config: &mut ServiceConfig) {
    let routes = table();
    let mut paths: Vec<&'static str> = routes.iter().map(|route| route.operation.path).collect();
    // Paths without parameters come first: `whoami` is no id.
    paths.sort_by_key(|path| path.contains('{'));
    let mut seen = std::collections::HashSet::new();
    paths.retain(|path| seen.insert(*path));
    for path in &paths {
        config.service(resource(path, &routes));
    }
    let patterns: Arc<[ResourceDef]> = paths.iter().map(|path| ResourceDef::new(*path)).collect();
    config.default_service(web::to(move |request: HttpRequest, payload: Payload| {
        let patterns = Arc::clone(&patterns);
        async move { elsewhere(&request, payload, &patterns).await }
    }));
}

/// Everything that answers at `path`: its own routes, and for methods that it has none for, those of a pattern that
/// also matches it (`PATCH /users/whoami` is an id that is none).
fn resource(path: &'static str, routes: &[Route]) -> Resource {
    let own = routes.iter().filter(|route| route.operation.path == path);
    let wider = routes.iter().filter(|route| {
        let pattern = route.operation.path;
        pattern != path && !path.contains('{') && ResourceDef::new(pattern).is_match(path)
    });
    let mut allowed: Vec<&str> = Vec::new();
    let mut resource = web::resource(path);
    for route in own.chain(wider) {
        if !allowed.contains(&route.operation.method) {
            allowed.push(route.operation.method);
            resource = (route.handler)(resource);
        }
    }
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    let allowed: Arc<str> = allowed.join(", ").into();
    resource.default_service(web::to(move |request: HttpRequest, payload: Payload| {
        let allowed = Arc::clone(&allowed);
        async move {
            body::drain(&request, payload).await;
            reply::send(&request, Err(ApiError::MethodNotAllowed(allowed.to_string())))
        }
    }))
}

/// A path that is no route: perhaps the other spelling is one.
async fn elsewhere(request: &HttpRequest, payload: Payload, patterns: &[ResourceDef]) -> HttpResponse {
    body::drain(request, payload).await;
    let path = request.path();
    let other = if path.ends_with('/') { path.trim_end_matches('/').to_owned() } else { format!("{path}/") };
    if patterns.iter().any(|pattern| pattern.is_match(&other)) {
        return reply::redirect(request, &other);
    }
    reply::send(request, Err(ApiError::NotFound))
}
