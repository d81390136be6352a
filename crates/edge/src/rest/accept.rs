//! Which of two forms a client would rather have, by its `Accept` header (RFC 9110 §12.5.1).

use http::{HeaderMap, header};

/// Forms of answers that come as text or as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Text,
}

impl Form {
    const fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("application", "json"),
            Self::Text => ("text", "plain"),
        }
    }

    /// The form that the header prefers; `usual` where it has no preference, or names neither.
    pub(super) fn preferred(headers: &HeaderMap, usual: Self) -> Self {
        let other = match usual {
            Self::Json => Self::Text,
            Self::Text => Self::Json,
        };
        if other.quality(headers) > usual.quality(headers) { other } else { usual }
    }

    /// How much the form is wanted, from 0 to 1000, by the most specific range that matches it.
    fn quality(self, headers: &HeaderMap) -> u16 {
        let (kind, subtype) = self.media_type();
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges = values.flat_map(|value| value.split(','));
        let matching = ranges.filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next()?.to_ascii_lowercase();
            let specific = match name.split_once('/')? {
                (k, s) if k == kind && s == subtype => 2,
                (k, "*") if k == kind => 1,
                ("*", "*") => 0,
                _ => return None,
            };
            let quality = parts.find_map(|parameter| parameter.strip_prefix("q="));
            Some((specific, quality.map_or(1000, thousandths)))
        });
        matching.max().map_or(0, |(_, quality)| quality)
    }
}

/// A quality like `0.5`; one that cannot be read counts as 0.
fn thousandths(text: &str) -> u16 {
    match text.split_once('.').unwrap_or((text, "")) {
        ("1", _) => 1000,
        ("0", digits) if digits.len() <= 3 => format!("{digits:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::Form::{self, Json, Text};

    fn preferred(accept: &'static str, usual: Form) -> Form {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        Form::preferred(&headers, usual)
    }

    #[test]
    fn without_a_preference_it_is_the_usual_form() {
        for usual in [Json, Text] {
            assert_eq!(Form::preferred(&HeaderMap::new(), usual), usual);
            for accept in ["*/*", "image/png", "", "application/json, text/plain", ";;q=,/"] {
                assert_eq!(preferred(accept, usual), usual, "{accept}");
            }
        }
    }

    #[test]
    fn the_form_that_is_asked_for_is_given() {
        for accept in ["application/json", "Application/JSON; q=0.9, */*;q=0.1", "application/*"] {
            assert_eq!(preferred(accept, Text), Json, "{accept}");
        }
        for accept in [
            "text/plain",
            "text/*;q=0.2",
            "application/json;q=0, text/plain;q=0.001",
            "application/json;q=0.5, text/plain",
        ] {
            assert_eq!(preferred(accept, Json), Text, "{accept}");
        }
        assert_eq!(preferred("*/*, application/json;q=0.1", Json), Text);
    }
}
