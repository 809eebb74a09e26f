//! The extractor that every request passes before its handler runs. Order of checks: cross-site, malformed body,
//! authentication, the validation errors of path, query and body together, then a recent sign-in.

use actix_web::HttpRequest;
use actix_web::web::{Data, Payload};
use uuid::Uuid;

use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::form::FormPairs;
use crate::http::pipeline::body::{self, Body};
use crate::http::pipeline::caller::Authenticate;
use crate::http::pipeline::caller::credentials::Credentials;
use crate::http::pipeline::client::request_origin::{SiteRule, refuse_cross_site};
use crate::http::pipeline::client::{Client, peer};
use crate::http::pipeline::coerce;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::validation::{FieldErrors, Location};

/// A request that passed all checks: a handler's only argument.
pub struct Request<C, I> {
    /// The server's state.
    pub app: Data<App>,
    /// When the request arrived, before its body was read.
    pub now: Timestamp,
    /// The client that sent it.
    pub client: Client,
    /// Proof of who is calling.
    pub caller: C,
    /// The validated input.
    pub input: I,
}

/// What an [`Input`] is read from.
pub struct InputSource<'a> {
    /// The path and the headers.
    pub request: &'a HttpRequest,
    /// The route's path, with parameters in braces.
    pub route: &'static str,
    pub query: &'a FormPairs<'a>,
    pub body: &'a Body,
    /// The client that sent it.
    pub client: &'a Client,
    /// The settings, for limits.
    pub config: &'a Config,
    /// When the request arrived.
    pub now: Timestamp,
}

impl InputSource<'_> {
    /// The path's segment in place of `{name}`, with "%2F", "%2B" and "%25" not decoded. Counts from the end, as the
    /// path may begin with a base path.
    pub fn path_parameter(&self, name: &str) -> &str {
        let mut segments = self.request.match_info().as_str().rsplit('/').zip(self.route.rsplit('/'));
        let is_named = |part: &str| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) == Some(name);
        segments.find(|(_, part)| is_named(part)).map_or("", |(segment, _)| segment)
    }
}

/// What a route reads from path, query, headers and body. Handlers name an implementation in their signature.
pub trait Input: Sized {
    /// The kind of body it reads.
    const BODY: body::BodyKind;

    /// Reads and validates. Adds every validation error to `errors`, and returns `None` if there was one.
    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self>;

    /// Whether the request needs a recent sign-in, on a route whose caller is a `Recent`.
    fn is_sensitive(&self) -> bool {
        true
    }

    /// Adds its parameters or its body to the API description.
    fn describe(operation: &mut Operation);
}

impl<C: Authenticate, I: Input> Request<C, I> {
    /// Runs all checks.
    pub async fn receive(
        request: &HttpRequest,
        route: &'static str,
        payload: Payload,
        app: Data<App>,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        let client = Client::of(request, &app.config.trusted_proxies);
        app.untrusted_proxy.check(peer(request), request.headers(), &app.config);
        let rule = if C::NEEDS_CREDENTIALS { SiteRule::WithCredentials } else { SiteRule::Public };
        if let Err(refusal) = refuse_cross_site(request, &app.config, rule, now) {
            body::drain(request, payload).await;
            return Err(refusal);
        }
        let body = body::read(I::BODY, request, payload).await?;
        let query = FormPairs::parse(request.query_string().as_bytes());
        let mut caller = C::authenticate(&app, Credentials { request, query: &query, now }).await?;
        let mut errors = FieldErrors::default();
        let source =
            InputSource { request, route, query: &query, body: &body, client: &client, config: &app.config, now };
        match I::read(&source, &mut errors) {
            Some(input) if errors.0.is_empty() => {
                if C::NEEDS_RECENT_SIGN_IN && input.is_sensitive() {
                    caller.complete(&app).await?;
                    caller.check_recent_sign_in(&app.config)?;
                }
                Ok(Self { app, now, client, caller, input })
            }
            _ => {
                // Signed-out clients must not learn which values are valid.
                caller.complete(&app).await?;
                Err(ApiError::Validation(errors))
            }
        }
    }
}

pub struct NoInput;

impl Input for NoInput {
    const BODY: body::BodyKind = body::BodyKind::None;

    fn read(_: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        Some(Self)
    }

    fn describe(_: &mut Operation) {}
}

/// Two inputs; the errors of the first come first.
impl<A: Input, B: Input> Input for (A, B) {
    const BODY: body::BodyKind = match A::BODY {
        body::BodyKind::None => B::BODY,
        kind => kind,
    };

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let (first, second) = (A::read(source, errors), B::read(source, errors));
        Some((first?, second?))
    }

    fn is_sensitive(&self) -> bool {
        self.0.is_sensitive() && self.1.is_sensitive()
    }

    fn describe(operation: &mut Operation) {
        A::describe(operation);
        B::describe(operation);
    }
}

/// Reads the path parameter `name` as a UUID.
fn path_uuid(name: &'static str, source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Uuid> {
    let text = percent_encoding::percent_decode_str(source.path_parameter(name)).decode_utf8_lossy();
    errors.collect(Location::Path(name), coerce::uuid_text(&text))
}

/// Declares a UUID path parameter.
macro_rules! path_id {
    ($(#[$doc:meta])* $type:ident, $name:literal, $about:literal) => {
        $(#[$doc])*
        pub struct $type(pub Uuid);

        impl Input for $type {
            const BODY: body::BodyKind = body::BodyKind::None;

            fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
                path_uuid($name, source, errors).map(Self)
            }

            fn describe(operation: &mut Operation) {
                operation.path_id($name, $about);
            }
        }
    };
}

path_id!(
    /// The `user_id` of the path.
    UserId,
    "user_id",
    "The user's id."
);
path_id!(
    /// The `api_key_id` of the path.
    KeyId,
    "api_key_id",
    "The API key's id."
);
path_id!(
    /// The `factor_id` of the path.
    FactorId,
    "factor_id",
    "The second factor's id."
);
path_id!(
    /// The `invitation_id` of the path.
    InvitationId,
    "invitation_id",
    "The invitation's id."
);
path_id!(
    /// The `session_id` of the path.
    SessionId,
    "session_id",
    "The session's id."
);
