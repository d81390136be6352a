//! Reads a whole segment from the medium and shows it to an inspector.

use ledgerstone_proof::{Hash, KeyId, SequenceNumber, sha256};
use zstd::bulk::Decompressor;

use super::block::{self, BlockColumns};
use super::directory::{BlockEntry, DirectoryEntry, Span};
use super::header::SectionKind;
use super::reader::{Segment, SegmentFault, read_keys, unpack};
use crate::contract::{Inspector, RunClaims, RunRecord};
use crate::embedded::codec::Malformed;
use crate::record::{Check, ContainerFinding, Location};

/// Shows the segment to the inspector; `location` names the file in findings.
pub fn inspect(
    segment: &Segment,
    location: &Location,
    inspector: &mut dyn Inspector,
) -> Result<(), SegmentFault> {
    check_small_sections(segment, location, inspector)?;
    let whole = inspector.wants_contents();
    let of_contents = |kind, inspector: &mut dyn Inspector| {
        if whole { checked(segment, kind, location, inspector) } else { Ok(Vec::new()) }
    };
    let sections = Sections {
        headers: checked(segment, SectionKind::Headers, location, inspector)?,
        contents: of_contents(SectionKind::Contents, inspector)?,
        signatures: of_contents(SectionKind::Signatures, inspector)?,
        content_hashes: checked(segment, SectionKind::ContentHashes, location, inspector)?,
        leaf_hashes: checked(segment, SectionKind::LeafHashes, location, inspector)?,
        contents_offset: segment.header().section(SectionKind::Contents).offset,
    };
    let directory = checked(segment, SectionKind::Directory, location, inspector)?;
    let entries = match DirectoryEntry::decode_all(&directory, segment.header()) {
        Ok(entries) => entries,
        Err(fault) => {
            inspector.finding(unreadable(location, SectionKind::Directory, &fault.to_string()));
            return Ok(());
        }
    };
    let keys = match read_keys(&sections.signatures) {
        Ok(keys) => keys,
        Err(_) if !whole => (Vec::new(), 0),
        Err(fault) => {
            inspector.finding(unreadable(location, SectionKind::Signatures, &fault.to_string()));
            (Vec::new(), 0)
        }
    };
    let counts = entries.iter().map(|(_, entry)| entry.records);
    let total = counts.fold(0_u64, u64::saturating_add);
    if total != segment.header().records {
        let found = format!("{total} records in the directory");
        inspector.finding(unreadable(location, SectionKind::Directory, &found));
    }
    let unpack = Unpack { contents: segment.decompressor()?, columns: Decompressor::new()? };
    let mut walk = Walk { sections, whole, keys, unpack, location };
    let base = segment.header().section(SectionKind::Directory).offset;
    for (offset, entry) in &entries {
        if inspector.wants(&entry.tenant) {
            walk.ledger(entry, base + offset, inspector);
        }
    }
    Ok(())
}

/// Sections that hold no records, and the commit order, which must count what is there.
fn check_small_sections(
    segment: &Segment,
    location: &Location,
    inspector: &mut dyn Inspector,
) -> Result<(), SegmentFault> {
    for kind in [
        SectionKind::Dictionary,
        SectionKind::Positions,
        SectionKind::Checkpoints,
        SectionKind::Anchored,
    ] {
        checked(segment, kind, location, inspector)?;
    }
    match segment.commit_order() {
        Ok(runs) if runs.iter().map(|run| run.1).sum::<u64>() == segment.header().records => Ok(()),
        Ok(_) => {
            let found = "runs that do not add up to the number of records";
            inspector.finding(unreadable(location, SectionKind::CommitOrder, found));
            Ok(())
        }
        Err(SegmentFault::Io(error)) => Err(error.into()),
        Err(fault) => {
            inspector.finding(unreadable(location, SectionKind::CommitOrder, &fault.to_string()));
            Ok(())
        }
    }
}

fn checked(
    segment: &Segment,
    kind: SectionKind,
    location: &Location,
    inspector: &mut dyn Inspector,
) -> Result<Vec<u8>, SegmentFault> {
    let (section, bytes) = segment.raw_section(kind)?;
    let found = sha256(&bytes);
    if found != section.digest {
        inspector.finding(ContainerFinding {
            check: Check::Section,
            location: Location { file: location.file.clone(), offset: section.offset },
            tenant: None,
            sequence_number: None,
            expected: format!("section {} with SHA-256 {}", kind.name(), section.digest.to_hex()),
            found: found.to_hex(),
            following: 0,
        });
    }
    Ok(bytes)
}

fn unreadable(location: &Location, kind: SectionKind, found: &str) -> ContainerFinding {
    ContainerFinding {
        check: Check::Section,
        location: location.clone(),
        tenant: None,
        sequence_number: None,
        expected: format!("a readable section {}", kind.name()),
        found: found.to_owned(),
        following: 0,
    }
}

struct Sections {
    headers: Vec<u8>,
    contents: Vec<u8>,
    signatures: Vec<u8>,
    content_hashes: Vec<u8>,
    leaf_hashes: Vec<u8>,
    contents_offset: u64,
}

struct Walk<'a> {
    sections: Sections,
    /// Whether contents and signatures are shown.
    whole: bool,
    keys: (Vec<KeyId>, u64),
    unpack: Unpack,
    location: &'a Location,
}

