//! `system.signing_key` and `system.record_signing`: which keys sign from when on, and what.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_proof::{
    IngestedAt, KeyId, RsaVerifyingKey, SequenceNumber, Signature, VerifyingKey, rsa,
};

use super::SystemRecordError;
use super::fields::Fields;
use crate::json_write::ObjectWriter;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2); record keys alone.
    Rsa,
}

impl KeyAlgorithm {
    /// The names of all, the usual one first.
    pub const NAMES: [&'static str; 2] = [Self::Ed25519.as_str(), Self::Rsa.as_str()];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Rsa => rsa::ALGORITHM,
        }
    }

    /// The algorithm of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Ed25519, Self::Rsa].into_iter().find(|one| one.as_str() == text)
    }
}

/// A public key with its algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    Ed25519(VerifyingKey),
    Rsa(RsaVerifyingKey),
}

impl PublicKey {
    pub const fn algorithm(&self) -> KeyAlgorithm {
        match self {
            Self::Ed25519(_) => KeyAlgorithm::Ed25519,
            Self::Rsa(_) => KeyAlgorithm::Rsa,
        }
    }

    /// The key with these bytes, as [`as_bytes`](Self::as_bytes) gives them.
    pub fn from_bytes(algorithm: KeyAlgorithm, bytes: &[u8]) -> Option<Self> {
        match algorithm {
            KeyAlgorithm::Ed25519 => {
                VerifyingKey::from_bytes(bytes.try_into().ok()?).ok().map(Self::Ed25519)
            }
            KeyAlgorithm::Rsa => RsaVerifyingKey::from_spki(bytes).ok().map(Self::Rsa),
        }
    }

    /// Ed25519: the 32 bytes of RFC 8032; RSA: the `SubjectPublicKeyInfo` in DER.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key.as_bytes(),
            Self::Rsa(key) => key.as_spki(),
        }
    }

    /// Whether a signature of this key's algorithm holds for the message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => {
                Signature::try_from(signature).is_ok_and(|one| key.verify(message, &one).is_ok())
            }
            Self::Rsa(key) => key.verify(message, signature).is_ok(),
        }
    }

    /// The same of a signature in standard base64; `None` where it is no such text.
    pub fn verifies_base64(&self, message: &[u8], signature: &str) -> Option<bool> {
        STANDARD.decode(signature).ok().map(|bytes| self.verifies(message, &bytes))
    }

    /// The id that receipts and signatures name it by.
    pub fn key_id(&self) -> KeyId {
        match self {
            Self::Ed25519(key) => KeyId::ed25519(key),
            Self::Rsa(key) => key.key_id(),
        }
    }

    /// [`as_bytes`](Self::as_bytes) in standard base64.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.as_bytes())
    }

    /// Reads what [`to_base64`](Self::to_base64) writes.
    pub fn from_base64(algorithm: KeyAlgorithm, text: &str) -> Option<Self> {
        Self::from_bytes(algorithm, &STANDARD.decode(text).ok()?)
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.text("algorithm", self.algorithm().as_str());
        object.text("key_id", self.key_id().as_str());
        object.text("public_key", &self.to_base64());
    }

    /// The `key_id` is derived; that the stored one agrees shows when the record is spelt again.
    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let algorithm = fields.parsed("algorithm", |text| KeyAlgorithm::parse(text).ok_or(()))?;
        fields.parsed("public_key", |text| Self::from_base64(algorithm, text).ok_or(()))
    }
}

/// What a key signs, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// Checkpoints.
    Log,
    /// Record headers.
    Record,
}

impl KeyUse {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Record => "record",
        }
    }

    /// The use of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Log, Self::Record].into_iter().find(|one| one.as_str() == text)
    }
}

/// Why a key took another's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// In the ordinary course.
    Rotation,
    /// The old private key may be in other hands.
    Compromise,
}

impl KeyChange {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rotation => "rotation",
            Self::Compromise => "compromise",
        }
    }

    /// The reason of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Rotation, Self::Compromise].into_iter().find(|one| one.as_str() == text)
    }
}

