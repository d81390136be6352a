//! Recomputes every hash of a run: what a segment must pass before it replaces its log file.
//!
//! This is the store checking its own copy. Signatures, checkpoints and the links between parts
//! are the verifier's business.

use std::path::Path;

use ledgerstone_proof::{
    CompactRange, Hash, HeaderFields, SequenceNumber, TenantId, leaf_hash, sha256,
};

use super::inspect::inspect;
use super::reader::{Segment, SegmentFault};
use crate::contract::{Inspector, RunClaims, RunRecord};
use crate::embedded::StoreId;
use crate::embedded::files::Files;
use crate::record::{ContainerFinding, Location};

/// Opens the segment anew and recomputes all of it; answers the records it holds.
pub fn recompute(files: &Files, path: &Path, store: &StoreId) -> Result<u64, RecomputeError> {
    let segment = Segment::open(files, path, store)?;
    let mut recompute = Recompute::default();
    let location = Location { file: path.to_owned(), offset: 0 };
    inspect(&segment, &location, &mut recompute)?;
    match recompute.fault {
        Some(fault) => Err(RecomputeError::Mismatch(fault)),
        None => Ok(recompute.records),
    }
}

/// Why a segment did not pass.
#[derive(Debug, thiserror::Error)]
pub enum RecomputeError {
    #[error(transparent)]
    Segment(#[from] SegmentFault),
    #[error("{0}")]
    Mismatch(String),
}

#[derive(Default)]
struct Recompute {
    run: Option<OpenRun>,
    header: Vec<u8>,
    records: u64,
    fault: Option<String>,
}

struct OpenRun {
    tenant: TenantId,
    next: SequenceNumber,
    left: u64,
    record_hash: Hash,
    range: CompactRange,
    last_record_hash: Hash,
    root_after: Option<Hash>,
}

impl Recompute {
    fn fail(&mut self, what: &str) {
        let place = self.run.as_ref().map(|run| format!("{} {}", run.tenant, run.next.value()));
        let fault = format!("{what} ({})", place.unwrap_or_default());
        self.fault.get_or_insert(fault);
    }
}

impl Inspector for Recompute {
    fn wants(&self, _: &TenantId) -> bool {
        self.fault.is_none()
    }

    fn finding(&mut self, finding: ContainerFinding) {
        self.fault.get_or_insert(format!("{}: {}", finding.check, finding.found));
    }

    fn begin_run(&mut self, claims: &RunClaims<'_>) {
        let before = claims.range_before.unwrap_or_default().to_vec();
        let Ok(range) = CompactRange::from_parts(claims.first.value(), before) else {
            self.fail("the frontier does not fit the first number");
            return;
        };
        self.run = Some(OpenRun {
            tenant: claims.tenant.clone(),
            next: claims.first,
            left: claims.count,
            record_hash: claims.previous_hash,
            range,
            last_record_hash: claims.last_record_hash,
            root_after: claims.root_after,
        });
    }

    fn records(&mut self, records: &[RunRecord<'_>]) {
        for record in records {
            let Some(run) = self.run.as_mut() else { return };
            self.header.clear();
            HeaderFields {
                content_hash: &record.content_hash,
                event_id: record.event_id.as_str(),
                ingested_at: record.ingested_at,
                kind: record.kind,
                previous_hash: &run.record_hash,
                sequence_number: run.next,
                tenant_id: run.tenant.as_str(),
            }
            .write_canonical(&mut self.header);
            run.record_hash = sha256(&self.header);
            let leaf = leaf_hash(&self.header);
            run.range.push(leaf);
            run.next = run.next.next();
            run.left = run.left.wrapping_sub(1);
            self.records += 1;
            if leaf != record.leaf_hash {
                self.fail("leaf hash");
            }
            if record.content.is_some_and(|content| sha256(content) != record.content_hash) {
                self.fail("content hash");
            }
        }
    }

    fn end_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        let root_fits = run.root_after.is_none_or(|root| root == run.range.root());
        if run.left != 0 || run.record_hash != run.last_record_hash || !root_fits {
            self.fail("the end of a run");
        }
    }
}
