//! A log file: a header sector, then frames, then zeros written ahead.

use std::path::Path;

use super::StoreId;
use super::codec::{Malformed, Reader, put_u32, put_u64};
use super::files::{DataFile, Files};
use super::frame::{self, BadFrame, Found, Frame, Nonce, SECTOR};

/// The first bytes of a log file.
pub const MAGIC: &[u8; 8] = b"LSLOG\r\n\0";
/// Version of the container.
pub const VERSION: u32 = 1;

/// The first sector of a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogHeader {
    pub number: u64,
    pub nonce: Nonce,
}

impl LogHeader {
    pub fn encode(self, store: &StoreId) -> Vec<u8> {
        let mut out = Vec::with_capacity(SECTOR);
        out.extend_from_slice(MAGIC);
        put_u32(&mut out, VERSION);
        out.extend_from_slice(store.as_bytes());
        put_u64(&mut out, self.number);
        out.extend_from_slice(&self.nonce.0);
        let crc = crc32c::crc32c(&out);
        put_u32(&mut out, crc);
        out.resize(SECTOR, 0);
        out
    }

    pub fn decode(sector: &[u8], store: &StoreId) -> Result<Self, Malformed> {
        let mut reader = Reader::new(sector);
        if reader.array::<8>()? != *MAGIC {
            return Err(reader.malformed("not a log file"));
        }
        if reader.u32()? != VERSION {
            return Err(reader.malformed("unknown version"));
        }
        if reader.array::<16>()? != *store.as_bytes() {
            return Err(reader.malformed("another store's log file"));
        }
        let number = reader.u64()?;
        let nonce = Nonce(reader.array()?);
        let covered = sector.get(..reader.offset()).unwrap_or_default();
        if reader.u32()? != crc32c::crc32c(covered) {
            return Err(reader.malformed("log header checksum does not match"));
        }
        let rest = reader.take(SECTOR - reader.offset())?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(reader.malformed("bytes after the log header are not zero"));
        }
        Ok(Self { number, nonce })
    }
}

/// Makes a log file of `capacity` bytes: zeros, header, all synced. The name is durable too.
pub fn prepare(
    files: &Files,
    path: &Path,
    header: LogHeader,
    store: &StoreId,
    capacity: u64,
) -> std::io::Result<DataFile> {
    let beside = path.with_extension("tmp");
    let file = files.create(&beside)?;
    file.fill_with_zeros(0, capacity)?;
    file.sync_all()?;
    file.write_all_at(&header.encode(store), 0)?;
    file.sync_all()?;
    files.rename(&beside, path)?;
    if let Some(directory) = path.parent() {
        files.sync_directory(directory)?;
    }
    files.open_for_writing(path)
}

/// Walks the frames of a log file that has been read into memory.
pub struct Frames<'a> {
    file: &'a [u8],
    nonce: Nonce,
    at: usize,
}

/// Why a walk over frames ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// Zeros follow, or the file ends.
    Clean,
    Bad(BadFrame),
}

impl<'a> Frames<'a> {
    pub fn new(file: &'a [u8], nonce: Nonce) -> Self {
        Self { file, nonce, at: SECTOR }
    }

    /// Begins at an offset, where a frame begins or nothing stands.
    pub fn from(file: &'a [u8], nonce: Nonce, at: usize) -> Self {
        Self { file, nonce, at }
    }

    /// The whole file.
    pub fn file(&self) -> &'a [u8] {
        self.file
    }

    /// Goes on at the offset of another frame.
    pub fn skip_to(&mut self, at: usize) {
        self.at = at;
    }

    /// Offset after the last frame given.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The next good frame, or why there is none.
    pub fn next_frame(&mut self) -> Result<Frame<'a>, End> {
        match frame::read(self.file, self.at, self.nonce) {
            Found::Frame(frame) => {
                self.at = frame.end;
                Ok(frame)
            }
            Found::Nothing => Err(End::Clean),
            Found::Bad(bad) => Err(End::Bad(bad)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_byte_of_a_header_is_noticed() {
        let store = StoreId::from_bytes([1; 16]);
        let header = LogHeader { number: 3, nonce: Nonce([9; 16]) };
        let bytes = header.encode(&store);
        assert_eq!(LogHeader::decode(&bytes, &store), Ok(header));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(LogHeader::decode(&bad, &store).is_err(), "byte {at}");
        }
    }
}
