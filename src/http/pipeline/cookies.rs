//! Owns the cookies: the three of the original, and the one that lets people into other sites. Their names, attributes,
//! and how they are read.

use actix_web::http::header::{COOKIE, HeaderMap};

use crate::config::{Config, CookieSecure};

/// The access token, for the client's own use; it never authorizes a request but `GET /session` and log-out.
pub const ACCESS: &str = "access_token_lf";
/// The refresh token.
pub const REFRESH: &str = "refresh_token_lf";
/// The encrypted store key.
pub const STORE_KEY: &str = "apikey_tkn_lflw";

/// How cookies are set for one request.
#[derive(Clone, Copy, Debug)]
pub struct CookieJar<'a> {
    secure: bool,
    access_readable: bool,
    path: &'a str,
}

impl<'a> CookieJar<'a> {
    /// By the settings, and by whether the request came over HTTPS.
    pub fn new(config: &'a Config, https: bool) -> Self {
        let secure = match config.cookie_secure {
            CookieSecure::Auto => https,
            CookieSecure::Always => true,
            CookieSecure::Never => false,
        };
        // Below another site, they are none of that site's business.
        let path = if config.base_path.is_empty() { "/" } else { &config.base_path };
        Self { secure, access_readable: config.access_cookie_readable, path }
    }

    /// A `Set-Cookie` header's value.
    pub fn set(self, name: &str, value: &str, seconds: u64) -> String {
        let http_only = if name == ACCESS && self.access_readable { "" } else { "; HttpOnly" };
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{name}={value}; Max-Age={seconds}; Path={}; SameSite=Lax{http_only}{secure}", self.path)
    }

    /// The same cookie, gone.
    pub fn clear(self, name: &str) -> String {
        self.set(name, "", 0)
    }
}

/// The cookie of this name that the client sent; of several the last, as the original does. Below another site it is the
/// first: that site may have cookies of the same names, and browsers send those of the longest path first (RFC 6265,
/// section 5.4).
pub fn get<'a>(config: &Config, headers: &'a HeaderMap, name: &'a str) -> Option<&'a str> {
    let mut found = all(headers, name);
    if config.base_path.is_empty() { found.last() } else { found.next() }
}

/// The name of the cookie by which proxies know who enters the sites behind them. Where it goes over HTTPS alone, the
/// name is one that browsers take from nowhere else (RFC 6265bis, section 4.1.3.1).
fn entry_name(config: &Config) -> &'static str {
    if config.entry_by_https() { "__Secure-usher_entry" } else { "usher_entry" }
}

/// Sets that cookie, the only one that other hosts are sent.
pub fn set_entry(config: &Config, value: &str, seconds: u64) -> String {
    let name = entry_name(config);
    let domain = config.cookie_domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
    let secure = if config.entry_by_https() { "; Secure" } else { "" };
    format!("{name}={value}{domain}; Max-Age={seconds}; Path=/; SameSite=Lax; HttpOnly{secure}")
}

/// The entry cookie that came. Of several it is the last: that of the shortest path, which is ours. A site that sets one
/// of this name for a part of its neighbours' addresses does not get in front of it.
pub fn get_entry<'a>(config: &Config, headers: &'a HeaderMap) -> Option<&'a str> {
    all(headers, entry_name(config)).last()
}

fn all<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let sent = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    sent.filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(found, _)| found.trim() == name)
        .map(|(_, value)| value.trim().trim_matches('"'))
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn cookies_are_found_among_others_and_oddly_written_ones() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1;refresh_token_lf=\"x.y.z\" ; =; b"));
        headers.append(COOKIE, HeaderValue::from_static("access_token_lf=first; access_token_lf=second"));
        let found = |name| all(&headers, name).collect::<Vec<_>>();
        assert_eq!((found(REFRESH), found(ACCESS)), (vec!["x.y.z"], vec!["first", "second"]));
        assert_eq!(found(STORE_KEY), [""; 0]);
    }
}
