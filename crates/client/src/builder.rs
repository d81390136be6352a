//! A client is made: where the server is, who asks, and what is trusted.

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Url};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::error::with_causes;
use crate::retry::Retry;

/// How long a connection may take to come about.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long nothing may come while an answer is read.
const READ_PAUSE: Duration = Duration::from_mins(1);

/// How long a connection is kept that nobody uses: less than servers do.
const POOL_TIME: Duration = Duration::from_secs(30);

/// Why there can be no client.
#[derive(Debug, Error)]
pub enum BuildError {
    #[error("{url:?} is no URL of a server: {reason}")]
    Url { url: String, reason: String },
    #[error(
        "the API key has characters that cannot be sent; copy it again, or check the file that it is in"
    )]
    Credential,
    #[error("the certificate authorities are no PEM: {0}")]
    Authorities(String),
    #[error("the HTTP client cannot be made: {0}")]
    Http(String),
}

/// What a client is made from.
pub struct ClientBuilder {
    url: String,
    credential: Option<Zeroizing<String>>,
    authorities: Option<Vec<u8>>,
    retry: Retry,
}

impl ClientBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), credential: None, authorities: None, retry: Retry::default() }
    }

    /// The API key, or a token of an issuer that the server believes.
    #[must_use]
    pub fn api_key(mut self, key: &str) -> Self {
        self.credential = Some(Zeroizing::new(key.trim().to_owned()));
        self
    }

    /// Certificate authorities as PEM, in place of those that the system trusts.
    #[must_use]
    pub fn authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(pem.into());
        self
    }

    /// How often requests are repeated.
    #[must_use]
    pub const fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The client. Nothing is sent yet.
    pub fn build(self) -> Result<Client, BuildError> {
        let base = base_url(&self.url)?;
        let authorization = self.credential.as_deref().map(|key| authorization(key)).transpose()?;
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIME)
            .read_timeout(READ_PAUSE)
            .pool_idle_timeout(POOL_TIME)
            // Elsewhere is somebody else, who is not given the credential.
            .redirect(Policy::none())
            .referer(false)
            .user_agent(concat!("ledgerstone-client/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            http = http.no_proxy();
        }
        if let Some(pem) = &self.authorities {
            let refused = |error: reqwest::Error| BuildError::Authorities(with_causes(&error));
            let certificates = Certificate::from_pem_bundle(pem).map_err(refused)?;
            if certificates.is_empty() {
                return Err(BuildError::Authorities("there is no certificate in it".to_owned()));
            }
            http = http.tls_certs_only(certificates);
        }
        let http = http.build().map_err(|error| BuildError::Http(with_causes(&error)))?;
        Ok(Client::new(http, base, authorization, self.retry))
    }
}

/// The URL under which the routes are, with a slash at its end.
fn base_url(text: &str) -> Result<Url, BuildError> {
    let refused =
        |reason: &str| BuildError::Url { url: text.to_owned(), reason: reason.to_owned() };
    let mut url = Url::parse(text).map_err(|error| match error.to_string().as_str() {
        "relative URL without a base" => {
            refused("it has no scheme; write http:// or https:// before it")
        }
        other => refused(other),
    })?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(refused("it must begin with http:// or https:// and a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // The text may hold a secret, and is not repeated.
        let reason = "it holds a user or password; give an API key by itself".to_owned();
        return Err(BuildError::Url { url: "the URL".to_owned(), reason });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("it has a query or fragment; give it up to the path alone"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn authorization(credential: &str) -> Result<HeaderValue, BuildError> {
    let text = Zeroizing::new(format!("Bearer {credential}"));
    let mut value = HeaderValue::from_str(&text).map_err(|_| BuildError::Credential)?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::{base_url, is_loopback};
    use crate::Client;

    #[test]
    fn a_url_leads_to_a_server() {
        for (text, base) in [
            ("http://localhost:8003", "http://localhost:8003/"),
            ("https://audit.example/ledger", "https://audit.example/ledger/"),
            ("https://audit.example/ledger/", "https://audit.example/ledger/"),
        ] {
            assert_eq!(base_url(text).unwrap().as_str(), base);
        }
        for text in
            ["", "localhost:8003", "ftp://a", "http://", "http://a/?x=1", "http://a/#x", "/tmp"]
        {
            assert!(base_url(text).is_err(), "{text}");
        }
        let error = base_url("http://u:geheim@a/").unwrap_err().to_string();
        assert!(!error.contains("geheim"), "{error}");
    }

    #[test]
    fn loopback_is_known() {
        for (text, expected) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(is_loopback(&base_url(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let client = Client::builder("http://localhost").api_key("lsk_geheim").build().unwrap();
        assert!(!format!("{client:?}").contains("geheim"));
        let broken = Client::builder("http://localhost").api_key("lsk_geheim\n\u{7}").build();
        let error = broken.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("geheim"));
    }
}
