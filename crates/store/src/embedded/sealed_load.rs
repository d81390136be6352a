//! Loads sealed segments at opening: their directories, the ends of ledgers, ids, checkpoints.

use std::collections::HashMap;
use std::sync::Arc;

use ledgerstone_proof::{CompactRange, TenantId};

use super::active::{Ledger, SealedRun};
use super::forgery::runs_are_sound;
use super::ids::IdTiers;
use super::idx::{SegmentIndex, check_header};
use super::segment::{DirectoryEntry, LedgerStart, Segment, SegmentFault, list_digest};
use super::shared::{Shared, State, lock};
use crate::record::{Check, ContainerFinding, Head, Location};

/// The last entry of a ledger, from which its end is computed once all segments are known.
struct LastEntry {
    segment: usize,
    entry: DirectoryEntry,
}

/// Takes segments into the state, oldest first. What does not fit becomes a finding.
pub fn load(shared: &Shared, state: &mut State, segments: Vec<Arc<Segment>>) {
    let mut last: HashMap<TenantId, LastEntry> = HashMap::new();
    for segment in segments {
        let place = state.segments.len();
        let expected = state.records;
        let first = segment.header().first_ordinal;
        if first != expected {
            let found = format!("a segment that begins at {first}");
            let name = segment_file(shared, expected);
            let expected = format!("a segment that begins at commit ordinal {expected}, {name}");
            state.findings.push(finding(shared, &segment, Check::Section, expected, found));
        }
        state.records = first + segment.header().records;
        state.key_generation = state.key_generation.max(segment.header().key_generation);
        match load_one(state, &segment, place, &mut last) {
            Ok(()) => {}
            Err(fault) => {
                let expected = "a readable segment".to_owned();
                let found = fault.to_string();
                state.findings.push(finding(shared, &segment, Check::Section, expected, found));
            }
        }
        state.segments.push(segment);
    }
    for (tenant, last) in last {
        if let Err(fault) = load_end(state, &tenant, &last) {
            let Some(segment) = state.segments.get(last.segment).cloned() else {
                continue;
            };
            let expected = format!("leaf hashes that lead to the root of ledger {tenant}");
            let mut found = finding(shared, &segment, Check::MerkleRoot, expected, fault);
            found.tenant = Some(tenant);
            state.findings.push(found);
        }
    }
    state.segments_digest = list_digest(state.segments.iter().map(|segment| segment.header()));
}

/// The name of a segment of which only the first record is known: any generation may be meant, but
/// 1 is what sealing writes.
pub fn segment_file(shared: &Shared, first: u64) -> String {
    let path = shared.layout.segment(first, 1);
    format!("{} or a later generation of it", shared.layout.relative(&path).display())
}

fn finding(
    shared: &Shared,
    segment: &Segment,
    check: Check,
    expected: String,
    found: String,
) -> ContainerFinding {
    let file = shared.layout.relative(segment.path());
    ContainerFinding {
        check,
        location: Location { file, offset: 0 },
        tenant: None,
        sequence_number: None,
        expected,
        found,
        following: 0,
    }
}

fn load_one(
    state: &mut State,
    segment: &Segment,
    place: usize,
    last: &mut HashMap<TenantId, LastEntry>,
) -> Result<(), SegmentFault> {
    for (offset, entry) in segment.directory()? {
        let ledger = state.ledgers.entry(entry.tenant.clone()).or_insert_with(Ledger::empty);
        ledger.sealed.push(SealedRun {
            first: entry.first,
            records: entry.records as u32,
            segment: place as u32,
            entry: offset,
        });
        last.insert(entry.tenant.clone(), LastEntry { segment: place, entry });
    }
    state.positions = segment.positions()?.into_iter().collect();
    for checkpoint in segment.checkpoints()? {
        state.keep_checkpoint(checkpoint);
    }
    Ok(())
}

