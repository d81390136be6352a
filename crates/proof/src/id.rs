//! Names and numbers that a header holds: tenant, event id, sequence number.

use std::fmt;
use std::sync::{Arc, LazyLock};

use thiserror::Error;

/// Longest tenant id in bytes.
const MAX_TENANT_ID: usize = 63;
/// Longest event id in bytes.
const MAX_EVENT_ID: usize = 128;

static SYSTEM_TENANT: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("_system"));

/// A text that is not a tenant id or an event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    /// Names that begin with `_` belong to the server.
    #[error("names that begin with `_` are reserved: choose another")]
    Reserved,
    /// Not in the grammar of tenant ids.
    #[error(
        "a tenant id is 1 to 63 characters of a-z, 0-9, `_` and `-`, the first a letter or digit"
    )]
    Tenant,
    /// Not in the grammar of event ids.
    #[error("an event id is 1 to 128 characters of A-Z, a-z, 0-9, `.`, `_`, `:` and `-`")]
    Event,
}

/// Name of a ledger: `[a-z0-9][a-z0-9_-]{0,62}`, or `_system`, the deployment's own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// Reads a tenant's name as it comes from outside; `_system` is refused.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_tenant(text)?;
        Ok(Self(Arc::from(text)))
    }

    /// Reads a tenant's name as a header holds it; `_system` is fine.
    pub fn parse_stored(text: &str) -> Result<Self, NameError> {
        if text == &**SYSTEM_TENANT {
            return Ok(Self::system());
        }
        Self::parse(text)
    }

    /// `_system`, the deployment's own ledger.
    pub fn system() -> Self {
        Self(Arc::clone(&SYSTEM_TENANT))
    }

    /// Whether this is the deployment's own ledger.
    pub fn is_system(&self) -> bool {
        self.0 == *SYSTEM_TENANT
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Id of a record, unique within its ledger: `[A-Za-z0-9.:-][A-Za-z0-9._:-]{0,127}`; the server's
/// own begin with `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Arc<str>);

impl EventId {
    /// Reads an id as it comes from outside; one that begins with `_` is refused.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.starts_with('_') {
            return Err(NameError::Reserved);
        }
        Self::parse_stored(text)
    }

    /// Reads an id as a header holds it; the server's own are fine.
    pub fn parse_stored(text: &str) -> Result<Self, NameError> {
        check_stored_event_id(text)?;
        Ok(Self(Arc::from(text)))
    }

    /// Checks an id as a header holds it without keeping it; the server's own are fine.
    pub fn check_stored(text: &str) -> Result<(), NameError> {
        check_stored_event_id(text)
    }

    /// Id of the `system` record with that number: `_<n>`.
    pub fn for_system(number: SequenceNumber) -> Self {
        Self(Arc::from(format!("_{number}")))
    }

    /// Id of an `audit` record: `_` and the text of its `UUIDv7`.
    pub fn for_audit(uuid: &str) -> Result<Self, NameError> {
        Self::parse_stored(&format!("_{uuid}"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(crate) fn check_stored_tenant(text: &str) -> Result<(), NameError> {
    if text == &**SYSTEM_TENANT {
        return Ok(());
    }
    check_tenant(text)
}

fn check_tenant(text: &str) -> Result<(), NameError> {
    if text.starts_with('_') {
        return Err(NameError::Reserved);
    }
    let grammar = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    let fine = matches!(text.len(), 1..=MAX_TENANT_ID)
        && !text.starts_with('-')
        && text.bytes().all(grammar);
    if fine { Ok(()) } else { Err(NameError::Tenant) }
}

pub(crate) fn check_stored_event_id(text: &str) -> Result<(), NameError> {
    // Without an early end, because ids are read by the million and nearly all are good.
    let grammar = |fine, byte: u8| fine & EVENT_ID_BYTES[usize::from(byte)];
    let fine = matches!(text.len(), 1..=MAX_EVENT_ID) && text.bytes().fold(true, grammar);
    if fine { Ok(()) } else { Err(NameError::Event) }
}

/// Which bytes an event id may have.
static EVENT_ID_BYTES: [bool; 256] = {
    let mut fine = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        fine[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
        byte += 1;
    }
    fine
};

/// A number beyond [`SequenceNumber::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("sequence number {0} is beyond 2^53 - 1")]
pub struct SequenceNumberError(pub u64);

/// Place of a record in its ledger, from 0, and index of its leaf in the ledger's tree; at most
/// 2^53 - 1, so that every JSON reader keeps it exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SequenceNumber(u64);

impl SequenceNumber {
    /// Number of a ledger's first record.
    pub const GENESIS: Self = Self(0);
    /// The last number there is.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The sequence number of that value.
    pub const fn new(value: u64) -> Result<Self, SequenceNumberError> {
        if value > Self::MAX.0 {
            return Err(SequenceNumberError(value));
        }
        Ok(Self(value))
    }

    /// The value, which is also the leaf index.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The number after this one. It stays at [`Self::MAX`], which a ledger that takes a million
    /// records a second reaches after 285 years.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 == Self::MAX.0 {
            return self;
        }
        Self(self.0 + 1)
    }

    /// The number before this one; none before the genesis.
    #[must_use]
    pub const fn previous(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// Appends the decimal digits.
    pub fn write(self, out: &mut Vec<u8>) {
        // 2^53 - 1 has 16 digits.
        let mut digits = [b'0'; 16];
        let mut rest = self.0;
        let mut length = 0;
        for digit in digits.iter_mut().rev() {
            *digit = digit_of(rest);
            rest /= 10;
            length += 1;
            if rest == 0 {
                break;
            }
        }
        let start = digits.len() - length;
        out.extend_from_slice(digits.get(start..).unwrap_or_default());
    }

    /// Reads decimal digits without a leading zero, as [`Self::write`] writes them.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        crate::tiles::parse_decimal(digits).and_then(|value| Self::new(value).ok())
    }
}

const fn digit_of(value: u64) -> u8 {
    b'0' + (value % 10) as u8
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl TryFrom<u64> for SequenceNumber {
    type Error = SequenceNumberError;

    fn try_from(value: u64) -> Result<Self, SequenceNumberError> {
        Self::new(value)
    }
}

impl From<SequenceNumber> for u64 {
    fn from(number: SequenceNumber) -> Self {
        number.0
    }
}

macro_rules! text_impls {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

text_impls!(TenantId, EventId);
