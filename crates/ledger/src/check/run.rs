//! A run of records while it is read: where its chain and its tree stand.

use ledgerstone_proof::{Hash, HeaderFields, Kind, SequenceNumber, leaf_hash, record_hash};
use ledgerstone_store::RunRecord;

use super::context::Context;
use super::stretch::Stretch;

/// The run of records that is being read.
pub(super) struct Run {
    pub(super) place: usize,
    pub(super) stretch: Stretch,
    pub(super) chain: Chain,
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) last_hash: Hash,
    pub(super) root_after: Option<Hash>,
    pub(super) offset: u64,
    /// The next size at which the tree is wanted.
    pub(super) next_wanted: Option<u64>,
    /// Whether the event ids are to be compared with those of the whole ledger.
    pub(super) ids_wanted: bool,
    /// The leaf of a doubtful record, which goes into the tree once it is clear which is the right one.
    pub(super) undecided: Option<Undecided>,
}

/// A record's leaf hash as rebuilt from its header, and as it was kept beside it.
pub(super) struct Undecided {
    pub(super) rebuilt: Hash,
    pub(super) kept: Hash,
}

impl Run {
    /// The last record's header is the right one, or the leaf hash beside it is.
    pub(super) fn decide(&mut self, header_is_right: bool, context: &Context<'_>) {
        if let Some(Undecided { rebuilt, kept }) = self.undecided.take() {
            self.push(if header_is_right { rebuilt } else { kept }, context);
        }
    }

    pub(super) fn push(&mut self, leaf: Hash, context: &Context<'_>) {
        self.stretch.tree.push(leaf);
        let size = self.stretch.tree.to();
        if self.next_wanted == Some(size) {
            self.stretch.snapshots.push(self.stretch.tree.clone());
            self.next_wanted = context.next_wanted(&self.stretch.tenant, size);
        }
    }
}

/// What is known of the record before.
#[derive(Clone, Copy)]
pub(super) enum Chain {
    /// Its record hash.
    Known(Hash),
    /// Its record hash as computed, though its leaf hash is another: its header was changed, or only
    /// the leaf hash beside it. The finding that says so.
    Doubtful(Hash, usize),
    /// Its header was changed, so that the next cannot be rebuilt.
    Lost(usize),
}

/// A header rebuilt from a record's fields.
pub(super) struct Rebuilt {
    pub(super) record_hash: Hash,
    pub(super) leaf: Hash,
}

/// Rebuilds a record's header. Afterwards the buffer holds the header's bytes.
pub(super) fn rebuild(
    header: &mut Vec<u8>,
    run: &Run,
    record: &RunRecord<'_>,
    content_hash: &Hash,
    previous_hash: &Hash,
) -> Rebuilt {
    header.clear();
    HeaderFields {
        content_hash,
        event_id: record.event_id,
        ingested_at: record.ingested_at,
        kind: record.kind,
        previous_hash,
        sequence_number: SequenceNumber::new(run.stretch.end).unwrap_or(SequenceNumber::MAX),
        tenant_id: run.stretch.tenant.as_str(),
    }
    .write_canonical(header);
    Rebuilt { record_hash: record_hash(header), leaf: leaf_hash(header) }
}

/// Whether an id is one that a record of this kind can have.
pub(super) fn id_fits(record: &RunRecord<'_>, number: u64) -> bool {
    let own = record.event_id.strip_prefix('_');
    match (record.kind, own) {
        (Kind::Event, own) => own.is_none(),
        (Kind::System, Some(digits)) => {
            SequenceNumber::parse(digits.as_bytes()).map(u64::from) == Some(number)
        }
        (Kind::Audit, Some(uuid)) => uuid.len() == 36,
        (Kind::Audit | Kind::System, None) => false,
    }
}
