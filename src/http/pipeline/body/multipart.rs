//! `multipart/form-data` (RFC 7578). Like python-multipart, which Langflow uses, except that an incomplete body is
//! refused as a whole.

use memchr::memmem;

use crate::http::pipeline::body::charset;
use crate::http::pipeline::body::header_parameters::{parameter, parameters};

/// A field's name, and its text. `None` stands for a file.
pub type Field = (String, Option<String>);

/// Parses a body whose texts have this charset. Returns `None` if it is malformed or incomplete.
pub fn parse(body: &[u8], boundary: &str, charset: &str) -> Option<Vec<Field>> {
    if boundary.is_empty() {
        return None;
    }
    let delimiter = format!("\r\n--{boundary}");
    let delimiters = memmem::Finder::new(&delimiter);
    let mut start = body;
    while let Some(rest) = start.strip_prefix(b"\r\n") {
        start = rest;
    }
    let mut rest = start.strip_prefix(&delimiter.as_bytes()[2..])?;
    let mut fields = Vec::new();
    while !rest.starts_with(b"--") {
        let part = rest.strip_prefix(b"\r\n")?;
        let head_end = memmem::find(part, b"\r\n\r\n")?;
        let (head, content) = (charset::decode(&part[..head_end], "utf-8"), &part[head_end + 4..]);
        // The delimiter may follow at once.
        let from = &part[head_end + 2..];
        let is_delimiter = |at: &usize| {
            let after = &from[at + delimiter.len()..];
            after.starts_with(b"\r\n") || after.starts_with(b"--")
        };
        let end = delimiters.find_iter(from).find(is_delimiter)?;
        let disposition = parameters(header(&head, "content-disposition")?);
        let name = parameter(&disposition, "name")?.to_owned();
        let is_file = disposition.iter().any(|(name, _)| name == "filename" || name == "filename*");
        let text = || charset::decode(&content[..end.saturating_sub(2)], charset).into_owned();
        fields.push((name, (!is_file).then(text)));
        rest = &from[end + delimiter.len()..];
    }
    Some(fields)
}

/// Returns the boundary in a content type.
pub fn boundary(content_type: &str) -> Option<String> {
    parameter(&parameters(content_type), "boundary").map(ToOwned::to_owned)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(head: &str, content: &str) -> String {
        format!("--xYz\r\n{head}\r\n\r\n{content}\r\n")
    }

    fn named(name: &str, content: &str) -> String {
        part(&format!("Content-Disposition: form-data; name=\"{name}\""), content)
    }

    fn read(body: &str) -> Option<Vec<Field>> {
        parse(body.as_bytes(), "xYz", "utf-8")
    }

    fn field(name: &str, text: &str) -> Field {
        (name.to_owned(), Some(text.to_owned()))
    }

    #[test]
    fn fields_are_read_in_every_form_of_the_original() {
        let one = |body: &str| read(&format!("{body}--xYz--")).and_then(|fields| fields.first().cloned());
        for (body, want) in [
            (named("a", "b"), field("a", "b")),
            (named("a", ""), field("a", "")),
            (format!("\r\n{}", named("a", "b")), field("a", "b")),
            (named("a", "b\r\n--xYzw\r\n-\n--xYz"), field("a", "b\r\n--xYzw\r\n-\n--xYz")),
            (part("content-DISPOSITION:form-data;NAME = a ; x", "b"), field("a", "b")),
            (part("X: y\r\nContent-Disposition: form-data; name=\"a\\\"b;=\"; x=\"", "é"), field("a\"b;=", "é")),
        ] {
            assert_eq!(one(&body), Some(want), "{body:?}");
        }
        let file = part("Content-Disposition: form-data; name=a; filename=\"\"", "b");
        assert_eq!(one(&file), Some(("a".to_owned(), None)));
        assert_eq!(read("--xYz--junk"), Some(vec![]));
        let two = format!("{}{}--xYz--\r\njunk", named("a", "1"), named("a", "2"));
        assert_eq!(read(&two), Some(vec![field("a", "1"), field("a", "2")]));
        assert_eq!(parse(b"--xYz\r\n\xff\r\n\r\n\r\n--xYz--", "xYz", "utf-8"), None);
    }

    #[test]
    fn malformed_or_incomplete_values_are_refused() {
        let whole = format!("{}--xYz--", named("a", "b"));
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None, "{end}");
        }
        for body in [
            format!("junk\r\n{whole}"),
            whole.replace("\r\n", "\n"),
            whole.replace(" name=\"a\"", ""),
            whole.replace("Content-Disposition", "X"),
            whole.replace("xYz\r", "xYz \r"),
        ] {
            assert_eq!(read(&body), None, "{body:?}");
        }
        assert_eq!(parse(whole.as_bytes(), "", "utf-8"), None);
        assert_eq!(parse(whole.as_bytes(), "xY", "utf-8"), None);
    }

    #[test]
    fn boundaries_are_read_with_and_without_quotes() {
        assert_eq!(boundary("multipart/form-data; charset=utf-8; Boundary=\"a b\""), Some("a b".to_owned()));
        assert_eq!(boundary("multipart/form-data;boundary=ab; x"), Some("ab".to_owned()));
        assert_eq!(boundary("multipart/form-data; x"), None);
    }

    proptest! {
        #[test]
        fn encoded_values_are_decoded_unchanged(name in "[^\"\\\\\r\n]{1,9}", text in any::<String>()) {
            prop_assume!(!text.contains("--xYz"));
            prop_assert_eq!(read(&format!("{}--xYz--", named(&name, &text))), Some(vec![field(&name, &text)]));
        }

        #[test]
        fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..60), text in "(--xYz|\r\n|-|name=|;|\"|:|Content-Disposition| ){0,20}") {
            let _ = parse(&body, "xYz", "utf-16");
            let _ = read(&text);
            let _ = read(&format!("--xYz\r\n{text}"));
            let _ = parameters(&text);
        }
    }
}
