//! Owns where a request's head ends, and what of it tells whether a body follows. Interprets nothing: what a head says
//! is actix's to find out.

use memchr::memchr_iter;

/// The most bytes of a request's head.
const MAX_HEAD: usize = 32 * 1024;

/// Whether a whole head is one of a request that surely has no body.
pub(super) fn is_bodiless(head: &[u8]) -> bool {
    let announces = |line: &[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"transfer-encoding")
    };
    head.starts_with(b"GET ") && !head.split(|byte| *byte == b'\n').any(announces)
}

/// Finds where a head ends: at the first empty line behind a line that is not (RFC 9112, section 2.2, which also lets
/// a line end with LF alone, and empty lines stand in front).
#[derive(Debug, Default)]
pub(super) struct Head {
    /// How many bytes it has so far, without empty lines in front.
    pub length: usize,
    /// Whether what was seen last are the beginning of a line and perhaps a CR.
    at_line_start: bool,
    /// How long the one before it was, if there was one.
    pub last: Option<usize>,
}

impl Head {
    /// Whether it, or the one before it, has more bytes than a head may have.
    pub fn is_too_large(&self) -> bool {
        self.length.max(self.last.unwrap_or(0)) > MAX_HEAD
    }

    /// Goes on with these bytes: how many of them belong to the head, and whether it ends with them.
    pub fn scan(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut line = 0;
        for at in memchr_iter(b'\n', bytes) {
            let text = &bytes[line..at];
            let empty = text.is_empty() || text == b"\r";
            let is_empty = empty && (line > 0 || self.at_line_start || self.length == 0);
            line = at + 1;
            if is_empty && self.length > 0 {
                *self = Self { last: Some(self.length), ..Self::default() };
                return (line, true);
            }
            if !is_empty {
                self.length += text.len() + 1;
            }
            self.at_line_start = true;
        }
        let rest = &bytes[line..];
        let still = (rest.is_empty() || rest == b"\r") && (line > 0 || self.at_line_start || self.length == 0);
        if !still {
            self.length += rest.len();
        }
        self.at_line_start = still;
        (bytes.len(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_requests_that_announce_no_body_are_sure_to_have_none() {
        assert!(is_bodiless(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
        for head in ["POST / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nContent-LENGTH: 4\r\n\r\n"] {
            assert!(!is_bodiless(head.as_bytes()), "{head}");
        }
        assert!(!is_bodiless(b"GET / HTTP/1.1\nTransfer-Encoding: chunked\n\n"));
    }

    proptest! {
        #[test]
        fn a_head_ends_at_its_first_empty_line_however_it_is_cut(
            lines in prop::collection::vec(("[a-z: ]{1,9}", "\r?\n"), 1..5),
            before in "(\r?\n){0,2}",
            end in "\r?\n",
            cut in 0..9_usize,
        ) {
            let text: Vec<String> = lines.iter().flat_map(|(line, newline)| [line.clone(), newline.clone()]).collect();
            let text = text.concat();
            let whole = format!("{before}{text}{end}GET");
            let mut head = Head::default();
            let (mut found, mut at) = (None, 0);
            for piece in whole.as_bytes().chunks(cut + 1) {
                let (given, ended) = head.scan(piece);
                if ended {
                    found = Some(at + given);
                    break;
                }
                at += given;
            }
            prop_assert_eq!(found, Some(whole.len() - 3));
        }
    }
}
