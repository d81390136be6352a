//! The root key in the transit engine of Vault or `OpenBao`, which never gives it away.
//!
//! Wrapped: the ciphertext as the engine writes it. The tenant is associated data, and the context
//! for keys that derive; an engine that knows neither would ignore both, so what is encrypted says
//! whose it is, too.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ledgerstone_ledger::sealing_keys::{RootKey, RootKeyError, WrappedBy};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::TenantId;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::authorities::Authorities;
use crate::caller::{Answer, Caller, Reach, quoted, send};
use crate::service::{Place, RootKeyService, RootKeySource, SetupError};
use crate::service_url::ServiceUrl;

pub(crate) const SERVICE: RootKeyService = RootKeyService {
    name: "vault",
    about: "a key of the transit engine of HashiCorp Vault or OpenBao",
    mark: 2,
};

/// What the engine encrypts: this byte, the length of the tenant's name, the name, the secrets.
const FORM: u8 = 1;

/// Bytes of a request's body; it holds one base64 of less than 200 bytes, and two short names.
const REQUEST_BYTES: usize = 1024;

/// A token, or where the newest one is.
#[derive(Clone)]
pub enum VaultToken {
    Given(Zeroizing<String>),
    /// Read for every call: an agent puts new ones there.
    File(PathBuf),
}

impl fmt::Debug for VaultToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("Given(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// A name in a URL of Vault: a mount, which may have slashes in it, or a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultName(String);

/// The name is none that Vault has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it has other characters than letters, digits and . _ -, or an empty part")]
pub struct VaultNameError;

impl VaultName {
    /// A name of one part.
    pub fn parse(text: &str) -> Result<Self, VaultNameError> {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_name =
            !text.is_empty() && text.chars().all(is_fine) && !text.trim_matches('.').is_empty();
        if is_name { Ok(Self(text.to_owned())) } else { Err(VaultNameError) }
    }

    /// A path of such names; slashes at its ends do not count.
    pub fn parse_path(text: &str) -> Result<Self, VaultNameError> {
        let text = text.trim_matches('/');
        text.split('/').try_for_each(|part| Self::parse(part).map(drop))?;
        Ok(Self(text.to_owned()))
    }
}

/// A key of a transit engine, and how it is reached.
#[derive(Clone, Debug)]
pub struct VaultSource {
    pub address: ServiceUrl,
    /// Where the engine is mounted; usually `transit`.
    pub mount: VaultName,
    pub key: VaultName,
    pub namespace: Option<VaultName>,
    pub token: VaultToken,
    pub authorities: Authorities,
    /// How long a call may take.
    pub timeout: Duration,
}

impl RootKeySource for VaultSource {
    fn service(&self) -> &'static RootKeyService {
        &SERVICE
    }

    fn open(&self, place: &Place, _: bool) -> Result<Box<dyn RootKey>, SetupError> {
        let reach = Reach {
            timeout: self.timeout,
            authorities: self.authorities.clone(),
            is_loopback: self.address.is_loopback(),
        };
        let caller = Caller::new(reach, place.clock.clone());
        Ok(Box::new(VaultRootKey { source: self.clone(), caller }))
    }
}

#[derive(Debug)]
struct VaultRootKey {
    source: VaultSource,
    caller: Caller,
}

impl RootKey for VaultRootKey {
    fn kind(&self) -> &'static str {
        SERVICE.name
    }

    fn wrap(&self, tenant: &TenantId, secrets: &[u8]) -> Result<Vec<u8>, RootKeyError> {
        let text = Zeroizing::new(STANDARD.encode(bound(tenant, secrets)));
        let answer = self.call("encrypt", ("plaintext", &text), tenant)?;
        if answer.status != StatusCode::OK {
            return Err(refused(&answer));
        }
        let data: Encrypted<'_> = data_of(&answer)?;
        Ok(data.ciphertext.as_bytes().to_vec())
    }

    fn unwrap(
        &self,
        tenant: &TenantId,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        let is_text = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let text = std::str::from_utf8(wrapped).ok().filter(is_text);
        let text = text.ok_or_else(|| wrong("it is none of its ciphertexts"))?;
        let answer = self.call("decrypt", ("ciphertext", text), tenant)?;
        if answer.status != StatusCode::OK {
            return Err(match told(&answer) {
                Some(why) if answer.status == StatusCode::BAD_REQUEST && is_of_another(&why) => {
                    RootKeyError::Wrong(why)
                }
                _ => refused(&answer),
            });
        }
        let data: Decrypted<'_> = data_of(&answer)?;
        let plain = Zeroizing::new(STANDARD.decode(data.plaintext).map_err(|_| no_answer())?);
        unbound(tenant, &plain)
    }

    /// A ciphertext begins with `vault:v<version>:`, by which the key can be told apart from others.
    fn wrapped_by(&self, wrapped: &[u8]) -> Option<WrappedBy> {
        let text = std::str::from_utf8(wrapped).ok()?;
        let version = text.split(':').nth(1)?;
        let key = Some(format!("{}:{version}", self.source.key.0));
        Some(WrappedBy { service: SERVICE.name.to_owned(), key })
    }
}

impl VaultRootKey {
    fn call(
        &self,
        operation: &str,
        (name, value): (&str, &str),
        tenant: &TenantId,
    ) -> Result<Answer, RootKeyError> {
        let source = &self.source;
        let (mount, key) = (&source.mount.0, &source.key.0);
        let url = source.address.route(&format!("v1/{mount}/{operation}/{key}"));
        let headers = source.headers()?;
        let body = body((name, value), tenant);
        self.caller.ask(|client| send(client.post(url).headers(headers).body(body)))
    }
}

