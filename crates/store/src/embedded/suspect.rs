//! Names the record that was changed in a frame whose checksum no longer fits.
//!
//! What a bad frame says is believed in nothing but this hint: it stands beside the finding.

use ledgerstone_proof::{SequenceNumber, TenantId};

use super::frame::{self, BadFrame};
use super::payload::Payload;
use super::replay::check_rows;

/// The first record in the frame that does not match its hashes, if the frame can still be read.
pub fn first_changed_record(file: &[u8], bad: &BadFrame) -> Option<(TenantId, SequenceNumber)> {
    let payload = frame::payload_of_bad(file, bad.start)?;
    let payload = Payload::decode(payload).ok()?;
    payload.runs.iter().find_map(|run| {
        let fault = check_rows(run).err()?;
        Some((run.tenant.clone(), SequenceNumber::new(fault.number).ok()?))
    })
}
