//! A deployment is created, or opened and brought into order.

use std::collections::HashSet;
use std::sync::Arc;

use ledgerstone_model::system::{KeyUse, LedgerOwner, SystemRecord};
use ledgerstone_model::{Clock, Entropy};
use ledgerstone_proof::{SequenceNumber, TenantId};
use ledgerstone_store::key_file::FileKey;
use ledgerstone_store::subject_keys::StrandedKeys;
use ledgerstone_store::{LedgerStore, RecordKey};

use crate::error::LedgerError;
use crate::history::{KeyPeriod, SystemHistory};
use crate::keys::{KeyHome, KeyRing, KeySlots, RecordSigner, Retirement, key_id};
use crate::ledger::Ledger;
use crate::sequencer::{HeaderSigning, Sequencer, SignedAs};
use crate::settings::Settings;
use crate::subject_requests::erased_keys;
use crate::tenants::{new_genesis, new_ledger_id};

/// What a ledger works with.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn LedgerStore>,
    pub(crate) key_home: Arc<dyn KeyHome>,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Parts {
    fn sequencer(&self, ring: &KeyRing, history: Option<&SystemHistory>) -> Arc<Sequencer> {
        let mode = history.map_or(self.settings.signing, SystemHistory::signing);
        let signing = HeaderSigning::new(mode, RecordSigner::new(signing_key(&ring.record)));
        Sequencer::new(
            Arc::clone(&self.store),
            self.key_home.sealing_keys(),
            (Arc::clone(&self.clock), Arc::clone(&self.entropy)),
            &self.settings,
            signing,
        )
    }
}