/// One decompressor with the segment's dictionary, one without.
struct Unpack {
    contents: Decompressor<'static>,
    columns: Decompressor<'static>,
}

/// A block taken apart.
struct Block<'a> {
    columns: BlockColumns,
    contents: Vec<u8>,
    signatures: Vec<Option<(&'a KeyId, &'a [u8])>>,
}

impl Walk<'_> {
    fn ledger(&mut self, entry: &DirectoryEntry, offset: u64, inspector: &mut dyn Inspector) {
        let Ok(first) = SequenceNumber::new(entry.first) else {
            inspector.finding(self.broken(entry, entry.first, offset, "sequence out of range"));
            return;
        };
        inspector.begin_run(&RunClaims {
            tenant: &entry.tenant,
            first,
            count: entry.records,
            previous_hash: entry.previous_hash,
            range_before: Some(&entry.range_before),
            last_record_hash: entry.last_record_hash,
            root_after: Some(entry.root_after),
            offset,
        });
        let mut before = 0;
        for place in &entry.blocks {
            let at = self.sections.contents_offset + place.contents.offset;
            let block = if self.whole {
                take_block(&self.sections, &self.keys, &mut self.unpack, place)
            } else {
                take_columns(&self.sections, &mut self.unpack, place).map(Block::without_contents)
            };
            match block {
                Ok(block) => {
                    self.show(entry, before, &block, at, inspector);
                }
                Err(fault) => {
                    let number = entry.first + before;
                    inspector.finding(self.broken(entry, number, at, &fault.to_string()));
                    break;
                }
            }
            before += place.records;
        }
        inspector.end_run();
    }

    fn show(
        &self,
        entry: &DirectoryEntry,
        before: u64,
        block: &Block<'_>,
        offset: u64,
        inspector: &mut dyn Inspector,
    ) {
        let mut records = Vec::with_capacity(block.columns.len());
        let mut at = 0;
        for (index, columns) in block.columns.iter().enumerate() {
            let local = (entry.first_local + before) as usize + index;
            let content = columns.content_len.filter(|_| self.whole).map(|len| {
                let content = block.contents.get(at..at + len as usize).unwrap_or_default();
                at += len as usize;
                content
            });
            records.push(RunRecord {
                event_id: columns.event_id,
                ingested_at: columns.ingested_at,
                kind: columns.kind,
                content_hash: hash_at(&self.sections.content_hashes, local),
                leaf_hash: hash_at(&self.sections.leaf_hashes, local),
                content,
                signature: block.signatures.get(index).copied().flatten(),
                offset,
            });
        }
        inspector.records(&records);
    }

    fn broken(
        &self,
        entry: &DirectoryEntry,
        number: u64,
        offset: u64,
        found: &str,
    ) -> ContainerFinding {
        ContainerFinding {
            check: Check::Section,
            location: Location { file: self.location.file.clone(), offset },
            tenant: Some(entry.tenant.clone()),
            sequence_number: SequenceNumber::new(number).ok(),
            expected: "a readable block of records".to_owned(),
            found: found.to_owned(),
            following: 0,
        }
    }
}

impl Block<'_> {
    fn without_contents(columns: BlockColumns) -> Self {
        Self { columns, contents: Vec::new(), signatures: Vec::new() }
    }
}

fn take_columns(
    sections: &Sections,
    unpacking: &mut Unpack,
    place: &BlockEntry,
) -> Result<BlockColumns, SegmentFault> {
    let headers = slice(&sections.headers, place.headers)?;
    let columns = block::decode_columns(&mut unpacking.columns, headers)?;
    if columns.len() as u64 != place.records {
        return Err(Malformed { what: "wrong number of records in a block", offset: 0 }.into());
    }
    Ok(columns)
}

fn take_block<'a>(
    sections: &'a Sections,
    keys: &'a (Vec<KeyId>, u64),
    unpacking: &mut Unpack,
    place: &BlockEntry,
) -> Result<Block<'a>, SegmentFault> {
    let columns = take_columns(sections, unpacking, place)?;
    let packed = slice(&sections.contents, place.contents)?;
    let contents = unpack(&mut unpacking.contents, packed, &columns)?;
    let span = Span { offset: keys.1 + place.signatures.offset, len: place.signatures.len };
    let bytes = if span.len == 0 { &[][..] } else { slice(&sections.signatures, span)? };
    let signatures = block::decode_signatures(bytes, columns.len(), &keys.0)?;
    Ok(Block { columns, contents, signatures })
}

fn slice(section: &[u8], span: Span) -> Result<&[u8], Malformed> {
    let end = span.offset.saturating_add(span.len);
    let range = usize::try_from(span.offset).ok().zip(usize::try_from(end).ok());
    range
        .and_then(|(from, to)| section.get(from..to))
        .ok_or(Malformed { what: "span outside its section", offset: 0 })
}

fn hash_at(hashes: &[u8], place: usize) -> Hash {
    let mut hash = [0; 32];
    if let Some(bytes) = hashes.get(place * 32..place * 32 + 32) {
        hash.copy_from_slice(bytes);
    }
    Hash::from_bytes(hash)
}
