//! What a frame carries: one batch, written row by row, and read back without copying.

use ledgerstone_proof::{EventId, Hash, IngestedAt, KeyId, Kind, SequenceNumber, TenantId};

use super::codec::{Malformed, Reader, put_bytes, put_hash, put_varint, unzigzag, zigzag};
use crate::batch::{AnchoredRound, Batch, LedgerAppend, NewRecord, SourceName, SourcePosition};
use crate::record::{KeyGeneration, StoredCheckpoint};

/// Where a record's row lies in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPlace {
    pub offset: u32,
    pub len: u32,
}

/// Appends a batch to `out`, and says where each row begins, counted from the payload's start.
///
/// The first frame of a log file also states the positions of all sources as they were before it.
pub fn encode(
    batch: &Batch,
    first_ordinal: u64,
    all_positions: Option<&[(SourceName, SourcePosition)]>,
    out: &mut Vec<u8>,
) -> Vec<RowPlace> {
    let start = out.len();
    put_varint(out, first_ordinal);
    put_varint(out, batch.key_generation.0);
    encode_positions(batch, all_positions, out);
    put_varint(out, batch.ledgers.len() as u64);
    let mut rows = Vec::with_capacity(batch.record_count());
    for ledger in &batch.ledgers {
        encode_run(ledger, start, &mut rows, out);
    }
    put_varint(out, batch.checkpoints.len() as u64);
    for checkpoint in &batch.checkpoints {
        put_checkpoint(
            out,
            &checkpoint.tenant,
            checkpoint.size,
            &checkpoint.note,
            checkpoint.kept_for_good,
        );
    }
    put_varint(out, batch.anchored.len() as u64);
    for round in &batch.anchored {
        put_anchored(out, round);
    }
    rows
}

fn encode_positions(
    batch: &Batch,
    all: Option<&[(SourceName, SourcePosition)]>,
    out: &mut Vec<u8>,
) {
    let all = all.unwrap_or_default();
    put_varint(out, all.len() as u64);
    for (source, position) in all {
        put_bytes(out, source.as_str().as_bytes());
        put_varint(out, position.0);
    }
    put_varint(out, batch.positions.len() as u64);
    for moved in &batch.positions {
        put_bytes(out, moved.source.as_str().as_bytes());
        put_varint(out, moved.next.0);
    }
}

fn encode_run(ledger: &LedgerAppend, start: usize, rows: &mut Vec<RowPlace>, out: &mut Vec<u8>) {
    put_bytes(out, ledger.tenant.as_str().as_bytes());
    put_varint(out, ledger.expected.size);
    put_hash(out, &ledger.expected.record_hash);
    put_hash(out, &ledger.head.record_hash);
    put_varint(out, ledger.records.len() as u64);
    for record in &ledger.records {
        let offset = out.len() - start;
        encode_row(record, out);
        let len = out.len() - start - offset;
        rows.push(RowPlace { offset: offset as u32, len: len as u32 });
    }
}

fn encode_row(record: &NewRecord, out: &mut Vec<u8>) {
    out.push(kind_byte(record.kind));
    put_varint(out, zigzag(record.ingested_at.micros()));
    put_bytes(out, record.event_id.as_str().as_bytes());
    put_hash(out, &record.content_hash);
    put_hash(out, &record.leaf_hash);
    match &record.signature {
        Some(signature) => {
            put_bytes(out, signature.key_id.as_str().as_bytes());
            put_bytes(out, &signature.bytes);
        }
        None => put_varint(out, 0),
    }
    put_bytes(out, &record.content);
}

pub fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Event => 1,
        Kind::Audit => 2,
        Kind::System => 3,
    }
}

pub fn read_kind(reader: &mut Reader<'_>) -> Result<Kind, Malformed> {
    match reader.u8()? {
        1 => Ok(Kind::Event),
        2 => Ok(Kind::Audit),
        3 => Ok(Kind::System),
        _ => Err(reader.malformed("unknown kind")),
    }
}

pub fn put_checkpoint(out: &mut Vec<u8>, tenant: &TenantId, size: u64, note: &str, good: bool) {
    put_bytes(out, tenant.as_str().as_bytes());
    put_varint(out, size);
    out.push(u8::from(good));
    put_bytes(out, note.as_bytes());
}

pub fn read_checkpoint(reader: &mut Reader<'_>) -> Result<StoredCheckpoint, Malformed> {
    Ok(StoredCheckpoint {
        tenant: read_tenant(reader)?,
        size: reader.varint()?,
        kept_for_good: match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(reader.malformed("bad mark of a checkpoint")),
        },
        note: reader.str()?.to_owned(),
    })
}

pub fn put_anchored(out: &mut Vec<u8>, round: &AnchoredRound) {
    put_varint(out, round.anchor);
    put_varint(out, round.sizes.len() as u64);
    for (tenant, size) in &round.sizes {
        put_bytes(out, tenant.as_str().as_bytes());
        put_varint(out, *size);
    }
}

pub fn read_anchored(reader: &mut Reader<'_>) -> Result<AnchoredRound, Malformed> {
    let anchor = reader.varint()?;
    let count = reader.count(3)?;
    let mut sizes = Vec::with_capacity(count);
    for _ in 0..count {
        sizes.push((read_tenant(reader)?, reader.varint()?));
    }
    Ok(AnchoredRound { anchor, sizes })
}

