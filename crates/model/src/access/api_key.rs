//! API keys as text: made, read strictly, and compared without telling where they differ.
//!
//! `lsk_<id>_<secret>`: the id is 16 characters of `a-z2-7` (80 random bits); the secret is 64
//! lower-case hexadecimal digits (256 random bits) and 8 more with the CRC-32C of everything before
//! them. The checksum tells a mistyped or cut key from a wrong one before anything is looked up, and
//! lets secret scanners be sure of a find.

use std::fmt;

use ledgerstone_proof::{Hash, sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error_code::ErrorCode;
use crate::time::Entropy;

/// What every key begins with.
const PREFIX: &str = "lsk_";
/// The characters of an id: RFC 4648 base 32 in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Characters of an id, each of 5 bits.
const ID_LENGTH: usize = 16;
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;
const SECRET_DIGITS: usize = 2 * SECRET_BYTES;
const CHECKSUM_DIGITS: usize = 8;
/// Length of a whole key.
const KEY_LENGTH: usize = PREFIX.len() + ID_LENGTH + 1 + SECRET_DIGITS + CHECKSUM_DIGITS;

/// Why a text is no API key. It never repeats any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ApiKeyError {
    #[error(
        "the text does not begin with `lsk_`, as API keys do; `ledgerstone api-keys generate` makes one"
    )]
    Prefix,
    #[error(
        "the API key has {0} characters, not 93: it was cut or something was added; copy it again"
    )]
    Length(usize),
    #[error(
        "the API key has characters that no key has; it is lsk_, 16 of a-z2-7, _, and 72 of 0-9a-f; \
         `ledgerstone api-keys generate` makes one"
    )]
    Characters,
    #[error("the API key's checksum does not fit: it was mistyped or changed; copy it again")]
    Checksum,
}

impl ApiKeyError {
    /// The stable code.
    pub const fn code(self) -> ErrorCode {
        ErrorCode::InvalidToken
    }
}

/// The public part of an API key: what records, logs and lists name it by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyId([u8; ID_LENGTH]);

impl ApiKeyId {
    /// The id of this text; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; ID_LENGTH] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(|byte| ALPHABET.contains(byte)).then_some(Self(bytes))
    }

    pub fn as_str(&self) -> &str {
        // Only characters of the alphabet are ever kept.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn generate(entropy: &dyn Entropy) -> Self {
        let mut random = [0; ID_LENGTH];
        entropy.fill(&mut random);
        // 32 characters: the low five bits of a byte choose without bias.
        Self(random.map(|byte| ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'a')))
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An API key with its secret, which is overwritten when the value goes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ApiKey {
    #[zeroize(skip)]
    id: ApiKeyId,
    secret: [u8; SECRET_BYTES],
}

impl ApiKey {
    /// A fresh key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let id = ApiKeyId::generate(entropy);
        let mut key = Self { id, secret: [0; SECRET_BYTES] };
        entropy.fill(&mut key.secret);
        key
    }

    /// Reads a key; exactly what [`Self::to_text`] writes is one.
    pub fn parse(text: &str) -> Result<Self, ApiKeyError> {
        let rest = text.strip_prefix(PREFIX).ok_or(ApiKeyError::Prefix)?;
        if text.len() != KEY_LENGTH {
            return Err(ApiKeyError::Length(text.chars().count()));
        }
        let (id, secret) = rest.split_once('_').ok_or(ApiKeyError::Characters)?;
        let id = ApiKeyId::parse(id).ok_or(ApiKeyError::Characters)?;
        let (digits, checksum) =
            secret.split_at_checked(SECRET_DIGITS).ok_or(ApiKeyError::Characters)?;
        let mut key = Self { id, secret: [0; SECRET_BYTES] };
        read_hex(digits, &mut key.secret).ok_or(ApiKeyError::Characters)?;
        let mut sum = [0; CHECKSUM_DIGITS / 2];
        read_hex(checksum, &mut sum).ok_or(ApiKeyError::Characters)?;
        let covered = text.get(..KEY_LENGTH - CHECKSUM_DIGITS).unwrap_or_default();
        if u32::from_be_bytes(sum) == crc32c::crc32c(covered.as_bytes()) {
            Ok(key)
        } else {
            Err(ApiKeyError::Checksum)
        }
    }

    /// Whether a text means to be an API key, so that it is read as one and as nothing else.
    pub fn looks_like(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The whole key, secret included: shown once, when it is made.
    pub fn to_text(&self) -> Zeroizing<String> {
        use fmt::Write as _;
        let mut text = Zeroizing::new(String::with_capacity(KEY_LENGTH));
        text.push_str(PREFIX);
        text.push_str(self.id.as_str());
        text.push('_');
        for byte in self.secret {
            // Writing to a string does not fail.
            let _ = write!(*text, "{byte:02x}");
        }
        let checksum = crc32c::crc32c(text.as_bytes());
        let _ = write!(*text, "{checksum:08x}");
        text
    }

    pub const fn id(&self) -> &ApiKeyId {
        &self.id
    }

    /// SHA-256 of the secret's 32 bytes: all that is kept of it. The secret is random and long, so
    /// that no slower hash is needed.
    pub fn secret_hash(&self) -> Hash {
        sha256(&self.secret)
    }

    /// Whether the secret is the one of this hash, in a time that does not depend on the answer.
    pub fn has_secret(&self, hash: &Hash) -> bool {
        self.secret_hash().as_bytes().ct_eq(hash.as_bytes()).into()
    }
}

impl fmt::Debug for ApiKey {
    /// Never shows the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_…", self.id)
    }
}

/// Reads lower-case hexadecimal digits that fill `out` exactly.
fn read_hex(digits: &str, out: &mut [u8]) -> Option<()> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != out.len() || !rest.is_empty() {
        return None;
    }
    for ([high, low], byte) in pairs.iter().zip(out) {
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(())
}

const fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}
