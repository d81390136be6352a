//! The manifest of merged runs: which files there are and what they cover.

use ledgerstone_proof::sha256;

use super::VERSION;
use super::run::Covers;
use crate::embedded::StoreId;
use crate::embedded::codec::{Malformed, Reader, put_bytes, put_hash, put_u32, put_u64};

const MAGIC: &[u8; 8] = b"LSIDM\r\n\0";

/// One merged run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestEntry {
    pub file: String,
    pub covers: Covers,
    pub tier: u32,
}

pub fn encode(store: &StoreId, entries: &[ManifestEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    put_u32(&mut out, VERSION);
    out.extend_from_slice(store.as_bytes());
    put_u32(&mut out, entries.len() as u32);
    for entry in entries {
        put_bytes(&mut out, entry.file.as_bytes());
        put_u64(&mut out, entry.covers.from);
        put_u64(&mut out, entry.covers.to);
        put_u32(&mut out, entry.tier);
    }
    let digest = sha256(&out);
    put_hash(&mut out, &digest);
    out
}

pub fn decode(bytes: &[u8], store: &StoreId) -> Result<Vec<ManifestEntry>, Malformed> {
    let mut reader = Reader::new(bytes);
    if reader.array::<8>()? != *MAGIC || reader.u32()? != VERSION {
        return Err(reader.malformed("not a manifest of this version"));
    }
    if reader.array::<16>()? != *store.as_bytes() {
        return Err(reader.malformed("another store's manifest"));
    }
    let count = reader.u32()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let file = reader.str()?.to_owned();
        if file.contains('/') || file.starts_with('.') {
            return Err(reader.malformed("bad file name"));
        }
        let covers = Covers { from: reader.u64()?, to: reader.u64()? };
        entries.push(ManifestEntry { file, covers, tier: reader.u32()? });
    }
    let covered = bytes.get(..reader.offset()).unwrap_or_default();
    if reader.hash()? != sha256(covered) {
        return Err(reader.malformed("manifest does not match its SHA-256"));
    }
    reader.finish()?;
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_and_notices_every_flip() {
        let store = StoreId::from_bytes([1; 16]);
        let covers = Covers { from: 0, to: 9 };
        let entries = vec![ManifestEntry { file: "0.1.run".to_owned(), covers, tier: 1 }];
        let bytes = encode(&store, &entries);
        assert_eq!(decode(&bytes, &store).unwrap(), entries);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 2;
            assert!(decode(&bad, &store).is_err(), "byte {at}");
        }
    }
}
