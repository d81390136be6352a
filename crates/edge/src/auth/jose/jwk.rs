//! JSON Web Key sets (RFC 7517, RFC 7518 section 6, RFC 8037): of each key only the public half,
//! only for signatures, and only for an algorithm that the issuer is configured with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerstone_model::json::{Value, ValueKind};
use thiserror::Error;

use super::algorithm::Algorithm;
use super::canonical;
use super::jws::CompactJws;
use super::key::{JoseKey, KeyError};

/// Keys that one set may have.
const KEYS_MAX: usize = 100;

/// Keys that one token is tried against.
const TRIES_MAX: usize = 4;

/// Why a text is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeySetError {
    #[error("the text is not JSON, or an object in it names a member twice")]
    NotJson,
    #[error("there is no array `keys` in it")]
    NoKeys,
    #[error("it has more than 100 keys")]
    TooMany,
}

/// The keys that an issuer's tokens may be signed with.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<JoseKey>,
    unusable: usize,
}

impl KeySet {
    pub fn new(keys: Vec<JoseKey>) -> Self {
        Self { keys, unusable: 0 }
    }

    /// Reads a set. Keys that cannot be used, for whatever reason, are left out (RFC 7517 section 5).
    pub fn parse(text: &[u8], allowed: &[Algorithm]) -> Result<Self, KeySetError> {
        let text = canonical(text).ok_or(KeySetError::NotJson)?;
        let set = Value::new(&text);
        if set.kind() != ValueKind::Object {
            return Err(KeySetError::NoKeys);
        }
        let keys = set.member("keys").map_err(|_| KeySetError::NotJson)?;
        let keys = keys.filter(|keys| keys.kind() == ValueKind::Array);
        let mut elements = keys.ok_or(KeySetError::NoKeys)?.elements();
        let mut read = Self::default();
        while let Some(key) = elements.next_element().map_err(|_| KeySetError::NotJson)? {
            if read.keys.len() + read.unusable >= KEYS_MAX {
                return Err(KeySetError::TooMany);
            }
            match (Jwk { value: key }).read(allowed) {
                Ok(key) => read.keys.push(key),
                Err(_) => read.unusable += 1,
            }
        }
        Ok(read)
    }

    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys of the text were left out.
    pub const fn unusable(&self) -> usize {
        self.unusable
    }

    /// Whether there is a key that the token could mean.
    pub fn has_key_for(&self, token: &CompactJws<'_>) -> bool {
        self.meant(token).next().is_some()
    }

    /// Whether one of the keys that the token could mean signed it. A token that names no key is
    /// tried against a few, and against none where there are more.
    pub fn verifies(&self, token: &CompactJws<'_>) -> bool {
        self.meant(token).count() <= TRIES_MAX && self.meant(token).any(|key| key.verifies(token))
    }

    fn meant<'s>(&'s self, token: &'s CompactJws<'_>) -> impl Iterator<Item = &'s JoseKey> {
        let algorithm = Algorithm::parse(token.algorithm());
        self.keys.iter().filter(move |key| {
            let is_named = match (key.key_id(), token.key_id()) {
                (Some(own), Some(wanted)) => own == wanted,
                _ => true,
            };
            is_named && Some(key.algorithm()) == algorithm
        })
    }
}

/// One key of a set, as it is written.
struct Jwk<'a> {
    value: Value<'a>,
}

impl Jwk<'_> {
    fn read(&self, allowed: &[Algorithm]) -> Result<JoseKey, KeyError> {
        if self.value.kind() != ValueKind::Object {
            return Err(KeyError::Malformed);
        }
        let is_for_signatures = self.text("use")?.is_none_or(|usage| usage == "sig");
        if !is_for_signatures || !self.may_verify()? {
            return Err(KeyError::Algorithm);
        }
        let algorithm = self.algorithm(allowed)?;
        let key = match algorithm {
            Algorithm::EdDsa => JoseKey::from_raw(algorithm, &self.bytes("x", Some(32))?)?,
            Algorithm::Es256 => JoseKey::from_raw(algorithm, &self.point(32)?)?,
            Algorithm::Es384 => JoseKey::from_raw(algorithm, &self.point(48)?)?,
            Algorithm::Ps256 | Algorithm::Rs256 => {
                JoseKey::from_rsa(algorithm, &self.bytes("n", None)?, &self.bytes("e", None)?)?
            }
            Algorithm::Hs256 => return Err(KeyError::Algorithm),
        };
        Ok(key.named(self.text("kid")?))
    }

    /// The one algorithm of the key: what its type and curve allow, what it says itself, and what the
    /// issuer is configured with.
    fn algorithm(&self, allowed: &[Algorithm]) -> Result<Algorithm, KeyError> {
        let (kind, curve) = (self.text("kty")?, self.text("crv")?);
        let possible: &[Algorithm] = match (kind.as_deref(), curve.as_deref()) {
            (Some("OKP"), Some("Ed25519")) => &[Algorithm::EdDsa],
            (Some("EC"), Some("P-256")) => &[Algorithm::Es256],
            (Some("EC"), Some("P-384")) => &[Algorithm::Es384],
            (Some("RSA"), None) => &[Algorithm::Ps256, Algorithm::Rs256],
            _ => &[],
        };
        let said = self.text("alg")?;
        let said = match &said {
            Some(name) => Some(Algorithm::parse(name).ok_or(KeyError::Algorithm)?),
            None => None,
        };
        let mut fitting = possible
            .iter()
            .filter(|one| allowed.contains(one) && said.is_none_or(|said| said == **one));
        match (fitting.next(), fitting.next()) {
            (Some(one), None) => Ok(*one),
            (Some(_), Some(_)) => Err(KeyError::SeveralAlgorithms),
            (None, _) => Err(KeyError::Algorithm),
        }
    }

    /// RFC 7517 section 4.3.
    fn may_verify(&self) -> Result<bool, KeyError> {
        let Some(operations) = self.member("key_ops")? else { return Ok(true) };
        let mut elements = operations.elements();
        while let Some(operation) = elements.next_element().map_err(|_| KeyError::Malformed)? {
            if operation.text().as_deref() == Some("verify") {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An uncompressed point; each coordinate has its full length (RFC 7518 section 6.2.1.2).
    fn point(&self, length: usize) -> Result<Vec<u8>, KeyError> {
        let mut point = vec![4];
        point.extend(self.bytes("x", Some(length))?);
        point.extend(self.bytes("y", Some(length))?);
        Ok(point)
    }

    fn bytes(&self, name: &str, length: Option<usize>) -> Result<Vec<u8>, KeyError> {
        let text = self.text(name)?.ok_or(KeyError::Malformed)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Malformed)?;
        if length.is_some_and(|length| length != bytes.len()) {
            return Err(KeyError::Malformed);
        }
        // Some issuers write the sign byte of a number too.
        let zeros =
            if length.is_some() { 0 } else { bytes.iter().take_while(|b| **b == 0).count() };
        Ok(bytes.into_iter().skip(zeros).collect())
    }

    fn text(&self, name: &str) -> Result<Option<String>, KeyError> {
        let Some(value) = self.member(name)? else { return Ok(None) };
        value.text().map(|text| Some(text.into_owned())).ok_or(KeyError::Malformed)
    }

    fn member(&self, name: &str) -> Result<Option<Value<'_>>, KeyError> {
        self.value.member(name).map_err(|_| KeyError::Malformed)
    }
}
