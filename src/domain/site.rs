//! Sites in a canonical form for comparison: scheme, host and port.

use std::fmt;
use std::net::Ipv6Addr;

/// A site: an origin (RFC 6454).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Whether the scheme is `https`.
    pub https: bool,
    /// The host in lower case without a trailing dot; an IPv6 address in brackets.
    pub host: String,
    /// Never 0. Printed only if it isn't the scheme's default.
    pub port: u16,
}

impl Site {
    /// Parses a scheme (`http` or `https`) and a host with an optional port, as in a `Host` header (RFC 9110, section
    /// 7.2). Refuses what programs might read differently: user names, escapes, empty parts, and non-ASCII letters
    /// (IDNs come as `xn--…`).
    pub fn parse(scheme: &str, authority: &str) -> Option<Self> {
        let https = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let (host, port) = split_port(authority)?;
        let port = match port {
            Some(text) => text.parse().ok().filter(|&port| port > 0)?,
            None => default_port(https),
        };
        Some(Self { https, host: host_name(host)?, port })
    }

    /// Reports whether the port is the scheme's default.
    pub fn has_default_port(&self) -> bool {
        self.port == default_port(self.https)
    }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// Splits a host from the digits after the colon.
pub(super) fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    // Colons in brackets belong to the address.
    let host_end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at(host_end);
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((host, None)),
        Some(port) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => Some((host, Some(port))),
        _ => None,
    }
}

/// Returns the canonical form of a host: a name (RFC 1123, and underscores, which are common), or an address.
pub(super) fn host_name(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    // `app.example.org.` is the same host.
    let name = text.strip_suffix('.').unwrap_or(text);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(plain);
    (name.len() <= 253 && name.split('.').all(label)).then(|| name.to_ascii_lowercase())
}

/// The beginning of a URL.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)?;
        if self.has_default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_site_has_one_spelling() {
        for (scheme, authority, shown) in [
            ("https", "App.Example.ORG", "https://app.example.org"),
            ("https", "app.example.org.:443", "https://app.example.org"),
            ("http", "app.example.org:443", "http://app.example.org:443"),
            ("http", "app_1.example.org:080", "http://app_1.example.org"),
            ("http", "[::0001]:8080", "http://[::1]:8080"),
            ("https", "192.0.2.1", "https://192.0.2.1"),
        ] {
            assert_eq!(Site::parse(scheme, authority).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn ambiguous_hosts_are_refused_as_sites() {
        for authority in [
            "",
            ".",
            "a..b",
            "app.example.org..",
            "a b",
            "a@b",
            "a:b@c",
            "a:",
            "a:+1",
            "a:0",
            "a:65536",
            "a:1:2",
            "a/b",
            "a\\b",
            "a%2eb",
            "bücher.example",
            "a,b",
            "[::1",
            "::1",
            "[::1]x",
            "[v1.a]",
            "a?b",
            "a#b",
            "*.a",
            "a\tb",
        ] {
            assert_eq!(Site::parse("https", authority), None, "{authority}");
        }
        for scheme in ["", "HTTPS", "ftp", "javascript", "https:"] {
            assert_eq!(Site::parse(scheme, "a"), None, "{scheme}");
        }
    }

    proptest! {
        #[test]
        fn a_shown_site_parses_as_the_same_site(https in any::<bool>(), authority in "[a-zA-Z0-9._:-]{1,20}|\\[[0-9a-f:]{2,9}\\](:[0-9]{1,5})?") {
            if let Some(site) = Site::parse(if https { "https" } else { "http" }, &authority) {
                let shown = site.to_string();
                let (scheme, authority) = shown.split_once("://").unwrap();
                prop_assert_eq!(Site::parse(scheme, authority), Some(site.clone()));
                // Numbers and punycode are more to a browser than to us; what it refuses leads nowhere.
                if let Ok(url) = url::Url::parse(&shown) && url.host_str() == Some(&site.host) {
                    prop_assert_eq!(url.origin().ascii_serialization(), shown);
                }
            }
        }
    }
}