/// Computes hash and frontier after a ledger's last sealed record, from truth alone.
fn load_end(state: &mut State, tenant: &TenantId, last: &LastEntry) -> Result<(), String> {
    let segment = state.segments.get(last.segment).ok_or("the segment is missing")?.clone();
    let entry = &last.entry;
    let mut range = CompactRange::from_parts(entry.first, entry.range_before.clone())
        .map_err(|fault| fault.to_string())?;
    let leaves =
        segment.leaf_hashes(entry.first_local, entry.records).map_err(|fault| fault.to_string())?;
    leaves.into_iter().for_each(|leaf| range.push(leaf));
    let fits = range.root() == entry.root_after;
    let ingested_at = last_time(&segment, entry).map_err(|fault| fault.to_string())?;
    let Some(ledger) = state.ledgers.get_mut(tenant) else {
        return Ok(());
    };
    ledger.sealed_end = LedgerStart { range: range.clone(), record_hash: entry.last_record_hash };
    ledger.head = Head { range, record_hash: entry.last_record_hash, ingested_at };
    if fits { Ok(()) } else { Err(format!("root {}", ledger.head.range.root().to_hex())) }
}

fn last_time(
    segment: &Segment,
    entry: &DirectoryEntry,
) -> Result<Option<ledgerstone_proof::IngestedAt>, SegmentFault> {
    let Some(block) = entry.blocks.last() else {
        return Ok(None);
    };
    Ok(segment.columns(block)?.last_time())
}

/// Loads merged runs and, for what they do not cover, the segments' indexes; builds what is
/// missing or does not fit.
fn load_ids(shared: &Shared, state: &mut State, may_write: bool) -> Result<(), SegmentFault> {
    let sealed_to =
        state.segments.last().map_or(0, |s| s.header().first_ordinal + s.header().records);
    let directory = shared.layout.ids();
    let mut tiers = IdTiers::load(
        &shared.files,
        &directory,
        &shared.binding(state.segments.clone()),
        sealed_to,
    );
    for segment in &state.segments {
        let first = segment.header().first_ordinal;
        if first < tiers.covered() {
            continue;
        }
        tiers.push(index_of(shared, segment, may_write)?.id_run(first));
    }
    state.ids = tiers;
    Ok(())
}

/// The same; when the ids cannot be had, the store says so and is read-only.
pub fn load_ids_or_tell(shared: &Shared, state: &mut State, may_write: bool) {
    if let Err(fault) = load_ids(shared, state, may_write) {
        // A segment that cannot be read is a finding already; its ids are not found.
        state.read_only.get_or_insert_with(|| format!("ids cannot be rebuilt: {fault}"));
    }
}

fn index_of(
    shared: &Shared,
    segment: &Segment,
    may_write: bool,
) -> Result<SegmentIndex, SegmentFault> {
    let fits = |index: &SegmentIndex| index.ids.len() as u64 == segment.header().records;
    let binding = shared.binding(Vec::new());
    if let Some(index) = SegmentIndex::load(segment, &binding).ok().flatten().filter(fits) {
        return Ok(index);
    }
    let index = SegmentIndex::build(segment, &shared.hasher)?;
    if may_write && let Err(error) = index.save(&shared.files, segment, &binding) {
        // Derived: what is in memory serves; said in the status, written at the next opening.
        drop(error);
    }
    Ok(index)
}

/// Throws all runs of ids away and builds them from the segments.
pub fn rebuild_ids(shared: &Shared) -> Result<(), SegmentFault> {
    let segments = shared.read().segments.clone();
    let mut tiers = IdTiers::default();
    for segment in &segments {
        tiers.push(index_of(shared, segment, false)?.id_run(segment.header().first_ordinal));
    }
    shared.write().ids = tiers;
    Ok(())
}

/// Writes the indexes that are missing or forged, and gives up merged runs that are damaged; called once a store is open for writing.
pub fn complete_indexes(shared: &Shared) {
    let segments = shared.read().segments.clone();
    let binding = shared.binding(Vec::new());
    // One whose header is right and whose sections are damaged is made again when it is needed.
    let lacking = segments.iter().filter(|one| check_header(one, &binding).is_err());
    for segment in lacking {
        let _no_segment_is_replaced = lock(&shared.deriving);
        // It may have been meanwhile, and has its index then.
        if !shared.read().segments.iter().any(|known| Arc::ptr_eq(known, segment)) {
            continue;
        }
        if let Err(fault) = index_of(shared, segment, true) {
            return shared.set_degraded("index", Some(fault.to_string()));
        }
    }
    if !runs_are_sound(shared)
        && let Err(fault) = rebuild_ids(shared)
    {
        shared.set_degraded("ids", Some(fault.to_string()));
    }
}
