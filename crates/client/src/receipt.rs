//! What a sender gets for an event.

use ledgerstone_proof::{EventId, Hash, IngestedAt, SequenceNumber, TenantId};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Whether the event was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptStatus {
    /// It was recorded now.
    Created,
    /// It was recorded before; the receipt is the first one's.
    Duplicate,
}

/// Evidence that an event is durable, and where it stands.
#[derive(Clone, Debug)]
pub struct Receipt {
    json: Box<RawValue>,
    id: EventId,
    tenant_id: TenantId,
    sequence_number: SequenceNumber,
    content_hash: Hash,
    previous_hash: Hash,
    record_hash: Hash,
    ingested_at: IngestedAt,
    status: ReceiptStatus,
}

#[derive(Deserialize)]
struct Members {
    id: String,
    tenant_id: String,
    sequence_number: u64,
    content_hash: String,
    previous_hash: String,
    record_hash: String,
    ingested_at: String,
    status: String,
}

impl Receipt {
    /// Reads a receipt; the error says what is wrong with it.
    pub(crate) fn parse(json: Box<RawValue>) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("a receipt that is none: {error}");
        let members: Members = serde_json::from_str(json.get()).map_err(|error| told(&error))?;
        let hash = |text: &str| Hash::from_hex(text).map_err(|error| told(&error));
        Ok(Self {
            id: EventId::parse_stored(&members.id).map_err(|error| told(&error))?,
            tenant_id: TenantId::parse_stored(&members.tenant_id).map_err(|error| told(&error))?,
            sequence_number: SequenceNumber::new(members.sequence_number)
                .map_err(|error| told(&error))?,
            content_hash: hash(&members.content_hash)?,
            previous_hash: hash(&members.previous_hash)?,
            record_hash: hash(&members.record_hash)?,
            ingested_at: IngestedAt::parse(&members.ingested_at).map_err(|error| told(&error))?,
            status: match members.status.as_str() {
                "created" => ReceiptStatus::Created,
                "duplicate" => ReceiptStatus::Duplicate,
                other => return Err(told(&format!("status {other:?}"))),
            },
            json,
        })
    }

    /// The receipt as it came. To be kept: it holds the record's signature, and with
    /// [`Wait::Checkpoint`](crate::Wait::Checkpoint) its proof.
    pub fn json(&self) -> &str {
        self.json.get()
    }

    pub const fn id(&self) -> &EventId {
        &self.id
    }

    pub const fn tenant_id(&self) -> &TenantId {
        &self.tenant_id
    }

    pub const fn sequence_number(&self) -> SequenceNumber {
        self.sequence_number
    }

    pub const fn content_hash(&self) -> &Hash {
        &self.content_hash
    }

    pub const fn previous_hash(&self) -> &Hash {
        &self.previous_hash
    }

    pub const fn record_hash(&self) -> &Hash {
        &self.record_hash
    }

    pub const fn ingested_at(&self) -> IngestedAt {
        self.ingested_at
    }

    pub const fn status(&self) -> ReceiptStatus {
        self.status
    }
}
