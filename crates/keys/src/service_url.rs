//! Where a service is: over TLS, or on this machine itself, where an agent may stand before it.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use thiserror::Error;

/// Why a URL is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ServiceUrlError {
    #[error("it is no absolute URL")]
    Malformed,
    #[error("secrets are sent over https; plain http is for loopback addresses alone")]
    Scheme,
    #[error("it has a user or password in it, which would stand in logs")]
    UserInfo,
    #[error("it has a query or fragment; give it up to the path alone")]
    Query,
}

/// The URL of a service, up to the path under which its routes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUrl(Url);

impl ServiceUrl {
    pub fn parse(text: &str) -> Result<Self, ServiceUrlError> {
        let mut url = Url::parse(text).map_err(|_| ServiceUrlError::Malformed)?;
        if !url.has_host() || url.cannot_be_a_base() {
            return Err(ServiceUrlError::Malformed);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ServiceUrlError::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ServiceUrlError::Query);
        }
        if !(url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url)) {
            return Err(ServiceUrlError::Scheme);
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self(url))
    }

    /// The URL of a route, which is plain ASCII without a slash before it.
    pub(crate) fn route(&self, route: &str) -> Url {
        let mut url = self.0.clone();
        let path = format!("{}{route}", url.path());
        url.set_path(&path);
        url
    }

    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str())
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::{ServiceUrl, ServiceUrlError};

    #[test]
    fn only_tls_or_this_machine() {
        for (text, route) in [
            ("https://vault.example", "https://vault.example/v1/a"),
            ("https://vault.example:8200/", "https://vault.example:8200/v1/a"),
            ("https://proxy.example/vault", "https://proxy.example/vault/v1/a"),
            ("http://127.0.0.1:8100", "http://127.0.0.1:8100/v1/a"),
            ("http://[::1]:8100", "http://[::1]:8100/v1/a"),
            ("http://localhost:8100", "http://localhost:8100/v1/a"),
        ] {
            let url = ServiceUrl::parse(text).unwrap();
            assert_eq!(url.route("v1/a").as_str(), route);
            assert_eq!(url.is_loopback(), text.starts_with("http:"), "{text}");
        }
        for (text, error) in [
            ("", ServiceUrlError::Malformed),
            ("vault.example:8200", ServiceUrlError::Malformed),
            ("http://vault.example", ServiceUrlError::Scheme),
            ("http://127.0.0.1.example", ServiceUrlError::Scheme),
            ("ftp://vault.example", ServiceUrlError::Scheme),
            ("https://me@vault.example", ServiceUrlError::UserInfo),
            ("https://:pw@vault.example", ServiceUrlError::UserInfo),
            ("https://vault.example/?a=b", ServiceUrlError::Query),
            ("https://vault.example/#a", ServiceUrlError::Query),
        ] {
            assert_eq!(ServiceUrl::parse(text), Err(error), "{text}");
        }
    }
}