impl Ledger {
    /// Begins a deployment in an empty store, with the keys that the home holds: writes the genesis
    /// of `_system`.
    pub fn create(
        store: Arc<dyn LedgerStore>,
        key_home: Arc<dyn KeyHome>,
        settings: Settings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, LedgerError> {
        if store.head(&TenantId::system())?.is_some() {
            return Err(LedgerError::AlreadyCreated);
        }
        let parts = Parts { store, key_home, settings, clock, entropy };
        let ring = parts.key_home.load()?;
        let system = TenantId::system();
        let genesis = new_genesis(
            new_ledger_id(&*parts.entropy),
            LedgerOwner::System,
            &parts.settings.log_name,
            &ring,
            parts.settings.signing,
        )?;
        let sequencer = parts.sequencer(&ring, None);
        sequencer.administer(std::slice::from_ref(&system), |round| {
            round.push(0, SignedAs::Always, |_, _| SystemRecord::Genesis(Box::new(genesis)))
        })?;
        let history = SystemHistory::read(&*parts.store)?.ok_or(LedgerError::NotCreated)?;
        Self::start(parts, ring, history, sequencer)
    }

    /// Opens a deployment: checks that the keys are the ledger's and that it extends the checkpoints
    /// it is shown, and completes what a crash left half done.
    pub fn open(
        store: Arc<dyn LedgerStore>,
        key_home: Arc<dyn KeyHome>,
        settings: Settings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, LedgerError> {
        let parts = Parts { store, key_home, settings, clock, entropy };
        let history = SystemHistory::read(&*parts.store)?.ok_or(LedgerError::NotCreated)?;
        let mut ring = parts.key_home.load()?;
        if settle_keys(&mut ring, &history)? {
            parts.key_home.save(&ring)?;
        }
        check_sealing_keys(&parts)?;
        let sequencer = parts.sequencer(&ring, Some(&history));
        let known = parts.settings.known.clone();
        let ledger = Self::start(parts, ring, history, sequencer)?;
        ledger.shut_closing_tenants()?;
        for note in &known {
            ledger.show_checkpoint(note)?;
        }
        ledger.resume_record_key_change()?;
        ledger.settle_signing()?;
        ledger.finish_rotations()?;
        ledger.complete_tenants()?;
        ledger.record_key_generation()?;
        Ok(ledger)
    }
}

/// The sealing keys must be as new as the ledger: what was sealed under a key that is missing is
/// lost, and a key that was destroyed must not come back.
fn check_sealing_keys(parts: &Parts) -> Result<(), LedgerError> {
    let expected = parts.store.status().key_generation.0;
    let keys = parts.key_home.sealing_keys();
    let found = keys.as_ref().map_or(0, |keys| keys.generation().0);
    if found < expected {
        return Err(LedgerError::KeysBehind { expected, found });
    }
    keys.map_or(Ok(()), |keys| refuse_stranded(parts, &keys.stranded()))
}

/// Keys of people that no key of a tenant opens come of key files that are not of one time: nobody could be
/// erased for sure, and what is sealed from here on would be lost with the right files. What erasures named
/// is not among them: an older copy of its slot is destroyed again.
fn refuse_stranded(parts: &Parts, stranded: &StrandedKeys) -> Result<(), LedgerError> {
    let mut count = stranded.unknown.len();
    if !stranded.outlived.is_empty() {
        let erased: HashSet<_> = erased_keys(&*parts.store)?.into_values().flatten().collect();
        count += stranded.outlived.iter().filter(|id| !erased.contains(id)).count();
    }
    match count as u64 {
        0 => Ok(()),
        stranded => Err(LedgerError::KeysStranded(stranded)),
    }
}

/// The key that signs until ledgers announce another.
fn signing_key(slots: &KeySlots<RecordKey>) -> RecordKey {
    match &slots.outgoing {
        Some(old) if old.retirement == Retirement::Announcing => old.key.clone(),
        _ => slots.current.clone(),
    }
}

/// Brings the private keys to where the ledger says they are, and answers whether they changed: a
/// key that was announced is in use, and one that was not never will be.
fn settle_keys(ring: &mut KeyRing, history: &SystemHistory) -> Result<bool, LedgerError> {
    let log_changed = settle_slots(&mut ring.log, KeyUse::Log, history)?;
    Ok(settle_slots(&mut ring.record, KeyUse::Record, history)? || log_changed)
}

fn settle_slots<K: FileKey>(
    slots: &mut KeySlots<K>,
    usage: KeyUse,
    history: &SystemHistory,
) -> Result<bool, LedgerError> {
    let newest = history.newest_key(usage).ok_or_else(|| LedgerError::Damaged {
        tenant: TenantId::system(),
        number: SequenceNumber::GENESIS,
        reason: "names no key of one use",
    })?;
    let changed = settle_key(slots, newest)?;
    check_outgoing(slots, usage, history)?;
    Ok(changed)
}

/// An outgoing key signs for as long as the overlap lasts: it must be the one that the current key
/// has replaced.
fn check_outgoing<K: FileKey>(
    slots: &KeySlots<K>,
    usage: KeyUse,
    history: &SystemHistory,
) -> Result<(), LedgerError> {
    let Some(outgoing) = &slots.outgoing else {
        return Ok(());
    };
    let found = key_id(&outgoing.key);
    let replaced = history.keys().iter().rev().filter(|period| period.usage == usage).nth(1);
    let expected = replaced.map(|period| period.key.key_id());
    if expected.as_ref() == Some(&found) {
        return Ok(());
    }
    Err(LedgerError::WrongOutgoingKey { usage, expected, found })
}

/// Checks that private keys can be loaded and are the ledger's, and changes nothing.
pub fn check_keys(key_home: &dyn KeyHome, history: &SystemHistory) -> Result<(), LedgerError> {
    settle_keys(&mut key_home.load()?, history).map(drop)
}

fn settle_key<K: FileKey>(
    slots: &mut KeySlots<K>,
    newest: &KeyPeriod,
) -> Result<bool, LedgerError> {
    let expected = newest.key.key_id();
    if key_id(&slots.current) == expected {
        return Ok(slots.incoming.take().is_some());
    }
    if slots.incoming.as_ref().map(key_id).as_ref() == Some(&expected) {
        slots.promote();
        return Ok(true);
    }
    let found = key_id(&slots.current);
    Err(LedgerError::WrongKey { usage: newest.usage, expected, found })
}
