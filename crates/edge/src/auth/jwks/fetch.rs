//! One request for a set of keys, bounded in time, size and where it may lead.

use std::time::Duration;

use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderMap, StatusCode};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response};
use thiserror::Error;

use super::url::JwksUrl;
use crate::auth::jose::{Algorithm, KeySet, KeySetError};

/// Largest answer that is read.
pub const JWKS_BYTES_MAX: usize = 256 * 1024;

/// Redirects that are followed, on the same host.
const REDIRECTS_MAX: usize = 3;

/// Why no keys came.
#[derive(Debug, Error)]
pub enum FetchError {
    #[error("the client that fetches keys could not be made: {0}")]
    Client(#[source] reqwest::Error),
    #[error("the keys could not be fetched: {0}")]
    Request(String),
    #[error("the issuer answered {0} where its keys should be")]
    Status(StatusCode),
    #[error("the issuer's answer has more than 262144 bytes")]
    TooLarge,
    #[error("the issuer's answer is no set of keys: {0}")]
    Keys(#[from] KeySetError),
}

/// A set of keys and for how long its answer says that it is good.
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    pub(super) max_age: Option<Duration>,
}

/// Fetches from one address.
pub(super) struct Fetcher {
    url: JwksUrl,
    client: Client,
}

impl Fetcher {
    pub(super) fn new(url: JwksUrl, timeout: Duration) -> Result<Self, FetchError> {
        let mut builder = Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout)
            .redirect(Policy::custom(follow_on_same_host))
            .referer(false)
            .user_agent(concat!("ledgerstone/", env!("CARGO_PKG_VERSION")));
        if url.is_loopback() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(FetchError::Client)?;
        Ok(Self { url, client })
    }

    pub(super) const fn url(&self) -> &JwksUrl {
        &self.url
    }

    pub(super) async fn fetch(&self, allowed: &[Algorithm]) -> Result<Fetched, FetchError> {
        let request = self
            .client
            .get(self.url.as_url().clone())
            .header(ACCEPT, "application/jwk-set+json, application/json");
        let response = request.send().await.map_err(|error| failed(&error))?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let max_age = max_age(response.headers());
        let keys = KeySet::parse(&read(response).await?, allowed)?;
        Ok(Fetched { keys, max_age })
    }
}

/// Another host is another party, whoever sends there.
fn follow_on_same_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let origin = |url: &reqwest::Url| {
        (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default())
    };
    let same =
        attempt.previous().first().is_some_and(|first| origin(first) == origin(attempt.url()));
    if !same {
        attempt.error("it leads to another host")
    } else if attempt.previous().len() > REDIRECTS_MAX {
        attempt.error("it leads on too often")
    } else {
        attempt.follow()
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if body.len() + chunk.len() > JWKS_BYTES_MAX {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The error with its causes, which `reqwest` keeps to itself.
fn failed(error: &reqwest::Error) -> FetchError {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        told.push_str(": ");
        told.push_str(&inner.to_string());
        cause = inner.source();
    }
    FetchError::Request(told)
}

/// RFC 9111 section 5.2.2. What may not be stored is kept for the shortest time there is.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut age = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            let (name, argument) =
                directive.trim().split_once('=').unwrap_or((directive.trim(), ""));
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            if name.eq_ignore_ascii_case("max-age") {
                age = argument.trim_matches('"').parse().ok().map(Duration::from_secs);
            }
        }
    }
    age
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::header::CACHE_CONTROL;
    use http::{HeaderMap, HeaderValue};

    use super::max_age;

    #[test]
    fn the_age_is_read_from_the_answer() {
        for (value, seconds) in [
            ("max-age=600", Some(600)),
            ("public, Max-Age=\"60\", must-revalidate", Some(60)),
            ("max-age=600, no-store", Some(0)),
            ("no-cache", Some(0)),
            ("public", None),
            ("max-age=-1", None),
            ("max-age=soon", None),
            ("max-age", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
            assert_eq!(max_age(&headers), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(max_age(&HeaderMap::new()), None);
    }
}
