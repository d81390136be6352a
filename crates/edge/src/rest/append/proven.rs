//! Receipts with proofs, for those who wait for a checkpoint.

use std::collections::HashMap;

use ledgerstone_ledger::SignedCheckpoint;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{Hash, SequenceNumber, TenantId};

use crate::rest::problem::Problem;
use crate::rest::service::Service;

/// A checkpoint, and the way from each of some records to its root.
pub(in crate::rest) struct Proven {
    checkpoint: SignedCheckpoint,
    paths: HashMap<SequenceNumber, Vec<Hash>>,
}

impl Service {
    /// A checkpoint that covers these records, with their inclusion proofs.
    pub(super) async fn prove(
        &self,
        tenant: &TenantId,
        numbers: &[SequenceNumber],
    ) -> Result<Proven, Problem> {
        let (tenant, numbers) = (tenant.clone(), numbers.to_vec());
        self.blocking(move |ledger| {
            let checkpoint = ledger.checkpoint(&tenant)?;
            let path = |number: SequenceNumber| {
                let path = ledger.reader().inclusion_proof(&tenant, number, checkpoint.size)?;
                Ok((number, path))
            };
            let paths = numbers.into_iter().map(path).collect::<Result<_, Problem>>()?;
            Ok::<_, Problem>(Proven { checkpoint, paths })
        })
        .await
    }
}

impl Proven {
    /// Writes the checkpoint, as a signed note in a string, and a record's way to its root.
    pub(super) fn write_members(&self, number: SequenceNumber, receipt: &mut ObjectWriter<'_>) {
        receipt.text("checkpoint", &self.checkpoint.note);
        self.write_proof(number, receipt.key("inclusion_proof"));
    }

    /// The leaf's index, the tree's size and the hashes between (RFC 9162 §2.1.3), in base64.
    fn write_proof(&self, number: SequenceNumber, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        object.array("hashes", self.paths.get(&number).into_iter().flatten(), |hash, out| {
            out.push(b'"');
            out.extend_from_slice(hash.to_base64().as_bytes());
            out.push(b'"');
        });
        object.number("leaf_index", number.value());
        object.number("tree_size", self.checkpoint.size.value());
        object.close();
    }
}
