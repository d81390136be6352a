//! `HEAD`: what is durable and has been shown, in two blocks written in turn.
//!
//! Only the first 512 bytes of each 4 KiB block are used, one disk sector, so that a write is
//! never torn within what counts; the rest is zero and checked.

use ledgerstone_proof::{Hash, Signature, SigningKey, VerifyingKey};

use super::StoreId;
use super::codec::{Malformed, Reader, put_hash, put_u32, put_u64};
use crate::record::KeyGeneration;

pub const BLOCK_BYTES: usize = 4096;
const MAGIC: &[u8; 8] = b"LSHEAD\r\n";
/// Version of the container.
pub const VERSION: u32 = 1;
const SIGNATURE_BYTES: usize = 64;

/// Where the last durable frame ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FramePlace {
    /// Number of the log file.
    pub file: u64,
    /// Number of the frame, counted over all files, from 1; 0 before the first.
    pub frame: u64,
    /// Byte offset after the frame in that file.
    pub end: u64,
}

/// What `HEAD` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadState {
    /// Grows with every write; the higher of the two blocks counts.
    pub counter: u64,
    /// The store was closed in order, and nothing was written after this.
    pub clean_stop: bool,
    pub last_frame: FramePlace,
    /// Records in all ledgers.
    pub records: u64,
    pub system_size: u64,
    pub system_root: Hash,
    pub key_generation: KeyGeneration,
    /// SHA-256 over the list of sealed segments.
    pub segments_digest: Hash,
}

impl HeadState {
    /// One block, signed by the store key.
    pub fn encode(&self, store: &StoreId, key: &SigningKey) -> Vec<u8> {
        let mut out = Vec::with_capacity(BLOCK_BYTES);
        out.extend_from_slice(MAGIC);
        put_u32(&mut out, VERSION);
        out.extend_from_slice(store.as_bytes());
        put_u64(&mut out, self.counter);
        out.push(u8::from(self.clean_stop));
        put_u64(&mut out, self.last_frame.file);
        put_u64(&mut out, self.last_frame.frame);
        put_u64(&mut out, self.last_frame.end);
        put_u64(&mut out, self.records);
        put_u64(&mut out, self.system_size);
        put_hash(&mut out, &self.system_root);
        put_u64(&mut out, self.key_generation.0);
        put_hash(&mut out, &self.segments_digest);
        let signature = key.sign(&out);
        out.extend_from_slice(signature.as_bytes());
        out.resize(BLOCK_BYTES, 0);
        out
    }

    /// Reads one block; every byte of it is checked.
    pub fn decode(block: &[u8], store: &StoreId, key: &VerifyingKey) -> Result<Self, Malformed> {
        let mut reader = Reader::new(block);
        if reader.array::<8>()? != *MAGIC {
            return Err(reader.malformed("not a HEAD block"));
        }
        if reader.u32()? != VERSION {
            return Err(reader.malformed("unknown version"));
        }
        if reader.array::<16>()? != *store.as_bytes() {
            return Err(reader.malformed("another store's block"));
        }
        let state = Self::decode_fields(&mut reader)?;
        let signed = block.get(..reader.offset()).unwrap_or_default();
        let signature = Signature::from_bytes(reader.array::<SIGNATURE_BYTES>()?);
        key.verify(signed, &signature)
            .map_err(|_| reader.malformed("signature does not verify"))?;
        let end = reader.offset();
        let rest = reader.take(BLOCK_BYTES - end)?;
        if let Some(at) = rest.iter().position(|byte| *byte != 0) {
            let what = "bytes after the signature are not zero";
            return Err(Malformed { what, offset: end + at });
        }
        reader.finish()?;
        Ok(state)
    }

    fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            counter: reader.u64()?,
            clean_stop: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(reader.malformed("bad clean-stop mark")),
            },
            last_frame: FramePlace {
                file: reader.u64()?,
                frame: reader.u64()?,
                end: reader.u64()?,
            },
            records: reader.u64()?,
            system_size: reader.u64()?,
            system_root: reader.hash()?,
            key_generation: KeyGeneration(reader.u64()?),
            segments_digest: reader.hash()?,
        })
    }
}

