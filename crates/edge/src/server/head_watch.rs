//! Looks along at the headers of HTTP/1.1 requests for the shapes that must be refused and that the parser
//! would silently mend, by which requests are smuggled past whatever stands in front: a `Content-Length`
//! beside a `Transfer-Encoding` (RFC 9112 §6.1), a second `Content-Length` (§6.3), and lines that a line
//! feed alone ends (§2.2).
//!
//! This is no parser: it only refuses more. Behind a chunked body it looks again once the connection
//! waits for a request; the parser closes a connection after such a request in any case.

/// Bytes of a line that are looked at: names and numbers are shorter.
const LINE_BYTES: usize = 64;

/// How the request line of HTTP/2's preface begins (RFC 9113 §3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Why it is in doubt where a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    LengthAndCoding,
    TwoLengths,
    BareLineFeed,
}

impl Doubt {
    /// What is wrong with the request.
    pub(super) const fn detail(self) -> &'static str {
        match self {
            Self::LengthAndCoding => {
                "the request has a Content-Length and a Transfer-Encoding, so it is in doubt where it ends"
            }
            Self::TwoLengths => "the request has more than one Content-Length; give one",
            Self::BareLineFeed => {
                "a line of the request's header ends with a line feed alone; end it with CR LF"
            }
        }
    }
}

/// Where in the stream the next byte is.
#[derive(Debug)]
enum Place {
    Head(Head),
    /// So many bytes of a body are left.
    Body(u64),
    /// In a body whose end is not known here.
    Somewhere,
    /// In HTTP/2, where lengths are no headers.
    Elsewhere,
}

/// What is known of a header that has not ended.
#[derive(Debug, Default)]
struct Head {
    line: Vec<u8>,
    /// The last byte of the line, which may be beyond those that are looked at.
    last: Option<u8>,
    has_begun: bool,
    length: Option<u64>,
    has_coding: bool,
}

/// Follows one connection.
#[derive(Debug)]
pub(super) struct HeadWatch {
    place: Place,
    /// Headers that have ended.
    ended: u64,
}

impl HeadWatch {
    pub(super) fn new() -> Self {
        Self { place: Place::Head(Head::default()), ended: 0 }
    }

    /// Looks at bytes that came in; `is_waiting` where no request runs. Answers which request of the
    /// connection, the first being 0, is in doubt. Requests that were not looked at are not
    /// counted, so the number may be too low and never is too high: from it on all are to be refused.
    pub(super) fn doubtful(&mut self, bytes: &[u8], is_waiting: bool) -> Option<(u64, Doubt)> {
        if is_waiting && matches!(self.place, Place::Somewhere) {
            self.place = Place::Head(Head::default());
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match &mut self.place {
                Place::Somewhere | Place::Elsewhere => return None,
                Place::Body(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= here as u64;
                    rest = rest.get(here..).unwrap_or_default();
                    if *left == 0 {
                        self.place = Place::Head(Head::default());
                    }
                }
                Place::Head(head) => {
                    let end = memchr::memchr(b'\n', rest);
                    head.take(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
                    rest = end.and_then(|end| rest.get(end + 1..)).unwrap_or_default();
                    if end.is_none() {
                        continue;
                    }
                    match head.end_line() {
                        Err(doubt) => return Some((self.ended, doubt)),
                        Ok(None) => {}
                        Ok(Some(next)) => {
                            self.place = next;
                            self.ended += 1;
                        }
                    }
                }
            }
        }
        None
    }
}

impl Head {
    fn take(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES.saturating_sub(self.line.len()).min(bytes.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or_default());
        self.last = bytes.last().copied().or(self.last);
    }

