//! Names and public keys of note signers (C2SP signed-note, verifier keys).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::base64;
use crate::hash::sha256;
use crate::signature::VerifyingKey;

/// Signature type of Ed25519 in key ids and verifier keys (C2SP signed-note).
const ED25519: u8 = 1;

/// A text that is not a verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VkeyError {
    /// Not of the form `<name>+<8 hex digits>+<base64>`.
    #[error("a verifier key has the form <name>+<8 hex digits>+<base64>")]
    Form,
    /// The name is empty, or holds a space, a control character or `+`.
    #[error("a key name is not empty and holds no space, control character or `+`")]
    Name,
    /// Not an Ed25519 key.
    #[error("verifier key is not of type ed25519 (1)")]
    Algorithm,
    /// The public key is not one.
    #[error("verifier key does not hold an ed25519 public key")]
    Key,
    /// The key id is not that of this name and key.
    #[error("verifier key has an id that is not of its name and key: it was mistyped or altered")]
    Id,
}

/// Name of a note signer: not empty, no Unicode space, no control character, no `+`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, VkeyError> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.contains(bad) {
            return Err(VkeyError::Name);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Public key of a note signer with its name: `<name>+<key id>+<base64 of type and key>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: KeyName,
    key_id: u32,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The Ed25519 key of that name.
    pub fn new_ed25519(name: KeyName, key: &VerifyingKey) -> Self {
        let key_id = ed25519_key_id(&name, key);
        Self { name, key_id, key: *key }
    }

    /// Reads exactly what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Result<Self, VkeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VkeyError::Form);
        };
        let name = KeyName::parse(name)?;
        let key = base64::decode(key).ok_or(VkeyError::Form)?;
        let key = match key.split_first() {
            Some((&ED25519, key)) => key.try_into().map_err(|_| VkeyError::Key)?,
            Some(_) => return Err(VkeyError::Algorithm),
            None => return Err(VkeyError::Form),
        };
        let key = VerifyingKey::from_bytes(key).map_err(|_| VkeyError::Key)?;
        let verifier = Self::new_ed25519(name, &key);
        if id != format!("{:08x}", verifier.key_id) {
            return Err(VkeyError::Id);
        }
        Ok(verifier)
    }

    /// Name of the signer; of a log's key, the log's origin.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// First 4 bytes of `SHA-256(name || 0x0A || 0x01 || key)`, big-endian.
    pub const fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The public key.
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.key_id, base64::encode(&key))
    }
}

impl FromStr for VerifierKey {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        Self::parse(text)
    }
}

fn ed25519_key_id(name: &KeyName, key: &VerifyingKey) -> u32 {
    let mut message = name.as_str().as_bytes().to_vec();
    message.extend_from_slice(&[b'\n', ED25519]);
    message.extend_from_slice(key.as_bytes());
    let hash = sha256(&message);
    hash.as_bytes().first_chunk().map_or(0, |id| u32::from_be_bytes(*id))
}