/// The payload of `system.signing_key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyRecord {
    key: PublicKey,
    usage: KeyUse,
    not_before: IngestedAt,
    replaces: Option<KeyId>,
    reason: Option<KeyChange>,
    audit_record: Option<SequenceNumber>,
}

impl SigningKeyRecord {
    /// `key` signs what `usage` says, from `not_before` on.
    pub const fn new(key: PublicKey, usage: KeyUse, not_before: IngestedAt) -> Self {
        Self { key, usage, not_before, replaces: None, reason: None, audit_record: None }
    }

    /// The same for a key that takes another's place.
    #[must_use]
    pub fn replacing(mut self, key: KeyId, reason: KeyChange) -> Self {
        self.replaces = Some(key);
        self.reason = Some(reason);
        self
    }

    /// The same with the number of the `audit` record of its ledger that says who ordered it, or with
    /// none: a number in one ledger means nothing in another.
    #[must_use]
    pub const fn explained_by(mut self, audit_record: Option<SequenceNumber>) -> Self {
        self.audit_record = audit_record;
        self
    }

    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    pub const fn usage(&self) -> KeyUse {
        self.usage
    }

    /// The time from which on it signs.
    pub const fn not_before(&self) -> IngestedAt {
        self.not_before
    }

    /// The key whose place it takes.
    pub const fn replaces(&self) -> Option<&KeyId> {
        self.replaces.as_ref()
    }

    pub const fn reason(&self) -> Option<KeyChange> {
        self.reason
    }

    /// The record of the same ledger that says who ordered it.
    pub const fn audit_record(&self) -> Option<SequenceNumber> {
        self.audit_record
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.optional_number("audit_record", self.audit_record.map(SequenceNumber::value));
        let mut key = ObjectWriter::open(object.key("key"));
        self.key.write(&mut key);
        key.close();
        object.text("not_before", &self.not_before.to_string());
        object.optional_text("reason", self.reason.map(KeyChange::as_str));
        object.optional_text("replaces", self.replaces.as_ref().map(KeyId::as_str));
        object.text("use", self.usage.as_str());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let key = PublicKey::parse(&fields.object("key")?)?;
        let usage = fields.parsed("use", |text| KeyUse::parse(text).ok_or(()))?;
        if usage == KeyUse::Log && key.algorithm() != KeyAlgorithm::Ed25519 {
            return Err(SystemRecordError::Field("algorithm"));
        }
        Ok(Self {
            key,
            usage,
            not_before: fields.parsed("not_before", IngestedAt::parse)?,
            replaces: fields.optional("replaces", |text| KeyId::parse(text).ok_or(()))?,
            reason: fields.optional("reason", |text| KeyChange::parse(text).ok_or(()))?,
            audit_record: fields.optional_sequence_number("audit_record")?,
        })
    }
}

/// What carries the signature over a ledger's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningMode {
    /// Every header is signed by the record key.
    Record,
    /// Headers are not signed one by one; checkpoints vouch for them.
    Checkpoint,
}

impl SigningMode {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Checkpoint => "checkpoint",
        }
    }

    /// The mode of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Record, Self::Checkpoint].into_iter().find(|one| one.as_str() == text)
    }
}

/// The payload of `system.record_signing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSigning {
    from: SequenceNumber,
    mode: SigningMode,
}

impl RecordSigning {
    /// Records from this number on are signed so.
    pub const fn new(from: SequenceNumber, mode: SigningMode) -> Self {
        Self { from, mode }
    }

    pub const fn from(&self) -> SequenceNumber {
        self.from
    }

    pub const fn mode(&self) -> SigningMode {
        self.mode
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.number("from", self.from.value());
        object.text("mode", self.mode.as_str());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            from: fields.sequence_number("from")?,
            mode: fields.parsed("mode", |text| SigningMode::parse(text).ok_or(()))?,
        })
    }
}
