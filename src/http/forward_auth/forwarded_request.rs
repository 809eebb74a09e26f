//! The request that a proxy asks about, read from its headers: the site, and whether a browser navigates to it. Proxies
//! use two sets of headers, and clients can send either. A header that is repeated or contradicts another is rejected.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{ACCEPT, HeaderMap};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use crate::config::Config;
use crate::domain::site::Site;
use crate::http::pipeline::client;

/// The longest path to return to. For longer ones, sign-in returns to the site's first page.
const MAX_TARGET_BYTES: usize = 2000;

/// Characters that are escaped in the return address. Some browsers read a backslash as a slash.
const ESCAPED: AsciiSet = CONTROLS.add(b' ').add(b'\\');

/// nginx's headers: one URL. nginx understands only the statuses 401 and 403.
const URL: &str = "x-original-url";
const URL_METHOD: &str = "x-original-method";
/// Caddy's and Traefik's headers: the URL in parts. The client gets usher's whole response.
const HOST: &str = "x-forwarded-host";
const PROTO: &str = "x-forwarded-proto";
const URI: &str = "x-forwarded-uri";
const METHOD: &str = "x-forwarded-method";

/// The request that a proxy asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedRequest {
    pub site: Site,
    /// Whether a browser navigates to a page, as opposed to a program or a part of a page.
    pub is_navigation: bool,
    /// Whether it is a GET or HEAD, so that a browser can be redirected back.
    pub is_safe: bool,
    /// Whether the proxy understands only the statuses 401 and 403.
    pub status_only: bool,
    /// Path and query, with characters that headers can't contain escaped.
    target: String,
}

/// Why a proxy's request is ambiguous. It is logged, because the proxy's settings are wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardedRequestError {
    /// The sender is not a trusted proxy.
    UntrustedPeer(IpAddr),
    /// A required header is missing.
    Missing(&'static str),
    /// A header is repeated.
    Repeated(&'static str),
    /// A header can't be parsed.
    Malformed(&'static str),
    /// Both sets of headers came and contradict each other; one is from the client.
    Contradiction(&'static str),
}

impl fmt::Display for ForwardedRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UntrustedPeer(address) => write!(f, "it came from {address}, which is not in `trusted_proxies`"),
            Self::Missing(name) => write!(f, "{URL} and {name} are missing; see docs/forward-auth.md"),
            Self::Repeated(name) => write!(f, "{name} came more than once; the proxy should replace what clients send"),
            Self::Malformed(name) => write!(f, "{name} can't be parsed"),
            Self::Contradiction(name) => {
                write!(
                    f,
                    "{URL} and {name} contradict each other; the proxy should remove the one that it does not set"
                )
            }
        }
    }
}

impl ForwardedRequest {
    /// Reads the forwarded request from the proxy's request.
    pub fn of(request: &HttpRequest, config: &Config) -> Result<Self, ForwardedRequestError> {
        let peer = client::peer(request);
        if !client::is_trusted(peer, &config.trusted_proxies) {
            return Err(ForwardedRequestError::UntrustedPeer(peer));
        }
        let headers = request.headers();
        let by_url = single(headers, URL)?;
        let (site, target) = if let Some(url) = &by_url { from_url(url, headers)? } else { from_parts(headers)? };
        let method = single(headers, if by_url.is_some() { URL_METHOD } else { METHOD })?;
        Ok(Self {
            site,
            is_navigation: is_navigation(headers),
            is_safe: method.is_none_or(|method| ["GET", "HEAD"].contains(&method.as_ref())),
            status_only: by_url.is_some(),
            // An absolute-form target (RFC 9112, section 3.2.2) names its own site.
            target: if target.starts_with('/') { target } else { "/".to_owned() },
        })
    }

    /// The address to return to after sign-in.
    pub fn return_to(&self) -> String {
        let target = if self.is_safe && self.target.len() <= MAX_TARGET_BYTES { self.target.as_str() } else { "/" };
        format!("{}{target}", self.site)
    }
}

