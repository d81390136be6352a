//! Sealed segments: what a full log file becomes, ordered by ledger, compressed, read-only.
//!
//! A segment verifies by itself: its directory holds, per ledger, the hash and the frontier before
//! its first record and the hash and root after its last. Every byte of the file is covered by a
//! SHA-256: sections by the table in the header, the header by its own.

pub mod block;
pub mod directory;
mod header;
mod inspect;
mod order;
mod packer;
mod reader;
mod rewrite;
mod writer;

pub use block::RAW_MAX;
pub use directory::DirectoryEntry;
pub use header::{SectionKind, SegmentHeader, list_digest};
pub use inspect::inspect;
pub use order::{LedgerRows, OrderedRows, Ordering, RowRef};
#[cfg(feature = "conformance")]
pub use reader::read_keys;
pub use reader::{Segment, SegmentFault};
pub use rewrite::{Dropping, NextGeneration, Unlike, compare, without};
pub use writer::{Built, LedgerStart, RowSource, SealingKnowledge, SegmentInput, build};

/// Version of the container.
pub const VERSION: u32 = 1;
