//! Collects what a store shows an inspector, and holds every claim against the chain.

use std::collections::BTreeMap;

use ledgerstone_proof::{CompactRange, Hash, HeaderFields, SequenceNumber, TenantId, record_hash};

use super::builder::ChainBuilder;
use crate::contract::{Inspector, RunClaims, RunRecord};
use crate::record::{ContainerFinding, StoredRecord};

/// An inspector that panics at the first thing that is not as it was appended.
pub(super) struct Collector<'a> {
    chain: &'a ChainBuilder,
    /// How often each record was shown, by ledger and number.
    shown: BTreeMap<TenantId, Vec<u32>>,
    only: Option<TenantId>,
    run: Option<OpenRun>,
    /// The number after the last run of each ledger in this part.
    part: BTreeMap<TenantId, u64>,
    /// The tree after the last run of each ledger: mostly the one before the next run.
    ranges: BTreeMap<TenantId, CompactRange>,
    records_seen: u64,
}

/// A run between its beginning and its end.
struct OpenRun {
    tenant: TenantId,
    next: u64,
    end: u64,
    previous_hash: Hash,
    range: CompactRange,
    last_record_hash: Hash,
    root_after: Option<Hash>,
}

impl<'a> Collector<'a> {
    /// Wants every ledger.
    pub(super) fn new(chain: &'a ChainBuilder) -> Self {
        let shown =
            chain.tenants().map(|tenant| (tenant.clone(), vec![0; chain.records(tenant).len()]));
        Self {
            chain,
            shown: shown.collect(),
            only: None,
            run: None,
            part: BTreeMap::new(),
            ranges: BTreeMap::new(),
            records_seen: 0,
        }
    }

    /// Wants one ledger and panics when it is shown another.
    pub(super) fn wanting(chain: &'a ChainBuilder, only: TenantId) -> Self {
        Self { only: Some(only), ..Self::new(chain) }
    }

    pub(super) fn begin_part(&mut self) {
        assert!(self.run.is_none(), "a part ended within a run");
        self.part.clear();
    }

    pub(super) fn records_seen(&self) -> u64 {
        self.records_seen
    }

    /// Panics unless every wanted record was shown exactly once.
    pub(super) fn assert_complete(&self) {
        assert!(self.run.is_none(), "the last part ended within a run");
        for (tenant, shown) in &self.shown {
            let times = u32::from(self.wanted(tenant));
            let wrong = shown.iter().position(|count| *count != times);
            assert_eq!(wrong, None, "{tenant}: the first record not shown exactly {times} times");
        }
    }

    fn wanted(&self, tenant: &TenantId) -> bool {
        self.only.as_ref().is_none_or(|only| only == tenant)
    }

    fn record(&mut self, shown: &RunRecord<'_>) {
        let mut run = self.run.take().unwrap_or_else(|| panic!("a record outside a run"));
        let at = usize::try_from(run.next).unwrap();
        let Some(expected) = self.chain.records(&run.tenant).get(at) else {
            panic!("{} has no record {}", run.tenant, run.next);
        };
        assert_as_appended(shown, expected);
        let leaf = self.chain.leaves(&run.tenant)[at];
        assert_eq!(shown.leaf_hash, leaf, "leaf hash of {} {}", run.tenant, run.next);
        run.previous_hash = hash_of(shown, &run, expected.sequence_number);
        run.range.push(shown.leaf_hash);
        run.next += 1;
        self.records_seen += 1;
        self.shown.get_mut(&run.tenant).unwrap()[at] += 1;
        self.run = Some(run);
    }

    /// The frontier before the run's first record, as the chain knows it.
    fn range_before(&mut self, tenant: &TenantId, first: usize) -> CompactRange {
        let known = self.ranges.remove(tenant);
        if let Some(range) = known.filter(|range| range.size() == first as u64) {
            return range;
        }
        let mut range = CompactRange::new();
        for leaf in &self.chain.leaves(tenant)[..first] {
            range.push(*leaf);
        }
        range
    }
}

impl Inspector for Collector<'_> {
    fn wants(&self, tenant: &TenantId) -> bool {
        self.wanted(tenant)
    }

    fn finding(&mut self, finding: ContainerFinding) {
        panic!("a finding in a sound store: {finding:?}");
    }

    fn begin_run(&mut self, claims: &RunClaims<'_>) {
        assert!(self.run.is_none(), "a run within a run");
        assert!(self.wanted(claims.tenant), "{} is shown though it is not wanted", claims.tenant);
        let tenant = claims.tenant.clone();
        let first = claims.first.value();
        let records = self.chain.records(&tenant);
        let at = usize::try_from(first).unwrap();
        assert!(claims.count > 0, "a run of {tenant} without records");
        assert!(at < records.len(), "{tenant}: a run begins at {first}");
        assert_eq!(claims.previous_hash, records[at].previous_hash, "{tenant} {first}: the claim");
        let range = self.range_before(&tenant, at);
        if let Some(hashes) = claims.range_before {
            assert_eq!(hashes, range.hashes(), "{tenant} {first}: the claimed frontier");
        }
        let end = first + claims.count;
        let before = self.part.insert(tenant.clone(), end);
        assert!(before.is_none_or(|before| before <= first), "{tenant}: runs out of order");
        self.run = Some(OpenRun {
            tenant,
            next: first,
            end,
            previous_hash: claims.previous_hash,
            range,
            last_record_hash: claims.last_record_hash,
            root_after: claims.root_after,
        });
    }

    fn records(&mut self, records: &[RunRecord<'_>]) {
        for record in records {
            self.record(record);
        }
    }

    fn end_run(&mut self) {
        let run = self.run.take().unwrap_or_else(|| panic!("the end of no run"));
        let tenant = &run.tenant;
        assert_eq!(run.next, run.end, "{tenant}: the claimed number of records");
        assert_eq!(run.last_record_hash, run.previous_hash, "{tenant}: the claimed last hash");
        if let Some(root) = run.root_after {
            assert_eq!(root, run.range.root(), "{tenant}: the claimed root after the run");
        }
        self.ranges.insert(run.tenant, run.range);
    }
}

fn hash_of(shown: &RunRecord<'_>, run: &OpenRun, sequence_number: SequenceNumber) -> Hash {
    let mut header = Vec::with_capacity(400);
    HeaderFields {
        content_hash: &shown.content_hash,
        event_id: shown.event_id,
        ingested_at: shown.ingested_at,
        kind: shown.kind,
        previous_hash: &run.previous_hash,
        sequence_number,
        tenant_id: run.tenant.as_str(),
    }
    .write_canonical(&mut header);
    record_hash(&header)
}

fn assert_as_appended(shown: &RunRecord<'_>, expected: &StoredRecord) {
    let place = format!("{} {} as inspected", expected.tenant, expected.sequence_number);
    assert_eq!(shown.event_id, expected.event_id.as_str(), "{place}");
    assert_eq!(shown.ingested_at, expected.ingested_at, "{place}");
    assert_eq!(shown.kind, expected.kind, "{place}");
    assert_eq!(shown.content_hash, expected.content_hash, "{place}");
    assert!(shown.content == expected.content.as_deref(), "{place}: another content");
    let signature = expected.signature.as_ref();
    let signature = signature.map(|signature| (&signature.key_id, signature.bytes.as_slice()));
    assert_eq!(shown.signature, signature, "{place}");
}
