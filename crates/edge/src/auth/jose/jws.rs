//! The compact serialisation of a signed token, taken apart.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerstone_model::json::{Value, ValueKind};
use thiserror::Error;

use super::canonical;

/// Longest key id that a token may name.
const KEY_ID_MAX: usize = 256;

/// Why a text is no signed token that could be verified here. It repeats nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JwsError {
    #[error("the token does not have three parts with dots between them")]
    Parts,
    #[error("a part of the token is not base64url without padding")]
    Base64,
    #[error("the token's header is not a JSON object, or names a member twice")]
    Header,
    #[error("the token's header has no `alg`, or one that is no text")]
    NoAlgorithm,
    #[error("the token's header has `{0}`, which is not understood here")]
    NotUnderstood(&'static str),
    #[error(
        "the token's `kid` or `typ` is not text, is too long, or has characters or paths that no name has"
    )]
    Name,
}

/// A signed token in its parts. Nothing of it is to be believed before its signature is verified.
#[derive(Clone)]
pub struct CompactJws<'t> {
    signed: &'t [u8],
    algorithm: String,
    key_id: Option<String>,
    token_type: Option<String>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> CompactJws<'t> {
    /// Takes a token apart (RFC 7515 section 7.1).
    ///
    /// `jku`, `x5u`, `jwk`, `x5c` and the like are not looked at: a token does not say which key it
    /// is to be trusted by. `crit` is refused, since none of what it could name is understood here
    /// (section 4.1.11), and so are `zip` and `b64`, which change what is signed.
    pub fn parse(token: &'t str) -> Result<Self, JwsError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(JwsError::Parts)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::Parts)?;
        if payload.contains('.') || header.is_empty() {
            return Err(JwsError::Parts);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Base64);
        let header = canonical(&decode(header)?).ok_or(JwsError::Header)?;
        let header = Header { value: Value::new(&header) };
        for name in ["crit", "zip", "b64"] {
            if header.member(name)?.is_some() {
                return Err(JwsError::NotUnderstood(name));
            }
        }
        let algorithm = header.member("alg")?.and_then(Value::text);
        Ok(Self {
            signed: signed.as_bytes(),
            algorithm: algorithm.ok_or(JwsError::NoAlgorithm)?.into_owned(),
            key_id: header.name("kid")?,
            token_type: header.name("typ")?,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    /// The algorithm that the token claims, which chooses nothing.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// Which of the issuer's keys is said to have signed.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What kind of token it says it is.
    pub fn token_type(&self) -> Option<&str> {
        self.token_type.as_deref()
    }

    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The bytes that the signature is over.
    pub const fn signed(&self) -> &'t [u8] {
        self.signed
    }

    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl fmt::Debug for CompactJws<'_> {
    /// Shows nothing that could be used as the token, nor whom it speaks of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CompactJws");
        shown.field("algorithm", &self.algorithm).field("key_id", &self.key_id);
        shown.finish_non_exhaustive()
    }
}

/// The header's members.
struct Header<'a> {
    value: Value<'a>,
}

impl<'a> Header<'a> {
    fn member(&self, name: &str) -> Result<Option<Value<'a>>, JwsError> {
        if self.value.kind() != ValueKind::Object {
            return Err(JwsError::Header);
        }
        self.value.member(name).map_err(|_| JwsError::Header)
    }

    /// A member that is a name: it is compared and shown, and must not be able to do more.
    fn name(&self, name: &str) -> Result<Option<String>, JwsError> {
        let Some(value) = self.member(name)? else { return Ok(None) };
        let text = value.text().ok_or(JwsError::Name)?;
        if is_plain_name(&text) { Ok(Some(text.into_owned())) } else { Err(JwsError::Name) }
    }
}

/// Letters, digits and what base64, URLs and thumbprints are made of; no path upwards or from the
/// root, no quotes, no spaces, no control characters.
fn is_plain_name(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=:@#|".contains(&byte);
    (1..=KEY_ID_MAX).contains(&text.len())
        && text.bytes().all(good)
        && !text.starts_with('/')
        && !text.split('/').any(|step| step == ".." || step == ".")
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::{CompactJws, JwsError};

    fn token(header: &str) -> String {
        format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn a_token_is_three_parts() {
        let token = token(r#"{"typ":"JWT","kid":"a/b+c=","alg":"ES256","jku":"https://evil"}"#);
        let jws = CompactJws::parse(&token).unwrap();
        assert_eq!((jws.algorithm(), jws.key_id()), ("ES256", Some("a/b+c=")));
        assert_eq!((jws.payload(), jws.signature()), (&b"{}"[..], &b"sig"[..]));
        assert!(token.as_bytes().starts_with(jws.signed()));
        for (text, error) in [
            ("", JwsError::Parts),
            ("a.b", JwsError::Parts),
            ("..", JwsError::Parts),
            (".e30.c2ln", JwsError::Parts),
            ("e30.e30.e30.e30.e30", JwsError::Parts),
            ("e30=.e30.c2ln", JwsError::Base64),
            ("e3+.e30.c2ln", JwsError::Base64),
            // The last character has bits that belong to no byte.
            ("e31.e30.c2ln", JwsError::Base64),
            ("W10.e30.c2ln", JwsError::Header),
            ("e30.e30.c2ln", JwsError::NoAlgorithm),
        ] {
            assert_eq!(CompactJws::parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn what_would_change_the_meaning_is_refused() {
        for (header, error) in [
            (r#"{"alg":"ES256","alg":"none"}"#, JwsError::Header),
            (r#"{"alg":5}"#, JwsError::NoAlgorithm),
            (r#"{"alg":"ES256","crit":["exp"]}"#, JwsError::NotUnderstood("crit")),
            (r#"{"alg":"ES256","crit":[]}"#, JwsError::NotUnderstood("crit")),
            (r#"{"alg":"ES256","zip":"DEF"}"#, JwsError::NotUnderstood("zip")),
            (r#"{"alg":"ES256","b64":false}"#, JwsError::NotUnderstood("b64")),
            (r#"{"alg":"ES256","kid":7}"#, JwsError::Name),
            (r#"{"alg":"ES256","kid":""}"#, JwsError::Name),
            (r#"{"alg":"ES256","kid":"../../dev/null"}"#, JwsError::Name),
            (r#"{"alg":"ES256","kid":"/etc/passwd"}"#, JwsError::Name),
            (r#"{"alg":"ES256","kid":"keys/../../x"}"#, JwsError::Name),
            (r#"{"alg":"ES256","kid":"a' OR '1'='1"}"#, JwsError::Name),
            (r#"{"alg":"ES256","kid":"a\u0000b"}"#, JwsError::Name),
            (r#"{"alg":"ES256","kid":"a\\b"}"#, JwsError::Name),
            (r#"{"alg":"ES256","typ":"a b"}"#, JwsError::Name),
        ] {
            assert_eq!(CompactJws::parse(&token(header)).unwrap_err(), error, "{header}");
        }
        let long = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(257));
        assert_eq!(CompactJws::parse(&token(&long)).unwrap_err(), JwsError::Name);
    }
}
