//! What an auditor would re-implement: canonical JSON, the record and its hashes, the Merkle
//! tree, checkpoints, proofs, and their verification.
//!
//! Nothing in this crate does I/O, reads a clock or draws randomness; every function is a pure
//! function of its arguments. What it fixes (header, content, leaf, note, checkpoint, proof file,
//! key ids) is fixed for ever: an old record must verify in a hundred years.

#![forbid(unsafe_code)]

mod base64;
pub mod canonical;
pub mod checkpoint;
pub mod compact;
pub mod consistency;
pub mod content;
pub mod hash;
pub mod header;
pub mod id;
pub mod inclusion;
pub mod merkle;
pub mod note;
#[cfg(feature = "rsa")]
pub mod rsa;
pub mod signature;
pub mod tiles;
pub mod time;
pub mod tlog_proof;
pub mod verify;
pub mod vkey;

pub use canonical::{
    CanonError, CanonFault, Canonicalizer, MAX_DEPTH, canonical_string_into, canonicalize,
    canonicalize_lenient, canonicalize_quoting,
};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use compact::{CompactRange, CompactRangeError};
pub use consistency::{consistency_proof, verify_consistency};
pub use content::{ContentError, SALT_BYTES, Salt, split_content, write_content};
pub use hash::{Hash, HashError, empty_root, leaf_hash, node_hash, sha256};
pub use header::{BorrowedHeader, Header, HeaderError, HeaderFields, Kind, record_hash};
pub use id::{EventId, NameError, SequenceNumber, SequenceNumberError, TenantId};
pub use inclusion::{inclusion_proof, verify_inclusion};
pub use merkle::{NodeAddress, ProofError, ProofFault, TreeSize};
pub use note::{Note, NoteError, NoteSignature, NoteText, Signer, sign_note};
#[cfg(feature = "rsa")]
pub use rsa::{RsaError, RsaSigningKey, RsaVerifyingKey};
pub use signature::{KeyId, Signature, SignatureError, SigningKey, VerifyingKey, verify_batch};
pub use tiles::{EntryBundle, TileError, TileKind, TilePath, node_from_tile_row, tiles_for_size};
pub use time::{IngestedAt, TimeError};
pub use tlog_proof::{TlogProof, TlogProofError};
pub use verify::{ProvedRecord, RecordProofError, verify_record_proof};
pub use vkey::{KeyName, VerifierKey, VkeyError};
