//! Addresses from which keys may be fetched: over TLS, or from this machine itself.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use thiserror::Error;

/// Why an address is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JwksUrlError {
    #[error("this is no absolute URL")]
    Malformed,
    #[error("keys are fetched over https; plain http is for loopback addresses alone")]
    Scheme,
    #[error("the URL has a user name or a password in it, which would stand in logs")]
    UserInfo,
}

/// The address of a JSON Web Key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksUrl {
    url: Url,
}

impl JwksUrl {
    pub fn parse(text: &str) -> Result<Self, JwksUrlError> {
        let url = Url::parse(text).map_err(|_| JwksUrlError::Malformed)?;
        let host = url.host_str().ok_or(JwksUrlError::Malformed)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(JwksUrlError::UserInfo);
        }
        match url.scheme() {
            "https" => Ok(Self { url }),
            "http" if is_loopback(host) => Ok(Self { url }),
            _ => Err(JwksUrlError::Scheme),
        }
    }

    pub(super) const fn as_url(&self) -> &Url {
        &self.url
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.url.host_str().is_some_and(is_loopback)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.url.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{JwksUrl, JwksUrlError};

    #[test]
    fn only_tls_or_this_machine() {
        for text in [
            "https://issuer.example/keys",
            "https://issuer.example:8443/a?b=c",
            "http://127.0.0.1:9000/keys",
            "http://127.9.9.9/keys",
            "http://[::1]:9000/keys",
            "http://localhost/keys",
        ] {
            assert_eq!(JwksUrl::parse(text).map(|url| url.to_string()).as_deref(), Ok(text));
        }
        for (text, error) in [
            ("", JwksUrlError::Malformed),
            ("/keys", JwksUrlError::Malformed),
            ("http://issuer.example/keys", JwksUrlError::Scheme),
            ("http://127.0.0.1.example/keys", JwksUrlError::Scheme),
            ("http://localhost.example/keys", JwksUrlError::Scheme),
            ("http://10.0.0.1/keys", JwksUrlError::Scheme),
            ("file:///etc/keys", JwksUrlError::Malformed),
            ("ftp://issuer.example/keys", JwksUrlError::Scheme),
            ("https://user@issuer.example/keys", JwksUrlError::UserInfo),
            ("https://:pw@issuer.example/keys", JwksUrlError::UserInfo),
        ] {
            assert_eq!(JwksUrl::parse(text), Err(error), "{text}");
        }
    }
}
