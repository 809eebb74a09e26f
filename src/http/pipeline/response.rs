//! Owns how answers look: JSON, the headers that all of them carry, the request's id, the access log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use crate::domain::audit::RequestId;
use crate::http::pipeline::app::App;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::request_id;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Headers of every answer: nothing is sniffed, framed, referred from or kept by caches, and an answer that is shown
/// as a page can load nothing (OWASP ASVS 5, 3.4).
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY")),
    (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    ),
];

/// An answer that is no refusal.
pub struct Response {
    status: StatusCode,
    body: Bytes,
    content_type: HeaderValue,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers that take the place of those that all answers carry.
    instead: Vec<(HeaderName, HeaderValue)>,
}

impl Response {
    /// 200 with a JSON body.
    pub fn json(value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("replies are plain data with text keys");
        Self { status: StatusCode::OK, body: body.into(), content_type: JSON, headers: Vec::new(), instead: Vec::new() }
    }

    /// 200 without a body.
    pub fn empty() -> Self {
        Self {
            status: StatusCode::OK,
            body: Bytes::new(),
            content_type: JSON,
            headers: Vec::new(),
            instead: Vec::new(),
        }
    }

    /// 200 with a file or a text of this type.
    pub fn file(body: impl Into<Bytes>, content_type: &'static str) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        Self { status: StatusCode::OK, body: body.into(), content_type, headers: Vec::new(), instead: Vec::new() }
    }

    /// The same with another status.
    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// 201, with where the new thing is.
    pub fn created(self, location: &str) -> Self {
        self.status(StatusCode::CREATED).header(LOCATION, location)
    }

    /// With a header more; a value that cannot stand in a header is left out.
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    /// With this header in the place of the one that all answers carry.
    pub fn instead(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.instead.push((name, value));
        self
    }

    /// With a cookie more, as [`super::cookies::Jar`] writes it.
    pub fn cookie(self, cookie: &str) -> Self {
        self.header(SET_COOKIE, cookie)
    }
}

/// The answer as it is sent, refusals included, with its line in the log.
pub fn send(request: &HttpRequest, outcome: Result<Response, ApiError>) -> HttpResponse {
    let id = request_id::of(request);
    let response = match outcome {
        Ok(reply) => {
            let mut builder = start(reply.status, id);
            builder.insert_header((CONTENT_TYPE, reply.content_type));
            for header in reply.headers {
                builder.append_header(if header.0 == LOCATION { below_base(request, header) } else { header });
            }
            for header in reply.instead {
                builder.insert_header(header);
            }
            builder.body(reply.body)
        }
        Err(error) => refuse(request, &error, id),
    };
    if log::log_enabled!(target: "usher::access", log::Level::Debug) {
        // The path alone: a query may hold an API key.
        let (method, path, status) = (request.method(), request.path().escape_debug(), response.status().as_u16());
        log::debug!(target: "usher::access", "{id} {method} {path} {status}");
    }
    response
}

fn refuse(request: &HttpRequest, error: &ApiError, id: RequestId) -> HttpResponse {
    let (status, body) = error.reply();
    if error.is_overload() {
        note_overload(error);
    } else if let Some(cause) = error.cause() {
        log::error!("{id} {} {}: {cause}", request.method(), request.path().escape_debug());
    }
    let mut builder = start(status, id);
    builder.insert_header((CONTENT_TYPE, JSON));
    if let Some(header) = error.header() {
        builder.insert_header(header);
    }
    builder.body(body.to_string())
}

/// Says that requests are refused, at most once a second: a line for each would be a load of its own.
fn note_overload(error: &ApiError) {
    static SINCE: Mutex<(u64, Option<Instant>)> = Mutex::new((0, None));
    let mut since = SINCE.lock().unwrap_or_else(PoisonError::into_inner);
    let (refused, said) = &mut *since;
    *refused += 1;
    if said.is_none_or(|said| said.elapsed() >= Duration::from_secs(1)) {
        log::warn!("overload: {refused} requests refused: {}", error.cause().unwrap_or_default());
        (*refused, *said) = (0, Some(Instant::now()));
    }
}

fn start(status: StatusCode, id: RequestId) -> HttpResponseBuilder {
    let mut builder = HttpResponse::build(status);
    for header in ALWAYS {
        builder.insert_header(header);
    }
    builder.insert_header((REQUEST_ID, id.to_string()));
    builder
}

/// Gives what was not answered by [`send`], such as whether another origin may ask, what all answers carry.
pub fn complete<B>(mut response: ServiceResponse<B>) -> ServiceResponse<B> {
    if !response.headers().contains_key(REQUEST_ID) {
        let id = HeaderValue::from_str(&request_id::of(response.request()).to_string());
        let headers = response.headers_mut();
        ALWAYS.into_iter().chain(id.ok().map(|id| (REQUEST_ID, id))).for_each(|(name, value)| {
            headers.insert(name, value);
        });
    }
    response
}

/// 307 to the spelling of the path that exists, with the query as it came. Relative, so that it holds behind any proxy.
pub fn redirect(request: &HttpRequest, path: &str) -> HttpResponse {
    let query = request.query_string();
    let base = base_path(request);
    let location = if query.is_empty() { format!("{base}{path}") } else { format!("{base}{path}?{query}") };
    let mut builder = start(StatusCode::TEMPORARY_REDIRECT, request_id::of(request));
    if let Ok(location) = HeaderValue::from_str(&location) {
        builder.insert_header((LOCATION, location));
    }
    builder.finish()
}

/// What stands in front of every path that clients are shown.
pub fn base_path(request: &HttpRequest) -> &str {
    request.app_data::<Data<App>>().map_or("", |app| app.config.base_path.as_str())
}

/// Handlers name places by their route's path; another site's address stays as it is.
fn below_base(request: &HttpRequest, (name, value): (HeaderName, HeaderValue)) -> (HeaderName, HeaderValue) {
    let base = base_path(request);
    let path = value.to_str().ok().filter(|path| !base.is_empty() && path.starts_with('/'));
    let below = path.and_then(|path| HeaderValue::from_str(&format!("{base}{path}")).ok());
    (name, below.unwrap_or(value))
}
