//! Owns how the console's pages and files are sent: their types, what pages may load, and how long files are kept.

use std::sync::LazyLock;

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use sha2::{Digest, Sha256};

use super::body::Kind;
use super::call::{Call, Input, Nothing, Source};
use super::caller::Anyone;
use super::error::ApiError;
use super::fault::Faults;
use super::openapi::Operation;
use super::reply::Reply;
use super::route::Route;
use crate::config::Config;
use crate::console::{APP, BASE_MARK, DOCS, FILES, VERSION_MARK};

/// A page runs and shows what came with it and asks its own server, nothing else. Pictures are either its own or, as
/// people's pictures are, written out in full: one that is fetched from elsewhere would tell that place who looks.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
/// A file's address changes when anything of the console does.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/", app).unlisted(),
        Route::new(Method::GET, "/setup", app).unlisted(),
        Route::new(Method::GET, "/reset", app).unlisted(),
        Route::new(Method::GET, "/docs", docs).unlisted(),
        Route::new(Method::GET, "/assets/{version}/{file}", file).unlisted(),
        Route::new(Method::GET, "/assets/{version}/vendor/{file}", file).unlisted(),
        Route::new(Method::GET, "/favicon.ico", icon).unlisted(),
    ]
}

/// The part of the files' addresses that stands for what is in them.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let hash = FILES.iter().fold(Sha256::new(), |hash, file| hash.chain_update(file.body));
    hash.finalize().iter().take(6).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
});

async fn app(call: Call<Anyone, Nothing>) -> Result<Reply, ApiError> {
    Ok(page(APP, &call.app.config))
}

async fn docs(call: Call<Anyone, Nothing>) -> Result<Reply, ApiError> {
    Ok(page(DOCS, &call.app.config))
}

fn page(text: &str, config: &Config) -> Reply {
    let text = text.replace(VERSION_MARK, &VERSION).replace(BASE_MARK, &config.base_path);
    Reply::text(text, "text/html; charset=utf-8").instead(CONTENT_SECURITY_POLICY, POLICY)
}

/// A file's name and the version that it is asked for in.
struct Wanted {
    name: String,
    current: bool,
}

impl Input for Wanted {
    const BODY: Kind = Kind::None;

    fn read(source: &Source<'_>, _: &mut Faults) -> Option<Self> {
        let part = |name| source.request.match_info().get(name).unwrap_or_default();
        Some(Self { name: part("file").to_owned(), current: part("version") == *VERSION })
    }

    fn describe(_: &mut Operation) {}
}

async fn file(call: Call<Anyone, Wanted>) -> Result<Reply, ApiError> {
    let file = FILES.iter().find(|file| file.name == call.input.name).ok_or(ApiError::NotFound)?;
    let reply = Reply::file(file.body, file.content_type);
    // A page of the version before asks during an update; what it gets now must not stay under the old address.
    Ok(if call.input.current { reply.instead(CACHE_CONTROL, FOR_GOOD) } else { reply })
}

/// Browsers ask for it on pages that name no icon of their own, such as JSON.
async fn icon(call: Call<Anyone, Nothing>) -> Result<Reply, ApiError> {
    let input = Wanted { name: "icon.svg".to_owned(), current: false };
    file(Call { app: call.app, now: call.now, client: call.client, who: Anyone, input }).await
}
