//! The next generation of a segment: the same records without some of their contents.
//!
//! Sections that hold no content are taken over byte for byte. The dictionary is sampled anew, because
//! it is made of contents. What comes out is compared with the old segment, record by record, before
//! anybody relies on it.

use ledgerstone_model::NumberSet;
use ledgerstone_proof::{CompactRange, Hash, Kind, TenantId, record_hash};
use thiserror::Error;
use zstd::bulk::Decompressor;

use super::block::{BlockColumns, Columns};
use super::directory::{BlockEntry, DirectoryEntry, Span};
use super::header::{SectionKind, SegmentHeader};
use super::packer::{Packer, has_room, sampling_step};
use super::reader::{Segment, SegmentFault, unpack};
use super::writer::{Built, append, place_sections};
use crate::embedded::StoreId;
use crate::embedded::codec::Malformed;
use crate::record::StoredRecord;

/// The records of a ledger whose contents go; `None` where none does.
pub type Dropping<'a> = &'a dyn Fn(&TenantId) -> Option<&'a NumberSet>;

/// A next generation in memory.
#[derive(Debug)]
pub struct NextGeneration {
    pub built: Built,
    pub generation: u32,
    /// Contents that are in the old one and not in this one.
    pub dropped: u64,
}

/// Why a next generation is not the old one without the contents that were to go.
#[derive(Debug, Error)]
pub enum Unlike {
    #[error("{0}")]
    Unreadable(#[from] SegmentFault),
    #[error("the next generation has another {0}")]
    Other(&'static str),
    #[error("the next generation has another record {number} of ledger {tenant}")]
    Record { tenant: TenantId, number: u64 },
}

/// A block of the old segment, as far as it was looked at.
struct OldBlock {
    columns: BlockColumns,
    /// Whether each content is kept; of one that is gone already, no.
    keeps: Vec<bool>,
}

/// Makes the next generation in memory; `None` when there is nothing to drop.
pub fn without(
    old: &Segment,
    store: &StoreId,
    dropping: Dropping<'_>,
) -> Result<Option<NextGeneration>, SegmentFault> {
    let mut source = Source {
        headers: old.section(SectionKind::Headers)?,
        contents: old.section(SectionKind::Contents)?,
        columns: Decompressor::new()?,
        decompressor: old.decompressor()?,
    };
    let mut ledgers = Vec::new();
    let mut dropped = 0;
    for (_, entry) in old.directory()? {
        let numbers = dropping(&entry.tenant);
        let mut first = entry.first;
        let mut blocks = Vec::with_capacity(entry.blocks.len());
        for place in &entry.blocks {
            let columns = source.columns(place)?;
            let keeps = keeps(&columns, first, numbers);
            let had = columns.iter().filter(|one| one.content_len.is_some()).count();
            dropped += (had - keeps.iter().filter(|keeps| **keeps).count()) as u64;
            first += place.records;
            blocks.push(OldBlock { columns, keeps });
        }
        ledgers.push((entry, blocks));
    }
    if dropped == 0 {
        return Ok(None);
    }
    let dictionary = dictionary(&ledgers, &mut source)?;
    let parts = repack(&ledgers, &mut source, &dictionary)?;
    let generation = old.header().generation.checked_add(1);
    let generation =
        generation.ok_or(Malformed { what: "the last generation there can be", offset: 0 })?;
    let sections = sections(old, dictionary, parts)?;
    let header =
        SegmentHeader { generation, sections: place_sections(&sections), ..old.header().clone() };
    let sections = sections.into_iter().map(|(_, bytes)| bytes).collect();
    let built = Built::of_parts(header.encode(store), sections);
    Ok(Some(NextGeneration { built, generation, dropped }))
}

/// Which contents of a block stay.
fn keeps(columns: &BlockColumns, first: u64, numbers: Option<&NumberSet>) -> Vec<bool> {
    let goes = |kind, number| {
        kind != Kind::System && numbers.is_some_and(|numbers| numbers.contains(number))
    };
    let keeps = |(columns, number): (Columns<'_>, u64)| {
        columns.content_len.is_some() && !goes(columns.kind, number)
    };
    columns.iter().zip(first..).map(keeps).collect()
}

/// The two sections that are packed anew.
struct Source {
    headers: Vec<u8>,
    contents: Vec<u8>,
    columns: Decompressor<'static>,
    decompressor: Decompressor<'static>,
}

impl Source {
    fn columns(&mut self, place: &BlockEntry) -> Result<BlockColumns, SegmentFault> {
        let bytes = slice(&self.headers, place.headers)?;
        let columns = super::block::decode_columns(&mut self.columns, bytes)?;
        if columns.len() as u64 == place.records {
            return Ok(columns);
        }
        Err(Malformed { what: "wrong number of records in a block", offset: 0 }.into())
    }

    fn contents(
        &mut self,
        place: &BlockEntry,
        columns: &BlockColumns,
    ) -> Result<Vec<u8>, SegmentFault> {
        unpack(&mut self.decompressor, slice(&self.contents, place.contents)?, columns)
    }
}

fn slice(section: &[u8], span: Span) -> Result<&[u8], Malformed> {
    let range = span.offset as usize..span.offset.saturating_add(span.len) as usize;
    section.get(range).ok_or(Malformed { what: "span outside its section", offset: 0 })
}

impl OldBlock {
    /// The contents that stay, out of the block unpacked.
    fn kept<'c>(&'c self, contents: &'c [u8]) -> impl Iterator<Item = &'c [u8]> {
        let mut at = 0;
        let content = move |(columns, keeps): (Columns<'_>, &bool)| {
            let len = columns.content_len.unwrap_or(0) as usize;
            let content = contents.get(at..at + len).unwrap_or_default();
            at += len;
            keeps.then_some(content)
        };
        self.columns.iter().zip(&self.keeps).filter_map(content)
    }

    /// Lengths of the contents that stay.
    fn kept_lens(&self) -> impl Iterator<Item = usize> {
        let kept = self.columns.iter().zip(&self.keeps).filter(|(_, keeps)| **keeps);
        kept.filter_map(|(columns, _)| columns.content_len).map(|len| len as usize)
    }
}

type Ledgers = [(DirectoryEntry, Vec<OldBlock>)];

fn blocks(ledgers: &Ledgers) -> impl Iterator<Item = (&BlockEntry, &OldBlock)> {
    ledgers.iter().flat_map(|(entry, blocks)| entry.blocks.iter().zip(blocks))
}

/// Samples what stays, as sealing does.
fn dictionary(ledgers: &Ledgers, source: &mut Source) -> Result<Vec<u8>, SegmentFault> {
    let lens = blocks(ledgers).flat_map(|(_, block)| block.kept_lens());
    let (count, total) = lens.fold((0, 0), |(count, total), len| (count + 1, total + len));
    let mut dictionary = Vec::new();
    let Some(step) = sampling_step(count, total) else {
        return Ok(dictionary);
    };
    let mut at = 0;
    for (place, block) in blocks(ledgers) {
        let next = at + block.kept_lens().count();
        if at.next_multiple_of(step) < next {
            let contents = source.contents(place, &block.columns)?;
            for (content, number) in block.kept(&contents).zip(at..) {
                if number.is_multiple_of(step) && has_room(&dictionary, content.len()) {
                    dictionary.extend_from_slice(content);
                }
            }
        }
        at = next;
    }
    Ok(dictionary)
}

/// Sections that are made anew.
#[derive(Default)]
struct Parts {
    directory: Vec<u8>,
    headers: Vec<u8>,
    contents: Vec<u8>,
}

fn repack(
    ledgers: &Ledgers,
    source: &mut Source,
    dictionary: &[u8],
) -> Result<Parts, SegmentFault> {
    let mut packer = Packer::new(dictionary)?;
    let mut parts = Parts::default();
    for (entry, blocks) in ledgers {
        let mut placed = Vec::with_capacity(blocks.len());
        for (place, block) in entry.blocks.iter().zip(blocks) {
            let contents = source.contents(place, &block.columns)?;
            let columns: Vec<Columns<'_>> = block
                .columns
                .iter()
                .zip(&block.keeps)
                .map(|(columns, keeps)| Columns {
                    content_len: columns.content_len.filter(|_| *keeps),
                    ..columns
                })
                .collect();
            placed.push(BlockEntry {
                headers: append(&mut parts.headers, &packer.columns(&columns)?),
                contents: append(&mut parts.contents, packer.contents(block.kept(&contents))?),
                ..place.clone()
            });
        }
        DirectoryEntry { blocks: placed, ..entry.clone() }.encode(&mut parts.directory);
    }
    Ok(parts)
}

fn sections(
    old: &Segment,
    dictionary: Vec<u8>,
    parts: Parts,
) -> Result<Vec<(SectionKind, Vec<u8>)>, SegmentFault> {
    let mut made = [
        (SectionKind::Dictionary, dictionary),
        (SectionKind::Directory, parts.directory),
        (SectionKind::Headers, parts.headers),
        (SectionKind::Contents, parts.contents),
    ];
    let section = |kind| {
        let anew = made.iter_mut().find(|(made, _)| *made == kind);
        let bytes = anew.map_or_else(|| old.section(kind), |(_, bytes)| Ok(std::mem::take(bytes)));
        bytes.map(|bytes| (kind, bytes))
    };
    SectionKind::ALL.into_iter().map(section).collect()
}

/// Compares a next generation with the old one: the same headers, chain, tree and signatures, and
/// the same contents but for those that were to go, all of which are gone.
pub fn compare(old: &Segment, next: &Segment, dropping: Dropping<'_>) -> Result<(), Unlike> {
    let taken_over = |kind: &SectionKind| {
        !matches!(
            kind,
            SectionKind::Dictionary
                | SectionKind::Directory
                | SectionKind::Headers
                | SectionKind::Contents
        )
    };
    for kind in SectionKind::ALL.into_iter().filter(taken_over) {
        if next.header().section(kind).digest != old.header().section(kind).digest {
            return Err(Unlike::Other(kind.name()));
        }
        next.section(kind)?;
    }
    let surroundings = |header: &SegmentHeader| SegmentHeader {
        generation: 0,
        sections: Vec::new(),
        ..header.clone()
    };
    if surroundings(old.header()) != surroundings(next.header()) {
        return Err(Unlike::Other("header"));
    }
    let (before, after) = (old.directory()?, next.directory()?);
    if before.len() != after.len() {
        return Err(Unlike::Other("number of ledgers"));
    }
    for ((_, before), (_, after)) in before.iter().zip(&after) {
        compare_ledger((old, before), (next, after), dropping(&before.tenant))?;
    }
    Ok(())
}

fn compare_ledger(
    (old, before): (&Segment, &DirectoryEntry),
    (next, after): (&Segment, &DirectoryEntry),
    dropping: Option<&NumberSet>,
) -> Result<(), Unlike> {
    let surroundings = |entry: &DirectoryEntry| {
        let blocks = entry.blocks.iter().map(|block| BlockEntry {
            headers: Span::default(),
            contents: Span::default(),
            ..block.clone()
        });
        DirectoryEntry { blocks: blocks.collect(), ..entry.clone() }
    };
    if surroundings(before) != surroundings(after) {
        return Err(Unlike::Other("entry of a ledger in its directory"));
    }
    let mut range = CompactRange::from_parts(after.first, after.range_before.clone())
        .map_err(|_| Unlike::Other("frontier of a ledger"))?;
    let leaves = next.leaf_hashes(after.first_local, after.records)?;
    leaves.into_iter().for_each(|leaf| range.push(leaf));
    if range.root() != after.root_after {
        return Err(Unlike::Other("root of a ledger"));
    }
    let mut last = after.previous_hash;
    for block in 0..after.blocks.len() {
        let (before, after) =
            (old.block_records(before, block)?, next.block_records(after, block)?);
        last = compare_records(last, before, after, dropping)?;
    }
    if last == after.last_record_hash { Ok(()) } else { Err(Unlike::Other("end of a chain")) }
}

/// Compares the records of a block, each of which its segment has compared with its hashes, and goes on
/// with the chain.
fn compare_records(
    mut last: Hash,
    before: Vec<StoredRecord>,
    after: Vec<StoredRecord>,
    dropping: Option<&NumberSet>,
) -> Result<Hash, Unlike> {
    if before.len() != after.len() {
        return Err(Unlike::Other("number of records"));
    }
    for (mut before, after) in before.into_iter().zip(after) {
        let number = before.sequence_number.value();
        if before.kind != Kind::System && dropping.is_some_and(|going| going.contains(number)) {
            before.content = None;
        }
        if before != after || after.previous_hash != last {
            return Err(Unlike::Record { tenant: before.tenant, number });
        }
        last = record_hash(&after.header_bytes());
    }
    Ok(last)
}