impl VaultSource {
    fn headers(&self) -> Result<HeaderMap, RootKeyError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Agents that guard against forged requests of browsers ask for it.
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
        let token = match &self.token {
            VaultToken::Given(token) => token.clone(),
            VaultToken::File(path) => {
                let text = std::fs::read_to_string(path).map(Zeroizing::new);
                text.map_err(|error| {
                    RootKeyError::Unavailable(format!("the token in {}: {error}", path.display()))
                })?
            }
        };
        headers.insert("x-vault-token", secret_header(&token)?);
        if let Some(VaultName(namespace)) = &self.namespace {
            let name = HeaderName::from_static("x-vault-namespace");
            headers.insert(name, secret_header(namespace)?);
        }
        Ok(headers)
    }
}

fn secret_header(text: &str) -> Result<HeaderValue, RootKeyError> {
    let mut value = HeaderValue::from_str(text.trim()).map_err(|_| {
        RootKeyError::Refused("the token has characters that cannot be sent".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The body of a request about something of a tenant.
fn body((name, value): (&str, &str), tenant: &TenantId) -> Bytes {
    let tenant = STANDARD.encode(tenant.as_str());
    // Room for all of it, so that no copy of a secret stays behind when it grows.
    let mut body = Zeroizing::new(Vec::with_capacity(REQUEST_BYTES));
    let mut object = ObjectWriter::open(&mut body);
    object.text("associated_data", &tenant);
    object.text("context", &tenant);
    object.text(name, value);
    object.close();
    Bytes::from_owner(body)
}

/// Secrets with the tenant that they are of.
fn bound(tenant: &TenantId, secrets: &[u8]) -> Zeroizing<Vec<u8>> {
    let tenant = tenant.as_str().as_bytes();
    let length = u8::try_from(tenant.len()).unwrap_or(u8::MAX);
    let mut text = Zeroizing::new(Vec::with_capacity(2 + tenant.len() + secrets.len()));
    text.extend_from_slice(&[FORM, length]);
    text.extend_from_slice(tenant);
    text.extend_from_slice(secrets);
    text
}

/// The secrets in what [`bound`] made for this tenant.
fn unbound(tenant: &TenantId, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
    let secrets = match text.split_first_chunk::<2>() {
        Some(([FORM, length], rest)) => rest
            .split_at_checked(usize::from(*length))
            .filter(|(of, _)| *of == tenant.as_str().as_bytes())
            .map(|(_, secrets)| secrets),
        _ => None,
    };
    let secrets = secrets.ok_or_else(|| wrong("it was wrapped for another tenant"))?;
    Ok(Zeroizing::new(secrets.to_vec()))
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct Encrypted<'a> {
    ciphertext: &'a str,
}

#[derive(Deserialize)]
struct Decrypted<'a> {
    plaintext: &'a str,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

fn data_of<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<T, RootKeyError> {
    let envelope: Envelope<T> = serde_json::from_slice(&answer.body).map_err(|_| no_answer())?;
    Ok(envelope.data)
}

/// What the service says is wrong.
fn told(answer: &Answer) -> Option<String> {
    let Errors { errors } = serde_json::from_slice(&answer.body).ok()?;
    (!errors.is_empty()).then(|| quoted(&errors.join("; ")))
}

/// Whether this is said of a ciphertext that the key did not make, or not for this tenant.
fn is_of_another(why: &str) -> bool {
    ["invalid ciphertext", "message authentication failed"].iter().any(|part| why.contains(part))
}

/// What an answer other than 200 means. 472 and 473 are standby nodes, 412 one that is behind.
fn refused(answer: &Answer) -> RootKeyError {
    let status = answer.status.as_u16();
    let why = match told(answer) {
        Some(why) => format!("it answered {status}: {why}"),
        None => format!("it answered {status}"),
    };
    match status {
        408 | 412 | 429 | 472 | 473 | 500..=599 => RootKeyError::Unavailable(why),
        _ => RootKeyError::Refused(why),
    }
}

fn no_answer() -> RootKeyError {
    RootKeyError::Refused("its answer is none of the transit engine".to_owned())
}

fn wrong(why: &str) -> RootKeyError {
    RootKeyError::Wrong(why.to_owned())
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::TenantId;

    use super::{VaultName, VaultToken, bound, unbound};

    #[test]
    fn names_stay_in_their_place_of_the_url() {
        for name in ["transit", "ledger-root", "a.b_c", "7"] {
            assert_eq!(VaultName::parse(name).unwrap().0, name);
        }
        for name in ["", ".", "..", "a/b", "a b", "a%2fb", "ä", "a?b", "a\n"] {
            assert!(VaultName::parse(name).is_err(), "{name:?}");
        }
        assert_eq!(VaultName::parse_path("/team/a/transit/").unwrap().0, "team/a/transit");
        for path in ["", "/", "a//b", "a/../b", "a/?"] {
            assert!(VaultName::parse_path(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn what_is_encrypted_says_whose_it_is() {
        let tenant = |name: &str| TenantId::parse(name).unwrap();
        let text = bound(&tenant("acme"), b"keys");
        assert_eq!(text.as_slice(), b"\x01\x04acmekeys");
        assert_eq!(unbound(&tenant("acme"), &text).unwrap().as_slice(), b"keys");
        for other in ["acm", "acmekeys", "other"] {
            assert!(unbound(&tenant(other), &text).is_err(), "{other}");
        }
        for wrong in [&b""[..], b"\x01", b"\x02\x04acmekeys", b"\x01\xffacmekeys"] {
            assert!(unbound(&tenant("acme"), wrong).is_err());
        }
    }

    #[test]
    fn tokens_do_not_show() {
        let token = VaultToken::Given(zeroize::Zeroizing::new("hvs.geheim".to_owned()));
        assert_eq!(format!("{token:?}"), "Given(…)");
    }
}
