//! Verification of one record with nothing but a proof file and the log's public key.

use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::content::{ContentError, split_content};
use crate::hash::{Hash, leaf_hash, sha256};
use crate::header::{Header, HeaderError};
use crate::inclusion::verify_inclusion;
use crate::merkle::ProofFault;
use crate::tlog_proof::TlogProof;
use crate::vkey::VerifierKey;

/// Why a proof file does not prove its record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordProofError {
    /// There is no `extra` line, which would hold the header.
    #[error("proof file holds no record header in its extra line")]
    NoHeader,
    /// The `extra` line is not a header.
    #[error("extra line of the proof file: {0}")]
    Header(#[from] HeaderError),
    /// The proof is about another leaf than the header's.
    #[error("proof is of leaf {index}, but the header has sequence number {sequence_number}")]
    OtherIndex {
        /// The proof's leaf index.
        index: u64,
        /// The header's number.
        sequence_number: u64,
    },
    /// The checkpoint is malformed or not signed by a given key.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The header is not in the tree that the checkpoint signs.
    #[error("record is not in the signed tree: {0}")]
    Inclusion(#[from] ProofFault),
    /// The given content is not the one that the header holds.
    #[error("content has hash {found}, the record holds {expected}: the content was altered")]
    OtherContent {
        /// The header's content hash.
        expected: Hash,
        /// The given content's.
        found: Hash,
    },
    /// The given content has the right hash, but is not of a content's form.
    #[error(transparent)]
    Content(#[from] ContentError),
}

/// A record that was proved: it stands in the log that the checkpoint is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedRecord {
    header: Header,
    checkpoint: Checkpoint,
    content_checked: bool,
}

impl ProvedRecord {
    /// The record's header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The signed head of the tree that holds it.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Whether a content was given, and is the record's.
    pub const fn content_checked(&self) -> bool {
        self.content_checked
    }
}

/// Proves one record: the header from the `extra` line is the leaf at its sequence number, in the
/// tree whose checkpoint one of the keys signed under the log's name; a given content is its own.
pub fn verify_record_proof(
    proof: &TlogProof,
    keys: &[VerifierKey],
    content: Option<&[u8]>,
) -> Result<ProvedRecord, RecordProofError> {
    let header_bytes = proof.extra().ok_or(RecordProofError::NoHeader)?;
    let header = Header::parse(header_bytes)?;
    let sequence_number = header.sequence_number().value();
    if proof.index() != sequence_number {
        return Err(RecordProofError::OtherIndex { index: proof.index(), sequence_number });
    }
    let checkpoint = Checkpoint::open(proof.checkpoint().as_bytes(), keys)?;
    verify_inclusion(
        proof.index(),
        checkpoint.size().value(),
        &leaf_hash(header_bytes),
        proof.hashes(),
        checkpoint.root(),
    )?;
    if let Some(content) = content {
        check_content(&header, content)?;
    }
    Ok(ProvedRecord { header, checkpoint, content_checked: content.is_some() })
}

fn check_content(header: &Header, content: &[u8]) -> Result<(), RecordProofError> {
    let found = sha256(content);
    let expected = *header.content_hash();
    if found != expected {
        return Err(RecordProofError::OtherContent { expected, found });
    }
    split_content(content)?;
    Ok(())
}
