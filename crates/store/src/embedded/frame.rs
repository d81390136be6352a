//! Frames: how one commit lies in a log file, and how a torn frame is told from a damaged one.
//!
//! A frame is `header | payload | crc | end mark | zeros up to the next 512-byte sector`. Checksums
//! are seeded with the file's random nonce, so that bytes of another file never look like a frame
//! of this one. No sector of a good frame is all zero: the header begins the first one, the end
//! mark ends the last one, and a payload holds no 512 zero bytes in a row, because every record
//! brings a hash and a content without NUL.

use super::codec::{Malformed, Reader, put_u32, put_u64};

/// Frames begin and end at multiples of this.
pub const SECTOR: usize = 512;
const MAGIC: u32 = 0x4d52_464c;
const HEADER_BYTES: usize = 24;
const END_MARK: u8 = 0xe5;
const TRAILER_BYTES: usize = 5;
/// Largest payload of a frame; a batch beyond it is refused before anything is written.
pub const PAYLOAD_MAX: usize = 64 << 20;

/// Random bytes of one log file that seed its checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce(pub [u8; 16]);

impl Nonce {
    fn seed(self) -> u32 {
        crc32c::crc32c(&self.0)
    }
}

/// Bytes a frame with this payload takes, padding included.
pub fn frame_bytes(payload: usize) -> usize {
    (HEADER_BYTES + payload + TRAILER_BYTES).next_multiple_of(SECTOR)
}

/// Offset of the payload from the beginning of the frame.
pub const PAYLOAD_OFFSET: usize = HEADER_BYTES;

/// Makes room for a frame's header; the payload is then written behind it.
pub fn begin(out: &mut Vec<u8>) {
    out.clear();
    out.resize(HEADER_BYTES, 0);
}

/// Completes the frame whose payload stands in `out` behind the room made by [`begin`].
pub fn finish(out: &mut Vec<u8>, nonce: Nonce, number: u64) {
    let payload_len = out.len() - HEADER_BYTES;
    let mut header = Vec::with_capacity(HEADER_BYTES);
    put_u32(&mut header, MAGIC);
    put_u64(&mut header, number);
    put_u64(&mut header, payload_len as u64);
    let header_crc = crc32c::crc32c_append(nonce.seed(), &header);
    put_u32(&mut header, header_crc);
    out[..HEADER_BYTES].copy_from_slice(&header);
    let crc = crc32c::crc32c_append(nonce.seed(), out);
    put_u32(out, crc);
    out.push(END_MARK);
    out.resize(out.len().next_multiple_of(SECTOR), 0);
}

/// A frame that is what was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub number: u64,
    pub payload: &'a [u8],
    /// Offset of the frame in the file.
    pub start: usize,
    /// Offset after its padding.
    pub end: usize,
}

/// What stands at an offset of a log file.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    Frame(Frame<'a>),
    /// Zeros up to the end of the file: nothing was written here.
    Nothing,
    Bad(BadFrame),
}

/// Bytes that are not a good frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFrame {
    pub start: usize,
    /// Where its extent ends: by its header, or after the last byte that is not zero.
    pub end: usize,
    pub reason: &'static str,
    /// A sector of its extent is all zero, as a write that was cut short leaves it.
    pub zero_sector: bool,
    /// The file ends within it.
    pub cut_by_the_end: bool,
    /// Offset of a good frame behind it, if there is one.
    pub good_behind: Option<usize>,
}

/// Reads what stands at `start`, a multiple of [`SECTOR`].
pub fn read(file: &[u8], start: usize, nonce: Nonce) -> Found<'_> {
    match good(file, start, nonce) {
        Ok(frame) => Found::Frame(frame),
        Err(fault) => bad(file, start, nonce, fault.what),
    }
}

fn good(file: &[u8], start: usize, nonce: Nonce) -> Result<Frame<'_>, Malformed> {
    let rest = file.get(start..).unwrap_or_default();
    let (number, payload_len) = header(rest, nonce)?;
    let mut reader = Reader::new(rest);
    reader.take(HEADER_BYTES)?;
    let payload = reader.take(payload_len)?;
    let checked = reader.offset();
    let crc = reader.u32()?;
    let covered = rest.get(..checked).unwrap_or_default();
    if crc32c::crc32c_append(nonce.seed(), covered) != crc {
        return Err(reader.malformed("frame checksum does not match"));
    }
    if reader.u8()? != END_MARK {
        return Err(reader.malformed("end mark missing"));
    }
    let padding = reader.take(reader.offset().next_multiple_of(SECTOR) - reader.offset())?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(reader.malformed("padding is not zero"));
    }
    Ok(Frame { number, payload, start, end: start + reader.offset() })
}

/// Bytes that the frame takes whose first sector this is; `None` where its header is not good.
pub fn bytes_of(sector: &[u8], nonce: Nonce) -> Option<usize> {
    header(sector, nonce).ok().map(|(_, payload_len)| frame_bytes(payload_len))
}

