//! The stage that may be appended to a ledger: content bytes and their hash.
//!
//! What a client sent gets here through [`seal`] alone; what the server observed itself is made
//! from typed records. So nothing unsealed can be appended, and no text from outside can pretend to
//! be a record of the server's own.

use ledgerstone_proof::{
    EventId, Hash, IngestedAt, Kind, Salt, SequenceNumber, TenantId, sha256, write_content,
};

use crate::audit::AuditRecord;
use crate::error_code::ErrorCode;
use crate::id::uuid_v7;
use crate::system::SystemRecord;
use crate::taxonomy::AdmittedEvent;

/// Bytes that the content wrapper and its salt add to an event.
const WRAPPER_BYTES: usize = 48;

/// Which fields are encrypted, and under whose keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealingPolicy {
    _private: (),
}

impl SealingPolicy {
    /// Encrypts nothing: every field is stored as it was sent.
    pub const fn pass_through() -> Self {
        Self { _private: () }
    }
}

/// An event as it will be stored; only its number and place in the chain are still open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedEvent {
    kind: Kind,
    tenant: TenantId,
    event_id: EventId,
    event_type: String,
    timestamp_micros: i64,
    content: Vec<u8>,
    content_hash: Hash,
    repeats_only: Option<ErrorCode>,
}

/// Seals an event from outside.
pub fn seal(event: AdmittedEvent, policy: &SealingPolicy, salt: &Salt) -> SealedEvent {
    let SealingPolicy { _private: () } = policy;
    let repeats_only = event.repeats_only();
    let (text, event_id, tenant, event_type, timestamp_micros) = event.into_event().into_parts();
    let (content, content_hash) = wrap(&text, salt);
    SealedEvent {
        kind: Kind::Event,
        tenant,
        event_id,
        event_type,
        timestamp_micros,
        content,
        content_hash,
        repeats_only,
    }
}

impl SealedEvent {
    /// A `system` record of a tenant's ledger. Its id follows from the number it will have.
    pub fn system(
        record: &SystemRecord,
        tenant: &TenantId,
        number: SequenceNumber,
        at: IngestedAt,
        salt: &Salt,
    ) -> Self {
        let mut text = Vec::with_capacity(1024);
        record.write_event(at, &mut text);
        let (content, content_hash) = wrap(&text, salt);
        Self {
            kind: Kind::System,
            tenant: tenant.clone(),
            event_id: EventId::for_system(number),
            event_type: record.event_type().to_owned(),
            timestamp_micros: at.micros(),
            content,
            content_hash,
            repeats_only: None,
        }
    }

    /// An `audit` record of a tenant's ledger. `new_id` are 16 random bytes for its id.
    pub fn audit(
        record: &AuditRecord,
        tenant: &TenantId,
        new_id: [u8; 16],
        at: IngestedAt,
        salt: &Salt,
    ) -> Result<Self, ledgerstone_proof::NameError> {
        let mut text = Vec::with_capacity(1024);
        record.write_event(at, &mut text);
        let (content, content_hash) = wrap(&text, salt);
        Ok(Self {
            kind: Kind::Audit,
            tenant: tenant.clone(),
            event_id: EventId::for_audit(&uuid_v7(at, new_id))?,
            event_type: record.event_type().to_owned(),
            timestamp_micros: at.micros(),
            content,
            content_hash,
            repeats_only: None,
        })
    }

    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The tenant whose ledger it was made for, and no other.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub const fn event_id(&self) -> &EventId {
        &self.event_id
    }

    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// When it happened, in microseconds since 1970-01-01T00:00:00Z.
    pub const fn timestamp_micros(&self) -> i64 {
        self.timestamp_micros
    }

    /// The canonical content, `{"event":…,"salt":…}`.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    pub const fn content_hash(&self) -> &Hash {
        &self.content_hash
    }

    /// Why it may not become a record of its own, where it is only to be compared with the one that
    /// has its id.
    pub const fn repeats_only(&self) -> Option<ErrorCode> {
        self.repeats_only
    }

    /// The content for whoever keeps it.
    pub fn into_content(self) -> Vec<u8> {
        self.content
    }
}

fn wrap(event: &[u8], salt: &Salt) -> (Vec<u8>, Hash) {
    let mut content = Vec::with_capacity(event.len() + WRAPPER_BYTES);
    write_content(event, salt, &mut content);
    let hash = sha256(&content);
    (content, hash)
}
