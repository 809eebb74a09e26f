//! Which site a browser sent a request from. Browsers add cookies to requests that other sites cause, so a cookie alone
//! authorizes a write only if the request comes from usher's own pages.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap, ORIGIN};
use url::Url;

use crate::config::Config;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::error::ApiError;

/// Refuses writes that a browser marks as cross-site, unless the origin is in `cors_origins`. With forward auth,
/// `same-site` is refused as well: the other sites behind the proxy are same-site, but not trusted.
pub fn refuse_cross_site(request: &HttpRequest, config: &Config) -> Result<(), ApiError> {
    let has_sibling_sites = !config.forward_auth.is_empty();
    let is_foreign = match sent_from(request.headers()) {
        Some("cross-site") => true,
        Some("same-site") => has_sibling_sites,
        _ => false,
    };
    let is_refused = is_foreign && !request.method().is_safe() && !is_configured(request.headers(), config);
    if is_refused { Err(ApiError::CrossSite) } else { Ok(()) }
}

/// Refuses writes unless the browser says that they come from usher's own pages or from a configured origin.
pub fn require_own_site(request: &HttpRequest, config: &Config) -> Result<(), ApiError> {
    let headers = request.headers();
    if request.method().is_safe() || is_configured(headers, config) {
        return Ok(());
    }
    let is_own = match sent_from(headers) {
        Some(site) => site == "same-origin",
        // Browsers send `Sec-Fetch-Site` over HTTPS and to loopback addresses only, but `Origin` with every POST.
        None => origin(headers).is_some_and(|origin| is_own_origin(origin, request, config)),
    };
    if is_own { Ok(()) } else { Err(ApiError::CrossSite) }
}

/// Refuses requests that a browser says another site caused. Clients that aren't browsers say nothing.
pub fn refuse_other_sites(request: &HttpRequest, config: &Config) -> Result<(), ApiError> {
    let headers = request.headers();
    if sent_from(headers).is_none() && origin(headers).is_none() { Ok(()) } else { require_own_site(request, config) }
}

/// The value of `Sec-Fetch-Site`. Anything that isn't text is some other site.
fn sent_from(headers: &HeaderMap) -> Option<&str> {
    headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or("cross-site"))
}

/// The value of `Origin`. Anything that isn't text is some other origin.
fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("null"))
}

fn is_configured(headers: &HeaderMap, config: &Config) -> bool {
    origin(headers).is_some_and(|origin| config.cors_origins.iter().any(|known| known == origin))
}

/// Whether an origin is that of `public_url` or, if that isn't set, has the host and port that the request was sent to.
fn is_own_origin(origin: &str, request: &HttpRequest, config: &Config) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    if let Some(url) = &config.public_url {
        return Url::parse(url).is_ok_and(|url| url.origin() == origin.origin());
    }
    let is_http = match origin.scheme() {
        "https" => true,
        // A page that came without HTTPS may be forged by anybody on the way.
        "http" => !Client::of(request, &config.trusted_proxies).https,
        _ => false,
    };
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = Url::parse(&format!("{}://{host}", origin.scheme()));
    is_http && own.is_ok_and(|own| own.origin() == origin.origin())
}

#[cfg(test)]
mod tests {
    use actix_web::http::Method;
    use actix_web::test::TestRequest;

    use super::*;
    use crate::config::Inputs;

    fn config(settings: &[(&str, &str)]) -> Config {
        let data = ("USHER_DATA_DIR".to_owned(), std::env::temp_dir().display().to_string());
        let env =
            settings.iter().map(|(key, value)| (format!("USHER_{key}"), (*value).to_owned())).chain([data]).collect();
        Config::load(&Inputs { env, working_dir: std::env::temp_dir(), ..Inputs::default() }).unwrap()
    }

    fn is_own(config: &Config, headers: &[(&'static str, &'static str)]) -> bool {
        let request = TestRequest::default().method(Method::POST).peer_addr("127.0.0.1:5".parse().unwrap());
        let request = headers.iter().fold(request, |request, header| request.append_header(*header));
        require_own_site(&request.to_http_request(), config).is_ok()
    }

    #[test]
    fn without_sec_fetch_site_the_origin_must_have_the_host_of_the_request() {
        let plain = config(&[]);
        for (host, origin, expected) in [
            ("home:7860", "http://home:7860", true),
            ("home", "http://home", true),
            ("home", "https://home", true),
            ("HOME:80", "http://home", true),
            ("[::1]:7860", "http://[::1]:7860", true),
            ("home:7860", "http://home:7861", false),
            ("home:7860", "http://home", false),
            ("home", "http://home.evil.example", false),
            ("home", "http://evil.example", false),
            ("home", "null", false),
            ("home", "", false),
            ("", "http://home", false),
            ("home", "ftp://home", false),
        ] {
            assert_eq!(is_own(&plain, &[("host", host), ("origin", origin)]), expected, "{host} {origin}");
        }
        assert!(!is_own(&plain, &[("host", "home")]), "neither header");
    }

    #[test]
    fn an_http_page_is_a_foreign_origin_for_an_https_server() {
        let behind = config(&[("TRUSTED_PROXIES", "127.0.0.1")]);
        let from = |proto, origin| [("host", "home"), ("x-forwarded-proto", proto), ("origin", origin)];
        assert!(is_own(&behind, &from("https", "https://home")) && !is_own(&behind, &from("https", "http://home")));
        assert!(is_own(&behind, &from("http", "http://home")));
    }

    #[test]
    fn public_url_decides_if_it_is_set() {
        let public = config(&[("PUBLIC_URL", "https://home.example.org/usher")]);
        assert!(is_own(&public, &[("host", "127.0.0.1:7860"), ("origin", "https://home.example.org")]));
        assert!(!is_own(&public, &[("host", "127.0.0.1:7860"), ("origin", "http://127.0.0.1:7860")]));
    }

    #[test]
    fn sec_fetch_site_comes_before_the_origin() {
        let known = config(&[("CORS_ORIGINS", "https://app.example")]);
        let own = ("host", "home");
        for site in ["cross-site", "same-site", "none", "", "SAME-ORIGIN"] {
            assert!(!is_own(&known, &[own, ("sec-fetch-site", site), ("origin", "http://home")]), "{site}");
        }
        assert!(is_own(&known, &[own, ("sec-fetch-site", "same-origin")]));
        assert!(is_own(&known, &[own, ("sec-fetch-site", "cross-site"), ("origin", "https://app.example")]));
        assert!(is_own(&known, &[own, ("origin", "https://app.example")]));
    }
}