fn header(rest: &[u8], nonce: Nonce) -> Result<(u64, usize), Malformed> {
    let mut reader = Reader::new(rest);
    let magic = reader.u32()?;
    let number = reader.u64()?;
    let payload_len = reader.u64()?;
    let covered = rest.get(..reader.offset()).unwrap_or_default();
    if reader.u32()? != crc32c::crc32c_append(nonce.seed(), covered) || magic != MAGIC {
        return Err(reader.malformed("frame header checksum does not match"));
    }
    match usize::try_from(payload_len) {
        Ok(len) if len <= PAYLOAD_MAX => Ok((number, len)),
        _ => Err(reader.malformed("frame longer than allowed")),
    }
}

fn bad(file: &[u8], start: usize, nonce: Nonce, reason: &'static str) -> Found<'static> {
    let rest = file.get(start..).unwrap_or_default();
    let Some(last) = last_set(rest) else {
        return Found::Nothing;
    };
    let by_content = start + (last + 1).next_multiple_of(SECTOR);
    let end = match header(rest, nonce) {
        Ok((_, payload_len)) => start + frame_bytes(payload_len),
        Err(_) => by_content,
    };
    let extent = file.get(start..end.min(file.len())).unwrap_or_default();
    let cut_by_the_end = end > file.len();
    let zero_sector =
        cut_by_the_end || extent.chunks(SECTOR).any(|sector| sector.iter().all(|b| *b == 0));
    Found::Bad(BadFrame {
        start,
        end: end.min(file.len()),
        reason,
        zero_sector,
        cut_by_the_end,
        good_behind: find_good(file, start + SECTOR, nonce),
    })
}

/// The payload of a frame that is not good, as far as its length can still be read. Nothing of it is
/// to be believed.
pub fn payload_of_bad(file: &[u8], start: usize) -> Option<&[u8]> {
    let rest = file.get(start..)?;
    let mut reader = Reader::new(rest);
    reader.u32().ok()?;
    reader.u64().ok()?;
    let len = usize::try_from(reader.u64().ok()?).ok()?;
    rest.get(HEADER_BYTES..HEADER_BYTES.checked_add(len)?)
}

/// Whether all bytes are zero. Compared in pieces, because log files are mostly zeros and whole
/// files are looked at when a store is opened.
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(PIECE).all(|piece| *piece == ZEROS[..piece.len()])
}

const PIECE: usize = 4096;
static ZEROS: [u8; PIECE] = [0; PIECE];

/// Place of the last byte that is not zero.
fn last_set(bytes: &[u8]) -> Option<usize> {
    let pieces = bytes.len().div_ceil(PIECE);
    let piece = (0..pieces).rev().find(|place| {
        let from = place * PIECE;
        !is_zero(&bytes[from..(from + PIECE).min(bytes.len())])
    })?;
    let from = piece * PIECE;
    let end = (from + PIECE).min(bytes.len());
    bytes[from..end].iter().rposition(|byte| *byte != 0).map(|at| from + at)
}

/// Looks for the next good frame at or after `from`.
pub fn find_good(file: &[u8], from: usize, nonce: Nonce) -> Option<usize> {
    (from..file.len()).step_by(SECTOR).find(|start| good(file, *start, nonce).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: Nonce = Nonce([3; 16]);

    fn frame(number: u64, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        begin(&mut out);
        out.extend_from_slice(payload);
        finish(&mut out, NONCE, number);
        out
    }

    fn payload() -> Vec<u8> {
        (0..2000_u32).map(|i| (i % 250) as u8 + 1).collect()
    }

    #[test]
    fn a_frame_comes_back_and_knows_its_size() {
        let bytes = frame(4, &payload());
        assert_eq!(bytes.len(), frame_bytes(2000));
        let Found::Frame(found) = read(&bytes, 0, NONCE) else { panic!("not found") };
        assert_eq!((found.number, found.payload, found.end), (4, &payload()[..], bytes.len()));
    }

    #[test]
    fn every_flipped_bit_is_damage_and_never_torn() {
        let good = frame(4, &payload());
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            bytes.resize(good.len() + 4 * SECTOR, 0);
            let Found::Bad(bad) = read(&bytes, 0, NONCE) else { panic!("byte {at} not noticed") };
            assert!(!bad.zero_sector, "byte {at} looks torn");
        }
    }

    #[test]
    fn a_zero_sector_anywhere_looks_torn() {
        let good = frame(4, &payload());
        for sector in 0..good.len() / SECTOR {
            let mut bytes = good.clone();
            bytes[sector * SECTOR..(sector + 1) * SECTOR].fill(0);
            bytes.resize(good.len() + 4 * SECTOR, 0);
            match read(&bytes, 0, NONCE) {
                Found::Bad(bad) => assert!(bad.zero_sector, "sector {sector}"),
                other => panic!("sector {sector}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_frame_of_another_file_or_place_is_not_good() {
        let bytes = frame(4, &payload());
        assert!(matches!(read(&bytes, 0, Nonce([4; 16])), Found::Bad(_)));
    }

    #[test]
    fn a_good_frame_behind_is_found() {
        let mut bytes = frame(1, &payload());
        let first = bytes.len();
        bytes.extend(frame(2, &payload()));
        bytes[100] ^= 8;
        let Found::Bad(bad) = read(&bytes, 0, NONCE) else { panic!("not noticed") };
        assert_eq!(bad.good_behind, Some(first));
    }

    #[test]
    fn zeros_are_nothing() {
        assert_eq!(read(&vec![0; 4096], 512, NONCE), Found::Nothing);
        assert_eq!(read(&[], 0, NONCE), Found::Nothing);
    }
}
