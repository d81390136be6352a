//! Changes bytes inside of a container and repairs every checksum over them, so that what stands
//! behind the checksums is read: whatever it says, no reader may stumble over it.

use std::io;
use std::path::Path;

use ledgerstone_proof::sha256;

use crate::embedded::codec::put_crc;
use crate::embedded::files::Files;
use crate::embedded::frame::{self, PAYLOAD_OFFSET, SECTOR};
use crate::embedded::layout::Layout;
use crate::embedded::log_file::{Frames, LogHeader};
use crate::embedded::open::read_format;
use crate::embedded::segment::{SectionKind, Segment, SegmentFault, SegmentHeader, read_keys};

/// A log file with one frame's payload changed; `frame` counts the frames, round and round.
pub fn log_with_changed_frame(
    directory: &Path,
    file: &Path,
    frame: usize,
    change: impl FnOnce(&mut [u8]),
) -> io::Result<Vec<u8>> {
    let store = read_format(&Layout::new(directory)).map_err(io::Error::other)?.store;
    let mut bytes = std::fs::read(directory.join(file))?;
    let sector = bytes.get(..SECTOR).unwrap_or_default();
    let nonce = LogHeader::decode(sector, &store).map_err(io::Error::other)?.nonce;
    let mut frames = Vec::new();
    let mut walk = Frames::new(&bytes, nonce);
    while let Ok(found) = walk.next_frame() {
        frames.push((found.number, found.start, found.payload.to_vec()));
    }
    let (number, start, mut payload) = frames.swap_remove(frame % frames.len());
    change(&mut payload);
    let mut again = Vec::with_capacity(PAYLOAD_OFFSET + payload.len());
    frame::begin(&mut again);
    again.extend_from_slice(&payload);
    frame::finish(&mut again, nonce, number);
    bytes[start..start + again.len()].copy_from_slice(&again);
    Ok(bytes)
}

/// A segment with one section changed; `section` counts the sections, round and round.
pub fn segment_with_changed_section(
    directory: &Path,
    file: &Path,
    section: usize,
    change: impl FnOnce(&mut [u8]),
) -> io::Result<Vec<u8>> {
    let store = read_format(&Layout::new(directory)).map_err(io::Error::other)?.store;
    let path = directory.join(file);
    let segment = Segment::open(&Files::new(), &path, &store).map_err(io::Error::other)?;
    let mut bytes = std::fs::read(&path)?;
    let mut header = segment.header().clone();
    let section = section % header.sections.len();
    let place = header.sections[section];
    let checked = checked_pieces(&segment, place.kind).map_err(io::Error::other)?;
    let (from, to) = (place.offset as usize, (place.offset + place.len) as usize);
    let body = &mut bytes[from..to];
    change(body);
    for piece in checked {
        let mut whole = body[piece.start..piece.end - 4].to_vec();
        put_crc(&mut whole, 0);
        body[piece].copy_from_slice(&whole);
    }
    header.sections[section].digest = sha256(body);
    bytes[..SegmentHeader::BYTES].copy_from_slice(&header.encode(&store));
    Ok(bytes)
}

/// The pieces of a section that end in a checksum of their own.
fn checked_pieces(
    segment: &Segment,
    kind: SectionKind,
) -> Result<Vec<std::ops::Range<usize>>, SegmentFault> {
    let entries = segment.directory()?;
    let mut pieces = Vec::new();
    if kind == SectionKind::Directory {
        let ends = entries.iter().skip(1).map(|(offset, _)| *offset);
        let ends = ends.chain([segment.header().section(kind).len]);
        pieces.extend(entries.iter().zip(ends).map(|((from, _), to)| *from as usize..to as usize));
    }
    if kind == SectionKind::Signatures {
        let (_, keys) = read_keys(&segment.section(kind)?)?;
        pieces.push(0..keys as usize);
        for block in entries.iter().flat_map(|(_, entry)| &entry.blocks) {
            let from = (keys + block.signatures.offset) as usize;
            pieces.push(from..from + block.signatures.len as usize);
        }
    }
    pieces.retain(|piece| piece.len() > 4);
    Ok(pieces)
}
