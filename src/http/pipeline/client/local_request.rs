//! Detects requests that come directly from this machine. Any sign of a proxy or another site rules it out. A tunnel
//! leaves no such sign; only the launch secret keeps it out.

use actix_web::HttpRequest;
use actix_web::http::Version;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Headers that proxies and tunnels add, besides those that start with `x-forwarded`.
const FORWARDING: [&str; 8] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-original-forwarded-for",
    "x-envoy-external-address",
    "cf-connecting-ip",
    "true-client-ip",
];

/// Whether the request comes from a loopback address, without a proxy, to a loopback name (other names may be DNS
/// rebinding), and not from a page of another origin, except those in `origins`. Another port of this machine is
/// another origin: any user's server may listen there.
pub fn is_local_request(request: &HttpRequest, origins: &[String]) -> bool {
    let headers = request.headers();
    let by_loopback = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    // nginx speaks HTTP/1.0 to upstream servers by default; browsers and HTTP libraries don't.
    let outdated = request.version() < Version::HTTP_11;
    by_loopback && !outdated && !is_forwarded(headers) && is_to_loopback(headers) && is_same_origin(headers, origins)
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("x-forwarded") || FORWARDING.contains(&name.as_str()))
}

fn is_to_loopback(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST);
    let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|_| hosts.next().is_none());
    host.is_some_and(is_loopback_name)
}

/// Whether the host is `localhost` or a loopback address as browsers write it, with or without a port.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        // The last colon of an IPv6 address is inside the brackets.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let v6 = || name.strip_prefix('[')?.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok();
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || v6().is_some_and(|address| address.to_canonical().is_loopback())
}

/// Whether the request comes from no page, from a page of this server, or from a configured origin. Same-origin
/// requests have no `Origin` or this one; older browsers don't send `Sec-Fetch-Site`.
fn is_same_origin(headers: &HeaderMap, origins: &[String]) -> bool {
    let all = |name: HeaderName, accepts: &dyn Fn(&str) -> bool| {
        headers.get_all(name).all(|value| accepts(value.to_str().unwrap_or_default()))
    };
    let is_configured = |origin: &str| origins.iter().any(|known| known == origin);
    if headers.contains_key(ORIGIN) && all(ORIGIN, &is_configured) {
        return true;
    }
    let is_own = |origin: &str| {
        let host = origin.strip_prefix("http://");
        host.is_some_and(|host| {
            headers.get(HOST).is_some_and(|own| own.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
        })
    };
    // "none": typed into the address bar, or a bookmark.
    let is_own_site = |site: &str| matches!(site, "same-origin" | "none");
    all(ORIGIN, &|origin| is_own(origin) || is_configured(origin)) && all(FETCH_SITE, &is_own_site)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn local_from(peer: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let mut request = TestRequest::default().peer_addr(peer.parse().unwrap());
        for header in headers {
            request = request.append_header(*header);
        }
        is_local_request(&request.to_http_request(), &["tauri://localhost".to_owned()])
    }

    fn to_host(host: &'static str) -> bool {
        local_from("127.0.0.1:5", &[("host", host)])
    }

    fn with(header: &'static str, value: &'static str) -> bool {
        local_from("127.0.0.1:5", &[("host", "localhost:7860"), (header, value)])
    }

    #[test]
    fn requests_count_as_local_only_from_a_loopback_address() {
        for (peer, expected) in [
            ("127.0.0.1:5", true),
            ("127.8.9.1:5", true),
            ("[::1]:5", true),
            ("[::ffff:127.0.0.1]:5", true),
            ("192.0.2.1:5", false),
            ("[::ffff:192.0.2.1]:5", false),
            ("0.0.0.0:5", false),
        ] {
            assert_eq!(local_from(peer, &[("host", "localhost")]), expected, "{peer}");
        }
    }

    #[test]
    fn only_loopback_names_are_local_however_a_rebound_name_is_spelled() {
        for host in
            ["localhost", "LocalHost:7860", "127.0.0.1", "127.0.0.2:1", "[::1]", "[::1]:7860", "[::ffff:127.0.0.1]:1"]
        {
            assert!(to_host(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:7860",
            "localhost.",
            "localhost.:7860",
            "localhost.evil.example",
            "evil.localhost",
            "127.0.0.1.",
            "127.0.0.1.nip.example:7860",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0.0.0.0:7860",
            "[::]:7860",
            "::1",
            "::1:7860",
            "[::1",
            "::1]",
            "[::1]x",
            "[[::1]]",
            "[fe80::1%lo]",
            "[127.0.0.1]",
            "192.0.2.1",
            "me@localhost",
            "localhost, evil.example",
            "localhost:7860:7860",
            "localhost/",
            "ｌｏｃａｌｈｏｓｔ",
        ] {
            assert!(!to_host(host), "{host}");
        }
        assert!(!local_from("127.0.0.1:5", &[]));
        assert!(!local_from("127.0.0.1:5", &[("host", "localhost"), ("host", "evil.example")]));
    }

    #[test]
    fn proxied_requests_are_not_local() {
        let names = FORWARDING.into_iter().chain(["x-forwarded-for", "x-forwarded-host", "x-forwarded-anything"]);
        for name in names {
            assert!(!with(name, "127.0.0.1"), "{name}");
            assert!(!with(name, ""), "{name}, empty");
        }
        let older = TestRequest::default().version(Version::HTTP_10).peer_addr("127.0.0.1:5".parse().unwrap());
        assert!(!is_local_request(&older.insert_header(("host", "localhost")).to_http_request(), &[]));
    }

    #[test]
    fn pages_of_other_origins_are_not_local_and_another_port_is_another_origin() {
        assert!(with("sec-fetch-site", "same-origin") && with("sec-fetch-site", "none"));
        assert!(with("origin", "http://localhost:7860"));
        for site in ["cross-site", "same-site", "", "SAME-ORIGIN", "unheard-of"] {
            assert!(!with("sec-fetch-site", site), "{site}");
        }
        for origin in ["null", "", "http://localhost:3000", "http://localhost", "https://localhost:7860", "file://"] {
            assert!(!with("origin", origin), "{origin}");
        }
        let page = [("host", "127.0.0.1:7860"), ("origin", "tauri://localhost"), ("sec-fetch-site", "cross-site")];
        assert!(local_from("127.0.0.1:5", &page), "this origin is configured");
    }
}
