//! A full log file, read twice: once frame by frame for what it is made of and where its rows stand,
//! and once more row by row, in the order of the segment.
//!
//! So no more of it is in memory than one frame, or one block of rows. What the second reading
//! finds is held against the hashes that memory keeps, so nothing rests on both finding the same.

use std::io;
use std::ops::Range;

use super::acknowledged;
use crate::embedded::StoreId;
use crate::embedded::codec::Reader;
use crate::embedded::files::DataFile;
use crate::embedded::frame::{self, Found, Frame, Nonce, PAYLOAD_OFFSET, SECTOR};
use crate::embedded::idx::SegmentIndex;
use crate::embedded::log_file::LogHeader;
use crate::embedded::payload::{self, PayloadRun, Row};
use crate::embedded::segment::{LedgerRows, RowRef, RowSource};
use crate::embedded::shared::Shared;

/// Bytes of a log file that are read at once, as long as no frame is longer.
const WINDOW: usize = 1 << 20;

/// Rows that stand closer than this are read at once, with what is between them.
const GAP: u64 = 2_048;

/// Calls `each` with every frame up to `end` and with where it begins, in order. Says what is wrong,
/// and where, if something is.
pub fn read_frames(
    file: &DataFile,
    store: &StoreId,
    end: u64,
    mut each: impl FnMut(&Frame<'_>, u64) -> Result<(), String>,
) -> Result<(), String> {
    let told = |fault: io::Error| fault.to_string();
    let header = file.read_at(0, SECTOR).map_err(told)?;
    let nonce = LogHeader::decode(&header, store).map_err(|bad| bad.to_string())?.nonce;
    let mut window = Window { bytes: Vec::new(), start: SECTOR as u64, end };
    let mut at = SECTOR as u64;
    while at < end {
        let bytes = window.frame(file, at, nonce).map_err(told)?;
        match frame::read(bytes, 0, nonce) {
            Found::Frame(frame) => {
                each(&frame, at)?;
                at += frame.end as u64;
            }
            Found::Nothing => return Err(format!("nothing stands at byte {at}")),
            Found::Bad(bad) => return Err(format!("{} at byte {at}", bad.reason)),
        }
    }
    Ok(())
}

/// A piece of a log file in memory.
struct Window {
    bytes: Vec<u8>,
    start: u64,
    /// Where the frames of the file end.
    end: u64,
}

impl Window {
    /// The bytes of the frame at an offset, as far as its header can be believed.
    fn frame(&mut self, file: &DataFile, at: u64, nonce: Nonce) -> io::Result<&[u8]> {
        let sector = self.get(file, at, SECTOR)?;
        let len = frame::bytes_of(sector, nonce).unwrap_or(SECTOR);
        self.get(file, at, len)
    }

    fn get(&mut self, file: &DataFile, at: u64, len: usize) -> io::Result<&[u8]> {
        let rest = usize::try_from(self.end - at).unwrap_or(usize::MAX);
        let len = len.min(rest);
        let held = self.start + self.bytes.len() as u64;
        if at < self.start || at + len as u64 > held {
            self.bytes.resize(len.max(WINDOW).min(rest), 0);
            file.read_exact_at(&mut self.bytes, at)?;
            self.start = at;
        }
        let from = (at - self.start) as usize;
        Ok(self.bytes.get(from..from + len).unwrap_or_default())
    }
}

/// Where the rows of a run stand, in a frame that begins there.
pub fn row_refs(run: &PayloadRun<'_>, frame: u64) -> impl Iterator<Item = RowRef> {
    run.rows.iter().map(move |row| RowRef {
        offset: frame + (PAYLOAD_OFFSET as u64) + u64::from(row.place.offset),
        len: row.place.len,
        content_len: row.content.len() as u32,
    })
}

/// The second reading: every row that is taken for the segment is checked and indexed.
pub struct LogRows<'a> {
    pub shared: &'a Shared,
    pub file: &'a DataFile,
    pub index: SegmentIndex,
    bytes: Vec<u8>,
    header: Vec<u8>,
}

impl<'a> LogRows<'a> {
    pub fn new(shared: &'a Shared, file: &'a DataFile, index: SegmentIndex) -> Self {
        Self { shared, file, index, bytes: Vec::new(), header: Vec::with_capacity(512) }
    }

    /// Reads rows into memory and answers where each begins there.
    fn fetch(&mut self, rows: &[RowRef]) -> io::Result<Vec<usize>> {
        self.bytes.clear();
        let mut starts = Vec::with_capacity(rows.len());
        let mut rest = rows;
        while let Some(first) = rest.first() {
            let (count, end) = stretch(rest);
            let at = self.bytes.len();
            let (read, after) = rest.split_at(count);
            starts.extend(read.iter().map(|row| at + (row.offset - first.offset) as usize));
            self.bytes.resize(at + (end - first.offset) as usize, 0);
            self.file.read_exact_at(self.bytes.get_mut(at..).unwrap_or_default(), first.offset)?;
            rest = after;
        }
        Ok(starts)
    }
}

/// How many rows can be read at once, and where the last of them ends.
fn stretch(rows: &[RowRef]) -> (usize, u64) {
    let mut count = 0;
    let mut end = rows.first().map_or(0, |first| first.offset);
    for row in rows {
        if row.offset < end || row.offset - end > GAP {
            break;
        }
        end = row.offset + u64::from(row.len);
        count += 1;
    }
    (count, end)
}

