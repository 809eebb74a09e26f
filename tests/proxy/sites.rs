//! A server with forward authentication, and the requests that a proxy sends to it.

use serde_json::json;

use crate::support::server::Builder;
use crate::support::{Request, Response, Server};

/// The access rules of these tests.
const RULES: &str = "*.example.org = signed-in, admin.example.org = superusers, wiki.example.org = users: alice; bob, \
     app.example.org:8443 = superusers, dav.example.org = basic signed-in";
/// The cookie's name where everything is reached by HTTPS.
pub const COOKIE: &str = "__Secure-usher_entry";

/// usher at `https://auth.example.org`, for sites below `example.org`, believing proxies on this machine.
pub fn guarding() -> Builder {
    let server = Server::with().set("public_url", "https://auth.example.org").set("cookie_domain", "example.org");
    server.set("trusted_proxies", "127.0.0.1").set("forward_auth", RULES)
}

/// Requests a site token for `url` with this access token.
pub fn enter(server: &Server, access: &str, url: &str) -> Response {
    server.post("/api/v1/enter").bearer(access).json(&json!({ "return_to": url })).send()
}

/// A site token.
#[track_caller]
pub fn token(server: &Server, access: &str) -> String {
    enter(server, access, "https://app.example.org/").expect(200).cookie(COOKIE).unwrap().to_owned()
}

/// The request that Caddy sends to usher for a GET of `url`.
pub fn proxy_request(server: &Server, url: &str) -> Request {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let request = server.get("/api/v1/verify").header("X-Forwarded-Proto", scheme).header("X-Forwarded-Host", host);
    request.header("X-Forwarded-Uri", format!("/{path}")).header("X-Forwarded-Method", "GET")
}

/// Sends Caddy's request with this site token.
pub fn verify(server: &Server, url: &str, token: &str) -> Response {
    proxy_request(server, url).cookie(COOKIE, token).send()
}

/// Adds the headers of a browser's navigation.
pub fn as_navigation(request: Request) -> Request {
    request.header("Sec-Fetch-Mode", "navigate").header("Sec-Fetch-Dest", "document").header("Accept", "text/html,*/*")
}
