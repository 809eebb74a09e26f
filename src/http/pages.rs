//! The routes of the console's pages and files.

use std::sync::PoisonError;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, HeaderValue, VARY,
};

use crate::console::pages::{CONTENTS, ConsolePage, Content, VERSION};
use crate::console::{FILES, ICON};
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::Anyone;
use crate::http::pipeline::cookies::{self, CookieJar};
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::FieldErrors;
use crate::store::users;

/// A file's path changes whenever a file changes.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/", app).unlisted(),
        Route::get("/setup", link).unlisted(),
        Route::get("/reset", link).unlisted(),
        Route::get("/invitation", link).unlisted(),
        Route::get("/sign-out", link).unlisted(),
        Route::get("/docs", docs).unlisted(),
        Route::get("/assets/{version}/{file}", file).unlisted(),
        Route::get("/assets/{version}/vendor/{file}", file).unlisted(),
        Route::get("/favicon.ico", icon).unlisted(),
    ]
}

/// The content encoding that the client accepts.
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
        // Only a weight of zero matters, as there is one encoding to choose.
        let takes_gzip = offers.any(|offer| {
            let (name, weight) = offer.split_once(';').unwrap_or((offer, ""));
            let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        });
        Some(if takes_gzip { Self::Gzip } else { Self::Identity })
    }

    fn describe(_: &mut Operation) {}
}

/// Whether the user is probably signed in: the browser sends a refresh token, or the server needs no password.
struct LikelySignedIn(bool);

impl Input for LikelySignedIn {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        let name = CookieJar::new(source.config, source.client).console_name();
        let has_token = !cookies::all(source.request.headers(), name).is_empty();
        Some(Self(has_token || source.config.auto_login))
    }

    fn describe(_: &mut Operation) {}
}

/// The console. A browser without a refresh token gets the sign-in page at once.
async fn app(request: Request<Anyone, (LikelySignedIn, Encoding)>) -> Result<Response, ApiError> {
    let (LikelySignedIn(known), encoding) = request.input;
    let (pages, config) = (&request.app.pages, &request.app.config);
    if known {
        return Ok(send_page(pages.signed_in(config), encoding));
    }
    Ok(send_page(signed_out(&request.app).await?, encoding))
}

/// The console, opened by a link. The link may be for another user than the signed-in one.
async fn link(request: Request<Anyone, Encoding>) -> Result<Response, ApiError> {
    Ok(send_page(signed_out(&request.app).await?, request.input))
}

/// The console for a browser that must sign in, or that can't sign in before there is a superuser.
async fn signed_out(app: &App) -> Result<&ConsolePage, ApiError> {
    let has_token = app.setup_token.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    // The command line can create a superuser while the server runs.
    if has_token && !app.db.read(users::superuser_exists).await? {
        let file = Some(app.config.setup_link_file()).filter(|file| file.exists());
        return Ok(app.pages.setup(&app.config, file.as_deref()));
    }
    Ok(app.pages.signed_out(&app.config))
}

/// A page for an unknown address, for browsers.
pub fn not_found(app: &App) -> Response {
    let page = app.pages.not_found(&app.config);
    send_page(page, Encoding::Identity).status(StatusCode::NOT_FOUND)
}

async fn docs(request: Request<Anyone, Encoding>) -> Result<Response, ApiError> {
    Ok(send_page(request.app.pages.docs(&request.app.config), request.input))
}

fn send_page(page: &ConsolePage, encoding: Encoding) -> Response {
    send(&page.content, encoding).replace_header(CONTENT_SECURITY_POLICY, page.policy.clone())
}

fn send(content: &Content, encoding: Encoding) -> Response {
    let reply = match encoding {
        Encoding::Identity => Response::file(content.plain.clone(), content.content_type),
        Encoding::Gzip => Response::file(content.gzip().clone(), content.content_type).header(CONTENT_ENCODING, "gzip"),
    };
    reply.header(VARY, "accept-encoding")
}

/// The requested file and whether its version is the current one.
struct FilePath {
    name: String,
    current: bool,
}

impl Input for FilePath {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        let (name, version) = (source.path_parameter("file"), source.path_parameter("version"));
        Some(Self { name: name.to_owned(), current: version == *VERSION })
    }

    fn describe(_: &mut Operation) {}
}

async fn file(request: Request<Anyone, (FilePath, Encoding)>) -> Result<Response, ApiError> {
    let (wanted, encoding) = request.input;
    let reply = named(&wanted.name, encoding)?;
    // During an update, a page of the previous version gets the new file. Browsers must not cache it under the old
    // path.
    Ok(if wanted.current { reply.replace_header(CACHE_CONTROL, IMMUTABLE) } else { reply })
}

/// The favicon for pages that name none, such as JSON.
async fn icon(request: Request<Anyone, Encoding>) -> Result<Response, ApiError> {
    named(ICON, request.input)
}

fn named(name: &str, encoding: Encoding) -> Result<Response, ApiError> {
    let found = FILES.iter().zip(CONTENTS.iter()).find(|(file, _)| file.name == name);
    found.map(|(_, content)| send(content, encoding)).ok_or(ApiError::NotFound)
}
