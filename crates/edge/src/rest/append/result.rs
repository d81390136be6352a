//! What became of one event, in the shape it is told in.

use ledgerstone_ledger::{Receipt, ReceiptStatus};
use ledgerstone_model::Rejection;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::EventId;

use super::proven::Proven;
use crate::metrics::EventStatus;
use crate::rest::problem::{Fault, Problem};

/// What became of one event of a request.
#[derive(Debug)]
pub(super) enum ItemResult {
    /// With what the taxonomy, in force as a warning, has against it.
    Recorded(Box<Receipt>, Option<Rejection>),
    /// It is in memory and will be written.
    Queued(EventId, Option<Rejection>),
    Refused(Problem),
}

impl ItemResult {
    pub(super) const fn status(&self) -> &'static str {
        match self {
            Self::Recorded(receipt, _) => receipt.status.as_str(),
            Self::Queued(..) => "queued",
            Self::Refused(_) => "rejected",
        }
    }

    /// The same for counting.
    pub(super) fn event_status(&self) -> EventStatus {
        match self {
            Self::Recorded(receipt, _) if receipt.status == ReceiptStatus::Duplicate => {
                EventStatus::Duplicate
            }
            Self::Recorded(..) => EventStatus::Created,
            Self::Queued(..) => EventStatus::Queued,
            Self::Refused(_) => EventStatus::Rejected,
        }
    }

    /// Writes the members that every shape of answer has; receipts with their proofs, where asked for.
    pub(super) fn write_members(&self, proven: Option<&Proven>, object: &mut ObjectWriter<'_>) {
        match self {
            Self::Recorded(receipt, _) => {
                write_receipt(receipt, proven, None, object.key("receipt"));
            }
            Self::Queued(id, _) => object.text("id", id.as_str()),
            Self::Refused(problem) => {
                object.key("error").extend_from_slice(problem.to_json(None).to_string().as_bytes());
            }
        }
        object.text("status", self.status());
        if let Self::Recorded(_, Some(findings)) | Self::Queued(_, Some(findings)) = self {
            write_warnings(findings, object);
        }
    }
}

/// What keeps an event from fitting its tenant's taxonomy, which took it all the same.
fn write_warnings(findings: &Rejection, object: &mut ObjectWriter<'_>) {
    let warnings: serde_json::Value =
        findings.faults().iter().map(|fault| Fault::from(fault).to_json()).collect();
    object.key("warnings").extend_from_slice(warnings.to_string().as_bytes());
}

/// A receipt, with its proof and with warnings where there are any.
pub(in crate::rest) fn write_receipt(
    receipt: &Receipt,
    proven: Option<&Proven>,
    findings: Option<&Rejection>,
    out: &mut Vec<u8>,
) {
    let mut object = ObjectWriter::open(out);
    receipt.write_members(&mut object);
    if let Some(proven) = proven {
        proven.write_members(receipt.sequence_number, &mut object);
    }
    if let Some(findings) = findings {
        write_warnings(findings, &mut object);
    }
    object.close();
}

/// How many events of a request became what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Recorded now, or in memory.
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    pub(super) rejected: u64,
}

impl Tally {
    pub(super) fn of(results: &[ItemResult]) -> Self {
        let mut tally = Self::default();
        results.iter().for_each(|result| tally.count(result));
        tally
    }

    pub(super) fn count(&mut self, result: &ItemResult) {
        match result {
            ItemResult::Recorded(receipt, _) if receipt.status == ReceiptStatus::Duplicate => {
                self.duplicates += 1;
            }
            ItemResult::Recorded(..) | ItemResult::Queued(..) => self.accepted += 1,
            ItemResult::Refused(_) => self.rejected += 1,
        }
    }

    pub(super) fn write_members(&self, object: &mut ObjectWriter<'_>) {
        object.number("accepted", self.accepted);
        object.number("duplicates", self.duplicates);
    }
}