/// The row that stands there, which has to take up all of its place.
fn decode<'b>(bytes: &'b [u8], start: usize, row: &RowRef) -> io::Result<Row<'b>> {
    let bytes = bytes.get(start..start + row.len as usize).unwrap_or_default();
    let mut reader = Reader::new(bytes);
    let decoded = payload::decode_row(&mut reader).map_err(io::Error::other)?;
    reader.finish().map_err(io::Error::other)?;
    if decoded.content.len() == row.content_len as usize {
        Ok(decoded)
    } else {
        Err(io::Error::other(format!("another row than before at byte {}", row.offset)))
    }
}

impl RowSource for LogRows<'_> {
    fn row(&mut self, row: &RowRef) -> io::Result<Row<'_>> {
        self.fetch(std::slice::from_ref(row))?;
        decode(&self.bytes, 0, row)
    }

    fn block(&mut self, ledger: &LedgerRows, block: Range<usize>) -> io::Result<Vec<Row<'_>>> {
        let refs = ledger.rows.get(block.clone()).unwrap_or_default();
        let starts = self.fetch(refs)?;
        let Self { shared, index, bytes, header, .. } = self;
        let decoded = starts.iter().zip(refs).map(|(start, row)| decode(bytes, *start, row));
        let rows = decoded.collect::<io::Result<Vec<_>>>()?;
        acknowledged::check(shared, ledger, block, &rows, header).map_err(io::Error::other)?;
        for row in &rows {
            index.push(shared.hasher.hash(&ledger.tenant, row.event_id), row.ingested_at);
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::files::Files;

    const NONCE: Nonce = Nonce([5; 16]);

    fn store() -> StoreId {
        StoreId::from_bytes([1; 16])
    }

    /// A log file with frames of these payloads, and where they end.
    fn log(payloads: &[usize]) -> (tempfile::TempDir, DataFile, u64) {
        let directory = tempfile::tempdir().unwrap();
        let mut bytes = LogHeader { number: 1, nonce: NONCE }.encode(&store());
        let mut buffer = Vec::new();
        for (number, len) in payloads.iter().enumerate() {
            frame::begin(&mut buffer);
            buffer.extend((0..*len).map(|at| (at % 251) as u8 + 1));
            frame::finish(&mut buffer, NONCE, number as u64 + 1);
            bytes.extend_from_slice(&buffer);
        }
        let end = bytes.len() as u64;
        bytes.resize(bytes.len() + 8 * SECTOR, 0);
        let path = directory.path().join("one.log");
        std::fs::write(&path, &bytes).unwrap();
        let file = Files::new().open_for_writing(&path).unwrap();
        (directory, file, end)
    }

    /// Number, offset and length of the payload of each frame, and how the reading ended.
    type Frames = (Vec<(u64, u64, usize)>, Result<(), String>);

    fn frames(file: &DataFile, end: u64) -> Frames {
        let mut seen = Vec::new();
        let result = read_frames(file, &store(), end, |frame, at| {
            assert!(
                frame.payload.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8 + 1)
            );
            seen.push((frame.number, at, frame.payload.len()));
            Ok(())
        });
        (seen, result)
    }

    #[test]
    fn frames_come_whole_however_they_lie_to_the_windows() {
        let lens = [10, 700_000, 700_000, 1, WINDOW, 3 * WINDOW, WINDOW - 29, WINDOW - 28, 400];
        let (_directory, file, end) = log(&lens);
        let (seen, result) = frames(&file, end);
        assert_eq!(result, Ok(()));
        let found: Vec<usize> = seen.iter().map(|frame| frame.2).collect();
        assert_eq!(found, lens);
        let mut at = SECTOR as u64;
        for (number, (found, offset, len)) in (1..).zip(seen) {
            assert_eq!((found, offset), (number, at));
            at += frame::frame_bytes(len) as u64;
        }
    }

    #[test]
    fn damage_and_a_wrong_end_are_told_with_their_place() {
        let (_directory, file, end) = log(&[600, 600, 600]);
        let second = SECTOR as u64 + frame::frame_bytes(600) as u64;
        for (at, reason) in
            [(0, "header checksum"), (8, "header checksum"), (100, "frame checksum")]
        {
            let byte = file.read_at(second + at, 1).unwrap();
            file.write_all_at(&[byte[0] ^ 1], second + at).unwrap();
            let (seen, result) = frames(&file, end);
            let fault = result.unwrap_err();
            assert_eq!(seen.len(), 1, "byte {at}");
            assert!(fault.contains(reason) && fault.contains(&format!("byte {second}")), "{fault}");
            file.write_all_at(&byte, second + at).unwrap();
        }
        assert!(frames(&file, end - SECTOR as u64).1.is_err(), "the last frame is cut");
        assert!(frames(&file, end + SECTOR as u64).1.unwrap_err().contains("nothing stands"));
        assert_eq!(frames(&file, end).1, Ok(()));
    }

    #[test]
    fn rows_that_lie_close_are_read_at_once() {
        let row = |offset, len| RowRef { offset, len, content_len: 0 };
        assert_eq!(stretch(&[]), (0, 0));
        assert_eq!(stretch(&[row(100, 50), row(150, 7), row(157 + GAP, 1)]), (3, 158 + GAP));
        assert_eq!(stretch(&[row(100, 50), row(151 + GAP, 1)]), (1, 150));
        assert_eq!(stretch(&[row(100, 50), row(90, 5)]), (1, 150), "never backwards");
    }
}
