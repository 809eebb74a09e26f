//! Charsets of forms. As in Starlette, which Langflow uses, text that can't be decoded is Latin-1.

use std::borrow::Cow;

use encoding_rs::{Encoding, WINDOWS_1252};

use crate::http::pipeline::body::header_parameters::{parameter, parameters};

/// Returns the charset that a content type names.
pub fn of(content_type: &str) -> Option<String> {
    parameter(&parameters(content_type), "charset").map(ToOwned::to_owned)
}

/// Decodes text of this charset, or as Latin-1 if that is impossible or the charset is unknown.
pub fn decode<'a>(bytes: &'a [u8], charset: &str) -> Cow<'a, str> {
    let found = Encoding::for_label(charset.as_bytes()).filter(|found| *found != WINDOWS_1252 || is_windows(charset));
    let text = found.and_then(|found| found.decode_without_bom_handling_and_without_replacement(bytes));
    text.unwrap_or_else(|| latin_1(bytes))
}

/// Decodes Latin-1: each byte is the character of that number.
pub fn latin_1(bytes: &[u8]) -> Cow<'_, str> {
    encoding_rs::mem::decode_latin1(bytes)
}

/// Browsers treat the names of Latin-1 as windows-1252. Python, and so Langflow, doesn't.
fn is_windows(charset: &str) -> bool {
    ["windows-1252", "cp1252"].iter().any(|name| charset.trim().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_decoded_as_by_starlette() {
        for (bytes, charset, text) in [
            (&b"\xc3\xa9"[..], "utf-8", "é"),
            (b"\xc3\xa9", "UTF-8", "é"),
            (b"\xe9", "utf-8", "é"),
            (b"\xe9", "iso-8859-1", "é"),
            (b"\xc3\xa9", "ISO-8859-1", "Ã©"),
            (b"\xc3\xa9", "latin-1", "Ã©"),
            (b"\x80", "latin1", "\u{80}"),
            (b"\x80", "windows-1252", "€"),
            (b"\xe9", "us-ascii", "é"),
            (b"\xa4", "iso-8859-15", "€"),
            (b"\xe9", "no such charset", "é"),
            (b"\xc3\xa9", "", "Ã©"),
            (b"\x82\xa0", "shift_jis", "あ"),
        ] {
            assert_eq!(decode(bytes, charset), text, "{bytes:?} {charset}");
        }
    }
}
