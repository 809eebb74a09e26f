//! The cookies: Langflow's three, and the site token for the sites behind the proxy.

use actix_web::http::header::{COOKIE, HeaderMap};

use crate::config::{Config, CookieSecure};

/// The access token, for the client's own use. Only `GET /session` and sign-out accept it.
pub const ACCESS: &str = "access_token_lf";
/// The refresh token.
pub const REFRESH: &str = "refresh_token_lf";
/// The encrypted store key.
pub const STORE_KEY: &str = "apikey_tkn_lflw";

/// The attributes of a request's cookies.
#[derive(Clone, Copy, Debug)]
pub struct CookieJar<'a> {
    secure: bool,
    access_readable: bool,
    path: &'a str,
}

impl<'a> CookieJar<'a> {
    /// Takes the attributes from the settings and from whether the request came over HTTPS.
    pub fn new(config: &'a Config, https: bool) -> Self {
        let secure = match config.cookie_secure {
            CookieSecure::Auto => https,
            CookieSecure::Always => true,
            CookieSecure::Never => false,
        };
        // The site around usher must not receive the cookies.
        let path = if config.base_path.is_empty() { "/" } else { &config.base_path };
        Self { secure, access_readable: config.access_cookie_readable, path }
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

/// Returns the request's last cookie of this name, as Langflow does. Below a base path it is the first: the site around
/// usher may have cookies of the same name, and browsers send those with the longest path first (RFC 6265, section 5.4).
pub fn get<'a>(config: &Config, headers: &'a HeaderMap, name: &'a str) -> Option<&'a str> {
    let mut found = all(headers, name);
    if config.base_path.is_empty() { found.last() } else { found.next() }
}

/// Returns the name of the site token's cookie. Over HTTPS it has the prefix `__Secure-`, which browsers accept only from
/// HTTPS sites (RFC 6265bis, section 4.1.3.1).
fn site_token_name(config: &Config) -> &'static str {
    if config.entry_by_https() { "__Secure-usher_entry" } else { "usher_entry" }
}

/// Returns the `Set-Cookie` value of the site token, the only cookie that other hosts receive.
pub fn set_site_token(config: &Config, value: &str, seconds: u64) -> String {
    let name = site_token_name(config);
    let domain = config.cookie_domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
    let secure = if config.entry_by_https() { "; Secure" } else { "" };
    format!("{name}={value}{domain}; Max-Age={seconds}; Path=/; SameSite=Lax; HttpOnly{secure}")
}

/// Returns the request's site token. Of several cookies the last counts, which has the shortest path and is usher's own:
/// another site can't override it with a cookie for a longer path.
pub fn site_token<'a>(config: &Config, headers: &'a HeaderMap) -> Option<&'a str> {
    all(headers, site_token_name(config)).last()
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
