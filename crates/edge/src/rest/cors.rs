//! Which pages may use the interface from a browser (Fetch standard, CORS).

use std::collections::HashSet;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use thiserror::Error;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::authorise::TENANT;
use super::endpoint::Endpoint;
use super::endpoints::ENDPOINTS;

/// How long a browser may remember what it was allowed.
const PREFLIGHT_AGE: Duration = Duration::from_mins(10);

/// Headers that pages may send.
const REQUEST_HEADERS: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::ACCEPT,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-request-id"),
];

/// Headers that pages may read.
const ANSWER_HEADERS: [HeaderName; 8] = [
    header::ETAG,
    header::LINK,
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("x-request-id"),
    TENANT,
];

/// The origins whose pages may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    #[default]
    None,
    All,
    These(Vec<HeaderValue>),
}

/// An origin that no browser would send.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no origin; write scheme, host and port alone, like https://audit.example.org")]
pub struct OriginError(String);

impl Origins {
    /// Origins as they are configured; `*` stands for all and must stand alone.
    pub fn parse(texts: &[String]) -> Result<Self, OriginError> {
        match texts {
            [] => Ok(Self::None),
            [all] if all == "*" => Ok(Self::All),
            _ => texts.iter().map(|text| origin(text)).collect::<Result<_, _>>().map(Self::These),
        }
    }

    /// What answers browsers; none where no page may ask. Credentials of the browser itself, such
    /// as cookies, are never asked for.
    pub(super) fn layer(&self) -> Option<CorsLayer> {
        let allowed = match self {
            Self::None => return None,
            Self::All => AllowOrigin::any(),
            Self::These(list) => AllowOrigin::list(list.iter().cloned()),
        };
        let layer = CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods(methods())
            .allow_headers(REQUEST_HEADERS)
            .expose_headers(ANSWER_HEADERS)
            .max_age(PREFLIGHT_AGE);
        Some(layer)
    }
}

/// Every method that an endpoint has.
fn methods() -> Vec<Method> {
    let all = ENDPOINTS.iter().flat_map(Endpoint::places).map(|(method, _)| method);
    all.collect::<HashSet<_>>().into_iter().collect()
}

/// `scheme://host[:port]`, as RFC 6454 section 6.1 writes it.
fn origin(text: &str) -> Result<HeaderValue, OriginError> {
    let wrong = || OriginError(text.to_owned());
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().ok_or_else(wrong)?;
    let again = format!("{}://{authority}", uri.scheme_str().unwrap_or_default());
    if !is_web || again != text || authority.as_str().contains('@') || text.contains('*') {
        return Err(wrong());
    }
    HeaderValue::from_str(text).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::Origins;

    fn parsed(texts: &[&str]) -> Result<Origins, super::OriginError> {
        Origins::parse(&texts.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn origins_are_schemes_and_hosts() {
        assert_eq!(parsed(&[]), Ok(Origins::None));
        assert_eq!(parsed(&["*"]), Ok(Origins::All));
        let two = parsed(&["http://localhost:3000", "https://audit.example.org"]).unwrap();
        assert!(matches!(two, Origins::These(list) if list.len() == 2));
        for wrong in [
            "localhost:3000",
            "https://a.example/",
            "https://a.example/path",
            "https://*.example",
            "ftp://a.example",
            "https://u@a.example",
            "null",
            "",
        ] {
            assert!(parsed(&[wrong]).is_err(), "{wrong}");
        }
        assert!(parsed(&["*", "https://a.example"]).is_err());
    }
}
