//! Owns the one extractor: what every request goes through, in the one order of checks, before its handler runs.
//! Cross-site → body (malformed JSON) → who is calling → all faults of path, query and body together.

use actix_web::HttpRequest;
use actix_web::web::{Data, Payload};
use uuid::Uuid;

use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::{self, Body};
use crate::http::pipeline::caller::Authenticate;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::form::FormPairs;
use crate::http::pipeline::lenient;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::validation::{FieldErrors, Location};

/// A request that passed: a handler's one argument.
pub struct Request<W, I> {
    /// The server's state.
    pub app: Data<App>,
    /// When the request was taken up.
    pub now: Timestamp,
    /// Where it came from.
    pub client: Client,
    /// Proof of who is calling.
    pub who: W,
    /// What was asked, checked.
    pub input: I,
}

/// What an input is read from.
pub struct InputSource<'a> {
    /// The path's parameters and the headers.
    pub request: &'a HttpRequest,
    /// The query.
    pub query: &'a FormPairs<'a>,
    /// The body.
    pub body: &'a Body,
    /// Rules that the settings make.
    pub config: &'a Config,
    /// For rules about the future.
    pub now: Timestamp,
}

/// What a route takes from its path, query, headers and body. Implemented by the types that handlers name.
pub trait Input: Sized {
    /// What kind of body it reads.
    const BODY: body::BodyKind;

    /// Reads and checks, and notes every fault; `None` when there was one.
    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self>;

    /// Adds its parameters or its body to the API's description.
    fn describe(operation: &mut Operation);
}

impl<W: Authenticate, I: Input> Request<W, I> {
    /// Takes a request through all checks.
    pub async fn receive(request: &HttpRequest, payload: Payload, app: Data<App>) -> Result<Self, ApiError> {
        let client = Client::of(request, &app.config.trusted_proxies);
        if let Err(refusal) = refuse_cross_site(request, &app.config) {
            body::drain(request, payload).await;
            return Err(refusal);
        }
        let body = body::read(I::BODY, request, payload).await?;
        let query = FormPairs::parse(request.query_string().as_bytes());
        let who = W::identify(&app, request, &query).await?;
        let now = app.clock.now();
        let mut faults = FieldErrors::default();
        let source = InputSource { request, query: &query, body: &body, config: &app.config, now };
        match I::read(&source, &mut faults) {
            Some(input) if faults.0.is_empty() => Ok(Self { app, now, client, who, input }),
            _ => Err(ApiError::Invalid(faults)),
        }
    }
}

/// Refuses requests that change something and that a browser marks as another site's, unless that site is configured.
/// Behind the same proxy other sites are neighbours, which browsers call the same site; they are others all the same.
fn refuse_cross_site(request: &HttpRequest, config: &Config) -> Result<(), ApiError> {
    let headers = request.headers();
    let has_neighbours = !config.forward_auth.is_empty();
    let foreign =
        headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || has_neighbours && site == "same-site");
    if request.method().is_safe() || !foreign {
        return Ok(());
    }
    let origin = headers.get("origin").and_then(|origin| origin.to_str().ok());
    let known = origin.is_some_and(|origin| config.cors_origins.iter().any(|known| known == origin));
    if known { Ok(()) } else { Err(ApiError::CrossSite) }
}

/// A route that takes nothing.
pub struct NoInput;

impl Input for NoInput {
    const BODY: body::BodyKind = body::BodyKind::None;

    fn read(_: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        Some(Self)
    }

    fn describe(_: &mut Operation) {}
}

/// Two inputs, the one in front checked first.
impl<A: Input, B: Input> Input for (A, B) {
    const BODY: body::BodyKind = match A::BODY {
        body::BodyKind::None => B::BODY,
        kind => kind,
    };

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let (first, second) = (A::read(source, faults), B::read(source, faults));
        Some((first?, second?))
    }

    fn describe(operation: &mut Operation) {
        A::describe(operation);
        B::describe(operation);
    }
}

/// An id in the path, by the parameter's name.
fn path_uuid(name: &'static str, source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Uuid> {
    // A name that is also a route of its own, such as `whoami`, comes without parameters: it stands last.
    let last = || source.request.path().rsplit('/').next();
    let text = source.request.match_info().get(name).or_else(last).unwrap_or_default();
    // actix leaves "%2F", "%2B" and "%25" as they were sent.
    let text = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    faults.note(Location::Path(name), lenient::uuid_text(&text))
}

/// Makes the type of a path parameter that is an id.
macro_rules! path_id {
    ($(#[$doc:meta])* $type:ident, $name:literal) => {
        $(#[$doc])*
        pub struct $type(pub Uuid);

        impl Input for $type {
            const BODY: body::BodyKind = body::BodyKind::None;

            fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
                path_uuid($name, source, faults).map(Self)
            }

            fn describe(operation: &mut Operation) {
                operation.path_id($name);
            }
        }
    };
}

path_id!(
    /// The `user_id` of the path.
    UserId,
    "user_id"
);
path_id!(
    /// The `api_key_id` of the path.
    KeyId,
    "api_key_id"
);
path_id!(
    /// The `session_id` of the path.
    SessionId,
    "session_id"
);
