//! What the ledger `_system` says about the deployment: keys, modes of signing, tenants.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ledgerstone_model::system::{
    Announcement, Genesis, KeyChange, KeyUse, LedgerId, PublicKey, SigningKeyRecord, SigningMode,
    SystemRecord, TenantRecord, TenantState,
};
use ledgerstone_proof::{
    IngestedAt, KeyId, Kind, SequenceNumber, TenantId, record_hash, split_content,
};
use ledgerstone_store::{LedgerStore, StoredRecord};

use crate::error::LedgerError;
use crate::settings::KEY_OVERLAP;

/// Records read at a time.
const PAGE: usize = 1_024;

/// Content of an anchor begins so; anchors are most of `_system` and say nothing about keys.
pub(crate) const ANCHOR_PREFIX: &[u8] = b"{\"event\":{\"anchor\":";

/// A signing key and the record that brought it into use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPeriod {
    pub usage: KeyUse,
    pub key: PublicKey,
    /// The genesis or the `system.signing_key` record of `_system`.
    pub announced_by: SequenceNumber,
    pub announced_at: IngestedAt,
    /// `None` for the first keys, which the genesis names.
    pub announcement: Option<SigningKeyRecord>,
}

/// A tenant as `_system` knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantEntry {
    pub state: TenantState,
    /// The id of its ledger, which a crash may have kept from beginning.
    pub ledger_id: LedgerId,
    /// The `system.tenant` record that created it.
    pub created_by: Announcement,
    pub created_at: IngestedAt,
    /// The `system.tenant` record by which its closing began.
    pub closing: Option<Announcement>,
}

/// The deployment as its own ledger tells it.
#[derive(Clone, Debug)]
pub struct SystemHistory {
    genesis: Genesis,
    keys: Vec<KeyPeriod>,
    signing: SigningMode,
    tenants: BTreeMap<TenantId, TenantEntry>,
    suspended: BTreeSet<TenantId>,
}

/// What a key of the deployment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It signs.
    Current,
    /// It signs beside the key that took its place.
    Outgoing,
    /// Another took its place, and it signs no more.
    Replaced,
}

impl KeyState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Outgoing => "outgoing",
            Self::Replaced => "replaced",
        }
    }
}

impl SystemHistory {
    /// Reads the whole ledger `_system`; `None` when there is none.
    pub fn read(store: &dyn LedgerStore) -> Result<Option<Self>, LedgerError> {
        let system = TenantId::system();
        let Some(genesis) = read_genesis(store, &system)? else {
            return Ok(None);
        };
        let mut history = Self::begin(genesis);
        let mut next = SequenceNumber::GENESIS.next();
        loop {
            let records = store.read(&system, next, PAGE)?;
            let Some(last) = records.last() else {
                return Ok(Some(history));
            };
            next = last.sequence_number.next();
            for record in &records {
                history.take(record)?;
            }
        }
    }

    /// The same for a ledger that may be damaged: what cannot be read is left out, and is named by
    /// whoever verifies it. Answers whether it is all there.
    pub(crate) fn read_what_can_be_read(store: &dyn LedgerStore) -> Option<(Self, bool)> {
        let mut is_whole = true;
        let system = TenantId::system();
        let mut history = Self::begin(read_genesis(store, &system).ok()??);
        let size = store.head(&system).ok()??.size();
        let mut next = SequenceNumber::GENESIS.next();
        while next.value() < size {
            let records = store
                .read(&system, next, PAGE)
                .or_else(|_| store.read(&system, next, 1))
                .unwrap_or_default();
            for record in &records {
                is_whole &= history.take(record).is_ok();
            }
            is_whole &= !records.is_empty();
            next = records.last().map_or(next, |last| last.sequence_number).next();
        }
        Some((history, is_whole))
    }

