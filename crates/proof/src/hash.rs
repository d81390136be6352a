//! SHA-256 values and the three ways this format makes them: plain, leaf and node.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

/// A text that is not a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HashError {
    /// Not 64 lower-case hexadecimal digits.
    #[error("a hash is 64 lower-case hexadecimal digits")]
    Hex,
    /// Not the padded standard base64 of 32 bytes.
    #[error("a hash in base64 is 44 characters that decode to 32 bytes")]
    Base64,
}

impl Hash {
    /// 32 zero bytes: the `previous_hash` of a ledger's first record.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hexadecimal digits, as headers hold it.
    pub fn to_hex(&self) -> String {
        self.to_string()
    }

    /// Appends the 64 lower-case hexadecimal digits.
    pub fn write_hex(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hex_digits());
    }

    /// Reads 64 lower-case hexadecimal digits and nothing else.
    pub fn from_hex(text: &str) -> Result<Self, HashError> {
        Self::from_hex_bytes(text.as_bytes()).ok_or(HashError::Hex)
    }

    /// Padded standard base64, as checkpoints and proofs hold it (44 characters).
    pub fn to_base64(&self) -> String {
        crate::base64::encode(&self.0)
    }

    /// Reads what [`Self::to_base64`] writes and nothing else.
    pub fn from_base64(text: &str) -> Result<Self, HashError> {
        crate::base64::decode_array(text).map(Self).ok_or(HashError::Base64)
    }

    pub(crate) fn from_hex_bytes(digits: &[u8]) -> Option<Self> {
        let (pairs, []) = digits.as_chunks::<2>() else {
            return None;
        };
        if pairs.len() != 32 {
            return None;
        }
        let mut bytes = [0; 32];
        // Bad digits show in the high bits, looked at once: headers are read by the million.
        let mut bad = 0;
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (high, low) = (digit_value(*high), digit_value(*low));
            *byte = high << 4 | low;
            bad |= high | low;
        }
        if bad > 15 {
            return None;
        }
        Some(Self(bytes))
    }

    fn hex_digits(self) -> [u8; 64] {
        let mut digits = [0; 64];
        let (pairs, _) = digits.as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(self.0) {
            *pair = [hex_digit(byte >> 4), hex_digit(byte & 15)];
        }
        digits
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digits are ASCII, so this cannot fail.
        f.write_str(std::str::from_utf8(&self.hex_digits()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        Self::from_hex(text)
    }
}

/// SHA-256 of the bytes.
pub fn sha256(bytes: &[u8]) -> Hash {
    finish(Sha256::new_with_prefix(bytes))
}

/// Hash of a Merkle tree leaf: `SHA-256(0x00 || entry)` (RFC 6962 §2.1).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    finish(Sha256::new_with_prefix([0]).chain_update(entry))
}

/// Hash of an inner node: `SHA-256(0x01 || left || right)` (RFC 6962 §2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut message = [1; 65];
    if let Some((children, [])) =
        message.split_first_mut().map(|(_, rest)| rest.as_chunks_mut::<32>())
        && let [first, second] = children
    {
        *first = left.0;
        *second = right.0;
    }
    sha256(&message)
}

/// Root of the empty tree: `SHA-256("")` (RFC 6962 §2.1).
pub fn empty_root() -> Hash {
    sha256(&[])
}

fn finish(state: Sha256) -> Hash {
    Hash(state.finalize().into())
}

/// One hexadecimal digit of a value below 16.
pub(crate) const fn hex_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + (value - 10),
    }
}

/// Value of each lower-case hexadecimal digit; 255 for any other byte.
static DIGIT_VALUES: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        values[hex_digit(value) as usize] = value;
        value += 1;
    }
    values
};

fn digit_value(digit: u8) -> u8 {
    DIGIT_VALUES[usize::from(digit)]
}

/// Value of a lower-case hexadecimal digit.
pub(crate) fn hex_value(digit: u8) -> Option<u8> {
    Some(digit_value(digit)).filter(|value| *value < 16)
}
