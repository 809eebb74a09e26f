//! The request that a proxy asks about, read from its headers: the site, and whether a browser navigates to it. Proxies use
//! two sets of headers, and clients can send either. A header that is repeated or contradicts another is rejected.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{ACCEPT, HeaderMap};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use crate::config::Config;
use crate::domain::site::Site;
use crate::http::pipeline::client;

/// How much of a path is kept to come back to; longer ones lead to the site's first page.
const LONGEST_TARGET: usize = 2000;

/// What stays out of the address that a browser is sent back to: some would take a backslash for a slash.
const INVISIBLE: AsciiSet = CONTROLS.add(b' ').add(b'\\');

/// nginx's way: one URL, and only 401 and 403 are taken for an answer.
const URL: &str = "x-original-url";
const URL_METHOD: &str = "x-original-method";
/// Caddy's and Traefik's way: its parts, and whatever is answered goes to the client.
const HOST: &str = "x-forwarded-host";
const PROTO: &str = "x-forwarded-proto";
const URI: &str = "x-forwarded-uri";
const METHOD: &str = "x-forwarded-method";

/// The request about which a proxy asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedRequest {
    /// Where it goes.
    pub site: Site,
    /// Whether a person's browser goes there as a page, and not a program or a part of a page.
    pub navigates: bool,
    /// Whether it changes nothing, so that a browser can be sent there again.
    pub is_safe: bool,
    /// Whether the proxy takes only statuses for an answer.
    pub by_status: bool,
    /// Path and query as they came, with what cannot stand in a header escaped.
    target: String,
}

/// Why it cannot be told what a proxy asks about. For the log: it is the proxy's settings that must change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardedRequestError {
    /// The asker is no proxy of ours.
    Stranger(IpAddr),
    /// The header that is needed did not come.
    Missing(&'static str),
    /// A header came more than once.
    Twice(&'static str),
    /// A header says nothing that could be understood.
    Unreadable(&'static str),
    /// Both ways were used and do not agree: one of them is the client's.
    Contradiction(&'static str),
}

impl fmt::Display for ForwardedRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger(address) => write!(f, "it was asked by {address}, which is not in `trusted_proxies`"),
            Self::Missing(name) => write!(f, "neither {URL} nor {name} came; see docs/forward-auth.md"),
            Self::Twice(name) => write!(f, "{name} came more than once; the proxy should replace what clients send"),
            Self::Unreadable(name) => write!(f, "{name} could not be understood"),
            Self::Contradiction(name) => {
                write!(f, "{URL} and {name} do not agree; the proxy should remove the one that it does not set")
            }
        }
    }
}

impl ForwardedRequest {
    /// Reads it from the request that asks.
    pub fn of(request: &HttpRequest, config: &Config) -> Result<Self, ForwardedRequestError> {
        let peer = client::peer(request);
        if !client::is_trusted(peer, &config.trusted_proxies) {
            return Err(ForwardedRequestError::Stranger(peer));
        }
        let headers = request.headers();
        let by_url = single(headers, URL)?;
        let (site, target) = if let Some(url) = &by_url { by_one_url(url, headers)? } else { by_parts(headers)? };
        let method = single(headers, if by_url.is_some() { URL_METHOD } else { METHOD })?;
        Ok(Self {
            site,
            navigates: navigates(headers),
            is_safe: method.is_none_or(|method| ["GET", "HEAD"].contains(&method.as_ref())),
            by_status: by_url.is_some(),
            // A target in another form (RFC 9112, section 3.2.2) names a site of its own.
            target: if target.starts_with('/') { target } else { "/".to_owned() },
        })
    }

    /// Where a browser comes back to when its person has signed in.
    pub fn return_to(&self) -> String {
        let target = if self.is_safe && self.target.len() <= LONGEST_TARGET { self.target.as_str() } else { "/" };
        format!("{}{target}", self.site)
    }
}

/// nginx's way. What came of the other way must agree.
fn by_one_url(url: &str, headers: &HeaderMap) -> Result<(Site, String), ForwardedRequestError> {
    let (site, target) = split(url).ok_or(ForwardedRequestError::Unreadable(URL))?;
    let named = if site.https { "https" } else { "http" };
    if single(headers, PROTO)?.is_some_and(|proto| scheme(&proto) != named) {
        return Err(ForwardedRequestError::Contradiction(PROTO));
    }
    if single(headers, HOST)?.is_some_and(|host| Site::parse(named, &host).as_ref() != Some(&site)) {
        return Err(ForwardedRequestError::Contradiction(HOST));
    }
    Ok((site, target))
}

/// Caddy's and Traefik's way.
fn by_parts(headers: &HeaderMap) -> Result<(Site, String), ForwardedRequestError> {
    let host = single(headers, HOST)?.ok_or(ForwardedRequestError::Missing(HOST))?;
    let proto = single(headers, PROTO)?.ok_or(ForwardedRequestError::Missing(PROTO))?;
    let site = Site::parse(scheme(&proto), &host).ok_or(ForwardedRequestError::Unreadable(HOST))?;
    Ok((site, single(headers, URI)?.unwrap_or_default().into_owned()))
}

