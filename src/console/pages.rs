//! The console's pages with their settings filled in, their content security policy, and their compressed form.

use std::io::Write;
use std::path::Path;
use std::sync::{LazyLock, OnceLock};

use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::console::{
    APP, BOOT, DOCS, DOCS_SCRIPTS, FILES, LOGO, NOT_FOUND, SIGNED_IN_SCRIPTS, SIGNED_OUT_SCRIPTS, STYLE, mark,
};
use crate::domain::second_factor::SecondFactorPolicy;

/// The version segment of the files' paths: a hash of their content.
pub static VERSION: LazyLock<String> = LazyLock::new(|| {
    let hash = FILES.iter().fold(Sha256::new(), |hash, file| hash.chain_update(file.body));
    hash.finalize().iter().take(6).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
});
/// The content of [`FILES`], in the same order.
pub static CONTENTS: LazyLock<Vec<Content>> =
    LazyLock::new(|| FILES.iter().map(|file| Content::new(file.body, file.content_type)).collect());

/// The pages of one server, made at their first request.
#[derive(Default)]
pub struct Pages {
    passkey_domain: String,
    signed_out: OnceLock<ConsolePage>,
    signed_in: OnceLock<ConsolePage>,
    setup: OnceLock<ConsolePage>,
    docs: OnceLock<ConsolePage>,
    not_found: OnceLock<ConsolePage>,
}

impl Pages {
    /// The pages of a server whose passkeys belong to this domain; an empty one if they can't be used.
    pub fn new(passkey_domain: &str) -> Self {
        Self { passkey_domain: passkey_domain.to_owned(), ..Self::default() }
    }

    /// The console, for a browser that must sign in.
    pub fn signed_out(&self, config: &Config) -> &ConsolePage {
        self.signed_out.get_or_init(|| ConsolePage::new(&self.app("new"), config, "app.js", &[SIGNED_OUT_SCRIPTS]))
    }

    /// The console, for a browser that is probably signed in.
    pub fn signed_in(&self, config: &Config) -> &ConsolePage {
        let page = || ConsolePage::new(&self.app("known"), config, "app.js", &[SIGNED_OUT_SCRIPTS, SIGNED_IN_SCRIPTS]);
        self.signed_in.get_or_init(page)
    }

    /// The console while there is no superuser. `link_file` is the file with the setup link, if there is one.
    pub fn setup(&self, config: &Config, link_file: Option<&Path>) -> &ConsolePage {
        let path = link_file.map(|path| path.display().to_string()).unwrap_or_default();
        let text = || self.app("setup").replace(mark::SETUP_FILE, &escape(&path));
        self.setup.get_or_init(|| ConsolePage::new(&text(), config, "app.js", &[SIGNED_OUT_SCRIPTS]))
    }

    /// The console's page for a visitor of this kind.
    fn app(&self, visitor: &str) -> String {
        APP.replace(mark::VISITOR, visitor).replace(mark::PASSKEY_DOMAIN, &self.passkey_domain)
    }

    /// The page for an unknown address.
    pub fn not_found(&self, config: &Config) -> &ConsolePage {
        self.not_found.get_or_init(|| ConsolePage::new(NOT_FOUND, config, "", &[]))
    }

    /// The API reference.
    pub fn docs(&self, config: &Config) -> &ConsolePage {
        self.docs.get_or_init(|| ConsolePage::new(DOCS, config, "docs.js", &[DOCS_SCRIPTS]))
    }
}

/// A page with its style, logo and first script inlined, so that the first paint waits for nothing.
pub struct ConsolePage {
    /// The HTML.
    pub content: Content,
    /// Its content security policy.
    pub policy: HeaderValue,
}

impl ConsolePage {
    fn new(text: &str, config: &Config, main: &str, scripts: &[&[&str]]) -> Self {
        let boot = BOOT
            .replace(mark::FILES, &format!("{:?}", scripts.concat()))
            .replace(mark::MAIN, main)
            .replace(mark::VERSION, &VERSION);
        // Inline code and styles are allowed by their hash. Pictures are the server's own or data URLs: one fetched
        // from elsewhere would reveal the viewer.
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
            .replace(mark::SIGN_UP, if config.auto_login { "closed" } else { config.signup.as_str() })
            .replace(mark::BASE, &config.base_path)
            .replace(mark::RELEASE, env!("CARGO_PKG_VERSION"))
            .replace(mark::PASSWORD_MIN, &config.password_min_length.to_string())
            .replace(mark::SELF_DELETION, &config.self_deletion.to_string())
            .replace(mark::SECOND_FACTOR, second_factor(config.second_factor))
            .replace(mark::SETUP_FILE, "")
            // Last, as it can be any text.
            .replace(mark::SITE_NAME, &escape(config.site_name.as_deref().unwrap_or("usher")));
        let policy = HeaderValue::try_from(policy).expect("the policy has only ASCII words and base64");
        Self { content: Content::new(text, "text/html; charset=utf-8"), policy }
    }
}

/// What the console needs to know of the setting `second_factor`.
fn second_factor(policy: SecondFactorPolicy) -> &'static str {
    match policy {
        SecondFactorPolicy::Off => "off",
        SecondFactorPolicy::Optional => "optional",
        SecondFactorPolicy::Superusers | SecondFactorPolicy::Everybody => "required",
    }
}

/// A response body with its gzip form, which is made at its first request.
pub struct Content {
    /// Uncompressed.
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

/// Escapes a text for HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn compress(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::best());
    let written = encoder.write_all(plain).and_then(|()| encoder.finish());
    written.expect("writing to memory doesn't fail")
}