pub fn read_tenant(reader: &mut Reader<'_>) -> Result<TenantId, Malformed> {
    let text = reader.str()?;
    TenantId::parse_stored(text).map_err(|_| reader.malformed("bad tenant"))
}

pub fn read_positions(
    reader: &mut Reader<'_>,
) -> Result<Vec<(SourceName, SourcePosition)>, Malformed> {
    let count = reader.count(2)?;
    let mut positions = Vec::with_capacity(count);
    for _ in 0..count {
        let name =
            SourceName::parse(reader.str()?).ok_or_else(|| reader.malformed("bad source"))?;
        positions.push((name, SourcePosition(reader.varint()?)));
    }
    Ok(positions)
}

/// A batch as read from a frame.
#[derive(Debug)]
pub struct Payload<'a> {
    pub first_ordinal: u64,
    pub key_generation: KeyGeneration,
    /// Positions of all sources before this frame; only the first frame of a file has them.
    pub all_positions: Vec<(SourceName, SourcePosition)>,
    pub moved_positions: Vec<(SourceName, SourcePosition)>,
    pub runs: Vec<PayloadRun<'a>>,
    pub checkpoints: Vec<StoredCheckpoint>,
    pub anchored: Vec<AnchoredRound>,
}

/// Consecutive records of one ledger in a frame.
#[derive(Debug)]
pub struct PayloadRun<'a> {
    pub tenant: TenantId,
    pub first: u64,
    pub previous_hash: Hash,
    pub last_record_hash: Hash,
    pub rows: Vec<Row<'a>>,
}

/// One record as its row says.
#[derive(Debug)]
pub struct Row<'a> {
    pub kind: Kind,
    pub ingested_at: IngestedAt,
    pub event_id: &'a str,
    pub content_hash: Hash,
    pub leaf_hash: Hash,
    pub signature: Option<(KeyId, &'a [u8])>,
    pub content: &'a [u8],
    pub place: RowPlace,
}

impl<'a> Payload<'a> {
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let first_ordinal = reader.varint()?;
        let key_generation = KeyGeneration(reader.varint()?);
        let all_positions = read_positions(&mut reader)?;
        let moved_positions = read_positions(&mut reader)?;
        let run_count = reader.count(66)?;
        let mut runs = Vec::with_capacity(run_count);
        for _ in 0..run_count {
            runs.push(decode_run(&mut reader)?);
        }
        let checkpoint_count = reader.count(4)?;
        let mut checkpoints = Vec::with_capacity(checkpoint_count);
        for _ in 0..checkpoint_count {
            checkpoints.push(read_checkpoint(&mut reader)?);
        }
        let round_count = reader.count(2)?;
        let mut anchored = Vec::with_capacity(round_count);
        for _ in 0..round_count {
            anchored.push(read_anchored(&mut reader)?);
        }
        reader.finish()?;
        Ok(Self {
            first_ordinal,
            key_generation,
            all_positions,
            moved_positions,
            runs,
            checkpoints,
            anchored,
        })
    }
}

fn decode_run<'a>(reader: &mut Reader<'a>) -> Result<PayloadRun<'a>, Malformed> {
    let tenant = read_tenant(reader)?;
    let first = reader.varint()?;
    if first > 1 << 53 {
        return Err(reader.malformed("sequence number out of range"));
    }
    let previous_hash = reader.hash()?;
    let last_record_hash = reader.hash()?;
    let count = reader.count(68)?;
    let mut rows = Vec::with_capacity(count);
    for _ in 0..count {
        rows.push(decode_row(reader)?);
    }
    Ok(PayloadRun { tenant, first, previous_hash, last_record_hash, rows })
}

/// Reads one row; `place` is counted from where the reader began.
pub fn decode_row<'a>(reader: &mut Reader<'a>) -> Result<Row<'a>, Malformed> {
    let offset = reader.offset();
    let kind = read_kind(reader)?;
    let ingested_at = IngestedAt::from_micros(unzigzag(reader.varint()?))
        .map_err(|_| reader.malformed("time out of range"))?;
    let event_id = reader.str()?;
    EventId::check_stored(event_id).map_err(|_| reader.malformed("bad event id"))?;
    let content_hash = reader.hash()?;
    let leaf_hash = reader.hash()?;
    let signature = match reader.str()? {
        "" => None,
        key_id => {
            let key_id = KeyId::parse(key_id).ok_or_else(|| reader.malformed("bad key id"))?;
            Some((key_id, reader.bytes()?))
        }
    };
    let content = reader.bytes()?;
    let len = reader.offset() - offset;
    let place = RowPlace { offset: offset as u32, len: len as u32 };
    Ok(Row { kind, ingested_at, event_id, content_hash, leaf_hash, signature, content, place })
}

impl Row<'_> {
    /// The header of this record, given its place in the ledger.
    pub fn header<'h>(
        &'h self,
        tenant: &'h TenantId,
        sequence_number: SequenceNumber,
        previous_hash: &'h Hash,
    ) -> ledgerstone_proof::HeaderFields<'h> {
        ledgerstone_proof::HeaderFields {
            content_hash: &self.content_hash,
            event_id: self.event_id,
            ingested_at: self.ingested_at,
            kind: self.kind,
            previous_hash,
            sequence_number,
            tenant_id: tenant.as_str(),
        }
    }
}
