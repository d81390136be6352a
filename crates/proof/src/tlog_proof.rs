//! Proof files (C2SP tlog-proof): an inclusion proof with the checkpoint it leads to.

use std::fmt;

use thiserror::Error;

use crate::base64;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::Hash;
use crate::note::MAX_NOTE;
use crate::tiles::parse_decimal;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// No tree of a 64-bit size needs more hashes.
const MAX_HASHES: usize = 64;

/// Longest proof file in bytes: the checkpoint and, generously, all before it.
const MAX_PROOF: usize = 2 * MAX_NOTE;

/// Why a text is no proof file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TlogProofError {
    /// The words say which line.
    #[error("not a proof file: {0}")]
    Malformed(&'static str),
    /// What follows the blank line is not a checkpoint.
    #[error("proof file: {0}")]
    Checkpoint(#[from] CheckpointError),
}

/// A proof file. It does not hold the leaf; this log puts the header bytes into `extra`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    hashes: Vec<Hash>,
    checkpoint: String,
}

impl TlogProof {
    /// A proof of these parts; the checkpoint is a signed note whose signatures
    /// are not checked here.
    pub fn new(
        extra: Option<Vec<u8>>,
        index: u64,
        hashes: Vec<Hash>,
        checkpoint: &str,
    ) -> Result<Self, TlogProofError> {
        if hashes.len() > MAX_HASHES {
            return Err(TlogProofError::Malformed("more than 64 hashes"));
        }
        Checkpoint::parse_note(checkpoint.as_bytes())?;
        Ok(Self { extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Reads exactly what [`fmt::Display`] writes.
    pub fn parse(proof: &[u8]) -> Result<Self, TlogProofError> {
        const MALFORMED: fn(&'static str) -> TlogProofError = TlogProofError::Malformed;
        if proof.len() > MAX_PROOF {
            return Err(MALFORMED("longer than 2 MiB"));
        }
        let proof = std::str::from_utf8(proof).map_err(|_| MALFORMED("not UTF-8"))?;
        let (head, checkpoint) =
            proof.split_once("\n\n").ok_or(MALFORMED("no blank line before the checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(MALFORMED("the first line is c2sp.org/tlog-proof@v1"));
        }
        let extra = lines
            .next_if(|line| line.starts_with("extra "))
            .map(|line| {
                line.strip_prefix("extra ")
                    .and_then(base64::decode)
                    .ok_or(MALFORMED("the extra line is in base64"))
            })
            .transpose()?;
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(|digits| parse_decimal(digits.as_bytes()))
            .ok_or(MALFORMED("the index line is `index <n>`"))?;
        let mut hashes = Vec::new();
        for line in lines.take(MAX_HASHES + 1) {
            hashes.push(Hash::from_base64(line).map_err(|_| MALFORMED("a hash is in base64"))?);
        }
        Self::new(extra, index, hashes, checkpoint)
    }

    /// The `extra` line's bytes, which nothing signs.
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// Index of the leaf.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion proof, the leaf's sibling first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The checkpoint, a signed note.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", base64::encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
