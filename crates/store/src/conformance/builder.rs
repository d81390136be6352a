//! Builds valid batches, and remembers what a store that took them all must hold.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ledgerstone_model::NumberSet;
use ledgerstone_proof::{
    EventId, Hash, HeaderFields, IngestedAt, KeyId, Kind, Salt, SequenceNumber, SigningKey,
    TenantId, leaf_hash, record_hash, sha256, write_content,
};

use crate::batch::{
    AnchoredRound, Batch, ExpectedHead, LedgerAppend, NewCheckpoint, NewRecord, PositionMove,
    SourceName, SourcePosition,
};
use crate::contract::LedgerStore;
use crate::record::{Head, KeyGeneration, RecordSignature, StoredCheckpoint, StoredRecord};

/// 2026-01-01T00:00:00Z in microseconds: when the first record is ingested.
const FIRST_MOMENT: i64 = 1_767_225_600_000_000;

/// The ledgers as they are once every batch built so far has been appended.
///
/// A batch that may fail is built on a clone, so that the original goes on saying what holds.
#[derive(Clone, Default)]
pub struct ChainBuilder {
    chains: BTreeMap<TenantId, Chain>,
    positions: BTreeMap<SourceName, SourcePosition>,
    anchored: Vec<AnchoredRound>,
    key_generation: KeyGeneration,
    record_key: Option<Arc<SigningKey>>,
    ticks: u64,
}

#[derive(Clone)]
struct Chain {
    head: Head,
    records: Vec<StoredRecord>,
    leaves: Vec<Hash>,
    checkpoints: Vec<StoredCheckpoint>,
}

/// What one record says, before it has a place in a chain.
#[derive(Clone, Debug)]
pub struct Draft {
    pub event_id: EventId,
    pub kind: Kind,
    pub content: Vec<u8>,
}

impl ChainBuilder {
    /// No ledgers yet; records are not signed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on where a store's ledger stands. What came before is not remembered, so that the
    /// oracle is of no use here.
    pub fn continuing(store: &dyn LedgerStore, tenant: &TenantId) -> Self {
        let head = store.head(tenant).unwrap().unwrap_or_else(Head::empty);
        let mut builder = Self::new();
        builder.ticks = head.ingested_at.map_or(0, tick_of);
        builder.chain(tenant).head = head;
        builder
    }

    /// Signs every record built from now on.
    #[must_use]
    pub fn signing_with(mut self, record_key: SigningKey) -> Self {
        self.record_key = Some(Arc::new(record_key));
        self
    }

    /// Begins a batch on top of everything built so far.
    pub fn batch(&mut self) -> BatchBuilder<'_> {
        let batch = Batch { key_generation: self.key_generation, ..Batch::default() };
        BatchBuilder { chain: self, batch, entries: HashMap::new() }
    }

    /// The ledgers that have a record.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.chains.iter().filter(|(_, chain)| !chain.records.is_empty()).map(|(tenant, _)| tenant)
    }

    /// The head of a ledger, empty where it has no record.
    pub fn head(&self, tenant: &TenantId) -> Head {
        self.chains.get(tenant).map_or_else(Head::empty, |chain| chain.head.clone())
    }

    /// A ledger's records in sequence order.
    pub fn records(&self, tenant: &TenantId) -> &[StoredRecord] {
        self.chains.get(tenant).map_or(&[], |chain| &chain.records)
    }

    /// A ledger's leaf hashes in sequence order.
    pub fn leaves(&self, tenant: &TenantId) -> &[Hash] {
        self.chains.get(tenant).map_or(&[], |chain| &chain.leaves)
    }

    /// The checkpoints that a store keeps: the newest, and those kept for good, by size.
    pub fn checkpoints(&self, tenant: &TenantId) -> &[StoredCheckpoint] {
        self.chains.get(tenant).map_or(&[], |chain| &chain.checkpoints)
    }

    /// Every source and its position.
    pub fn positions(&self) -> &BTreeMap<SourceName, SourcePosition> {
        &self.positions
    }

    /// The anchored rounds in the order in which they were appended.
    pub fn anchored(&self) -> &[AnchoredRound] {
        &self.anchored
    }

    /// The newest key generation that a batch relied on.
    pub fn key_generation(&self) -> KeyGeneration {
        self.key_generation
    }

    /// Number of records in all ledgers.
    pub fn record_count(&self) -> u64 {
        self.chains.values().map(|chain| chain.records.len() as u64).sum()
    }

    /// Remembers that these contents are gone, of kinds that may lose them.
    pub fn forget_contents(&mut self, tenant: &TenantId, numbers: &NumberSet) {
        let records = &mut self.chain(tenant).records;
        let gone = |record: &&mut StoredRecord| {
            record.kind != Kind::System && numbers.contains(record.sequence_number.value())
        };
        records.iter_mut().filter(gone).for_each(|record| record.content = None);
    }

    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    fn chain(&mut self, tenant: &TenantId) -> &mut Chain {
        self.chains.entry(tenant.clone()).or_insert_with(|| Chain {
            head: Head::empty(),
            records: Vec::new(),
            leaves: Vec::new(),
            checkpoints: Vec::new(),
        })
    }

    fn sign(&self, header: &[u8]) -> Option<RecordSignature> {
        self.record_key.as_ref().map(|key| RecordSignature {
            key_id: KeyId::ed25519(&key.verifying_key()),
            bytes: key.sign(header).as_bytes().to_vec(),
        })
    }
}

