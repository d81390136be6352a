//! `system.signing_key` and `system.record_signing`: which keys sign from when on, and what.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_proof::{IngestedAt, KeyId, SequenceNumber, VerifyingKey};

use super::SystemRecordError;
use super::fields::Fields;
use crate::json_write::ObjectWriter;

/// A public key with its algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKey {
    Ed25519(VerifyingKey),
}

impl PublicKey {
    /// The algorithm's name in records, `ed25519`.
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519",
        }
    }

    /// The id that receipts and signatures name it by.
    pub fn key_id(&self) -> KeyId {
        match self {
            Self::Ed25519(key) => KeyId::ed25519(key),
        }
    }

    /// The raw public key (RFC 8032: 32 bytes), in standard base64.
    pub fn to_base64(&self) -> String {
        match self {
            Self::Ed25519(key) => STANDARD.encode(key.as_bytes()),
        }
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.text("algorithm", self.algorithm());
        object.text("key_id", self.key_id().as_str());
        object.text("public_key", &self.to_base64());
    }

    /// The `key_id` is derived; that the stored one agrees shows when the record is spelt again.
    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        if fields.text("algorithm")? != "ed25519" {
            return Err(SystemRecordError::Field("algorithm"));
        }
        fields.parsed("public_key", |text| {
            let bytes = STANDARD.decode(text).map_err(|_| ())?;
            let bytes: [u8; 32] = bytes.try_into().map_err(|_| ())?;
            VerifyingKey::from_bytes(&bytes).map(Self::Ed25519).map_err(|_| ())
        })
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
}

impl SigningKeyRecord {
    /// `key` signs what `usage` says, from `not_before` on.
    pub const fn new(key: PublicKey, usage: KeyUse, not_before: IngestedAt) -> Self {
        Self { key, usage, not_before, replaces: None, reason: None }
    }

    /// The same for a key that takes another's place.
    #[must_use]
    pub fn replacing(mut self, key: KeyId, reason: KeyChange) -> Self {
        self.replaces = Some(key);
        self.reason = Some(reason);
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

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        let mut key = ObjectWriter::open(object.key("key"));
        self.key.write(&mut key);
        key.close();
        object.text("not_before", &self.not_before.to_string());
        object.optional_text("reason", self.reason.map(KeyChange::as_str));
        object.optional_text("replaces", self.replaces.as_ref().map(KeyId::as_str));
        object.text("use", self.usage.as_str());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            key: PublicKey::parse(&fields.object("key")?)?,
            usage: fields.parsed("use", |text| KeyUse::parse(text).ok_or(()))?,
            not_before: fields.parsed("not_before", IngestedAt::parse)?,
            replaces: fields.optional("replaces", |text| KeyId::parse(text).ok_or(()))?,
            reason: fields.optional("reason", |text| KeyChange::parse(text).ok_or(()))?,
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
            from: SequenceNumber::new(fields.number("from")?)
                .map_err(|_| SystemRecordError::Field("from"))?,
            mode: fields.parsed("mode", |text| SigningMode::parse(text).ok_or(()))?,
        })
    }
}