    /// Takes in the line that has ended; answers what comes next where it ended the header.
    fn end_line(&mut self) -> Result<Option<Place>, Doubt> {
        let line = std::mem::take(&mut self.line);
        let is_bare = self.last.take() != Some(b'\r');
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.starts_with(HTTP2_PREFACE) && !self.has_begun {
            return Ok(Some(Place::Elsewhere));
        }
        if line.is_empty() && !self.has_begun {
            return Ok(None);
        }
        if is_bare {
            return Err(Doubt::BareLineFeed);
        }
        if line.is_empty() {
            return Ok(Some(self.after()));
        }
        let is_request_line = !std::mem::replace(&mut self.has_begun, true);
        if !is_request_line && let Some(colon) = memchr::memchr(b':', line) {
            let (name, value) = line.split_at(colon);
            self.take_header(name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii())?;
        }
        Ok(None)
    }

    fn take_header(&mut self, name: &[u8], value: &[u8]) -> Result<(), Doubt> {
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.has_coding = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let number = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            // What is no number the parser refuses.
            if self.length.replace(number.unwrap_or(0)).is_some() {
                return Err(Doubt::TwoLengths);
            }
        }
        let has_both = self.has_coding && self.length.is_some();
        if has_both { Err(Doubt::LengthAndCoding) } else { Ok(()) }
    }

    /// What follows the header.
    fn after(&self) -> Place {
        match self.length {
            _ if self.has_coding => Place::Somewhere,
            Some(length) if length > 0 => Place::Body(length),
            _ => Place::Head(Self::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Doubt, HeadWatch};

    /// What is seen, however the bytes come.
    fn seen(text: &str) -> Option<Doubt> {
        let whole = HeadWatch::new().doubtful(text.as_bytes(), false);
        let mut watch = HeadWatch::new();
        let mut in_pieces = text.as_bytes().iter();
        let pieces = in_pieces.find_map(|byte| watch.doubtful(&[*byte], false));
        assert_eq!(pieces, whole, "{text}");
        whole.map(|(_, doubt)| doubt)
    }

    #[test]
    fn what_is_doubtful_is_seen_in_any_request() {
        let both = "POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 4\r\nX: y\r\nTRANSFER-ENCODING : chunked\r\n\r\n";
        let other = "POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\ncontent-length:4\r\n\r\n";
        let twice = "POST / HTTP/1.1\r\ncontent-length: 0\r\nX: y\r\nContent-length:0\r\n\r\n";
        let long = format!("GET /{} HTTP/1.1\n", "y".repeat(90));
        let plain = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let long_lines = format!("GET /{0} HTTP/1.1\r\nx: {0}\r\n\r\n", "y".repeat(90));
        let with_body = "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n1\n\n\r\n";
        for (text, doubt) in [
            (both, Doubt::LengthAndCoding),
            (other, Doubt::LengthAndCoding),
            (twice, Doubt::TwoLengths),
            ("GET / HTTP/1.1\n", Doubt::BareLineFeed),
            ("GET / HTTP/1.1\r\nhost: a\n\r\n", Doubt::BareLineFeed),
            ("GET / HTTP/1.1\r\nhost: a\r\n\n", Doubt::BareLineFeed),
            (&long, Doubt::BareLineFeed),
        ] {
            for before in ["", plain, &long_lines, with_body, "\r\n", "\n"] {
                assert_eq!(seen(&format!("{before}{text}")), Some(doubt), "{before}{text}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_not_taken_for_one() {
        let body = "transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n";
        let length = body.len();
        for text in [
            format!(
                "POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}GET / HTTP/1.1\r\n\r\n"
            ),
            format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{body}"),
            format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{body}"),
            "GET /?content-length:4 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            format!(
                "GET / HTTP/1.1\r\nx: {}content-length: 4\r\ntransfer-encoding: a\r\n\r\n",
                "y".repeat(90)
            ),
        ] {
            assert_eq!(seen(&text), None, "{text}");
        }
    }

    #[test]
    fn after_a_chunked_body_it_looks_again_once_a_request_is_waited_for() {
        let mut watch = HeadWatch::new();
        let chunked = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        assert_eq!(watch.doubtful(chunked, true), None);
        let both = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n";
        assert_eq!(watch.doubtful(both, true), Some((1, Doubt::LengthAndCoding)));
    }
}