    fn begin((genesis, at): (Genesis, IngestedAt)) -> Self {
        let first = |usage, key| KeyPeriod {
            usage,
            key,
            announced_by: SequenceNumber::GENESIS,
            announced_at: at,
            announcement: None,
        };
        let log_key = PublicKey::Ed25519(*genesis.log_key().verifying_key());
        Self {
            keys: vec![
                first(KeyUse::Log, log_key),
                first(KeyUse::Record, genesis.record_key().clone()),
            ],
            signing: genesis.record_signing(),
            tenants: BTreeMap::new(),
            suspended: BTreeSet::new(),
            genesis,
        }
    }

    /// Takes in the next record of `_system`.
    pub(crate) fn take(&mut self, record: &StoredRecord) -> Result<(), LedgerError> {
        let content = record.content.as_deref().unwrap_or_default();
        if record.kind != Kind::System || content.starts_with(ANCHOR_PREFIX) {
            return Ok(());
        }
        let (said, at) = parse_system(record)?;
        match said {
            SystemRecord::SigningKey(announcement) => self.keys.push(KeyPeriod {
                usage: announcement.usage(),
                key: announcement.key().clone(),
                announced_by: record.sequence_number,
                announced_at: at,
                announcement: Some(announcement),
            }),
            SystemRecord::RecordSigning(signing) => self.signing = signing.mode(),
            SystemRecord::Tenant(tenant) => self.take_tenant(&tenant, (record, at)),
            SystemRecord::Genesis(_)
            | SystemRecord::Anchor(_)
            | SystemRecord::TailCut(_)
            | SystemRecord::ApiKey(_)
            | SystemRecord::Taxonomy(_)
            | SystemRecord::RetentionStarted(_)
            | SystemRecord::RetentionDone(_)
            | SystemRecord::Policy(_)
            | SystemRecord::PolicyProposal(_)
            | SystemRecord::HoldSet(_)
            | SystemRecord::HoldReleaseAsked(_)
            | SystemRecord::HoldReleased(_)
            | SystemRecord::SubjectRequest(_)
            | SystemRecord::ErasureKept(_)
            | SystemRecord::ErasureStarted(_)
            | SystemRecord::Erasure(_)
            | SystemRecord::TenantClosingAsked(_)
            | SystemRecord::TenantClosingWithdrawn(_)
            | SystemRecord::TenantClosing(_)
            | SystemRecord::TenantClosed(_) => {}
        }
        Ok(())
    }

    fn take_tenant(&mut self, tenant: &TenantRecord, (record, at): (&StoredRecord, IngestedAt)) {
        let this =
            || Announcement::new(record.sequence_number, record_hash(&record.header_bytes()));
        let entry = || TenantEntry {
            state: tenant.state(),
            ledger_id: tenant.ledger_id(),
            created_by: this(),
            created_at: at,
            closing: None,
        };
        self.tenants.entry(tenant.tenant().clone()).or_insert_with(entry);
        if tenant.state() == TenantState::Closing {
            self.begin_closing(tenant.tenant(), this());
        } else {
            self.set_tenant_state(tenant.tenant(), tenant.state());
        }
    }

    /// The genesis of `_system`.
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Every key that ever came into use, in order.
    pub fn keys(&self) -> &[KeyPeriod] {
        &self.keys
    }

    /// The newest key for a use.
    pub fn newest_key(&self, usage: KeyUse) -> Option<&KeyPeriod> {
        self.keys.iter().rev().find(|period| period.usage == usage)
    }

    /// Whether a key signs now, and beside which.
    pub fn state_of(&self, period: &KeyPeriod, now: IngestedAt) -> KeyState {
        let key = period.key.key_id();
        if self.newest_key(period.usage).is_some_and(|newest| newest.key.key_id() == key) {
            return KeyState::Current;
        }
        match self.signs_beside_until(&key, KEY_OVERLAP) {
            Some(until) if now < until => KeyState::Outgoing,
            _ => KeyState::Replaced,
        }
    }