/// Whether these bytes are what a store writes to `HEAD` before it has any record: zeros, perhaps
/// cut short, or blocks that speak of none. No signature is checked.
pub fn is_of_new_store(bytes: &[u8]) -> bool {
    let speaks_of_none = |block: &[u8]| {
        let mut reader = Reader::new(block);
        let is_head = reader.array::<8>().is_ok_and(|magic| magic == *MAGIC)
            && reader.u32().is_ok_and(|version| version == VERSION)
            && reader.array::<16>().is_ok();
        let state = HeadState::decode_fields(&mut reader);
        is_head && state.is_ok_and(|state| state.records == 0 && state.last_frame.frame == 0)
    };
    let is_new = |block: &[u8]| block.iter().all(|byte| *byte == 0) || speaks_of_none(block);
    bytes.len() <= 2 * BLOCK_BYTES && bytes.chunks(BLOCK_BYTES).all(is_new)
}

/// Both blocks as read.
#[derive(Debug)]
pub struct HeadFile {
    /// The block that counts; `None` when neither can be read.
    pub state: Option<HeadState>,
    /// What is wrong with each block.
    pub faults: Vec<(usize, Malformed)>,
}

impl HeadFile {
    pub fn decode(bytes: &[u8], store: &StoreId, key: &VerifyingKey) -> Self {
        let mut state: Option<HeadState> = None;
        let mut faults = Vec::new();
        for block in 0..2 {
            let from = block * BLOCK_BYTES;
            let slice = bytes.get(from..from + BLOCK_BYTES).unwrap_or_default();
            match HeadState::decode(slice, store, key) {
                Ok(found) => {
                    if state.as_ref().is_none_or(|best| found.counter > best.counter) {
                        state = Some(found);
                    }
                }
                Err(fault) => faults.push((block, fault)),
            }
        }
        if bytes.len() > 2 * BLOCK_BYTES {
            let what = "bytes after the second block";
            faults.push((1, Malformed { what, offset: BLOCK_BYTES }));
        }
        Self { state, faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(counter: u64) -> HeadState {
        HeadState {
            counter,
            clean_stop: false,
            last_frame: FramePlace { file: 3, frame: 9, end: 4096 },
            records: 17,
            system_size: 2,
            system_root: Hash::from_bytes([7; 32]),
            key_generation: KeyGeneration(1),
            segments_digest: Hash::from_bytes([9; 32]),
        }
    }

    #[test]
    fn every_flipped_byte_of_a_block_is_noticed() {
        let key = SigningKey::from_seed([1; 32]);
        let store = StoreId::from_bytes([2; 16]);
        let block = state(5).encode(&store, &key);
        assert_eq!(HeadState::decode(&block, &store, &key.verifying_key()), Ok(state(5)));
        for at in 0..block.len() {
            let mut bad = block.clone();
            bad[at] ^= 0x40;
            assert!(HeadState::decode(&bad, &store, &key.verifying_key()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn the_higher_counter_counts_and_one_bad_block_is_named() {
        let key = SigningKey::from_seed([1; 32]);
        let store = StoreId::from_bytes([2; 16]);
        let mut bytes = state(5).encode(&store, &key);
        bytes.extend(state(6).encode(&store, &key));
        let both = HeadFile::decode(&bytes, &store, &key.verifying_key());
        assert_eq!(both.state.map(|state| state.counter), Some(6));
        bytes[BLOCK_BYTES + 40] ^= 1;
        let one = HeadFile::decode(&bytes, &store, &key.verifying_key());
        assert_eq!(one.state.map(|state| state.counter), Some(5));
        assert_eq!(one.faults.len(), 1);
        assert_eq!(one.faults[0].0, 1);
    }
}
