//! The client of a request: the peer, or the address that trusted proxies report, read from the right.

pub mod local_request;
pub mod request_origin;
pub mod untrusted_proxy;

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderValue, USER_AGENT};
use ipnet::IpNet;

use crate::domain::audit::{Actor, RequestId};
use crate::domain::user::User;
use crate::http::pipeline::request_id;

/// The header by which the console asks for its own cookie. Pages of other origins can't send it without CORS.
pub const CONSOLE_HEADER: &str = "x-usher-console";

/// The most characters kept of a `User-Agent`.
const MAX_CLIENT_CHARS: usize = 200;

/// The most hops of forwarding headers that are read.
const MAX_HOPS: usize = 64;

/// The client that sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The client's own address.
    pub address: IpAddr,
    /// Whether a trusted proxy received the request over HTTPS.
    pub https: bool,
    /// The `User-Agent`, shortened and without control characters.
    pub agent: Option<String>,
    /// Whether usher's console sent it.
    pub is_console: bool,
    /// The request's id.
    pub request: RequestId,
}

impl Client {
    /// Reads the connection and, if the peer is a trusted proxy, its forwarding headers.
    pub fn of(request: &HttpRequest, trusted: &[IpNet]) -> Self {
        let peer = peer(request);
        let headers = request.headers();
        let by_proxy = is_trusted(peer, trusted);
        Self {
            address: if by_proxy { forwarded_for(peer, headers, trusted) } else { peer },
            https: by_proxy
                && last(headers, "x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https")),
            agent: headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).map(shorten),
            is_console: headers.contains_key(CONSOLE_HEADER),
            request: request_id::of(request),
        }
    }

    /// Returns the actor for the audit log, if nobody is authenticated.
    pub fn actor(&self) -> Actor {
        Actor { address: Some(self.address.to_string()), request: Some(self.request), ..Actor::default() }
    }

    /// Returns the actor for the audit log.
    pub fn actor_for(&self, user: &User) -> Actor {
        Actor { id: Some(user.id), name: Some(user.username.to_string()), ..self.actor() }
    }
}

/// Returns the address at the other end of the connection.
pub fn peer(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip().to_canonical())
}

/// Whether this is the address of a trusted proxy.
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// Returns the rightmost address that isn't a trusted proxy's. Clients can forge anything further left.
fn forwarded_for(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    // As bytes: a client may send invalid UTF-8, to which proxies append the address.
    let values: Vec<&[u8]> = headers.get_all("x-forwarded-for").map(HeaderValue::as_bytes).collect();
    let mut nearest = peer;
    for hop in values.into_iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b',')).take(MAX_HOPS) {
        let Some(address) = std::str::from_utf8(hop).ok().and_then(parse) else { break };
        nearest = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    nearest
}

/// Parses an address, with or without a port.
fn parse(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let address = hop.parse().ok().or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()));
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let last = headers.get_all(name).last()?.as_bytes().rsplit(|byte| *byte == b',').next()?;
    std::str::from_utf8(last).ok().map(str::trim)
}

fn shorten(agent: &str) -> String {
    agent.chars().filter(|c| !c.is_control()).take(MAX_CLIENT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn bytes_that_are_not_utf8_do_not_hide_the_address_that_a_proxy_adds() {
        let request = TestRequest::default()
            .peer_addr("10.0.0.1:1234".parse().unwrap())
            .append_header(("x-forwarded-for", HeaderValue::from_bytes(b"\xff, 203.0.113.9").unwrap()))
            .append_header(("x-forwarded-proto", HeaderValue::from_bytes(b"\xff, https").unwrap()));
        let client = Client::of(&request.to_http_request(), &["10.0.0.0/8".parse().unwrap()]);
        assert_eq!((client.address.to_string().as_str(), client.https), ("203.0.113.9", true));
    }

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> Client {
        let mut request = TestRequest::default().peer_addr(format!("{peer}:1234").parse().unwrap());
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        Client::of(&request.to_http_request(), &["10.0.0.0/8".parse().unwrap(), "192.0.2.7/32".parse().unwrap()])
    }

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let headers: Vec<_> = forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
        client(peer, &headers).address.to_string()
    }

    #[test]
    fn forwarded_addresses_count_only_from_trusted_proxies_from_the_right() {
        assert_eq!(address("198.51.100.1", &["203.0.113.9"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, 203.0.113.9, 192.0.2.7"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["1.1.1.1", "203.0.113.9:5555"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, nonsense"]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["10.0.0.9"]), "10.0.0.9");
        assert_eq!(address("10.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn the_last_scheme_of_a_trusted_proxy_counts() {
        assert!(client("10.0.0.1", &[("x-forwarded-proto", "https")]).https);
        assert!(!client("10.0.0.1", &[("x-forwarded-proto", "https, http")]).https);
        assert!(!client("198.51.100.1", &[("x-forwarded-proto", "https")]).https);
    }

    #[test]
    fn user_agents_are_shortened() {
        let agent = "x".repeat(5000);
        assert_eq!(client("10.0.0.1", &[("user-agent", &agent)]).agent.unwrap().len(), 200);
    }
}
