//! Reads containers back into the batches that they were made from.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use ledgerstone_proof::{EventId, Hash, TenantId, record_hash};

use super::rehash::header_of;
use super::{Container, Form};
use crate::batch::{
    Batch, ExpectedHead, LedgerAppend, NewCheckpoint, NewRecord, PositionMove, SourceName,
    SourcePosition,
};
use crate::embedded::StoreId;
use crate::embedded::codec::Malformed;
use crate::embedded::files::Files;
use crate::embedded::frame::SECTOR;
use crate::embedded::log_file::{Frames, LogHeader};
use crate::embedded::payload::{Payload, Row};
use crate::embedded::segment::{Segment, SegmentFault};
use crate::record::{Head, KeyGeneration, RecordSignature, StoredCheckpoint};

/// The last `record_hash` of each ledger read so far.
pub type Chains = HashMap<TenantId, (u64, Hash)>;

fn append_of(tenant: TenantId, chains: &mut Chains, mut records: Vec<NewRecord>) -> LedgerAppend {
    let (size, previous) = chains.get(&tenant).copied().unwrap_or((0, Hash::ZERO));
    let expected = ExpectedHead { size, record_hash: previous };
    let mut last = previous;
    for (number, record) in (size..).zip(&mut records) {
        record.record_hash = record_hash(&header_of(record, &tenant, number, last));
        last = record.record_hash;
    }
    chains.insert(tenant.clone(), (size + records.len() as u64, last));
    let head = Head { record_hash: last, ..Head::empty() };
    LedgerAppend { tenant, expected, records, head }
}

pub fn read_segment(path: PathBuf, store: &StoreId, chains: &mut Chains) -> io::Result<Container> {
    let segment = Segment::open(&Files::new(), &path, store).map_err(io::Error::other)?;
    let batch = segment_batch(&segment, chains).map_err(io::Error::other)?;
    let form = Form::Segment(Box::new(segment.header().clone()));
    Ok(Container { path, form, batches: vec![batch] })
}

fn segment_batch(segment: &Segment, chains: &mut Chains) -> Result<Batch, SegmentFault> {
    let mut ledgers = Vec::new();
    for (_, entry) in segment.directory()? {
        let mut records = Vec::new();
        let leaves = segment.leaf_hashes(entry.first_local, entry.records)?;
        for block in 0..entry.blocks.len() {
            records.extend(segment.block_records(&entry, block)?);
        }
        let records: Vec<NewRecord> = records
            .into_iter()
            .zip(leaves)
            .map(|(record, leaf_hash)| NewRecord {
                event_id: record.event_id,
                ingested_at: record.ingested_at,
                kind: record.kind,
                content_hash: record.content_hash,
                leaf_hash,
                record_hash: Hash::ZERO,
                content: record.content.unwrap_or_default(),
                signature: record.signature,
            })
            .collect();
        ledgers.push((entry.tenant, records.into_iter()));
    }
    let mut batch = batch_of(segment.header().key_generation);
    for (place, count) in segment.commit_order()? {
        if let Some((tenant, records)) = ledgers.get_mut(place) {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let records = records.by_ref().take(count).collect();
            batch.ledgers.push(append_of(tenant.clone(), chains, records));
        }
    }
    let positions = segment.positions()?.into_iter();
    batch.positions = positions.map(|(source, next)| moved(source, next)).collect();
    batch.checkpoints = segment.checkpoints()?.into_iter().map(new_of).collect();
    batch.anchored = segment.anchored()?;
    Ok(batch)
}

pub fn read_log(path: PathBuf, store: &StoreId, chains: &mut Chains) -> io::Result<Container> {
    let bytes = std::fs::read(&path)?;
    let sector = bytes.get(..SECTOR).unwrap_or_default();
    let header = LogHeader::decode(sector, store).map_err(io::Error::other)?;
    let mut frames = Frames::new(&bytes, header.nonce);
    let mut batches = Vec::new();
    while let Ok(frame) = frames.next_frame() {
        batches.push(frame_batch(frame.payload, chains).map_err(io::Error::other)?);
    }
    Ok(Container { path, form: Form::Log { header, len: bytes.len() }, batches })
}

fn frame_batch(payload: &[u8], chains: &mut Chains) -> Result<Batch, Malformed> {
    let payload = Payload::decode(payload)?;
    let mut batch = batch_of(payload.key_generation);
    for run in payload.runs {
        let records = run.rows.iter().map(record_of).collect::<Result<_, _>>()?;
        batch.ledgers.push(append_of(run.tenant, chains, records));
    }
    batch.positions =
        payload.moved_positions.into_iter().map(|(source, next)| moved(source, next)).collect();
    batch.checkpoints = payload.checkpoints.into_iter().map(new_of).collect();
    batch.anchored = payload.anchored;
    Ok(batch)
}

fn record_of(row: &Row<'_>) -> Result<NewRecord, Malformed> {
    let signature = row.signature.as_ref();
    Ok(NewRecord {
        event_id: EventId::parse_stored(row.event_id)
            .map_err(|_| Malformed { what: "bad event id", offset: 0 })?,
        ingested_at: row.ingested_at,
        kind: row.kind,
        content_hash: row.content_hash,
        leaf_hash: row.leaf_hash,
        record_hash: Hash::ZERO,
        content: row.content.to_vec(),
        signature: signature.map(|(key_id, bytes)| RecordSignature {
            key_id: key_id.clone(),
            bytes: bytes.to_vec(),
        }),
    })
}

fn batch_of(key_generation: KeyGeneration) -> Batch {
    Batch { key_generation, ..Batch::default() }
}

fn moved(source: SourceName, next: SourcePosition) -> PositionMove {
    PositionMove { source, expected: None, next }
}

fn new_of(stored: StoredCheckpoint) -> NewCheckpoint {
    let StoredCheckpoint { tenant, size, note, kept_for_good } = stored;
    NewCheckpoint { tenant, size, note, kept_for_good }
}
