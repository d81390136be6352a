//! A batch on its way into the store: signed, handed over, and what its senders are told.

use ledgerstone_model::ErrorCode;
use ledgerstone_store::{AppendError, Batch, KeyGeneration, RecordSignature};
use rayon::prelude::*;

use super::{OpenBatch, Placed, SigningJob};

/// Less than this part of a task is not worth a second thread.
const IN_PLACE: usize = 4;

/// A batch that takes no more records.
#[derive(Debug)]
pub(crate) struct ClosedBatch {
    pub(super) open: OpenBatch,
    pub(super) signatures: Vec<RecordSignature>,
}

impl ClosedBatch {
    pub(crate) const fn number(&self) -> u64 {
        self.open.number
    }

    /// Signs every header that is to be signed, on all cores where that pays.
    pub(crate) fn sign(&mut self) -> Result<(), AppendError> {
        let OpenBatch { jobs, headers, appends, .. } = &mut self.open;
        let sign =
            |job: &SigningJob| job.signer.sign(headers.get(job.header.clone()).unwrap_or_default());
        let per_task = jobs.first().map_or(1, |job| job.signer.signatures_per_task());
        let signed: Result<Vec<_>, _> = if jobs.len() == 1 || jobs.len() * IN_PLACE < per_task {
            jobs.iter().map(sign).collect()
        } else {
            jobs.par_iter().with_min_len(per_task).map(sign).collect()
        };
        self.signatures = signed.map_err(|error| AppendError::Unavailable {
            code: ErrorCode::Internal,
            reason: error.to_string(),
        })?;
        for (job, signature) in jobs.iter().zip(&self.signatures) {
            let entry = appends.get_mut(job.append);
            if let Some(record) = entry.and_then(|entry| entry.records.get_mut(job.record)) {
                record.signature = Some(signature.clone());
            }
        }
        Ok(())
    }

    /// What the store is to write; the rest stays here for the receipts.
    pub(crate) fn take_batch(&mut self, key_generation: KeyGeneration) -> Batch {
        Batch {
            ledgers: std::mem::take(&mut self.open.appends),
            checkpoints: std::mem::take(&mut self.open.checkpoints),
            anchored: std::mem::take(&mut self.open.anchored),
            key_generation,
            ..Batch::default()
        }
    }

    /// The batch as it was before [`take_batch`](Self::take_batch), given back what was taken.
    pub(crate) fn reopen(mut self, batch: Batch) -> OpenBatch {
        self.open.appends = batch.ledgers;
        self.open.checkpoints = batch.checkpoints;
        self.open.anchored = batch.anchored;
        self.open
    }

    /// Everything that receipts or refusals need, now that the end is known.
    pub(crate) fn into_completed(self, verdict: Result<(), Failure>) -> Completed {
        Completed { placed: self.open.placed, signatures: self.signatures, verdict }
    }

    /// The places of its records.
    pub(crate) fn placed(&self) -> &[Placed] {
        &self.open.placed
    }

    pub(crate) const fn can_be_placed_again(&self) -> bool {
        self.open.can_be_placed_again()
    }
}

/// Why a commit failed, for everybody who waits for it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

/// A batch whose end is known, as far as its senders need it.
#[derive(Debug)]
pub(crate) struct Completed {
    placed: Vec<Placed>,
    signatures: Vec<RecordSignature>,
    verdict: Result<(), Failure>,
}

impl Completed {
    pub(crate) fn placed(&self) -> &[Placed] {
        &self.placed
    }

    /// The place of one record; whether it holds, [`verdict`](Self::verdict) says.
    pub(crate) fn get(&self, index: usize) -> Option<&Placed> {
        self.placed.get(index)
    }

    pub(crate) const fn verdict(&self) -> &Result<(), Failure> {
        &self.verdict
    }

    pub(crate) fn signature(&self, placed: &Placed) -> Option<&RecordSignature> {
        self.signatures.get(placed.signature?)
    }
}