/// Reads nginx's headers. Any headers of the other set must agree.
fn from_url(url: &str, headers: &HeaderMap) -> Result<(Site, String), ForwardedRequestError> {
    let (site, target) = split(url).ok_or(ForwardedRequestError::Malformed(URL))?;
    let named = if site.https { "https" } else { "http" };
    if single(headers, PROTO)?.is_some_and(|proto| scheme(&proto) != named) {
        return Err(ForwardedRequestError::Contradiction(PROTO));
    }
    if single(headers, HOST)?.is_some_and(|host| Site::parse(named, &host).as_ref() != Some(&site)) {
        return Err(ForwardedRequestError::Contradiction(HOST));
    }
    Ok((site, target))
}

/// Reads Caddy's and Traefik's headers.
fn from_parts(headers: &HeaderMap) -> Result<(Site, String), ForwardedRequestError> {
    let host = single(headers, HOST)?.ok_or(ForwardedRequestError::Missing(HOST))?;
    let proto = single(headers, PROTO)?.ok_or(ForwardedRequestError::Missing(PROTO))?;
    let site = Site::parse(scheme(&proto), &host).ok_or(ForwardedRequestError::Malformed(HOST))?;
    Ok((site, single(headers, URI)?.unwrap_or_default().into_owned()))
}

/// A header's only value, with non-ASCII percent-encoded. An empty value counts as absent.
fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<Cow<'a, str>>, ForwardedRequestError> {
    let mut values = headers.get_all(name);
    let value = values.next().map(|value| percent_encode(value.as_bytes(), &ESCAPED).into());
    if values.next().is_some() {
        Err(ForwardedRequestError::Repeated(name))
    } else {
        Ok(value.filter(|value: &Cow<'a, str>| !value.is_empty()))
    }
}

/// Traefik sends a web socket's scheme.
fn scheme(proto: &str) -> &'static str {
    match proto {
        "https" | "wss" => "https",
        "http" | "ws" => "http",
        _ => "",
    }
}

/// Splits a URL into site and target.
fn split(url: &str) -> Option<(Site, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some((Site::parse(scheme, &rest[..end])?, rest[end..].to_owned()))
}

