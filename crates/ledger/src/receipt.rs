//! What a sender gets for an event: proof that it stands in the ledger, and where.

use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::{ErrorCode, SealedEvent};
use ledgerstone_proof::{EventId, Hash, IngestedAt, SequenceNumber, TenantId, record_hash};
use ledgerstone_store::{RecordSignature, StoredRecord};

/// Whether the event was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptStatus {
    /// It was recorded now.
    Created,
    /// The same event was recorded before; the receipt is the first one's.
    Duplicate,
}

impl ReceiptStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Duplicate => "duplicate",
        }
    }
}

/// How much of a repeated event could be compared with what is recorded under its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// All of it. Of a new event, and where none was sent, there is nothing to compare.
    Wholly,
    /// What is left: some values are gone with their keys.
    Partly,
    /// Nothing: the content was dropped, and the id alone speaks for it.
    NotAtAll,
}

impl Compared {
    /// What the receipt says; nothing where everything was compared.
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Wholly => None,
            Self::Partly => Some("partly"),
            Self::NotAtAll => Some("not_at_all"),
        }
    }
}

/// Evidence that an event is durable, at a place that nothing else will ever have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub id: EventId,
    pub tenant_id: TenantId,
    pub sequence_number: SequenceNumber,
    pub content_hash: Hash,
    pub previous_hash: Hash,
    pub record_hash: Hash,
    /// `None` where checkpoints alone vouch for records.
    pub signature: Option<RecordSignature>,
    pub ingested_at: IngestedAt,
    pub status: ReceiptStatus,
    pub compared: Compared,
}

impl Receipt {
    /// The receipt that was given when this record was written, now for a repeated delivery.
    pub(crate) fn of_stored(record: &StoredRecord, compared: Compared) -> Self {
        Self {
            id: record.event_id.clone(),
            tenant_id: record.tenant.clone(),
            sequence_number: record.sequence_number,
            content_hash: record.content_hash,
            previous_hash: record.previous_hash,
            record_hash: record_hash(&record.header_bytes()),
            signature: record.signature.clone(),
            ingested_at: record.ingested_at,
            status: ReceiptStatus::Duplicate,
            compared,
        }
    }

    /// Appends the receipt as one JSON object; `signature` and `key_id` are null where the record
    /// is not signed by itself.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        self.write_members(&mut object);
        object.close();
    }

    /// Writes the members of [`write_json`](Self::write_json) into an object that may have more.
    pub fn write_members(&self, object: &mut ObjectWriter<'_>) {
        object.text("id", self.id.as_str());
        object.text("tenant_id", self.tenant_id.as_str());
        object.number("sequence_number", self.sequence_number.value());
        object.hash("content_hash", &self.content_hash);
        object.hash("previous_hash", &self.previous_hash);
        object.hash("record_hash", &self.record_hash);
        match &self.signature {
            None => {
                object.key("signature").extend_from_slice(b"null");
                object.key("key_id").extend_from_slice(b"null");
            }
            Some(signed) => {
                object.text("signature", &signed.to_base64());
                object.text("key_id", signed.key_id.as_str());
            }
        }
        let out = object.key("ingested_at");
        out.push(b'"');
        self.ingested_at.write(out);
        out.push(b'"');
        object.text("status", self.status.as_str());
        object.optional_text("compared", self.compared.as_str());
    }

    /// The receipt as one JSON object.
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(600);
        self.write_json(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// Why an event of a submission was not recorded, or not known to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub tenant_id: TenantId,
    /// The id it was sent under or was given: with `OUTCOME_UNKNOWN` it is to be sent again under
    /// this id, so that it is not recorded twice.
    pub id: EventId,
    pub code: ErrorCode,
    pub message: String,
}

impl Refusal {
    pub(crate) fn of(event: &SealedEvent, code: ErrorCode, message: String) -> Self {
        let (tenant_id, id) = (event.tenant().clone(), event.event_id().clone());
        Self { tenant_id, id, code, message }
    }

    /// For a place that a batch does not have, which no sender is ever given.
    pub(crate) fn lost() -> Self {
        Self {
            tenant_id: TenantId::system(),
            id: EventId::for_system(SequenceNumber::GENESIS),
            code: ErrorCode::Internal,
            message: "an event lost its place in its batch; report this".to_owned(),
        }
    }
}

/// What became of one event of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Recorded(Receipt),
    Refused(Refusal),
}

impl Outcome {
    /// The receipt, where the event is recorded.
    pub const fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Recorded(receipt) => Some(receipt),
            Self::Refused(_) => None,
        }
    }

    /// The code, where the event was refused.
    pub const fn refused(&self) -> Option<ErrorCode> {
        match self {
            Self::Recorded(_) => None,
            Self::Refused(refusal) => Some(refusal.code),
        }
    }
}
