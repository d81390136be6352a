//! `system.tail_cut`: torn bytes were cut from the end of the log, never silently.

use ledgerstone_proof::{Hash, SequenceNumber};

use super::SystemRecordError;
use super::fields::Fields;
use crate::json_write::ObjectWriter;

/// The payload of `system.tail_cut`. The bytes themselves are kept aside under their hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailCut {
    file: String,
    offset: u64,
    bytes: u64,
    sha256: Hash,
}

impl TailCut {
    /// `bytes` bytes that hash to `sha256` were cut from `file`, a path relative to the data
    /// directory, at `offset`. `None` for sizes beyond 2^53 - 1, which no file has.
    pub fn new(file: &str, offset: u64, bytes: u64, sha256: Hash) -> Option<Self> {
        let max = SequenceNumber::MAX.value();
        (offset <= max && bytes <= max).then(|| Self {
            file: file.to_owned(),
            offset,
            bytes,
            sha256,
        })
    }

    /// The file, relative to the data directory.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Where in the file the cut bytes began.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes were cut.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Their SHA-256.
    pub const fn sha256(&self) -> &Hash {
        &self.sha256
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.number("bytes", self.bytes);
        object.text("file", &self.file);
        object.number("offset", self.offset);
        object.text("sha256", &self.sha256.to_hex());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let hash = fields.parsed("sha256", Hash::from_hex)?;
        let (offset, bytes) = (fields.number("offset")?, fields.number("bytes")?);
        Self::new(&fields.text("file")?, offset, bytes, hash)
            .ok_or(SystemRecordError::Field("offset"))
    }
}