/// Whether a browser navigates to a page. Over HTTPS, Fetch Metadata says so; otherwise `Accept` decides.
fn is_navigation(headers: &HeaderMap) -> bool {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(mode) = value("sec-fetch-mode") {
        return mode == "navigate" && value("sec-fetch-dest").is_none_or(|dest| dest == "document");
    }
    let wants_page = value(ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/html"));
    wants_page && value("x-requested-with") != Some("XMLHttpRequest")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn config() -> Config {
        let env = [("USHER_DATA_DIR", "/nowhere"), ("USHER_TRUSTED_PROXIES", "10.0.0.1")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Config::load(&crate::config::Inputs { env, ..crate::config::Inputs::default() }).unwrap()
    }

    fn ask(headers: &[(&'static str, &str)]) -> Result<ForwardedRequest, ForwardedRequestError> {
        let mut request = TestRequest::default().peer_addr("10.0.0.1:1".parse().unwrap());
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        ForwardedRequest::of(&request.to_http_request(), &config())
    }

    fn return_to(headers: &[(&'static str, &str)]) -> String {
        ask(headers).unwrap().return_to()
    }

    #[test]
    fn both_ways_of_saying_it_mean_the_same() {
        let by_url = ask(&[(URL, "https://app.example.org/a?b=%20c"), (URL_METHOD, "POST")]).unwrap();
        let from_parts =
            ask(&[(PROTO, "https"), (HOST, "App.example.org:443"), (URI, "/a?b=%20c"), (METHOD, "POST")]).unwrap();
        assert_eq!(by_url, ForwardedRequest { status_only: true, ..from_parts.clone() });
        assert!(!from_parts.is_safe && !from_parts.status_only);
        assert_eq!(from_parts.return_to(), "https://app.example.org/");
    }

    #[test]
    fn browsers_come_back_to_where_they_went() {
        let forwarded = |uri: &str| return_to(&[(PROTO, "wss"), (HOST, "app.example.org:8443"), (URI, uri)]);
        assert_eq!(forwarded("/a/b?c=d&e"), "https://app.example.org:8443/a/b?c=d&e");
        assert_eq!(forwarded("//evil.net/"), "https://app.example.org:8443//evil.net/");
        assert_eq!(forwarded("/é x"), "https://app.example.org:8443/%C3%A9%20x");
        for elsewhere in ["", "http://evil.net/", "@evil.net/", ".evil.net", "?a"] {
            assert_eq!(forwarded(elsewhere), "https://app.example.org:8443/", "{elsewhere}");
        }
        assert_eq!(forwarded(&format!("/{}", "x".repeat(MAX_TARGET_BYTES))), "https://app.example.org:8443/");
        assert_eq!(return_to(&[(URL, "http://a?b")]), "http://a/");
    }

    #[test]
    fn repeated_or_contradictory_headers_are_refused() {
        let whole: [(&'static str, &str); 2] = [(PROTO, "https"), (HOST, "app.example.org")];
        let with = |more: &[(&'static str, &str)]| ask(&[&whole[..], more].concat()).unwrap_err();
        assert_eq!(with(&[(HOST, "app.example.org")]), ForwardedRequestError::Repeated(HOST));
        assert_eq!(with(&[(PROTO, "https")]), ForwardedRequestError::Repeated(PROTO));
        assert_eq!(with(&[(METHOD, "GET"), (METHOD, "POST")]), ForwardedRequestError::Repeated(METHOD));
        assert_eq!(with(&[(URL, "https://open.example.org/")]), ForwardedRequestError::Contradiction(HOST));
        assert_eq!(with(&[(URL, "http://app.example.org/")]), ForwardedRequestError::Contradiction(PROTO));
        assert_eq!(with(&[(URL, "https://app.example.org:444/")]), ForwardedRequestError::Contradiction(HOST));
        assert_eq!(with(&[(URL, "https://user@app.example.org/")]), ForwardedRequestError::Malformed(URL));
        assert_eq!(
            with(&[(URL, "https://app.example.orghttp://app.example.org/")]),
            ForwardedRequestError::Malformed(URL)
        );
        assert!(ask(&[whole[0], whole[1], (URL, "https://app.example.org/x")]).unwrap().status_only);
        assert_eq!(ask(&[whole[0]]), Err(ForwardedRequestError::Missing(HOST)));
        assert_eq!(ask(&[whole[1]]), Err(ForwardedRequestError::Missing(PROTO)));
        assert_eq!(ask(&[whole[0], (HOST, "a, b")]), Err(ForwardedRequestError::Malformed(HOST)));
        assert_eq!(ask(&[(PROTO, "https, http"), whole[1]]), Err(ForwardedRequestError::Malformed(HOST)));
        let stranger = TestRequest::default().peer_addr("10.0.0.2:1".parse().unwrap());
        let stranger = stranger.insert_header((URL, "https://app.example.org/")).to_http_request();
        assert_eq!(
            ForwardedRequest::of(&stranger, &config()),
            Err(ForwardedRequestError::UntrustedPeer("10.0.0.2".parse().unwrap()))
        );
    }

    #[test]
    fn only_browsers_that_open_a_page_navigate() {
        let is_navigation = |headers: &[(&'static str, &str)]| {
            ask(&[&[(PROTO, "https"), (HOST, "a")], headers].concat()).unwrap().is_navigation
        };
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        assert!(is_navigation(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]));
        assert!(is_navigation(&[html]));
        assert!(!is_navigation(&[html, ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]));
        assert!(!is_navigation(&[html, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]));
        assert!(!is_navigation(&[html, ("x-requested-with", "XMLHttpRequest")]));
        assert!(!is_navigation(&[("accept", "*/*")]));
        assert!(!is_navigation(&[]));
    }
}
