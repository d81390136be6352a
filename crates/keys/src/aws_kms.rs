//! The root key in AWS KMS, which never gives it away.
//!
//! Wrapped: the `CiphertextBlob`. The tenant is the encryption context, which KMS authenticates and
//! `CloudTrail` shows.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use ledgerstone_ledger::sealing_keys::{RootKey, RootKeyError, WrappedBy};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::TenantId;
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::Signer;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::aws_credentials::{AwsEnvironment, context, provider};
use crate::caller::{Answer, Caller, Reach, quoted, send};
use crate::service::{Place, RootKeyService, RootKeySource, SetupError};
use crate::service_url::{ServiceUrl, ServiceUrlError};

pub(crate) const SERVICE: RootKeyService =
    RootKeyService { name: "aws-kms", about: "a symmetric key of AWS KMS", mark: 3 };

/// The member of the encryption context that names the tenant; frozen.
const CONTEXT_NAME: &str = "ledgerstone:tenant";

/// Bytes of a request's body; it holds one base64 of less than 600 bytes, and two names.
const REQUEST_BYTES: usize = 4096;

/// A key as KMS knows it: its id, ARN or alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsKmsKey(String);

/// A region, such as `eu-central-1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsRegion(String);

/// A name that AWS does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AwsNameError {
    #[error("it is no id, ARN or alias of a key")]
    Key,
    #[error("it is no region, such as eu-central-1")]
    Region,
}

impl AwsKmsKey {
    pub fn parse(text: &str) -> Result<Self, AwsNameError> {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '_' | '-');
        let is_name = (1..=2048).contains(&text.len()) && text.chars().all(is_fine);
        if is_name { Ok(Self(text.to_owned())) } else { Err(AwsNameError::Key) }
    }

    /// The region that an ARN names.
    pub fn region(&self) -> Option<AwsRegion> {
        let mut parts = self.0.split(':');
        let is_arn = parts.next() == Some("arn") && parts.nth(1) == Some("kms");
        if is_arn { AwsRegion::parse(parts.next()?).ok() } else { None }
    }
}

impl AwsRegion {
    pub fn parse(text: &str) -> Result<Self, AwsNameError> {
        let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_name = (1..=32).contains(&text.len()) && text.chars().all(is_fine);
        if is_name { Ok(Self(text.to_owned())) } else { Err(AwsNameError::Region) }
    }

    /// Where KMS is in this region.
    pub fn endpoint(&self) -> Result<ServiceUrl, ServiceUrlError> {
        let domain = if self.0.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        ServiceUrl::parse(&format!("https://kms.{}.{domain}", self.0))
    }
}

/// A key of KMS, and how it is reached.
#[derive(Clone, Debug)]
pub struct AwsKmsSource {
    pub key: AwsKmsKey,
    pub region: AwsRegion,
    pub endpoint: ServiceUrl,
    /// Where credentials are looked for.
    pub environment: AwsEnvironment,
    /// How long a call may take, getting credentials included.
    pub timeout: Duration,
}

impl RootKeySource for AwsKmsSource {
    fn service(&self) -> &'static RootKeyService {
        &SERVICE
    }

    fn open(&self, place: &Place, _: bool) -> Result<Box<dyn RootKey>, SetupError> {
        let reach = Reach {
            timeout: self.timeout,
            authorities: crate::Authorities::default(),
            is_loopback: self.endpoint.is_loopback(),
        };
        let caller = Caller::new(reach, place.clock.clone());
        Ok(Box::new(AwsKmsRootKey { source: self.clone(), caller, signer: OnceLock::new() }))
    }
}

struct AwsKmsRootKey {
    source: AwsKmsSource,
    caller: Caller,
    /// Keeps credentials until they end.
    signer: OnceLock<Signer<Credential>>,
}

impl fmt::Debug for AwsKmsRootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKmsRootKey").field("source", &self.source).finish_non_exhaustive()
    }
}

impl RootKey for AwsKmsRootKey {
    fn kind(&self) -> &'static str {
        SERVICE.name
    }

    fn wrap(&self, tenant: &TenantId, secrets: &[u8]) -> Result<Vec<u8>, RootKeyError> {
        let text = Zeroizing::new(STANDARD.encode(secrets));
        let body = self.body(tenant, |object| object.text("Plaintext", &text), |_| {});
        let answer = self.call("TrentService.Encrypt", body)?;
        let Encrypted { blob } = done(&answer)?;
        STANDARD.decode(blob).map_err(|_| no_answer())
    }

    fn unwrap(
        &self,
        tenant: &TenantId,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        let blob = STANDARD.encode(wrapped);
        let body = self.body(tenant, |_| {}, |object| object.text("CiphertextBlob", &blob));
        let answer = self.call("TrentService.Decrypt", body)?;
        let Decrypted { plaintext } = done(&answer)?;
        Ok(Zeroizing::new(STANDARD.decode(plaintext).map_err(|_| no_answer())?))
    }

    /// As the settings name the key: what KMS gives says nothing to others.
    fn wrapped_by(&self, _: &[u8]) -> Option<WrappedBy> {
        let key = Some(self.source.key.0.clone());
        Some(WrappedBy { service: SERVICE.name.to_owned(), key })
    }
}

