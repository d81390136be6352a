//! The store contract: what every backend promises, in the doc comment of [`LedgerStore`].

use ledgerstone_proof::{
    EventId, Hash, IngestedAt, KeyId, Kind, NodeAddress, SequenceNumber, TenantId,
};

use crate::batch::{AnchoredRound, Batch, SourceName, SourcePosition};
use crate::error::{AppendError, ReadError};
use crate::record::{
    ContainerFinding, Head, KeyGeneration, Location, StoredCheckpoint, StoredRecord,
};

/// A store of ledgers.
///
/// # What a store promises
///
/// - **Atomic.** [`append`](Self::append) writes a whole [`Batch`] or nothing: the records of all
///   its ledgers, the moved positions, the checkpoints. It compares and swaps: every ledger's head
///   and every source's position must be what the batch expects, else `Conflict` and nothing is
///   written. `Conflict` and `Unavailable` promise that nothing was written; after `Unknown` the
///   store refuses every further append until it is opened again.
/// - **Durable.** When `append` returns `Ok`, the batch survives the death of the process and the
///   loss of power, and no later crash takes it back. A batch with a checkpoint is durable and
///   covered by whatever the store uses to notice a cut tail before `append` returns.
/// - **Well-formed.** A batch that names a ledger twice, or whose new head does not have the size
///   that its records give it, is refused as `Unavailable` with the code `INTERNAL`: it is a fault
///   of the caller's program.
/// - **Visible.** A reader that starts after `append` returned sees the batch. No reader ever sees
///   a record that is not durable, nor one ledger of a batch without the others.
/// - **Ordered.** Within a ledger, records have the sequence numbers 0, 1, 2, … without a gap. No
///   order between ledgers is promised, and nothing may rely on two ledgers moving together except
///   within one batch of one store.
/// - **Append only.** No method changes or removes a record, or anything of it.
///   ([`RetentionStore`](crate::RetentionStore) drops contents, and whoever holds this has none.)
/// - **Truthful.** A read gives exactly the bytes that were appended, or an error that names the
///   record; never other bytes.
///
/// # What a store does not do
///
/// It does not compute heads, hashes or signatures, check events, or look for duplicates on its
/// own: callers look an id up with [`find`](Self::find) before they sequence it, and the
/// compare-and-swap of the head makes sure that nothing came between.
///
/// All methods block; a store is shared between threads.
pub trait LedgerStore: Send + Sync {
    /// Writes the batch durably, or not at all. It stays the caller's, who may have to place it
    /// again.
    fn append(&self, batch: &Batch) -> Result<(), AppendError>;

    /// The ledgers that have at least one record, in no particular order.
    fn ledgers(&self) -> Result<Vec<TenantId>, ReadError>;

    /// The head of a ledger; `None` when it has no record.
    fn head(&self, tenant: &TenantId) -> Result<Option<Head>, ReadError>;

    /// The sequence number under which an event id is recorded in a ledger.
    fn find(
        &self,
        tenant: &TenantId,
        event_id: &EventId,
    ) -> Result<Option<SequenceNumber>, ReadError>;

    /// Records `from..` of a ledger in sequence order, at most `limit` of them; fewer when a
    /// backend's page ends earlier, none only when `from` is at or past the end. Contents are
    /// checked against their hashes.
    fn read(
        &self,
        tenant: &TenantId,
        from: SequenceNumber,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError>;

    /// Hash of a complete subtree of a ledger's tree. The subtree must lie within the ledger.
    fn node(&self, tenant: &TenantId, node: NodeAddress) -> Result<Hash, ReadError>;

    /// What is wanted of the records committed after the cursor, of which about `limit` are looked
    /// at. Per ledger in order, none left out, nothing twice, only committed ones. A follower saves
    /// `Changes::next` and continues there; at the end, that is the cursor it gave.
    fn changes(&self, cursor: &Cursor, limit: usize, wanted: Wanted) -> Result<Changes, ReadError>;

    /// The checkpoints kept for a ledger, by size: the newest, and those kept for good.
    fn checkpoints(&self, tenant: &TenantId) -> Result<Vec<StoredCheckpoint>, ReadError>;

    /// The position of an external source; `None` when the store has never seen it.
    fn position(&self, source: &SourceName) -> Result<Option<SourcePosition>, ReadError>;

    /// The state of the store for operators and health checks.
    fn status(&self) -> StoreStatus;

    /// The parts the store consists of, for verification, and what is known to be wrong with the
    /// store as a whole. Parts cover every record exactly once and can be inspected in parallel.
    fn parts(&self) -> Result<(Vec<Part>, Vec<ContainerFinding>), ReadError>;

    /// Reads one part from the medium, checks its containers, and shows every run of records in it
    /// to the inspector, unchecked beyond that: the verifier recomputes the rest.
    fn inspect(&self, part: &Part, inspector: &mut dyn Inspector) -> Result<(), ReadError>;
}

/// A place in the stream of commits; opaque to followers. The empty cursor is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor(pub Vec<u8>);

/// What a follower wants of the records after a cursor. What it does not want may stay unread, and is
/// not checked then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Every record.
    Everything,
    /// The records of one kind.
    Kind(Kind),
}

