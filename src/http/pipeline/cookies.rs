//! The cookies: Langflow's three, the console's, and the site token for the sites behind the proxy.

use actix_web::http::header::{COOKIE, HeaderMap};

use crate::config::{Config, CookieSecure};
use crate::http::pipeline::client::Client;

/// Langflow's access token cookie.
pub const ACCESS: &str = "access_token_lf";
/// The access token once more, out of reach for scripts, if `access_cookie_readable` is on. Clients of Langflow 1.3
/// read the other cookie; those of 1.13 delete a readable one when they sign in.
pub const ACCESS_HTTP_ONLY: &str = "access_token_usher";
/// Langflow's refresh token cookie.
pub const REFRESH: &str = "refresh_token_lf";
/// The encrypted store key.
pub const STORE_KEY: &str = "apikey_tkn_lflw";

/// The most cookies of one name that are read. A request with more of them counts as without: one of those left out
/// could be the right one.
const MAX_OF_ONE_NAME: usize = 8;
/// The longest value that is read. Browsers store no more than 4096 bytes (RFC 6265, section 6.1).
const MAX_VALUE_BYTES: usize = 4096;

/// The names and attributes of a request's cookies.
#[derive(Clone, Copy, Debug)]
pub struct CookieJar<'a> {
    secure: bool,
    access_readable: bool,
    path: &'a str,
    /// Whether the console sent the request. It keeps its access token in memory, so its only cookie is a refresh
    /// token. Langflow's clients have other cookies, so that no two cookies share one refresh token.
    pub is_console: bool,
}

impl<'a> CookieJar<'a> {
    /// Takes the attributes from the settings and from whether the request came over HTTPS.
    pub fn new(config: &'a Config, client: &Client) -> Self {
        let secure = match config.cookie_secure {
            CookieSecure::Auto => client.https,
            CookieSecure::Always => true,
            CookieSecure::Never => false,
        };
        // The site around usher must not receive the cookies.
        let path = if config.base_path.is_empty() { "/" } else { &config.base_path };
        Self { secure, access_readable: config.access_cookie_readable, path, is_console: client.is_console }
    }

    /// Returns the name of the cookie that holds the refresh token of the client's sign-in.
    pub fn refresh_name(self) -> &'static str {
        if self.is_console { self.console_name() } else { REFRESH }
    }

    /// Returns the name of the console's cookie. Over HTTPS it has a prefix, so that no other host can set it (RFC
    /// 6265bis, section 4.1.3). `__Host-` requires the path `/`, which below another site would send the cookie to that
    /// site.
    pub fn console_name(self) -> &'static str {
        match (self.secure, self.path) {
            (false, _) => "usher_refresh",
            (true, "/") => "__Host-usher_refresh",
            (true, _) => "__Secure-usher_refresh",
        }
    }

    /// Returns the `Set-Cookie` values of the access token.
    pub fn set_access(self, token: &str, seconds: u64) -> impl Iterator<Item = String> {
        let second = self.access_readable.then(|| self.set(ACCESS_HTTP_ONLY, token, seconds));
        [self.set(ACCESS, token, seconds)].into_iter().chain(second)
    }

    /// Returns a `Set-Cookie` value.
    pub fn set(self, name: &str, value: &str, seconds: u64) -> String {
        let http_only = if name == ACCESS && self.access_readable { "" } else { "; HttpOnly" };
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{name}={value}; Max-Age={seconds}; Path={}; SameSite=Lax{http_only}{secure}", self.path)
    }

    /// Returns the `Set-Cookie` value that deletes a cookie.
    pub fn clear(self, name: &str) -> String {
        self.set(name, "", 0)
    }
}

/// Returns the name of the site token's cookie. Over HTTPS it has a prefix: `__Host-` if only usher's own host gets the
/// cookie, so that no other host can set it; else `__Secure-`, which browsers accept only from HTTPS sites.
fn site_token_name(config: &Config) -> &'static str {
    match (config.site_cookie_is_secure(), &config.cookie_domain) {
        (false, _) => "usher_entry",
        (true, None) => "__Host-usher_entry",
        (true, Some(_)) => "__Secure-usher_entry",
    }
}

/// Returns the `Set-Cookie` value of the site token, the only cookie that other hosts receive.
pub fn set_site_token(config: &Config, value: &str, seconds: u64) -> String {
    let name = site_token_name(config);
    let domain = config.cookie_domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
    let secure = if config.site_cookie_is_secure() { "; Secure" } else { "" };
    format!("{name}={value}{domain}; Max-Age={seconds}; Path=/; SameSite=Lax; HttpOnly{secure}")
}

/// Returns the request's site tokens. Any site below `cookie_domain` can add one, so each must be verified.
pub fn site_tokens<'a>(config: &Config, headers: &'a HeaderMap) -> Vec<&'a str> {
    all(headers, site_token_name(config))
}

/// Returns the request's access tokens, each of which may authorize it.
pub fn access_tokens<'a>(config: &Config, headers: &'a HeaderMap) -> Vec<&'a str> {
    let mut found = all(headers, ACCESS);
    if config.access_cookie_readable {
        found.extend(all(headers, ACCESS_HTTP_ONLY));
    }
    found
}

/// Returns the distinct values of all cookies of this name. Cookies of other applications may hold any bytes.
pub fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let pairs = headers.get_all(COOKIE).flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    for pair in pairs {
        let Some(equals) = memchr::memchr(b'=', pair) else { continue };
        let (key, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
        if key != name.as_bytes() || value.len() > MAX_VALUE_BYTES {
            continue;
        }
        let Ok(value) = std::str::from_utf8(value).map(|value| value.trim_matches('"')) else { continue };
        if !value.is_empty() && !found.contains(&value) {
            found.push(value);
        }
        if found.len() > MAX_OF_ONE_NAME {
            return Vec::new();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn cookies_are_found_among_others_and_oddly_written_ones() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1;refresh_token_lf=\"x.y.z\" ; =; b"));
        headers
            .append(COOKIE, HeaderValue::from_bytes(b"name=J\xf6rg; access_token_lf=first; \xff; x=\xe2\x82").unwrap());
        headers.append(COOKIE, HeaderValue::from_static("access_token_lf=second; access_token_lf=first"));
        assert_eq!((all(&headers, REFRESH), all(&headers, ACCESS)), (vec!["x.y.z"], vec!["first", "second"]));
        assert_eq!(all(&headers, STORE_KEY), [""; 0]);
    }

    #[test]
    fn too_many_cookies_of_one_name_and_long_values_are_ignored() {
        let read = |count: usize| {
            let text: Vec<String> = (0..count).map(|n| format!("{REFRESH}={n}")).collect();
            let mut headers = HeaderMap::new();
            headers.append(COOKIE, HeaderValue::from_str(&text.join("; ")).unwrap());
            headers.append(COOKIE, HeaderValue::from_str(&format!("{REFRESH}={}", "x".repeat(4097))).unwrap());
            all(&headers, REFRESH).len()
        };
        assert_eq!([0, 1, 8, 9, 1000].map(read), [0, 1, 8, 0, 0]);
    }
}
