//! The pages as they are sent: filled with the settings they depend on, their content security policy, and compressed.

use std::io::Write;
use std::sync::{LazyLock, OnceLock};

use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::console::{APP, BOOT, DOCS, FILES, INSIDE, LOGO, OUTSIDE, READING, STYLE, mark};

/// The part of the files' addresses that stands for what is in them.
pub static VERSION: LazyLock<String> = LazyLock::new(|| {
    let hash = FILES.iter().fold(Sha256::new(), |hash, file| hash.chain_update(file.body));
    hash.finalize().iter().take(6).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
});
/// The files, in the order of [`FILES`].
pub static CONTENTS: LazyLock<Vec<Content>> =
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
    pub fn stranger(&self, config: &Config) -> &Page {
        self.stranger.get_or_init(|| Page::new(&APP.replace(mark::VISITOR, "new"), config, "app.js", &[OUTSIDE]))
    }

    /// The console, for a browser that is probably signed in.
    pub fn known(&self, config: &Config) -> &Page {
        let page = || Page::new(&APP.replace(mark::VISITOR, "known"), config, "app.js", &[OUTSIDE, INSIDE]);
        self.known.get_or_init(page)
    }

    /// The API, to read and try.
    pub fn docs(&self, config: &Config) -> &Page {
        self.docs.get_or_init(|| Page::new(DOCS, config, "docs.js", &[READING]))
    }
}

/// A page with its style, its logo and its first script in it, so that nothing is waited for before it is first shown.
pub struct Page {
    /// The page itself.
    pub content: Content,
    /// What it may load.
    pub policy: HeaderValue,
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
}

/// What is sent, and the same compressed, which is made when it is first asked for.
pub struct Content {
    /// As it is.
    pub plain: Bytes,
    gzip: OnceLock<Bytes>,
    /// The media type.
    pub content_type: &'static str,
}

impl Content {
    fn new(plain: impl Into<Bytes>, content_type: &'static str) -> Self {
        Self { plain: plain.into(), gzip: OnceLock::new(), content_type }
    }

    /// The content compressed with gzip.
    pub fn gzip(&self) -> &Bytes {
        self.gzip.get_or_init(|| compress(&self.plain).into())
    }
}

fn compress(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::best());
    let written = encoder.write_all(plain).and_then(|()| encoder.finish());
    written.expect("memory takes whatever is written to it")
}
