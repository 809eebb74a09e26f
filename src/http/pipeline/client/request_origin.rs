//! Which site a browser sent a request from. Browsers add cookies to requests that other sites cause, and other sites'
//! forms can sign a browser in. So a write must come from usher's own pages, if a cookie or nothing authorizes it.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use url::Url;

use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::http::pipeline::client::Client;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::log_rate_limit::LogRateLimit;
use crate::http::pipeline::request_id;

/// The most characters of a header that are logged.
const MAX_LOGGED_CHARS: usize = 100;

/// The values of `Sec-Fetch-Site`, from usher's own pages to other sites.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum FetchSite {
    SameOrigin,
    /// The person using the browser, for example with the address bar. Also an extension of the browser.
    User,
    Unknown,
    SameSite,
    CrossSite,
}

/// Who may call a route, as far as the site that sent the request matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SiteRule {
    /// Clients with credentials. [`require_own_site`] checks those that other sites can make a browser send.
    WithCredentials,
    /// Anyone. An `Origin` must be usher's own, unless `Sec-Fetch-Site` says that it is.
    Public,
}

/// Refuses writes that a browser marks as cross-site, unless the origin is in `cors_origins`. With forward auth,
/// `same-site` is refused as well: the other sites behind the proxy are same-site, but not trusted.
pub fn refuse_cross_site(
    request: &HttpRequest,
    config: &Config,
    rule: SiteRule,
    now: Timestamp,
) -> Result<(), ApiError> {
    if request.method().is_safe() {
        return Ok(());
    }
    let headers = request.headers();
    let has_sibling_sites = !config.forward_auth.is_empty();
    match fetch_site(headers) {
        Some(FetchSite::CrossSite) if !is_configured(headers, config) => Err(ApiError::CrossSite),
        Some(FetchSite::SameSite) if has_sibling_sites && !is_configured(headers, config) => Err(ApiError::CrossSite),
        // The browser knows better than `Host`, which a proxy may have changed.
        Some(FetchSite::SameOrigin | FetchSite::User) => Ok(()),
        _ if rule == SiteRule::Public && headers.contains_key(ORIGIN) => require_own_origin(request, config, now),
        _ => Ok(()),
    }
}

/// Refuses writes unless the browser says that they come from usher's own pages or from a configured origin.
pub fn require_own_site(request: &HttpRequest, config: &Config, now: Timestamp) -> Result<(), ApiError> {
    let headers = request.headers();
    if request.method().is_safe() || is_configured(headers, config) {
        return Ok(());
    }
    match fetch_site(headers) {
        Some(FetchSite::SameOrigin) => Ok(()),
        // Browsers send `Sec-Fetch-Site` over HTTPS and to loopback addresses only, but `Origin` with every POST.
        None if headers.contains_key(ORIGIN) => require_own_origin(request, config, now),
        _ => Err(ApiError::CrossSite),
    }
}

/// Refuses requests that a browser says another site caused. Clients that aren't browsers say nothing.
pub fn refuse_other_sites(request: &HttpRequest, config: &Config, now: Timestamp) -> Result<(), ApiError> {
    let headers = request.headers();
    match fetch_site(headers) {
        Some(FetchSite::User) => Ok(()),
        None if !headers.contains_key(ORIGIN) => Ok(()),
        _ => require_own_site(request, config, now),
    }
}

/// Reads `Sec-Fetch-Site`. The most foreign of several values counts.
fn fetch_site(headers: &HeaderMap) -> Option<FetchSite> {
    let values = headers.get_all("sec-fetch-site").map(|value| value.to_str().unwrap_or("cross-site"));
    let sites = values.flat_map(|value| value.split(',')).map(|site| match site.trim() {
        "same-origin" => FetchSite::SameOrigin,
        "none" => FetchSite::User,
        "same-site" => FetchSite::SameSite,
        "cross-site" => FetchSite::CrossSite,
        _ => FetchSite::Unknown,
    });
    sites.max()
}

/// Returns all values of `Origin`. Anything that isn't text is some other origin.
fn origins(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(ORIGIN).map(|origin| origin.to_str().unwrap_or("null"))
}

/// Whether there is an `Origin`, and each one is configured.
fn is_configured(headers: &HeaderMap, config: &Config) -> bool {
    headers.contains_key(ORIGIN) && origins(headers).all(|origin| is_known(origin, config))
}

fn is_known(origin: &str, config: &Config) -> bool {
    config.cors_origins.iter().any(|known| known == origin)
}

/// Refuses a request if one of its origins is neither usher's own nor configured.
fn require_own_origin(request: &HttpRequest, config: &Config, now: Timestamp) -> Result<(), ApiError> {
    static LOG_LIMIT: LogRateLimit = LogRateLimit::new();
    let is_own = |origin: &&str| is_known(origin, config) || is_own_origin(origin, request, config);
    let Some(foreign) = origins(request.headers()).find(|origin| !is_own(origin)) else { return Ok(()) };
    LOG_LIMIT.warn(now, || {
        format!(
            "{} a page of the origin {} sent a request to the host {}, and it was refused; if it is usher's own page, set \
             `public_url` to its address, or let your proxy keep `Host`; if it is another page that may call usher, add \
             its origin to `cors_origins`",
            request_id::of(request),
            shown(foreign),
            shown(host(request.headers()).unwrap_or_default()),
        )
    });
    Err(ApiError::ForeignOrigin)
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
    let own = host(request.headers()).map(|host| Url::parse(&format!("{}://{host}", origin.scheme())));
    is_http && own.is_some_and(|own| own.is_ok_and(|own| own.origin() == origin.origin()))
}

/// Returns the host and port that the request was sent to, if there is only one `Host`.
fn host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).map(HeaderValue::to_str);
    let host = hosts.next()?.ok()?;
    hosts.next().is_none().then_some(host)
}

/// Quotes a header for the log.
fn shown(header: &str) -> String {
    format!("{:?}", header.chars().take(MAX_LOGGED_CHARS).collect::<String>())
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
        require_own_site(&request.to_http_request(), config, Timestamp::UNIX_EPOCH).is_ok()
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
