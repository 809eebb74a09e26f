//! Validates the URL that a browser is sent back to. Only URLs that every program reads in the same way are accepted;
//! the rules decide about their sites.

use url::Url;

use crate::domain::site::Site;

/// The longest accepted address.
const MAX_BYTES: usize = 8000;

/// An address of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnUrl {
    pub site: Site,
    /// The whole address, as browsers write it.
    pub url: String,
}

impl ReturnUrl {
    /// Parses an absolute `http` or `https` URL. Browsers repair addresses: they drop line breaks, read `\` as `/`,
    /// accept `https:evil.net` and find hosts behind `@`. Addresses that need such a repair are refused.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let site = Site::parse(scheme, authority)?;
        let url = Url::parse(text).ok()?;
        // A browser's parser must find the same site.
        let same = url.origin().ascii_serialization() == site.to_string();
        same.then(|| Self { site, url: url.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unambiguous_addresses_are_accepted() {
        for (text, url) in [
            ("https://app.example.org", "https://app.example.org/"),
            (
                "https://app.example.org/a//b/../c?x=https://evil.net/&y=@#z",
                "https://app.example.org/a//c?x=https://evil.net/&y=@#z",
            ),
            ("http://app.example.org:8080/%2F%5C", "http://app.example.org:8080/%2F%5C"),
            ("https://APP.example.org:443/", "https://app.example.org/"),
            ("https://[::1]:8443/", "https://[::1]:8443/"),
        ] {
            assert_eq!(ReturnUrl::parse(text).unwrap().url, url);
        }
    }

    #[test]
    fn ambiguous_addresses_are_refused() {
        for text in [
            "",
            "/",
            "//app.example.org/",
            "app.example.org",
            "https:/app.example.org/",
            "https:app.example.org/",
            "https:///app.example.org/",
            "https://",
            "https://app.example.org\\@evil.net/",
            "https://app.example.org\\.evil.net/",
            "https:\\\\evil.net/",
            "https://app.example.org@evil.net/",
            "https://user:pw@app.example.org/",
            "https://@app.example.org/",
            "https://evil.net%2f@app.example.org/",
            "https://app.example.org%2eevil.net/",
            "https://app.example.org:/",
            "https://app.example.org:99999/",
            "https://app.example.org:44３/",
            "https://аpp.example.org/",
            "https://app。example.org/",
            "https://app.example.org\t/",
            " https://app.example.org/",
            "https://app.example.org/ ",
            "https://app.example.org/\r\nSet-Cookie: a=b",
            "ht\ntps://app.example.org/",
            "javascript://app.example.org/%0Aalert(1)",
            "data://app.example.org/",
            "ftp://app.example.org/",
            "HTTPS://app.example.org/",
            "https://[app.example.org]/",
            "https://app.example.org./",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://xn--a/",
        ] {
            assert_eq!(ReturnUrl::parse(text), None, "{text}");
        }
        assert_eq!(ReturnUrl::parse(&format!("https://a/{}", "x".repeat(MAX_BYTES))), None);
    }

    proptest! {
        #[test]
        fn every_accepted_address_leads_to_its_site(text in "(https?|ftp|):?[/\\\\]{0,3}[a-z@:.%\\\\/?#\\[\\] 0-9é-]{0,30}") {
            if let Some(target) = ReturnUrl::parse(&text) {
                let read = Url::parse(&target.url).unwrap();
                prop_assert_eq!(read.origin().ascii_serialization(), target.site.to_string());
                prop_assert!(read.username().is_empty() && read.password().is_none());
                prop_assert_eq!(ReturnUrl::parse(&target.url), Some(target));
            }
        }
    }
}
