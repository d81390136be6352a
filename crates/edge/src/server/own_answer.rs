//! What the HTTP/1.1 parser answers by itself, to requests that never became any, has a body here like
//! every other problem.

use ledgerstone_model::ErrorCode;

use crate::rest::Problem;

/// The headers that the parser gives its own answers, and all of them. Those of requests have more.
const HEADERS: [&str; 3] = ["connection: close", "content-length: 0", "date: "];

/// The answer in place of one that the parser made by itself; `None` for every other text.
pub(super) fn instead_of(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let head = text.strip_suffix("\r\n\r\n")?;
    let (status_line, headers) = head.split_once("\r\n")?;
    let status = status_line.strip_prefix("HTTP/1.1 ")?;
    let mut lines = headers.split("\r\n");
    let is_its_own = lines.all(|line| {
        let line = line.to_ascii_lowercase();
        HEADERS.iter().any(|header| line.starts_with(header))
    });
    if !is_its_own {
        return None;
    }
    let (code, detail) = match status.get(..3)? {
        "400" => (ErrorCode::MalformedRequest, "the request is not well-formed HTTP/1.1"),
        "414" => (ErrorCode::HeadersTooLarge, "the path and its parameters are too long"),
        "431" => {
            (ErrorCode::HeadersTooLarge, "the request's line and headers are too large or too many")
        }
        _ => return None,
    };
    let body = Problem::new(code, detail).to_json(None).to_string();
    Some(
        format!(
            "{status_line}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
             cache-control: no-store\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use super::instead_of;

    fn answer(text: &str) -> Option<String> {
        instead_of(text.as_bytes()).map(|answer| String::from_utf8(answer).unwrap())
    }

    #[test]
    fn only_the_parsers_own_answers_are_replaced() {
        let own = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: Sat, 21 Nov 2026 17:00:00 GMT\r\n\r\n";
        let told = answer(own).unwrap();
        assert!(
            told.starts_with("HTTP/1.1 400 Bad Request\r\n") && told.contains("MALFORMED_REQUEST")
        );
        let large = own.replace("400 Bad Request", "431 Request Header Fields Too Large");
        assert!(answer(&large).unwrap().contains("HEADERS_TOO_LARGE"));
        for other in [
            own.replace("content-length: 0", "content-length: 0\r\nx-request-id: 1"),
            own.replace("400 Bad Request", "200 OK"),
            format!("{own}x"),
            "HTTP/1.1 400 Bad Request\r\n".to_owned(),
        ] {
            assert_eq!(answer(&other), None, "{other}");
        }
    }
}