    /// Until when a log key that was replaced signs beside its successor, which it does for
    /// `overlap`; none for keys that do not, as after a compromise.
    pub fn signs_beside_until(&self, key: &KeyId, overlap: Duration) -> Option<IngestedAt> {
        let newest = self.newest_key(KeyUse::Log)?;
        let announcement = newest.announcement.as_ref()?;
        let is_its_successor = announcement.replaces() == Some(key)
            && announcement.reason() == Some(KeyChange::Rotation);
        let overlap = i64::try_from(overlap.as_micros()).ok()?;
        let until = newest.announced_at.micros().checked_add(overlap)?;
        is_its_successor.then(|| IngestedAt::from_micros(until).ok())?
    }

    /// How records of `_system` are signed now.
    pub const fn signing(&self) -> SigningMode {
        self.signing
    }

    pub const fn tenants(&self) -> &BTreeMap<TenantId, TenantEntry> {
        &self.tenants
    }

    pub(crate) fn add_tenant(&mut self, tenant: TenantId, entry: TenantEntry) {
        self.tenants.entry(tenant).or_insert(entry);
    }

    pub(crate) fn set_tenant_state(&mut self, tenant: &TenantId, state: TenantState) {
        if let Some(entry) = self.tenants.get_mut(tenant) {
            entry.state = state;
            match state {
                TenantState::Suspended => self.suspended.insert(tenant.clone()),
                TenantState::Active | TenantState::Closing | TenantState::Closed => {
                    self.suspended.remove(tenant)
                }
            };
        }
    }

    /// The tenant is being closed from that record of `_system` on; the first one counts.
    pub(crate) fn begin_closing(&mut self, tenant: &TenantId, announced_by: Announcement) {
        self.set_tenant_state(tenant, TenantState::Closing);
        if let Some(entry) = self.tenants.get_mut(tenant) {
            entry.closing.get_or_insert(announced_by);
        }
    }

    /// Tenants that take nothing until they are resumed.
    pub const fn suspended(&self) -> &BTreeSet<TenantId> {
        &self.suspended
    }

    pub(crate) fn add_key(&mut self, period: KeyPeriod) {
        self.keys.push(period);
    }
}

/// The genesis of a ledger and when it was written; `None` when the ledger has no record.
pub(crate) fn read_genesis(
    store: &dyn LedgerStore,
    tenant: &TenantId,
) -> Result<Option<(Genesis, IngestedAt)>, LedgerError> {
    let records = store.read(tenant, SequenceNumber::GENESIS, 1)?;
    let Some(record) = records.first() else {
        return Ok(None);
    };
    let damaged = |reason| LedgerError::Damaged {
        tenant: tenant.clone(),
        number: SequenceNumber::GENESIS,
        reason,
    };
    if record.kind != Kind::System {
        return Err(damaged("is not the genesis that a ledger begins with"));
    }
    match parse_system(record)? {
        (SystemRecord::Genesis(genesis), at) if genesis.tenant() == tenant => {
            Ok(Some((*genesis, at)))
        }
        (SystemRecord::Genesis(_), _) => Err(damaged("is the genesis of another ledger")),
        _ => Err(damaged("is not the genesis that a ledger begins with")),
    }
}

/// What a `system` record says.
pub(crate) fn parse_system(
    record: &StoredRecord,
) -> Result<(SystemRecord, IngestedAt), LedgerError> {
    let damaged = |reason| LedgerError::Damaged {
        tenant: record.tenant.clone(),
        number: record.sequence_number,
        reason,
    };
    let content = record.content.as_deref().ok_or_else(|| damaged("has lost its content"))?;
    let (event, _) = split_content(content).map_err(|_| damaged("has no readable content"))?;
    SystemRecord::parse(event).map_err(|source| LedgerError::SystemRecord {
        tenant: record.tenant.clone(),
        number: record.sequence_number,
        source,
    })
}
