//! Ed25519 signatures (RFC 8032), checked strictly, alone and in batches.

use std::fmt;

use ed25519_dalek::Signer as _;
use thiserror::Error;

use crate::base64;
use crate::hash::sha256;

/// Bytes that are not a key or a signature, or a signature that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// Not the canonical encoding of a point of large order.
    #[error("not an ed25519 public key: 32 bytes that encode a point, canonical and not weak")]
    Key,
    /// Not 64 bytes (in base64: 88 characters).
    #[error("an ed25519 signature is 64 bytes")]
    Form,
    /// The signature does not hold for this message and key.
    #[error("signature does not verify")]
    Mismatch,
}

/// A private key; its bytes are overwritten when it is dropped.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of a 32-byte seed (RFC 8032 §5.1.5), which the caller has drawn at random.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// The seed: the secret itself.
    pub fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key())
    }

    /// Signs a message; the same message gives the same signature.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", KeyId::ed25519(&self.verifying_key()))
    }
}

/// A public key: a canonically encoded point that is not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

impl VerifyingKey {
    /// Reads a public key. Refused are encodings that are not canonical and points of small
    /// order, under which some signatures hold for every message.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SignatureError> {
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| SignatureError::Key)?;
        if key.is_weak() || !has_canonical_y(bytes) {
            return Err(SignatureError::Key);
        }
        Ok(Self(key))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether the signature holds for the message: the equation without cofactor, and neither
    /// the key nor the signature's point of small order.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        self.0
            .verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0))
            .map_err(|_| SignatureError::Mismatch)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", KeyId::ed25519(self))
    }
}

impl std::hash::Hash for VerifyingKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// A signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Length in bytes.
    pub const LENGTH: usize = 64;

    /// The signature with these bytes; whether it holds is asked of a key.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// Padded standard base64 (88 characters).
    pub fn to_base64(&self) -> String {
        base64::encode(&self.0)
    }

    /// Reads what [`Self::to_base64`] writes and nothing else.
    pub fn from_base64(text: &str) -> Result<Self, SignatureError> {
        base64::decode_array(text).map(Self).ok_or(SignatureError::Form)
    }

    /// The encoding of the point R.
    fn point(&self) -> &[u8; 32] {
        // 64 bytes begin with 32.
        self.0.first_chunk().unwrap_or(&[0; 32])
    }
}

impl TryFrom<&[u8]> for Signature {
    type Error = SignatureError;

    fn try_from(bytes: &[u8]) -> Result<Self, SignatureError> {
        bytes.try_into().map(Self).map_err(|_| SignatureError::Form)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", self.to_base64())
    }
}

/// Checks many signatures at once, at about half the cost of one by one; `Mismatch` says that at
/// least one does not hold, and [`VerifyingKey::verify`] tells which.
///
/// The random weights are drawn from a transcript of all inputs, so the answer is a function of
/// the arguments. Encodings are held to the rules of [`VerifyingKey::verify`]: keys and points
/// canonical and not of small order. One difference is left: the sum is one equation over all
/// signatures, so a signature whose error is a point of small order, which only a holder of the
/// private key can make, may pass in a batch and fail alone. Nobody without the key can make one
/// that passes here; where both answers exist, the strict one counts.
pub fn verify_batch(items: &[(&[u8], Signature, VerifyingKey)]) -> Result<(), SignatureError> {
    let mut messages = Vec::with_capacity(items.len());
    let mut signatures = Vec::with_capacity(items.len());
    let mut keys = Vec::with_capacity(items.len());
    for (message, signature, key) in items {
        if !has_canonical_y(signature.point()) || is_small_order(signature.point()) {
            return Err(SignatureError::Mismatch);
        }
        messages.push(*message);
        signatures.push(ed25519_dalek::Signature::from_bytes(&signature.0));
        keys.push(key.0);
    }
    ed25519_dalek::verify_batch(&messages, &signatures, &keys).map_err(|_| SignatureError::Mismatch)
}

/// The y coordinates of the points of small order (order 1, 2, 4, 8), without the sign bit.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    with_ends(1, 0, 0),
    with_ends(0xec, 0xff, 0x7f),
    with_ends(0, 0, 0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

const fn with_ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

fn without_sign(point: &[u8; 32]) -> [u8; 32] {
    let mut bytes = *point;
    if let Some(last) = bytes.last_mut() {
        *last &= 0x7f;
    }
    bytes
}

fn is_small_order(point: &[u8; 32]) -> bool {
    SMALL_ORDER_Y.contains(&without_sign(point))
}

/// Whether the encoded y is below the prime 2^255 - 19 (RFC 8032 §5.1.3).
fn has_canonical_y(point: &[u8; 32]) -> bool {
    let prime = with_ends(0xed, 0xff, 0x7f);
    without_sign(point).iter().rev().lt(prime.iter().rev())
}

/// Names a key in headers' signatures and in key records: the first 8 bytes of SHA-256 over the
/// algorithm's name, a line end and the public key, as 16 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; KeyId::LENGTH]);

impl KeyId {
    /// Number of hexadecimal digits.
    pub const LENGTH: usize = 16;

    /// The id of an Ed25519 key: over `ed25519`, a line end and its 32 bytes.
    pub fn ed25519(key: &VerifyingKey) -> Self {
        Self::derived("ed25519", key.as_bytes())
    }

    /// The id of a key of the named algorithm, in that algorithm's one encoding.
    pub(crate) fn derived(algorithm: &str, public_key: &[u8]) -> Self {
        let mut message = algorithm.as_bytes().to_vec();
        message.push(b'\n');
        message.extend_from_slice(public_key);
        let mut digits = [0; Self::LENGTH];
        for (digit, hex) in digits.iter_mut().zip(sha256(&message).to_hex().bytes()) {
            *digit = hex;
        }
        Self(digits)
    }

    /// Reads 16 lower-case hexadecimal digits and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; Self::LENGTH] = text.as_bytes().try_into().ok()?;
        digits.iter().all(|byte| crate::hash::hex_value(*byte).is_some()).then_some(Self(digits))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
