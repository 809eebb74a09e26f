//! A route: which path and method leads to which handler, and what it is called in the API's description.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::FutureExt;
use utoipa::ToSchema;

use crate::domain::clock::Timestamp;
use crate::http::pipeline::app::App;
use crate::http::pipeline::caller::Authenticate;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::denied_log;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::method::Method;
use crate::http::pipeline::metrics::RequestTimer;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, Request};
use crate::http::pipeline::response::{self, Response};
use crate::http::pipeline::throttle;

type Describe = Box<dyn Fn(&mut Operation) + Send + Sync>;

/// A handler under way, on its worker's thread.
type HandlerFuture = Pin<Box<dyn Future<Output = Result<Response, ApiError>>>>;

/// One line of the route table.
pub struct Route {
    method: Method,
    /// The path's pattern.
    pub path: &'static str,
    /// Whether the route is part of the API and so of its description.
    pub listed: bool,
    /// Called in order to build the description. Most servers are never asked for it.
    describe: Vec<Describe>,
    /// Checks a request and calls the handler.
    handle: Box<dyn Fn(HttpRequest, Payload, Data<App>, Timestamp) -> HandlerFuture + Send + Sync>,
}

impl Route {
    /// Routes `GET path` to `handler`, whose argument says who may call and what is read from the request.
    pub fn get<W, I, F>(path: &'static str, handler: fn(Request<W, I>) -> F) -> Self
    where
        W: Authenticate + 'static,
        I: Input + 'static,
        F: Future<Output = Result<Response, ApiError>> + 'static,
    {
        Self::new(Method::Get, path, handler)
    }

    /// Routes `POST path` to `handler`.
    pub fn post<W, I, F>(path: &'static str, handler: fn(Request<W, I>) -> F) -> Self
    where
        W: Authenticate + 'static,
        I: Input + 'static,
        F: Future<Output = Result<Response, ApiError>> + 'static,
    {
        Self::new(Method::Post, path, handler)
    }

    /// Routes `PATCH path` to `handler`.
    pub fn patch<W, I, F>(path: &'static str, handler: fn(Request<W, I>) -> F) -> Self
    where
        W: Authenticate + 'static,
        I: Input + 'static,
        F: Future<Output = Result<Response, ApiError>> + 'static,
    {
        Self::new(Method::Patch, path, handler)
    }

    /// Routes `DELETE path` to `handler`.
    pub fn delete<W, I, F>(path: &'static str, handler: fn(Request<W, I>) -> F) -> Self
    where
        W: Authenticate + 'static,
        I: Input + 'static,
        F: Future<Output = Result<Response, ApiError>> + 'static,
    {
        Self::new(Method::Delete, path, handler)
    }

    fn new<W, I, F>(method: Method, path: &'static str, handler: fn(Request<W, I>) -> F) -> Self
    where
        W: Authenticate + 'static,
        I: Input + 'static,
        F: Future<Output = Result<Response, ApiError>> + 'static,
    {
        let safe = method == Method::Get;
        let describe: Describe = Box::new(move |operation: &mut Operation| {
            operation.needs_credentials = W::NEEDS_CREDENTIALS;
            I::describe(operation);
            operation.common_errors(I::BODY, safe);
            if W::NEEDS_RECENT_SIGN_IN {
                operation.needs_recent_sign_in();
            }
        });
        let handle =
            Box::new(move |request: HttpRequest, payload: Payload, app: Data<App>, now: Timestamp| -> HandlerFuture {
                Box::pin(
                    async move { handler(Request::<W, I>::receive(&request, path, payload, app, now).await?).await },
                )
            });
        Self { method, path, listed: true, describe: vec![describe], handle }
    }

    /// Checks a request, calls the handler, and logs and counts the outcome.
    pub async fn respond(&self, request: HttpRequest, payload: Payload, app: Data<App>) -> HttpResponse {
        let now = app.clock.now();
        let timer = RequestTimer::start(&app.metrics);
        let work = (self.handle)(request.clone(), payload, app.clone(), now);
        // A panic must end only this request: the client gets a response, and the connection stays open.
        let outcome = AssertUnwindSafe(work).catch_unwind().await.unwrap_or(Err(ApiError::Panicked));
        if let Err(error) = &outcome {
            let client = Client::of(&request, &app.config.trusted_proxies);
            let caller = denied_log::remembered_caller(&request);
            let route = (request.method().as_str(), self.path);
            app.denied.record_request(&app.db, &client, now, caller, route, error).await;
        }
        throttle::delay_rejection(&outcome).await;
        let response = response::send(&request, &app.config, outcome);
        timer.stop(&app.metrics, (self.path, self.method.as_str()), response.status());
        response
    }

    /// The method's name.
    pub fn method(&self) -> &'static str {
        self.method.as_str()
    }

    /// Describes what depends on the generation.
    pub fn described(mut self, describe: impl Fn(&mut Operation) + Send + Sync + 'static) -> Self {
        self.describe.push(Box::new(describe));
        self
    }

    /// Names the operation: the original's id where the original has it.
    pub fn named(self, tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        self.described(move |operation| operation.name(tag, id, summary))
    }

    /// Leaves the route out of the API description, because it is a page.
    pub fn unlisted(self) -> Self {
        Self { listed: false, ..self }
    }

    /// Describes what the summary doesn't say.
    pub fn about(self, description: &'static str) -> Self {
        self.described(move |operation| operation.describe(description))
    }

    /// Adds a response that is a `T`, described as the type is.
    pub fn responds_with<T: ToSchema>(self, status: u16) -> Self {
        self.described(move |operation| operation.returns::<T>(status))
    }

    /// Adds a response that is a `T`.
    pub fn responds_with_as<T: ToSchema>(self, status: u16, description: &'static str) -> Self {
        self.described(move |operation| operation.returns_as::<T>(status, description))
    }

    /// Adds a response that is any JSON object.
    pub fn responds_with_object(self, status: u16, description: &'static str) -> Self {
        self.described(move |operation| operation.returns_object(status, description))
    }

    /// Adds a response that is a file of this media type.
    pub fn responds_with_file(self, status: u16, media_type: &'static str, description: &'static str) -> Self {
        self.described(move |operation| operation.returns_file(status, media_type, description))
    }

    /// Adds a response without a body.
    pub fn responds_empty(self, status: u16, description: &'static str) -> Self {
        self.described(move |operation| operation.responds_empty(status, description))
    }

    /// Adds an error that the handler returns.
    pub fn fails_with(self, status: u16, description: &'static str) -> Self {
        self.described(move |operation| operation.fails_with(status, description))
    }

    /// The route's part of the API's description.
    pub fn operation(&self, generation: &'static Generation) -> Operation {
        let mut operation = Operation::new(generation, self.method, self.path);
        self.describe.iter().for_each(|describe| describe(&mut operation));
        operation
    }
}
