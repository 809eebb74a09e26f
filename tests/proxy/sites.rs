//! Owns a server that guards sites, and how a proxy asks it.

use serde_json::json;

use crate::support::server::Builder;
use crate::support::{Request, Response, Server};

/// Who may enter what in these tests.
const RULES: &str = "*.example.org = signed-in, admin.example.org = superusers, wiki.example.org = users: alice; bob, \
     app.example.org:8443 = superusers, dav.example.org = basic signed-in";
/// The cookie's name where everything is reached by HTTPS.
pub const COOKIE: &str = "__Secure-usher_entry";

/// usher at `https://auth.example.org`, for sites below `example.org`, believing proxies on this machine.
pub fn guarding() -> Builder {
    let server = Server::with().set("public_url", "https://auth.example.org").set("cookie_domain", "example.org");
    server.set("trusted_proxies", "127.0.0.1").set("forward_auth", RULES)
}

/// Whoever has this access token wants to go to `url`.
pub fn enter(server: &Server, access: &str, url: &str) -> Response {
    server.post("/api/v1/enter").bearer(access).json(&json!({ "return_to": url })).send()
}

/// The token that lets one into every site.
#[track_caller]
pub fn token(server: &Server, access: &str) -> String {
    enter(server, access, "https://app.example.org/").expect(200).cookie(COOKIE).unwrap().to_owned()
}

/// What Caddy asks when somebody gets `url`.
pub fn asks(server: &Server, url: &str) -> Request {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let request = server.get("/api/v1/verify").header("X-Forwarded-Proto", scheme).header("X-Forwarded-Host", host);
    request.header("X-Forwarded-Uri", format!("/{path}")).header("X-Forwarded-Method", "GET")
}

/// The same by whoever has this token.
pub fn verify(server: &Server, url: &str, token: &str) -> Response {
    asks(server, url).cookie(COOKIE, token).send()
}

/// As a browser says that its person goes to a page.
pub fn by_browser(request: Request) -> Request {
    request.header("Sec-Fetch-Mode", "navigate").header("Sec-Fetch-Dest", "document").header("Accept", "text/html,*/*")
}
