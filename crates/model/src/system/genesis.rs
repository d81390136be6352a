//! `system.genesis`: the first record of every ledger, which says what ledger it is and which keys
//! sign for it.

use std::fmt;

use ledgerstone_proof::{
    Hash, KeyName, SequenceNumber, TenantId, VerifierKey, VerifyingKey, VkeyError,
};
use thiserror::Error;

use super::SystemRecordError;
use super::fields::Fields;
use super::signing::{PublicKey, SigningMode};
use crate::error_code::ErrorCode;
use crate::json_write::ObjectWriter;

/// The version of header, content and leaf that a ledger is written in.
pub const FORMAT_VERSION: u64 = 1;

/// 128 random bits that tell a ledger from every other one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerId([u8; 16]);

impl LedgerId {
    /// An id of bytes that the caller drew at random.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads 32 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let well_formed = text.len() == 32 && text.bytes().all(is_digit);
        let number = u128::from_str_radix(text, 16).ok()?;
        well_formed.then(|| Self(number.to_be_bytes()))
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LedgerId({self})")
    }
}

/// The first part of the name that a deployment signs checkpoints under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogName(String);

/// Why a text is no log name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("log name {0:?} is not 1 to 128 characters out of A-Z a-z 0-9 . _ / -")]
pub struct LogNameError(String);

impl LogNameError {
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

impl LogName {
    /// The name a deployment has unless another is chosen.
    pub const DEFAULT: &'static str = "ledgerstone";

    /// Reads 1 to 128 characters out of `A-Z a-z 0-9 . _ / -`, which leaves out everything that key
    /// names of signed notes forbid.
    pub fn parse(text: &str) -> Result<Self, LogNameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
        if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(LogNameError(text.to_owned()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The origin of a ledger's checkpoints, which is also the name of its log key:
    /// `<log name>/<ledger id>`.
    pub fn origin(&self, ledger_id: LedgerId) -> String {
        format!("{}/{ledger_id}", self.0)
    }
}

/// The `system.tenant` record in `_system` that a ledger was begun for: what `_system` says first, the
/// tenant's ledger names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    sequence_number: SequenceNumber,
    record_hash: Hash,
}

impl Announcement {
    /// The record of `_system` with that number and hash.
    pub const fn new(sequence_number: SequenceNumber, record_hash: Hash) -> Self {
        Self { sequence_number, record_hash }
    }

    pub const fn sequence_number(&self) -> SequenceNumber {
        self.sequence_number
    }

    pub const fn record_hash(&self) -> &Hash {
        &self.record_hash
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.text("record_hash", &self.record_hash.to_hex());
        object.number("sequence_number", self.sequence_number.value());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            sequence_number: SequenceNumber::new(fields.number("sequence_number")?)
                .map_err(|_| SystemRecordError::Field("sequence_number"))?,
            record_hash: fields.parsed("record_hash", Hash::from_hex)?,
        })
    }
}

/// Whose ledger begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerOwner {
    /// The deployment itself: nothing precedes its ledger `_system`.
    System,
    /// A tenant, announced in `_system`.
    Tenant(TenantId, Announcement),
}

impl LedgerOwner {
    fn into_parts(self) -> (TenantId, Option<Announcement>) {
        match self {
            Self::System => (TenantId::system(), None),
            Self::Tenant(tenant, announced_by) => (tenant, Some(announced_by)),
        }
    }
}

/// The payload of `system.genesis`. The ledger was created at the record's timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    announced_by: Option<Announcement>,
    ledger_id: LedgerId,
    log_name: LogName,
    tenant: TenantId,
    log_key: VerifierKey,
    record_key: PublicKey,
    record_signing: SigningMode,
}

impl Genesis {
    /// The ledger of `owner`. Fails only if a log name were no key name, which its grammar excludes.
    pub fn new(
        ledger_id: LedgerId,
        log_name: LogName,
        owner: LedgerOwner,
        log_key: &VerifyingKey,
        record_key: PublicKey,
        record_signing: SigningMode,
    ) -> Result<Self, VkeyError> {
        let name = KeyName::parse(&log_name.origin(ledger_id))?;
        let (tenant, announced_by) = owner.into_parts();
        Ok(Self {
            announced_by,
            ledger_id,
            log_name,
            tenant,
            log_key: VerifierKey::new_ed25519(name, log_key),
            record_key,
            record_signing,
        })
    }

    /// The record of `_system` that announced the tenant; none in the genesis of `_system` alone.
    pub const fn announced_by(&self) -> Option<&Announcement> {
        self.announced_by.as_ref()
    }

    pub const fn ledger_id(&self) -> LedgerId {
        self.ledger_id
    }

    pub const fn log_name(&self) -> &LogName {
        &self.log_name
    }

    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The key that signs the first checkpoints, under the ledger's origin.
    pub const fn log_key(&self) -> &VerifierKey {
        &self.log_key
    }

    /// The key that signs the first headers.
    pub const fn record_key(&self) -> &PublicKey {
        &self.record_key
    }

    /// Whether headers are signed one by one from the start.
    pub const fn record_signing(&self) -> SigningMode {
        self.record_signing
    }

    /// The origin of the ledger's checkpoints.
    pub fn origin(&self) -> String {
        self.log_name.origin(self.ledger_id)
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        if let Some(announced_by) = &self.announced_by {
            let mut announcement = ObjectWriter::open(object.key("announced_by"));
            announced_by.write(&mut announcement);
            announcement.close();
        }
        object.number("format_version", FORMAT_VERSION);
        object.text("ledger_id", &self.ledger_id.to_string());
        object.text("log_key", &self.log_key.to_string());
        object.text("log_name", self.log_name.as_str());
        let mut key = ObjectWriter::open(object.key("record_key"));
        self.record_key.write(&mut key);
        key.close();
        object.text("record_signing", self.record_signing.as_str());
        object.text("tenant_id", self.tenant.as_str());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        if fields.number("format_version")? != FORMAT_VERSION {
            return Err(SystemRecordError::Field("format_version"));
        }
        let announced_by = fields.optional_object("announced_by")?;
        let genesis = Self {
            announced_by: announced_by.as_ref().map(Announcement::parse).transpose()?,
            ledger_id: fields.parsed("ledger_id", |text| LedgerId::parse(text).ok_or(()))?,
            log_name: fields.parsed("log_name", LogName::parse)?,
            tenant: fields.parsed("tenant_id", TenantId::parse_stored)?,
            log_key: fields.parsed("log_key", VerifierKey::parse)?,
            record_key: PublicKey::parse(&fields.object("record_key")?)?,
            record_signing: fields
                .parsed("record_signing", |text| SigningMode::parse(text).ok_or(()))?,
        };
        if genesis.log_key.name().as_str() != genesis.origin() {
            return Err(SystemRecordError::Field("log_key"));
        }
        if genesis.tenant.is_system() == genesis.announced_by.is_some() {
            return Err(SystemRecordError::Field("announced_by"));
        }
        Ok(genesis)
    }
}
