//! Queries and forms. Urlencoded ones (`a=b&c=d`) are parsed by the URL standard. The last of repeated names counts.

use std::borrow::Cow;

use crate::http::pipeline::body::charset;
use crate::http::pipeline::body::multipart;

/// The names and values of a query or form. A value that is a file is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormPairs<'a>(Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>);

impl<'a> FormPairs<'a> {
    /// Parses any bytes: invalid escapes stay as they are, and invalid UTF-8 becomes replacement characters.
    pub fn parse(text: &'a [u8]) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        Self(url::form_urlencoded::parse(text).map(|(name, value)| (name, Some(value))).collect())
    }

    /// Returns the last value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.last(name)?.as_deref()
    }

    /// Reports whether the last value of this name is a file.
    pub fn is_file(&self, name: &str) -> bool {
        self.last(name).is_some_and(Option::is_none)
    }

    fn last(&self, name: &str) -> Option<&Option<Cow<'a, str>>> {
        self.0.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value)
    }
}

impl FormPairs<'static> {
    /// Parses the body of a form. With another content type than a form's it has no fields. Returns `None` if it is
    /// malformed.
    pub fn parse_body(content_type: &str, body: &[u8]) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-www-form-urlencoded" => {
                // Langflow takes unescaped bytes for Latin-1, whatever the charset. Scripts send UTF-8.
                let is_utf8 = charset::of(content_type).is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"));
                let text = if is_utf8 { charset::decode(body, "utf-8") } else { charset::latin_1(body) };
                let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
                let pairs = url::form_urlencoded::parse(without_cut_off_field(&text).as_bytes());
                Some(Self(pairs.map(|(name, value)| (owned(name), Some(owned(value)))).collect()))
            }
            "multipart/form-data" => {
                let charset = charset::of(content_type).unwrap_or_else(|| "utf-8".to_owned());
                let fields = multipart::parse(body, &multipart::boundary(content_type)?, &charset)?;
                Some(Self(fields.into_iter().map(|(name, text)| (name.into(), text.map(Cow::Owned))).collect()))
            }
            _ => Some(Self::default()),
        }
    }
}

/// Drops a last field without `=`, as Langflow's form parser does.
fn without_cut_off_field(text: &str) -> &str {
    let start = text.rfind('&').map_or(0, |at| at + 1);
    if text[start..].contains('=') { text } else { &text[..start] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_of_repeated_names_counts_and_escapes_are_read() {
        let pairs = FormPairs::parse(b"a=1&b=x+y%2B%25&a=2&=&c&%6e=%C3%A9&d=%zz%");
        assert_eq!(pairs.get("a"), Some("2"));
        assert_eq!(pairs.get("b"), Some("x y+%"));
        assert_eq!(pairs.get("c"), Some(""));
        assert_eq!(pairs.get("n"), Some("é"));
        assert_eq!(pairs.get("d"), Some("%zz%"));
        assert_eq!(pairs.get("z"), None);
    }

    proptest! {
        #[test]
        fn encoded_values_are_decoded_unchanged(name in any::<String>(), value in any::<String>()) {
            let text = url::form_urlencoded::Serializer::new(String::new()).append_pair(&name, &value).finish();
            let pairs = FormPairs::parse(text.as_bytes());
            prop_assert_eq!(pairs.get(&name), Some(value.as_str()));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = FormPairs::parse(&bytes).get("a");
        }
    }
}
