//! Owns where a request's head ends, and what of it tells whether a body follows or the connection ends. Interprets nothing: what a head says
//! is actix's to find out.

use memchr::memchr_iter;

/// The most bytes of a request's head.
const MAX_HEAD: usize = 32 * 1024;

/// Whether a whole head is one of a request that surely has no body and says nothing of the connection.
pub fn is_plain(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default().trim_ascii_end();
    let tells = |line: &[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        [b"content-length".as_slice(), b"transfer-encoding", b"upgrade", b"connection"]
            .iter()
            .any(|telling| name.eq_ignore_ascii_case(telling))
    };
    first.starts_with(b"GET ") && first.ends_with(b" HTTP/1.1") && !lines.any(tells)
}

/// Finds where a head ends: at the first empty line behind a line that is not (RFC 9112, section 2.2, which also lets
/// a line end with LF alone, and empty lines stand in front).
#[derive(Debug, Default)]
pub struct Head {
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
    fn only_requests_that_announce_no_body_and_no_end_are_plain() {
        assert!(is_plain(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
        for head in [
            "POST / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-LENGTH: 4\r\n\r\n",
            "GET / HTTP/1.1\nTransfer-Encoding: chunked\n\n",
            "GET / HTTP/1.1\r\nhost: x\r\nUpgrade: websocket\r\n\r\n",
            "GET / HTTP/1.1\r\nConnection: close\r\nhost: x\r\n\r\n",
        ] {
            assert!(!is_plain(head.as_bytes()), "{head}");
        }
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
