//! Owns how the console's pages and files are sent: their types, what pages may load, how long files are kept, and that
//! they are compressed for browsers that can read that.

use std::io::Write;
use std::sync::{LazyLock, OnceLock};

use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, HeaderValue, VARY,
};
use actix_web::web::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::body::Kind;
use super::call::{Call, Input, Source};
use super::caller::Anyone;
use super::cookies;
use super::error::ApiError;
use super::fault::Faults;
use super::openapi::Operation;
use super::reply::Reply;
use super::route::Route;
use crate::config::Config;
use crate::console::{APP, BOOT, DOCS, FILES, ICON, INSIDE, LOGO, OUTSIDE, READING, STYLE, mark};

/// A file's address changes when anything of the console does.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The lines of the route table.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/", app).unlisted(),
        Route::new(Method::GET, "/setup", link).unlisted(),
        Route::new(Method::GET, "/reset", link).unlisted(),
        Route::new(Method::GET, "/sign-out", link).unlisted(),
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
static CONTENTS: LazyLock<Vec<Content>> =
    LazyLock::new(|| FILES.iter().map(|file| Content::new(file.body, file.content_type)).collect());

/// The pages of one server, made when they are first asked for.
#[derive(Default)]
pub struct Pages {
    stranger: OnceLock<Page>,
    known: OnceLock<Page>,
    docs: OnceLock<Page>,
}

impl Pages {
    /// The console, for a browser that must sign in.
    fn stranger(&self, config: &Config) -> &Page {
        self.stranger.get_or_init(|| Page::new(&APP.replace(mark::VISITOR, "new"), config, "app.js", &[OUTSIDE]))
    }

    /// The console, for a browser that is probably signed in.
    fn known(&self, config: &Config) -> &Page {
        let page = || Page::new(&APP.replace(mark::VISITOR, "known"), config, "app.js", &[OUTSIDE, INSIDE]);
        self.known.get_or_init(page)
    }

    /// The API, to read and try.
    fn docs(&self, config: &Config) -> &Page {
        self.docs.get_or_init(|| Page::new(DOCS, config, "docs.js", &[READING]))
    }
}

/// A page with its style, its logo and its first script in it, so that nothing is waited for before it is first shown.
struct Page {
    content: Content,
    /// What it may load.
    policy: HeaderValue,
}

impl Page {
    fn new(text: &str, config: &Config, main: &str, scripts: &[&[&str]]) -> Self {
        let boot = BOOT
            .replace(mark::FILES, &format!("{:?}", scripts.concat()))
            .replace(mark::MAIN, main)
            .replace(mark::VERSION, &VERSION);
        // A page runs and shows what came with it and asks its own server, nothing else; what is written into it is
        // known by its hash. Pictures are either its own or, as people's pictures are, written out in full: one that is
        // fetched from elsewhere would tell that place who looks.
        let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
        let policy = format!(
            "default-src 'none'; script-src 'self' 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
             img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
            hash(&boot),
            hash(STYLE),
        );
        let text = text
            .replace(mark::VERSION, &VERSION)
            .replace(mark::LOGO, LOGO)
            .replace(mark::BOOT, &boot)
            .replace(mark::STYLE, STYLE)
            .replace(mark::SIGN_UP, config.signup.as_str())
            .replace(mark::BASE, &config.base_path);
        let policy = HeaderValue::try_from(policy).expect("words and base64 can stand in a header");
        Self { content: Content::new(text, "text/html; charset=utf-8"), policy }
    }

    fn reply(&self, encoding: Encoding) -> Reply {
        self.content.reply(encoding).instead(CONTENT_SECURITY_POLICY, self.policy.clone())
    }
}

/// What is sent, and the same compressed, which is made when it is first asked for.
struct Content {
    plain: Bytes,
    gzip: OnceLock<Bytes>,
    content_type: &'static str,
}

impl Content {
    fn new(plain: impl Into<Bytes>, content_type: &'static str) -> Self {
        Self { plain: plain.into(), gzip: OnceLock::new(), content_type }
    }

    fn reply(&self, encoding: Encoding) -> Reply {
        let reply = match encoding {
            Encoding::Identity => Reply::file(self.plain.clone(), self.content_type),
            Encoding::Gzip => {
                let gzip = self.gzip.get_or_init(|| compress(&self.plain).into());
                Reply::file(gzip.clone(), self.content_type).header(CONTENT_ENCODING, "gzip")
            }
        };
        reply.header(VARY, "accept-encoding")
    }
}

fn compress(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::best());
    let written = encoder.write_all(plain).and_then(|()| encoder.finish());
    written.expect("memory takes whatever is written to it")
}

/// How the answer may be written.
#[derive(Clone, Copy, Debug)]
enum Encoding {
    Identity,
    Gzip,
}

impl Input for Encoding {
    const BODY: Kind = Kind::None;

    fn read(source: &Source<'_>, _: &mut Faults) -> Option<Self> {
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
    const BODY: Kind = Kind::None;

    fn read(source: &Source<'_>, _: &mut Faults) -> Option<Self> {
        let token = cookies::get(source.config, source.request.headers(), cookies::REFRESH);
        Some(Self(token.is_some() || source.config.auto_login))
    }

    fn describe(_: &mut Operation) {}
}

/// The console; a browser that is not known is asked to sign in without asking the server first.
async fn app(call: Call<Anyone, (IsKnown, Encoding)>) -> Result<Reply, ApiError> {
    let (IsKnown(known), encoding) = call.input;
    let (pages, config) = (&call.app.pages, &call.app.config);
    let page = if known { pages.known(config) } else { pages.stranger(config) };
    Ok(page.reply(encoding))
}

/// The console, opened by a one-time link, whoever else is signed in.
async fn link(call: Call<Anyone, Encoding>) -> Result<Reply, ApiError> {
    Ok(call.app.pages.stranger(&call.app.config).reply(call.input))
}

async fn docs(call: Call<Anyone, Encoding>) -> Result<Reply, ApiError> {
    Ok(call.app.pages.docs(&call.app.config).reply(call.input))
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

async fn file(call: Call<Anyone, (Wanted, Encoding)>) -> Result<Reply, ApiError> {
    let (wanted, encoding) = call.input;
    let reply = named(&wanted.name, encoding)?;
    // A page of the version before asks during an update; what it gets now must not stay under the old address.
    Ok(if wanted.current { reply.instead(CACHE_CONTROL, FOR_GOOD) } else { reply })
}

/// Browsers ask for it on pages that name no icon of their own, such as JSON.
async fn icon(call: Call<Anyone, Encoding>) -> Result<Reply, ApiError> {
    named(ICON, call.input)
}

fn named(name: &str, encoding: Encoding) -> Result<Reply, ApiError> {
    let found = FILES.iter().zip(CONTENTS.iter()).find(|(file, _)| file.name == name);
    found.map(|(_, content)| content.reply(encoding)).ok_or(ApiError::NotFound)
}