impl Wanted {
    /// Whether a record of that kind is wanted.
    pub fn has(self, kind: Kind) -> bool {
        match self {
            Self::Everything => true,
            Self::Kind(wanted) => wanted == kind,
        }
    }
}

/// Records after a cursor.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub records: Vec<StoredRecord>,
    /// Where to go on; equal to the given cursor when nothing is new.
    pub next: Cursor,
}

/// The state of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStatus {
    pub records: u64,
    pub ledgers: u64,
    /// Containers still waiting to be sealed (unsealed log files of the embedded store).
    pub unsealed_logs: u64,
    pub sealed_segments: u64,
    pub key_generation: KeyGeneration,
    /// What is wrong at this moment, for people; empty when all is well.
    pub degraded: Vec<String>,
    /// Damage keeps the store from being written.
    pub read_only: bool,
    /// `tamper-evident` for files: the store never claims WORM that the medium does not enforce.
    pub protection: &'static str,
}

/// A part of a store that is verified by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Backend's own number of the part.
    pub id: u64,
    /// Records in it, for progress.
    pub records: u64,
    /// It stands behind damage: reads do not give it, but it is verified like the rest.
    pub behind_damage: bool,
    /// Where it lies.
    pub location: Location,
    /// What stands for its bytes, where these are never changed: a part with others has another.
    pub fixed: Option<Hash>,
    /// What the part holds beside records; each item stands in exactly one part.
    pub contents: PartContents,
    /// Other containers of the same records that are there and are not the store's: a drop of contents
    /// that has not ended leaves such, and nothing else does.
    pub superseded: Vec<Location>,
}

/// What a part holds beside records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartContents {
    pub checkpoints: Vec<StoredCheckpoint>,
    pub anchored: Vec<AnchoredRound>,
}

/// Receives what [`LedgerStore::inspect`] reads: findings, and runs of records, each run as one
/// [`begin_run`](Self::begin_run), any number of [`records`](Self::records), one
/// [`end_run`](Self::end_run). Runs of one ledger come in sequence order within a part.
pub trait Inspector {
    /// Whether runs of this ledger are wanted; lets a store skip the reading of others.
    fn wants(&self, tenant: &TenantId) -> bool;
    /// Whether contents and signatures are wanted; a store may leave them out where they are not, and
    /// leave unread what holds them.
    fn wants_contents(&self) -> bool {
        true
    }
    /// A container that is not what was written.
    fn finding(&mut self, finding: ContainerFinding);
    fn begin_run(&mut self, claims: &RunClaims<'_>);
    fn records(&mut self, records: &[RunRecord<'_>]);
    fn end_run(&mut self);
}

/// What a part claims of the surroundings of consecutive records of one ledger.
#[derive(Debug)]
pub struct RunClaims<'a> {
    pub tenant: &'a TenantId,
    pub first: SequenceNumber,
    pub count: u64,
    /// `record_hash` of the record before the first.
    pub previous_hash: Hash,
    /// Frontier of the tree before the first record, where the part keeps it.
    pub range_before: Option<&'a [Hash]>,
    /// `record_hash` of the last record.
    pub last_record_hash: Hash,
    /// Root of the tree after the last record, where the part keeps it.
    pub root_after: Option<Hash>,
    /// Byte offset in the part's file of the frame or directory that makes these claims.
    pub offset: u64,
}

/// One record of a run, borrowed from the part.
#[derive(Debug)]
pub struct RunRecord<'a> {
    /// In the grammar of [`EventId`].
    pub event_id: &'a str,
    pub ingested_at: IngestedAt,
    pub kind: Kind,
    pub content_hash: Hash,
    pub leaf_hash: Hash,
    pub content: Option<&'a [u8]>,
    /// Key id and signature bytes.
    pub signature: Option<(&'a KeyId, &'a [u8])>,
    /// Byte offset in the part's file of the frame or block that holds the record.
    pub offset: u64,
}
