//! The cookies that a site behind the proxy gets: the request's without usher's. Proxies can't parse cookies reliably,
//! so usher returns the cookies that remain.

use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue};
use memchr::memmem;
use percent_encoding::percent_decode;

/// The names of usher's cookies, in lower case and without prefix.
const OWN_NAMES: [&[u8]; 5] =
    [b"usher_entry", b"usher_refresh", b"refresh_token_lf", b"access_token_lf", b"apikey_tkn_lflw"];
const PREFIXES: [&[u8]; 2] = [b"__host-", b"__secure-"];
/// The most cookies of usher's names that a request may have.
const MAX_OWN: usize = 16;
/// Values from this length on are looked for in the other cookies. usher's are longer.
const MIN_SECRET_BYTES: usize = 16;

/// Returns the `Cookie` header for the site, or `None` if it might still contain one of usher's cookies.
pub fn for_site(headers: &HeaderMap) -> Option<HeaderValue> {
    let (mut kept, mut own) = (Vec::new(), Vec::new());
    let pairs = headers.get_all(COOKIE).flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    for pair in pairs.map(<[u8]>::trim_ascii) {
        let Some(equals) = memchr::memchr(b'=', pair).filter(|at| is_plain_name(pair[..*at].trim_ascii())) else {
            continue;
        };
        if is_own(pair[..equals].trim_ascii()) {
            own.push(&pair[equals + 1..]);
        } else {
            if !kept.is_empty() {
                kept.extend(b"; ");
            }
            kept.extend(pair);
        }
    }
    let repeats = |value: &[u8]| {
        let value = trim_quotes(value);
        value.len() >= MIN_SECRET_BYTES && memmem::find(&kept, value).is_some()
    };
    if kept.is_empty() || own.len() > MAX_OWN || own.into_iter().any(repeats) {
        return None;
    }
    HeaderValue::from_bytes(&kept).ok()
}

/// Whether every program reads the name in the same way.
fn is_plain_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b'\\'))
}

/// Whether some program could take this for one of usher's names.
fn is_own(name: &[u8]) -> bool {
    let name: Vec<u8> = percent_decode(name).map(|byte| byte.to_ascii_lowercase()).collect();
    let bare = PREFIXES.iter().find_map(|prefix| name.strip_prefix(*prefix)).unwrap_or(&name);
    OWN_NAMES.contains(&bare)
}

fn trim_quotes(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(cookies: &[&[u8]]) -> Vec<u8> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, HeaderValue::from_bytes(cookie).unwrap());
        }
        for_site(&headers).map(|value| value.as_bytes().to_vec()).unwrap_or_default()
    }

    #[test]
    fn ushers_cookies_are_removed_in_any_spelling_and_others_stay() {
        for own in [
            "usher_entry=x",
            "__Secure-usher_entry=x",
            "__Host-usher_entry=x",
            "__HOST-USHER_ENTRY=x",
            "usher%5Fentry=x",
            "usher_entry = x",
            "usher_refresh=x",
            "__Host-usher_refresh=x",
            "refresh_token_lf=x",
            "access_token_lf=\"x\"",
            "apikey_tkn_lflw=x",
            "\"usher_entry\"=x",
            "nameless",
            "=x",
        ] {
            assert_eq!(kept(&[format!("a=1; {own};{own}; b=2").as_bytes()]), b"a=1; b=2", "{own}");
            assert_eq!(kept(&[own.as_bytes()]), b"", "{own}");
        }
        assert_eq!(
            kept(&[b"name=J\xf6rg; usher_entry=x", b"a[b]=\"c d\"; busher_entry=1"]),
            b"name=J\xf6rg; a[b]=\"c d\"; busher_entry=1"
        );
    }

    #[test]
    fn in_case_of_doubt_the_site_gets_no_cookie() {
        let token = "0123456789abcdef0123456789abcdef";
        assert_eq!(kept(&[format!("usher_entry={token}; copy=x{token}").as_bytes()]), b"");
        assert_eq!(kept(&[format!("usher_entry=\"{token}\"; copy={token}").as_bytes()]), b"");
        let many: Vec<String> = (0..17).map(|n| format!("usher_entry={n}")).collect();
        assert_eq!(kept(&[format!("a=1; {}", many.join("; ")).as_bytes()]), b"");
    }
}
