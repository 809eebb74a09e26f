//! Owns how the console's pages and files are sent: their types, what pages may load, how long files are kept, and that
//! they are compressed for browsers that can read that.

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, HeaderValue, VARY,
};

use crate::console::pages::{CONTENTS, Content, Page, VERSION};
use crate::console::{FILES, ICON};
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::Anyone;
use crate::http::pipeline::cookies;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::FieldErrors;

/// A file's address changes when anything of the console does.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The lines of the route table.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/", app).unlisted(),
        Route::get("/setup", link).unlisted(),
        Route::get("/reset", link).unlisted(),
        Route::get("/sign-out", link).unlisted(),
        Route::get("/docs", docs).unlisted(),
        Route::get("/assets/{version}/{file}", file).unlisted(),
        Route::get("/assets/{version}/vendor/{file}", file).unlisted(),
        Route::get("/favicon.ico", icon).unlisted(),
    ]
}

/// How the answer may be written.
#[derive(Clone, Copy, Debug)]
enum Encoding {
    Identity,
    Gzip,
}

impl Input for Encoding {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        let headers = source.request.headers().get_all(ACCEPT_ENCODING);
        let mut offers = headers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        // A weight is only looked at for whether it is zero: there is one encoding to choose.
        let takes_gzip = offers.any(|offer| {
            let (name, weight) = offer.split_once(';').unwrap_or((offer, ""));
            let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        });
        Some(if takes_gzip { Self::Gzip } else { Self::Identity })
    }

    fn describe(_: &mut Operation) {}
}

/// Whether somebody is probably signed in: the browser brings a refresh token, or the server needs no password.
struct IsKnown(bool);

impl Input for IsKnown {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        let token = cookies::get(source.config, source.request.headers(), cookies::REFRESH);
        Some(Self(token.is_some() || source.config.auto_login))
    }

    fn describe(_: &mut Operation) {}
}

/// The console; a browser that is not known is asked to sign in without asking the server first.
async fn app(request: Request<Anyone, (IsKnown, Encoding)>) -> Result<Response, ApiError> {
    let (IsKnown(known), encoding) = request.input;
    let (pages, config) = (&request.app.pages, &request.app.config);
    let page = if known { pages.known(config) } else { pages.stranger(config) };
    Ok(send_page(page, encoding))
}

/// The console, opened by a one-time link, whoever else is signed in.
async fn link(request: Request<Anyone, Encoding>) -> Result<Response, ApiError> {
    Ok(send_page(request.app.pages.stranger(&request.app.config), request.input))
}

async fn docs(request: Request<Anyone, Encoding>) -> Result<Response, ApiError> {
    Ok(send_page(request.app.pages.docs(&request.app.config), request.input))
}

fn send_page(page: &Page, encoding: Encoding) -> Response {
    send(&page.content, encoding).instead(CONTENT_SECURITY_POLICY, page.policy.clone())
}

fn send(content: &Content, encoding: Encoding) -> Response {
    let reply = match encoding {
        Encoding::Identity => Response::file(content.plain.clone(), content.content_type),
        Encoding::Gzip => Response::file(content.gzip().clone(), content.content_type).header(CONTENT_ENCODING, "gzip"),
    };
    reply.header(VARY, "accept-encoding")
}

/// A file's name and the version that it is asked for in.
struct Wanted {
    name: String,
    current: bool,
}

impl Input for Wanted {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        let part = |name| source.request.match_info().get(name).unwrap_or_default();
        Some(Self { name: part("file").to_owned(), current: part("version") == *VERSION })
    }

    fn describe(_: &mut Operation) {}
}

async fn file(request: Request<Anyone, (Wanted, Encoding)>) -> Result<Response, ApiError> {
    let (wanted, encoding) = request.input;
    let reply = named(&wanted.name, encoding)?;
    // A page of the version before asks during an update; what it gets now must not stay under the old address.
    Ok(if wanted.current { reply.instead(CACHE_CONTROL, FOR_GOOD) } else { reply })
}

/// Browsers ask for it on pages that name no icon of their own, such as JSON.
async fn icon(request: Request<Anyone, Encoding>) -> Result<Response, ApiError> {
    named(ICON, request.input)
}

fn named(name: &str, encoding: Encoding) -> Result<Response, ApiError> {
    let found = FILES.iter().zip(CONTENTS.iter()).find(|(file, _)| file.name == name);
    found.map(|(_, content)| send(content, encoding)).ok_or(ApiError::NotFound)
}
