//! The client: where the server is and who asks.

use std::fmt;

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::builder::{ClientBuilder, is_loopback};
use crate::retry::Retry;

/// A client of one server with one credential. Copies share their connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    base: Url,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) retry: Retry,
}

impl Client {
    /// Begins a client of the server at this URL: `http` or `https`, host, and a path where the
    /// server stands behind one.
    pub fn builder(url: &str) -> ClientBuilder {
        ClientBuilder::new(url)
    }

    pub(crate) const fn new(
        http: reqwest::Client,
        base: Url,
        authorization: Option<HeaderValue>,
        retry: Retry,
    ) -> Self {
        Self { http, base, authorization, retry }
    }

    /// The same client with another way of repeating requests.
    #[must_use]
    pub fn with_retry(&self, retry: Retry) -> Self {
        Self { retry, ..self.clone() }
    }

    /// The URL of the server.
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    /// Whether the credential crosses a network that anybody on it can read.
    pub fn is_exposed(&self) -> bool {
        self.authorization.is_some() && self.base.scheme() == "http" && !is_loopback(&self.base)
    }

    /// The URL of a route: a path without its first slash, and parameters.
    pub(crate) fn route(&self, path: &str, query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.url())
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
