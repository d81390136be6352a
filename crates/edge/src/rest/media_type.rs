//! What a body is, by its `Content-Type`.

use http::{HeaderMap, HeaderValue, header};
use ledgerstone_model::ErrorCode;

use super::problem::Problem;

/// Types of bodies that events come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    Json,
    Ndjson,
}

/// The types that `POST /v1/events` reads, for those who sent another.
const ACCEPT_POST: HeaderValue = HeaderValue::from_static("application/json, application/x-ndjson");
const ACCEPT_POST_NAME: http::HeaderName = http::HeaderName::from_static("accept-post");

impl MediaType {
    /// The type that a request names; JSON where it names none.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        let Some(value) = values.next() else { return Ok(Self::Json) };
        let text = value.to_str().unwrap_or_default();
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let is_utf8 = parts.all(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            !name.trim().eq_ignore_ascii_case("charset")
                || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        });
        match essence.as_str() {
            _ if values.next().is_some() => Err(unsupported("it is named twice")),
            _ if !is_utf8 => Err(unsupported("its charset is not utf-8")),
            "application/json" => Ok(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Self::Ndjson),
            _ => Err(unsupported(
                "send application/json, or application/x-ndjson for one event a line",
            )),
        }
    }
}

fn unsupported(why: &str) -> Problem {
    let detail = format!("the body's Content-Type is not understood: {why}");
    Problem::new(ErrorCode::UnsupportedMediaType, detail).with_header(ACCEPT_POST_NAME, ACCEPT_POST)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};
    use ledgerstone_model::ErrorCode;

    use super::MediaType;

    fn named(names: &[&str]) -> Result<MediaType, ErrorCode> {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_str(name).unwrap());
        }
        MediaType::of(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn types_are_known_by_any_spelling() {
        assert_eq!(named(&[]), Ok(MediaType::Json));
        for name in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert_eq!(named(&[name]), Ok(MediaType::Json), "{name}");
        }
        for name in
            ["application/x-ndjson", "application/jsonl", "application/ndjson; charset=utf-8"]
        {
            assert_eq!(named(&[name]), Ok(MediaType::Ndjson), "{name}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for names in [
            &["text/plain"][..],
            &["application/x-www-form-urlencoded"],
            &["application/json; charset=latin-1"],
            &["application/json", "application/json"],
            &["json"],
            &[""],
        ] {
            assert_eq!(named(names), Err(ErrorCode::UnsupportedMediaType), "{names:?}");
        }
    }
}
