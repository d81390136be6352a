//! Reading and writing the integers, varints and byte strings that every container is made of.
//!
//! All integers are little-endian. Reading never panics and never allocates more than the input
//! could hold.

use ledgerstone_proof::Hash;
use thiserror::Error;

/// Bytes that are not what the format says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} at byte {offset}")]
pub struct Malformed {
    pub what: &'static str,
    /// Offset within the slice that was being read.
    pub offset: usize,
}

/// Reads fields from the front of a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub fn offset(&self) -> usize {
        self.at
    }

    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, offset: self.at }
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(len).ok_or_else(|| self.malformed("length overflows"))?;
        let slice = self.bytes.get(self.at..end).ok_or_else(|| self.malformed("bytes missing"))?;
        self.at = end;
        Ok(slice)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let slice = self.take(N)?;
        slice.try_into().map_err(|_| self.malformed("bytes missing"))
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn hash(&mut self) -> Result<Hash, Malformed> {
        Ok(Hash::from_bytes(self.array()?))
    }

    /// Unsigned LEB128, shortest form only.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.malformed("number too large"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(self.malformed("number not in its shortest form"));
                }
                return Ok(value);
            }
        }
        Err(self.malformed("number too long"))
    }

    /// A varint that counts things which each take at least `min_bytes` of what is left.
    pub fn count(&mut self, min_bytes: usize) -> Result<usize, Malformed> {
        let value = self.varint()?;
        let left = self.bytes.len() - self.at;
        match usize::try_from(value) {
            Ok(count) if count.saturating_mul(min_bytes.max(1)) <= left => Ok(count),
            _ => Err(self.malformed("count larger than what follows")),
        }
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.count(1)?;
        self.take(len)
    }

    pub fn str(&mut self) -> Result<&'a str, Malformed> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed("text is not UTF-8"))
    }

    /// Reads a CRC-32C over everything from `start` on.
    pub fn crc_since(&mut self, start: usize) -> Result<(), Malformed> {
        let covered = self.bytes.get(start..self.at).unwrap_or_default();
        if self.u32()? == crc32c::crc32c(covered) {
            Ok(())
        } else {
            Err(self.malformed("checksum does not match"))
        }
    }

    pub fn finish(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(self.malformed("bytes left over")) }
    }
}

pub fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub fn put_hash(out: &mut Vec<u8>, hash: &Hash) {
    out.extend_from_slice(hash.as_bytes());
}

pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends CRC-32C of everything from `start` on.
pub fn put_crc(out: &mut Vec<u8>, start: usize) {
    let crc = crc32c::crc32c(out.get(start..).unwrap_or_default());
    put_u32(out, crc);
}

/// What stands before the CRC-32C at the end of a slice, which must fit.
pub fn without_crc(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let (body, crc) = bytes
        .split_last_chunk::<4>()
        .ok_or(Malformed { what: "checksum missing", offset: bytes.len() })?;
    if crc32c::crc32c(body) == u32::from_le_bytes(*crc) {
        Ok(body)
    } else {
        Err(Malformed { what: "checksum does not match", offset: body.len() })
    }
}

/// Maps a signed difference onto small unsigned numbers.
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_come_back(value: u64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert!(reader.finish().is_ok());
        }

        #[test]
        fn zigzag_comes_back(value: i64) {
            prop_assert_eq!(unzigzag(zigzag(value)), value);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.varint().is_ok() && reader.bytes().is_ok() && reader.str().is_ok() {}
        }
    }

    #[test]
    fn a_longer_spelling_of_a_number_is_refused() {
        assert!(Reader::new(&[0x80, 0x00]).varint().is_err());
        assert!(Reader::new(&[0xff; 11]).varint().is_err());
    }

    #[test]
    fn a_count_cannot_exceed_what_follows() {
        let mut out = Vec::new();
        put_varint(&mut out, 1 << 40);
        assert!(Reader::new(&out).count(1).is_err());
    }
}
