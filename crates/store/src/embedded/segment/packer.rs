//! Packs columns and contents into blocks, and unpacks each block again as soon as it is packed: what
//! a block was made from is given up for it.

use std::io;

use zstd::bulk::{Compressor, Decompressor};

use super::block::{self, Columns, LEVEL};

/// Contents sampled into a dictionary, in bytes.
const DICTIONARY_BYTES: usize = 64 << 10;

/// Compressors and their buffers.
pub struct Packer<'a> {
    contents: Compressor<'a>,
    columns: Compressor<'a>,
    unpack_contents: Decompressor<'a>,
    unpack_columns: Decompressor<'a>,
    raw: Vec<u8>,
    packed: Vec<u8>,
    unpacked: Vec<u8>,
}

impl Packer<'_> {
    pub fn new(dictionary: &[u8]) -> io::Result<Self> {
        let mut contents = Compressor::new(LEVEL)?;
        let mut unpack_contents = Decompressor::new()?;
        if !dictionary.is_empty() {
            contents.set_dictionary(LEVEL, dictionary)?;
            unpack_contents.set_dictionary(dictionary)?;
        }
        Ok(Self {
            contents,
            columns: Compressor::new(LEVEL)?,
            unpack_contents,
            unpack_columns: Decompressor::new()?,
            raw: Vec::new(),
            packed: Vec::new(),
            unpacked: Vec::new(),
        })
    }

    /// The columns of a block, packed.
    pub fn columns(&mut self, columns: &[Columns<'_>]) -> io::Result<Vec<u8>> {
        let packed = block::encode_columns(&mut self.columns, columns)?;
        let unpacked = block::decode_columns(&mut self.unpack_columns, &packed);
        if unpacked.map_err(io::Error::other)?.iter().ne(columns.iter().copied()) {
            return Err(io::Error::other("the headers of a block come back as others"));
        }
        Ok(packed)
    }

    /// The contents of a block, packed.
    pub fn contents<'c>(&mut self, contents: impl Iterator<Item = &'c [u8]>) -> io::Result<&[u8]> {
        self.raw.clear();
        contents.for_each(|content| self.raw.extend_from_slice(content));
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(self.raw.len()));
        self.contents.compress_to_buffer(&self.raw, &mut self.packed)?;
        self.unpacked.clear();
        self.unpacked.reserve(self.raw.len());
        self.unpack_contents.decompress_to_buffer(&self.packed, &mut self.unpacked)?;
        if self.unpacked != self.raw {
            return Err(io::Error::other("the contents of a block come back as others"));
        }
        Ok(&self.packed)
    }
}

/// Every so many-th content goes into the dictionary, so that it holds samples from everywhere. None
/// where there is too little content for one: of `count` contents with `total` bytes.
pub fn sampling_step(count: usize, total: usize) -> Option<usize> {
    if total < 4 * DICTIONARY_BYTES {
        return None;
    }
    let mean = (total / count.max(1)).max(1);
    Some((count / (DICTIONARY_BYTES / mean).max(1)).max(1))
}

/// Whether a dictionary has room for one sample more.
pub const fn has_room(dictionary: &[u8], content_len: usize) -> bool {
    dictionary.len() + content_len <= DICTIONARY_BYTES
}
