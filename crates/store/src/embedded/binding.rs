//! What binds a derived file to the truth that it was made from: the store key's signature over
//! which segments it speaks of and what it says of them.
//!
//! A checksum only shows that nothing changed by accident. Whoever can write the directory can write
//! checksums too, and an index that omits an id would let that id in a second time. So a derived file
//! is believed when the store key signed it for just these segments, and is made again otherwise.

use std::io;
use std::sync::Arc;

use ledgerstone_proof::{Hash, Signature, SigningKey, VerifyingKey, sha256};

use super::StoreId;
use super::codec::{Malformed, Reader, put_hash};
use super::ids::Covers;
use super::segment::{Segment, list_digest};

const SIGNATURE_BYTES: usize = 64;

/// Who signs derived files, and of which segments.
#[derive(Clone)]
pub struct Binding {
    pub store: StoreId,
    /// Verifies what the store key signed.
    pub verifier: VerifyingKey,
    /// Only a process that writes has it.
    pub signer: Option<SigningKey>,
    pub segments: Vec<Arc<Segment>>,
}

/// Why what a header says is not believed.
#[derive(Debug, PartialEq, Eq)]
pub enum Unbound {
    /// Its bytes are not those that were written.
    Damaged(Malformed),
    /// Its bytes are as somebody wrote them, who had not the store key.
    Forged,
}

impl From<Malformed> for Unbound {
    fn from(fault: Malformed) -> Self {
        Self::Damaged(fault)
    }
}

impl Binding {
    /// Digest of the list of the segments whose records have these commit ordinals.
    pub fn covered(&self, covers: Covers) -> Hash {
        let is_covered = |segment: &&Arc<Segment>| {
            (covers.from..covers.to).contains(&segment.header().first_ordinal)
        };
        list_digest(self.segments.iter().filter(is_covered).map(|segment| segment.header()))
    }

    /// Ends a header: SHA-256 of what is in it, and a signature over both.
    pub fn seal(&self, header: &mut Vec<u8>) -> io::Result<()> {
        let digest = sha256(header);
        put_hash(header, &digest);
        let signer = self.signer.as_ref().ok_or_else(|| {
            io::Error::other("only a process that has the store key writes derived files")
        })?;
        let signature = signer.sign(header);
        header.extend_from_slice(signature.as_bytes());
        Ok(())
    }

    /// Checks what [`seal`](Self::seal) wrote. `reader` stands behind the fields of the header, which
    /// `bytes` begins with.
    pub fn check(&self, bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), Unbound> {
        let fields = bytes.get(..reader.offset()).unwrap_or_default();
        if reader.hash()? != sha256(fields) {
            return Err(reader.malformed("header does not match its SHA-256").into());
        }
        let signed = bytes.get(..reader.offset()).unwrap_or_default();
        let signature = Signature::from_bytes(reader.array::<SIGNATURE_BYTES>()?);
        self.verifier.verify(signed, &signature).map_err(|_| Unbound::Forged)
    }
}

#[cfg(test)]
impl Binding {
    /// The binding of a store that has no segments, for tests.
    pub fn without_segments(store: StoreId) -> Self {
        let signer = SigningKey::from_seed([1; 32]);
        let verifier = signer.verifying_key();
        Self { store, verifier, signer: Some(signer), segments: Vec::new() }
    }
}
