//! `system.anchor`: other ledgers' checkpoints that existed when it was written, as hashes only, so
//! that witnessing one ledger anchors all of them and tells no tenant about another.

use ledgerstone_proof::Hash;
use thiserror::Error;

use super::SystemRecordError;
use super::fields::Fields;
use crate::error_code::ErrorCode;
use crate::json_write::ObjectWriter;

/// Checkpoints that one record may list.
pub const ANCHOR_CHECKPOINTS_MAX: usize = 1000;

/// Why hashes cannot stand in one anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AnchorError {
    #[error("an anchor lists 1 to 1000 checkpoints, not {0}; write several")]
    Count(usize),
    #[error("the same checkpoint stands twice in one anchor")]
    Twice,
}

impl AnchorError {
    pub const fn code(self) -> ErrorCode {
        ErrorCode::Internal
    }
}

/// The payload of `system.anchor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    checkpoints: Vec<Hash>,
}

impl Anchor {
    /// An anchor of checkpoints, each given as SHA-256 of its body (the text that is signed), in
    /// any order.
    pub fn new(mut checkpoints: Vec<Hash>) -> Result<Self, AnchorError> {
        if checkpoints.is_empty() || checkpoints.len() > ANCHOR_CHECKPOINTS_MAX {
            return Err(AnchorError::Count(checkpoints.len()));
        }
        checkpoints.sort_unstable();
        let twice =
            checkpoints.iter().zip(checkpoints.iter().skip(1)).any(|(left, right)| left == right);
        if twice {
            return Err(AnchorError::Twice);
        }
        Ok(Self { checkpoints })
    }

    /// The hashes in ascending order.
    pub fn checkpoints(&self) -> &[Hash] {
        &self.checkpoints
    }

    /// Whether it lists the checkpoint whose body has this SHA-256.
    pub fn contains(&self, checkpoint: &Hash) -> bool {
        self.checkpoints.binary_search(checkpoint).is_ok()
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        let texts: Vec<String> = self.checkpoints.iter().map(Hash::to_hex).collect();
        object.texts("checkpoints", &texts);
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let wrong = SystemRecordError::Field("checkpoints");
        let hashes: Result<Vec<Hash>, _> =
            fields.texts("checkpoints")?.iter().map(|text| Hash::from_hex(text)).collect();
        Self::new(hashes.map_err(|_| wrong.clone())?).map_err(|_| wrong)
    }
}