impl AwsKmsRootKey {
    /// The body of a request about something of a tenant, with what stands behind and before the
    /// members that all have.
    fn body(
        &self,
        tenant: &TenantId,
        behind: impl FnOnce(&mut ObjectWriter<'_>),
        before: impl FnOnce(&mut ObjectWriter<'_>),
    ) -> Bytes {
        // Room for all of it, so that no copy of a secret stays behind when it grows.
        let mut body = Zeroizing::new(Vec::with_capacity(REQUEST_BYTES));
        let mut object = ObjectWriter::open(&mut body);
        before(&mut object);
        let mut context = ObjectWriter::open(object.key("EncryptionContext"));
        context.text(CONTEXT_NAME, tenant.as_str());
        context.close();
        object.text("KeyId", &self.source.key.0);
        behind(&mut object);
        object.close();
        Bytes::from_owner(body)
    }

    fn call(&self, operation: &'static str, body: Bytes) -> Result<Answer, RootKeyError> {
        let url = self.source.endpoint.route("");
        self.caller.ask(|client| {
            let signer = self.signer.get_or_init(|| self.source.signer(&client)).clone();
            async move {
                let (mut parts, ()) = http::Request::builder()
                    .method(Method::POST)
                    .uri(url.as_str())
                    .header(CONTENT_TYPE, "application/x-amz-json-1.1")
                    .header("x-amz-target", operation)
                    .header("x-amz-content-sha256", hex::encode(digest(&SHA256, &body)))
                    .body(())
                    .map_err(|error| unfit(&error))?
                    .into_parts();
                let outcome = signer.sign(&mut parts, None).await;
                // A provider of credentials that is away looks like one that has none.
                outcome.map_err(|error| {
                    let why = quoted(&error.to_string());
                    RootKeyError::Unavailable(format!("there are no AWS credentials: {why}"))
                })?;
                let request = http::Request::from_parts(parts, body);
                let request = request.try_into().map_err(|error| unfit(&error))?;
                send(RequestBuilder::from_parts(client, request)).await
            }
        })
    }
}

impl AwsKmsSource {
    fn signer(&self, client: &Client) -> Signer<Credential> {
        let context = context(client, &self.environment);
        Signer::new(context, provider(), RequestSigner::new("kms", &self.region.0))
    }
}

fn unfit(error: &dyn fmt::Display) -> RootKeyError {
    RootKeyError::Refused(format!("the request cannot be made: {error}"))
}

#[derive(Deserialize)]
struct Encrypted<'a> {
    #[serde(rename = "CiphertextBlob")]
    blob: &'a str,
}

#[derive(Deserialize)]
struct Decrypted<'a> {
    #[serde(rename = "Plaintext")]
    plaintext: &'a str,
}

/// An error of the JSON protocol.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "__type")]
    name: String,
    #[serde(alias = "Message", default)]
    message: String,
}

fn done<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<T, RootKeyError> {
    if answer.status != StatusCode::OK {
        return Err(refused(answer));
    }
    serde_json::from_slice(&answer.body).map_err(|_| no_answer())
}

/// What an answer other than 200 means, by the names that the API reference of KMS gives.
fn refused(answer: &Answer) -> RootKeyError {
    let status = answer.status.as_u16();
    let told: Option<Told> = serde_json::from_slice(&answer.body).ok();
    let name = told.as_ref().map_or("", |told| told.name.as_str());
    // Some services put the name of their model before it.
    let name = name.rsplit('#').next().unwrap_or(name);
    let why = match &told {
        Some(Told { message, .. }) => quoted(&format!("it answered {status} {name}: {message}")),
        None => format!("it answered {status}"),
    };
    match name {
        "InvalidCiphertextException" | "IncorrectKeyException" => RootKeyError::Wrong(why),
        "ThrottlingException"
        | "RequestLimitExceeded"
        | "DependencyTimeoutException"
        | "KeyUnavailableException"
        | "KMSInternalException" => RootKeyError::Unavailable(why),
        _ if status == 429 || status >= 500 => RootKeyError::Unavailable(why),
        _ => RootKeyError::Refused(why),
    }
}

fn no_answer() -> RootKeyError {
    RootKeyError::Refused("its answer is none of KMS".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{AwsKmsKey, AwsRegion};

    #[test]
    fn keys_and_regions_have_the_names_that_aws_gives() {
        let region = |key: &str| AwsKmsKey::parse(key).unwrap().region();
        let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        assert_eq!(region(arn), AwsRegion::parse("eu-central-1").ok());
        let china = "arn:aws-cn:kms:cn-north-1:111122223333:alias/ledgerstone";
        assert_eq!(region(china), AwsRegion::parse("cn-north-1").ok());
        for key in ["1234abcd-12ab-34cd-56ef-1234567890ab", "alias/ledgerstone", "arn:aws:s3:a:b:c"]
        {
            assert_eq!(region(key), None, "{key}");
        }
        for key in ["", "a b", "a\"b", "ä", &"k".repeat(2049)] {
            assert!(AwsKmsKey::parse(key).is_err(), "{key}");
        }
        for (name, url) in [
            ("eu-central-1", "https://kms.eu-central-1.amazonaws.com/"),
            ("cn-north-1", "https://kms.cn-north-1.amazonaws.com.cn/"),
        ] {
            let region = AwsRegion::parse(name).unwrap();
            assert_eq!(region.endpoint().unwrap().to_string(), url);
        }
        for name in ["", "EU", "a.b", "a/b", "x@y", &"r".repeat(33)] {
            assert!(AwsRegion::parse(name).is_err(), "{name}");
        }
    }
}
