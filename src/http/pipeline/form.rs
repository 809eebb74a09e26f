//! Queries and urlencoded forms (`a=b&c=d`), parsed by the URL standard. The last of repeated names counts.

use std::borrow::Cow;

/// The names and values of a query or form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormPairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> FormPairs<'a> {
    /// Parses any bytes: invalid escapes stay as they are, and invalid UTF-8 becomes replacement characters.
    pub fn parse(text: &'a [u8]) -> Self {
        if text.is_empty() { Self::default() } else { Self(url::form_urlencoded::parse(text).collect()) }
    }

    /// Returns the last value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value.as_ref())
    }
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
        fn what_was_encoded_is_read_back(name in any::<String>(), value in any::<String>()) {
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