/// One batch in the making.
pub struct BatchBuilder<'a> {
    chain: &'a mut ChainBuilder,
    batch: Batch,
    /// Where each ledger's entry stands in the batch.
    entries: HashMap<TenantId, usize>,
}

impl BatchBuilder<'_> {
    /// The ledgers as they are once this batch, as far as it is built, has been appended.
    pub fn chain(&self) -> &ChainBuilder {
        self.chain
    }

    /// Adds a small event with an id of its own.
    #[must_use]
    pub fn event(self, tenant: &TenantId) -> Self {
        self.event_saying(tenant, "a small event")
    }

    /// Adds that many small events.
    #[must_use]
    pub fn events(mut self, tenant: &TenantId, count: usize) -> Self {
        for _ in 0..count {
            self = self.event(tenant);
        }
        self
    }

    /// Adds an event that holds the text, which needs no escaping in JSON.
    #[must_use]
    pub fn event_saying(self, tenant: &TenantId, text: &str) -> Self {
        let tick = self.chain.tick();
        let event =
            format!(r#"{{"data":{{"text":"{text}"}},"event_type":"test.event","id":"e{tick}"}}"#);
        let event_id = stored_id(&format!("e{tick}"));
        self.draft(tenant, Draft { event_id, kind: Kind::Event, content: content(&event, tick) })
    }

    /// Adds a small event under that id.
    #[must_use]
    pub fn event_with_id(self, tenant: &TenantId, event_id: &EventId) -> Self {
        let tick = self.chain.tick();
        let event = format!(r#"{{"event_type":"test.event","id":"{event_id}"}}"#);
        let event_id = event_id.clone();
        self.draft(tenant, Draft { event_id, kind: Kind::Event, content: content(&event, tick) })
    }

    /// Adds a `system` record, whose id is its number.
    #[must_use]
    pub fn system(self, tenant: &TenantId) -> Self {
        let tick = self.chain.tick();
        let event_id = EventId::for_system(next_number(&self.chain.head(tenant)));
        let event = r#"{"event_type":"system.test"}"#;
        self.draft(tenant, Draft { event_id, kind: Kind::System, content: content(event, tick) })
    }

    /// Adds an `audit` record.
    #[must_use]
    pub fn audit(self, tenant: &TenantId) -> Self {
        let tick = self.chain.tick();
        let event_id = stored_id(&format!("_01890000-0000-7000-8000-{tick:012x}"));
        let event = r#"{"event_type":"audit.test"}"#;
        self.draft(tenant, Draft { event_id, kind: Kind::Audit, content: content(event, tick) })
    }

    /// Gives the draft the next place in its ledger's chain.
    #[must_use]
    pub fn draft(mut self, tenant: &TenantId, draft: Draft) -> Self {
        let tick = self.chain.tick();
        let head = self.chain.head(tenant);
        let record = StoredRecord {
            tenant: tenant.clone(),
            sequence_number: next_number(&head),
            event_id: draft.event_id,
            ingested_at: moment(tick),
            kind: draft.kind,
            previous_hash: head.record_hash,
            content_hash: sha256(&draft.content),
            content: Some(draft.content),
            signature: None,
        };
        self.place(record, head);
        self
    }

    fn place(&mut self, mut record: StoredRecord, mut head: Head) {
        let header = header_bytes(&record.header());
        record.signature = self.chain.sign(&header);
        let expected = ExpectedHead::from(&head);
        let leaf = leaf_hash(&header);
        head.range.push(leaf);
        head.record_hash = record_hash(&header);
        head.ingested_at = Some(record.ingested_at);
        let append = self.entry(&record.tenant, expected);
        append.head = head.clone();
        append.records.push(NewRecord {
            event_id: record.event_id.clone(),
            ingested_at: record.ingested_at,
            kind: record.kind,
            content_hash: record.content_hash,
            record_hash: head.record_hash,
            leaf_hash: leaf,
            content: record.content.clone().unwrap_or_default(),
            signature: record.signature.clone(),
        });
        let chain = self.chain.chain(&record.tenant);
        chain.head = head;
        chain.leaves.push(leaf);
        chain.records.push(record);
    }

    fn entry(&mut self, tenant: &TenantId, expected: ExpectedHead) -> &mut LedgerAppend {
        let ledgers = &mut self.batch.ledgers;
        let at = *self.entries.entry(tenant.clone()).or_insert_with(|| {
            ledgers.push(LedgerAppend {
                tenant: tenant.clone(),
                expected,
                records: Vec::new(),
                head: Head::empty(),
            });
            ledgers.len() - 1
        });
        &mut ledgers[at]
    }

    /// Moves a source from where it is to `next`.
    #[must_use]
    pub fn position(mut self, source: &SourceName, next: u64) -> Self {
        let next = SourcePosition(next);
        let expected = self.chain.positions.insert(source.clone(), next);
        self.batch.positions.push(PositionMove { source: source.clone(), expected, next });
        self
    }

    /// Keeps a note about the ledger as it is at this point of the batch.
    #[must_use]
    pub fn checkpoint(mut self, tenant: &TenantId, kept_for_good: bool) -> Self {
        let tick = self.chain.tick();
        let head = self.chain.head(tenant);
        let (size, root) = (head.size(), head.range.root().to_base64());
        let note = format!("test/{tenant}\n{size}\n{root}\n\n\u{2014} test {tick}\n");
        let stored = StoredCheckpoint { tenant: tenant.clone(), size, note, kept_for_good };
        self.batch.checkpoints.push(NewCheckpoint {
            tenant: tenant.clone(),
            size,
            note: stored.note.clone(),
            kept_for_good,
        });
        let kept = &mut self.chain.chain(tenant).checkpoints;
        kept.retain(|old| old.kept_for_good);
        kept.push(stored);
        self
    }

    /// Keeps the pairs behind an anchor record: the sizes of all ledgers as they are now.
    #[must_use]
    pub fn anchored(mut self, anchor: u64) -> Self {
        let heads = self.chain.chains.iter();
        let sizes = heads.map(|(tenant, chain)| (tenant.clone(), chain.head.size())).collect();
        let round = AnchoredRound { anchor, sizes };
        self.chain.anchored.push(round.clone());
        self.batch.anchored.push(round);
        self
    }

    /// Relies on that generation of the key store.
    #[must_use]
    pub fn key_generation(mut self, generation: KeyGeneration) -> Self {
        self.chain.key_generation = generation;
        self.batch.key_generation = generation;
        self
    }

    /// The finished batch.
    pub fn build(self) -> Batch {
        self.batch
    }
}

/// The tenant of that name; for names known to be good.
pub fn tenant(name: &str) -> TenantId {
    TenantId::parse_stored(name).unwrap_or_else(|error| panic!("test tenant {name}: {error}"))
}

/// The source of that name; for names known to be good.
pub fn source(name: &str) -> SourceName {
    SourceName::parse(name).unwrap_or_else(|| panic!("test source {name}"))
}

/// The event id of that text; for texts known to be good.
pub fn stored_id(text: &str) -> EventId {
    EventId::parse_stored(text).unwrap_or_else(|error| panic!("test event id {text}: {error}"))
}

/// The number that the next record of a ledger gets.
pub fn next_number(head: &Head) -> SequenceNumber {
    SequenceNumber::new(head.size()).unwrap_or_else(|error| panic!("test ledger: {error}"))
}

fn content(event: &str, tick: u64) -> Vec<u8> {
    let mut salt = [0x5a; 16];
    salt[..8].copy_from_slice(&tick.to_le_bytes());
    let mut out = Vec::with_capacity(event.len() + 48);
    write_content(event.as_bytes(), &Salt::from_bytes(salt), &mut out);
    out
}

fn moment(tick: u64) -> IngestedAt {
    let micros = FIRST_MOMENT + i64::try_from(tick).unwrap_or_default() * 1_000;
    IngestedAt::from_micros(micros).unwrap_or_else(|error| panic!("test clock: {error}"))
}

fn tick_of(moment: IngestedAt) -> u64 {
    u64::try_from((moment.micros() - FIRST_MOMENT) / 1_000).unwrap_or_default()
}

fn header_bytes(fields: &HeaderFields<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(400);
    fields.write_canonical(&mut out);
    out
}
