//! Anchors: `_system` lists hashes of the other ledgers' checkpoints, so that whoever holds one
//! checkpoint of `_system` holds something of every ledger, and learns nothing about any.

use std::collections::HashMap;

use ledgerstone_model::system::{ANCHOR_CHECKPOINTS_MAX, Anchor, SystemRecord};
use ledgerstone_proof::{Checkpoint, Hash, SequenceNumber, TenantId, sha256};
use ledgerstone_store::{AnchoredRound, LedgerStore};

use crate::checkpoint::SignedCheckpoint;
use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};
use crate::sequencer::SignedAs;

/// What a round of anchoring did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorReport {
    /// The ledgers that had grown.
    pub ledgers: usize,
    /// The `system.anchor` records written; none when nothing had grown.
    pub records: Vec<SequenceNumber>,
    /// `_system` with these records in it.
    pub checkpoint: SignedCheckpoint,
}

/// A ledger that grew since it was last anchored.
struct Grown {
    tenant: TenantId,
    size: u64,
    body_hash: Hash,
}

impl Ledger {
    /// Anchors every ledger that grew since it was last anchored, and signs `_system`.
    pub fn anchor(&self) -> Result<AnchorReport, LedgerError> {
        let mut anchored = hold(&self.anchored);
        let sizes = match anchored.take() {
            Some(sizes) => anchored.insert(sizes),
            None => anchored.insert(anchored_sizes(&*self.store)?),
        };
        let grown = self.grown(sizes)?;
        let records = self.write_anchors(&grown)?;
        let ledgers = grown.len();
        for one in grown {
            sizes.insert(one.tenant, one.size);
        }
        drop(anchored);
        let checkpoint = self.checkpoint(&TenantId::system())?;
        Ok(AnchorReport { ledgers, records, checkpoint })
    }

    fn grown(&self, sizes: &HashMap<TenantId, u64>) -> Result<Vec<Grown>, LedgerError> {
        let mut grown = Vec::new();
        for tenant in self.reader().tenants()? {
            let Some(head) = self.store.head(&tenant)?.filter(|_| !tenant.is_system()) else {
                continue;
            };
            if sizes.get(&tenant).is_some_and(|size| *size >= head.size()) {
                continue;
            }
            self.refuse_rollback(&tenant, &head)?;
            let genesis = self.reader().genesis(&tenant)?;
            let origin = genesis.log_key().name().as_str();
            let body_hash = checkpoint_hash(origin, head.size(), head.range.root())?;
            grown.push(Grown { tenant, size: head.size(), body_hash });
        }
        Ok(grown)
    }

    fn write_anchors(&self, grown: &[Grown]) -> Result<Vec<SequenceNumber>, LedgerError> {
        let mut chunks = Vec::new();
        for chunk in grown.chunks(ANCHOR_CHECKPOINTS_MAX) {
            let hashes = chunk.iter().map(|one| one.body_hash).collect();
            let anchor = Anchor::new(hashes).map_err(|error| LedgerError::NotWritten {
                code: error.code(),
                message: error.to_string(),
            })?;
            let sizes = chunk.iter().map(|one| (one.tenant.clone(), one.size)).collect::<Vec<_>>();
            chunks.push((anchor, sizes));
        }
        if chunks.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.sequencer.administer(&[TenantId::system()], |round| {
            let mut numbers = Vec::new();
            for (anchor, sizes) in chunks {
                let number = round.push(0, SignedAs::Usual, |_, _| SystemRecord::Anchor(anchor));
                if let Some(number) = number {
                    round.keep_anchored(AnchoredRound { anchor: number.value(), sizes });
                    numbers.push(number);
                }
            }
            numbers
        })?)
    }
}

/// SHA-256 of the body of a ledger's checkpoint: what an anchor lists.
pub(crate) fn checkpoint_hash(origin: &str, size: u64, root: Hash) -> Result<Hash, LedgerError> {
    let size = ledgerstone_proof::TreeSize::new(size);
    let checkpoint = Checkpoint::new(origin, size, root).map_err(|error| {
        LedgerError::InvalidProof { what: "the log name", reason: error.to_string() }
    })?;
    Ok(sha256(checkpoint.to_body().as_bytes()))
}

/// The size at which each ledger was last anchored, from what the store keeps beside the anchors.
fn anchored_sizes(store: &dyn LedgerStore) -> Result<HashMap<TenantId, u64>, LedgerError> {
    let (parts, _) = store.parts()?;
    let mut sizes = HashMap::new();
    for (tenant, size) in
        parts.into_iter().flat_map(|part| part.contents.anchored).flat_map(|round| round.sizes)
    {
        let newest = sizes.entry(tenant).or_insert(size);
        *newest = size.max(*newest);
    }
    Ok(sizes)
}