/// The one value of a header, with what is no visible ASCII escaped; an empty one is none.
fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<Cow<'a, str>>, ForwardedRequestError> {
    let mut values = headers.get_all(name);
    let value = values.next().map(|value| percent_encode(value.as_bytes(), &INVISIBLE).into());
    if values.next().is_some() {
        Err(ForwardedRequestError::Twice(name))
    } else {
        Ok(value.filter(|value: &Cow<'a, str>| !value.is_empty()))
    }
}

/// What Traefik says of web sockets is said of their scheme.
fn scheme(proto: &str) -> &'static str {
    match proto {
        "https" | "wss" => "https",
        "http" | "ws" => "http",
        _ => "",
    }
}

/// The site and the target of a URL.
fn split(url: &str) -> Option<(Site, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some((Site::parse(scheme, &rest[..end])?, rest[end..].to_owned()))
}

/// Whether a browser goes to a page: it says so itself where it came by HTTPS (Fetch Metadata); otherwise by what it
/// wants to have.
fn navigates(headers: &HeaderMap) -> bool {
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
        let by_parts =
            ask(&[(PROTO, "https"), (HOST, "App.example.org:443"), (URI, "/a?b=%20c"), (METHOD, "POST")]).unwrap();
        assert_eq!(by_url, ForwardedRequest { by_status: true, ..by_parts.clone() });
        assert!(!by_parts.is_safe && !by_parts.by_status);
        assert_eq!(by_parts.return_to(), "https://app.example.org/");
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
        assert_eq!(forwarded(&format!("/{}", "x".repeat(LONGEST_TARGET))), "https://app.example.org:8443/");
        assert_eq!(return_to(&[(URL, "http://a?b")]), "http://a/");
    }

    #[test]
    fn what_is_not_said_once_and_clearly_is_not_believed() {
        let whole: [(&'static str, &str); 2] = [(PROTO, "https"), (HOST, "app.example.org")];
        let with = |more: &[(&'static str, &str)]| ask(&[&whole[..], more].concat()).unwrap_err();
        assert_eq!(with(&[(HOST, "app.example.org")]), ForwardedRequestError::Twice(HOST));
        assert_eq!(with(&[(PROTO, "https")]), ForwardedRequestError::Twice(PROTO));
        assert_eq!(with(&[(METHOD, "GET"), (METHOD, "POST")]), ForwardedRequestError::Twice(METHOD));
        assert_eq!(with(&[(URL, "https://open.example.org/")]), ForwardedRequestError::Contradiction(HOST));
        assert_eq!(with(&[(URL, "http://app.example.org/")]), ForwardedRequestError::Contradiction(PROTO));
        assert_eq!(with(&[(URL, "https://app.example.org:444/")]), ForwardedRequestError::Contradiction(HOST));
        assert_eq!(with(&[(URL, "https://user@app.example.org/")]), ForwardedRequestError::Unreadable(URL));
        assert_eq!(
            with(&[(URL, "https://app.example.orghttp://app.example.org/")]),
            ForwardedRequestError::Unreadable(URL)
        );
        assert!(ask(&[whole[0], whole[1], (URL, "https://app.example.org/x")]).unwrap().by_status);
        assert_eq!(ask(&[whole[0]]), Err(ForwardedRequestError::Missing(HOST)));
        assert_eq!(ask(&[whole[1]]), Err(ForwardedRequestError::Missing(PROTO)));
        assert_eq!(ask(&[whole[0], (HOST, "a, b")]), Err(ForwardedRequestError::Unreadable(HOST)));
        assert_eq!(ask(&[(PROTO, "https, http"), whole[1]]), Err(ForwardedRequestError::Unreadable(HOST)));
        let stranger = TestRequest::default().peer_addr("10.0.0.2:1".parse().unwrap());
        let stranger = stranger.insert_header((URL, "https://app.example.org/")).to_http_request();
        assert_eq!(
            ForwardedRequest::of(&stranger, &config()),
            Err(ForwardedRequestError::Stranger("10.0.0.2".parse().unwrap()))
        );
    }

    #[test]
    fn only_browsers_that_go_to_a_page_navigate() {
        let navigates = |headers: &[(&'static str, &str)]| {
            ask(&[&[(PROTO, "https"), (HOST, "a")], headers].concat()).unwrap().navigates
        };
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        assert!(navigates(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]));
        assert!(navigates(&[html]));
        assert!(!navigates(&[html, ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]));
        assert!(!navigates(&[html, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]));
        assert!(!navigates(&[html, ("x-requested-with", "XMLHttpRequest")]));
        assert!(!navigates(&[("accept", "*/*")]));
        assert!(!navigates(&[]));
    }
}
