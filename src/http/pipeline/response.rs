//! Responses: JSON bodies, the headers that every response has, and the access log.

use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use crate::config::Config;
use crate::domain::audit::RequestId;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::file_body::FileBody;
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::request_id;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Headers of every response (OWASP ASVS 5, 3.4): no sniffing, framing, referrer or caching. A response that a browser
/// shows as a page can load nothing.
const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY")),
    // Other sites can't include a response that a cookie authorizes.
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    ),
];

enum ResponseBody {
    Bytes(Bytes),
    File(FileBody),
}

/// A response that isn't an error.
pub struct Response {
    status: StatusCode,
    body: ResponseBody,
    content_type: HeaderValue,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers that replace the default ones.
    replaced: Vec<(HeaderName, HeaderValue)>,
}

impl Response {
    /// 200 with a JSON body.
    pub fn json(value: &impl Serialize) -> Self {
        Self::json_text(serde_json::to_vec(value).expect("replies are plain data with string keys"))
    }

    /// 200 with this JSON.
    pub fn json_text(json: Vec<u8>) -> Self {
        Self {
            status: StatusCode::OK,
            body: ResponseBody::Bytes(json.into()),
            content_type: JSON,
            headers: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// 200 without a body.
    pub fn empty() -> Self {
        Self {
            status: StatusCode::OK,
            body: ResponseBody::Bytes(Bytes::new()),
            content_type: JSON,
            headers: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// 200 with a file or text of this content type.
    pub fn file(body: impl Into<Bytes>, content_type: &'static str) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        Self {
            status: StatusCode::OK,
            body: ResponseBody::Bytes(body.into()),
            content_type,
            headers: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// 200 with a file that is read while it is sent.
    ///
    /// # Errors
    /// When the file's length can't be read, or the system has no thread.
    pub fn stream(file: File, content_type: &'static str) -> io::Result<Self> {
        let body = ResponseBody::File(FileBody::new(file)?);
        let content_type = HeaderValue::from_static(content_type);
        Ok(Self { status: StatusCode::OK, body, content_type, headers: Vec::new(), replaced: Vec::new() })
    }

    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Sets the status to 201 and `Location` to the new resource.
    pub fn created(self, location: &str) -> Self {
        self.status(StatusCode::CREATED).header(LOCATION, location)
    }

    /// Adds a header, unless the value isn't valid in a header.
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    /// Replaces a default header.
    pub fn replace_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.replaced.push((name, value));
        self
    }

    /// Adds a cookie, as [`super::cookies::CookieJar`] formats it.
    pub fn cookie(self, cookie: &str) -> Self {
        self.header(SET_COOKIE, cookie)
    }
}

/// Builds the HTTP response and writes its line to the access log. Paths in `Location` are put below the base path.
pub fn send(request: &HttpRequest, config: &Config, outcome: Result<Response, ApiError>) -> HttpResponse {
    let base_path = config.base_path.as_str();
    let id = request_id::of(request);
    let response = match outcome {
        Ok(response) => {
            let mut builder = start(response.status, id);
            builder.insert_header((CONTENT_TYPE, response.content_type));
            for header in response.headers {
                builder.append_header(if header.0 == LOCATION { below_base(base_path, header) } else { header });
            }
            for header in response.replaced {
                builder.insert_header(header);
            }
            match response.body {
                ResponseBody::Bytes(bytes) => builder.body(bytes),
                ResponseBody::File(file) => builder.body(file),
            }
        }
        Err(error) => send_error(request, &error, id, Generation::of(config)),
    };
    if log::log_enabled!(target: "usher::access", log::Level::Debug) {
        // Only the path: a query may hold an API key.
        let (method, path, status) = (request.method(), request.path().escape_debug(), response.status().as_u16());
        log::debug!(target: "usher::access", "{id} {method} {path} {status}");
    }
    response
}

fn send_error(request: &HttpRequest, error: &ApiError, id: RequestId, generation: &Generation) -> HttpResponse {
    let (status, body) = error.status_and_body(generation);
    if error.is_overload() {
        log_overload(error);
    } else if let Some(cause) = error.cause() {
        log::error!("{id} {} {}: {cause}", request.method(), request.path().escape_debug());
    }
    let mut builder = start(status, id);
    builder.insert_header((CONTENT_TYPE, JSON));
    if let Some(header) = error.header(generation) {
        builder.insert_header(header);
    }
    builder.body(body.to_string())
}

/// Logs rejected requests at most once a second: a line for each would add to the load.
fn log_overload(error: &ApiError) {
    static SINCE: Mutex<(u64, Option<Instant>)> = Mutex::new((0, None));
    let mut since = SINCE.lock().unwrap_or_else(PoisonError::into_inner);
    let (rejected, logged_at) = &mut *since;
    *rejected += 1;
    if logged_at.is_none_or(|logged_at| logged_at.elapsed() >= Duration::from_secs(1)) {
        log::warn!("overload: {rejected} requests rejected: {}", error.cause().unwrap_or_default());
        (*rejected, *logged_at) = (0, Some(Instant::now()));
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

/// Adds the default headers to a response that [`send`] didn't build, such as a CORS preflight response.
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

/// 307 to `path` below `base_path`, with the same query. The target is relative, so it works behind any proxy.
pub fn redirect(request: &HttpRequest, base_path: &str, path: &str) -> HttpResponse {
    let query = request.query_string();
    let location = if query.is_empty() { format!("{base_path}{path}") } else { format!("{base_path}{path}?{query}") };
    let mut builder = start(StatusCode::TEMPORARY_REDIRECT, request_id::of(request));
    if let Ok(location) = HeaderValue::from_str(&location) {
        builder.insert_header((LOCATION, location));
    }
    builder.finish()
}

/// Puts the path of a `Location` below `base_path`. Handlers use the paths of routes; absolute URLs stay as they are.
fn below_base(base_path: &str, (name, value): (HeaderName, HeaderValue)) -> (HeaderName, HeaderValue) {
    let path = value.to_str().ok().filter(|path| !base_path.is_empty() && path.starts_with('/'));
    let below = path.and_then(|path| HeaderValue::from_str(&format!("{base_path}{path}")).ok());
    (name, below.unwrap_or(value))
}
