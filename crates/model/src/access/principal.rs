//! Opaque names for whoever acts, so that records can say who without naming a person.

use std::fmt;

use ledgerstone_proof::{Hash, sha256};

use super::api_key::ApiKeyId;

/// Hexadecimal digits of a hash that an id keeps: 128 bits.
const DIGITS: usize = 32;

/// What the ids of API keys begin with.
const API_KEY_PREFIX: &str = "key:";

/// What the ids of those begin with for whom others vouch.
const JWT_PREFIX: &str = "jwt:";
const CERTIFICATE_PREFIX: &str = "x509:";
const HASHED: [&str; 2] = [JWT_PREFIX, CERTIFICATE_PREFIX];

/// What somebody proves with who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    ApiKey,
    Jwt,
    Certificate,
}

impl CredentialKind {
    /// The word for it in events and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Jwt => "jwt",
            Self::Certificate => "certificate",
        }
    }
}

/// Who acts, as an opaque id: `key:<id>` of an API key, `jwt:` or `x509:` and 32 hexadecimal digits
/// of a hash for those that others vouch for. The same principal always has the same id; who it is
/// stands in `audit` records alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalId(String);

impl PrincipalId {
    pub fn of_api_key(id: &ApiKeyId) -> Self {
        Self(format!("{API_KEY_PREFIX}{id}"))
    }

    /// Of a token's issuer and subject: SHA-256 of both with a zero byte between them.
    pub fn of_jwt(issuer: &str, subject: &str) -> Self {
        let mut named = Vec::with_capacity(issuer.len() + subject.len() + 1);
        named.extend_from_slice(issuer.as_bytes());
        named.push(0);
        named.extend_from_slice(subject.as_bytes());
        Self(shortened(JWT_PREFIX, &sha256(&named)))
    }

    /// Of a certificate's name, which is a URI or a DNS name.
    pub fn of_certificate(name: &str) -> Self {
        Self(shortened(CERTIFICATE_PREFIX, &sha256(name.as_bytes())))
    }

    /// Reads the id of a credential, in exactly the spelling that [`fmt::Display`] writes.
    pub fn parse_credential(text: &str) -> Option<Self> {
        let digits = HASHED.iter().find_map(|prefix| text.strip_prefix(prefix));
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_one = match digits {
            Some(digits) => digits.len() == DIGITS && digits.bytes().all(is_digit),
            None => text.strip_prefix(API_KEY_PREFIX).and_then(ApiKeyId::parse).is_some(),
        };
        is_one.then(|| Self(text.to_owned()))
    }

    /// The API key that it is, if it is one.
    pub fn api_key(&self) -> Option<ApiKeyId> {
        self.0.strip_prefix(API_KEY_PREFIX).and_then(ApiKeyId::parse)
    }

    /// Of somebody at the machine itself, e.g. `uid:1000`.
    pub fn of_operator(id: &str) -> Self {
        Self(id.to_owned())
    }

    /// Reads an id out of a record: at most 256 printable ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        (is_printable && (1..=256).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn shortened(prefix: &str, hash: &Hash) -> String {
    let mut text = hash.to_hex();
    text.truncate(DIGITS);
    format!("{prefix}{text}")
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiKeyId, PrincipalId};

    #[test]
    fn ids_are_opaque_and_for_ever() {
        let key = ApiKeyId::parse("abcdefghij234567").unwrap();
        assert_eq!(PrincipalId::of_api_key(&key).as_str(), "key:abcdefghij234567");
        assert_eq!(PrincipalId::of_api_key(&key).api_key(), Some(key));
        assert_eq!(PrincipalId::of_jwt("a", "b").api_key(), None);
        // printf 'https://issuer.example\0alice' | sha256sum
        assert_eq!(
            PrincipalId::of_jwt("https://issuer.example", "alice").as_str(),
            "jwt:d0c1e6aaa26b1226a7b0a1a3e4c6800d"
        );
        assert_eq!(
            PrincipalId::of_certificate("spiffe://example/api").as_str(),
            "x509:41d92f61d1356956426895383c938dd8"
        );
        assert_ne!(PrincipalId::of_jwt("a", "bc"), PrincipalId::of_jwt("ab", "c"));
    }

    #[test]
    fn ids_are_read_as_they_are_written_and_in_no_other_spelling() {
        let key = ApiKeyId::parse("abcdefghij234567").unwrap();
        for id in [
            PrincipalId::of_api_key(&key),
            PrincipalId::of_jwt("i", "s"),
            PrincipalId::of_certificate("n"),
        ] {
            assert_eq!(PrincipalId::parse_credential(id.as_str()), Some(id.clone()));
            for other in [
                id.as_str().to_uppercase(),
                format!(" {id}"),
                format!("{id}0"),
                id.as_str().replace(':', ""),
                id.as_str().split(':').next().unwrap().to_owned() + ":",
            ] {
                assert_eq!(PrincipalId::parse_credential(&other), None, "{other}");
            }
        }
    }
}
