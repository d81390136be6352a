//! Keys are replaced, in the open: every ledger announces the new key under the old one.
//!
//! The order, each step durable before the next:
//!
//! 1. every ledger is anchored, which writes down how long it is;
//! 2. the new private key is kept as *incoming*;
//! 3. `_system` announces it in a `system.signing_key` record, signed with the old record key, after an
//!    `audit` record that says who ordered it: from here on the change is under way, and an
//!    opening goes on with it;
//! 4. the new private key becomes *current*, the old one *outgoing*;
//! 5. every other ledger announces it;
//! 6. log key: every ledger gets a last checkpoint under the old key alone that covers the
//!    announcement, kept for good; then both keys sign until the overlap ends;
//!    record key: a ledger's records are signed with the new key from its announcement on;
//! 7. the old private key is destroyed.

use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;
use std::time::Duration;

use ledgerstone_model::system::{
    KeyAlgorithm, KeyChange, KeyUse, PublicKey, SigningKeyRecord, SystemRecord,
};
use ledgerstone_model::{Actor, Administration};
use ledgerstone_proof::{KeyId, Kind, Note, SequenceNumber, SigningKey, TenantId};
use ledgerstone_store::RecordKey;
use ledgerstone_store::key_file::{self, FileKey as _};

use crate::checkpoint::Signing;
use crate::error::LedgerError;
use crate::history::{KeyPeriod, parse_system};
use crate::keys::{KeyRing, NewKey, OutgoingKey, RecordSigner, Retirement, is_public_of};
use crate::ledger::{Ledger, hold};
use crate::reader::Order;
use crate::sequencer::{Door, SignedAs};
use crate::settings::LEDGERS_PER_ROUND;

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationReport {
    pub usage: KeyUse,
    /// Of the new key.
    pub algorithm: KeyAlgorithm,
    pub old: KeyId,
    pub new: KeyId,
    /// Ledgers that announced the new key, `_system` included.
    pub ledgers: usize,
}

impl Ledger {
    /// Replaces a key by a fresh one of the same algorithm, as somebody ordered. After a compromise
    /// the old log key does not go on signing beside the new one.
    pub fn rotate_key(
        &self,
        usage: KeyUse,
        reason: KeyChange,
        by: &Actor,
    ) -> Result<RotationReport, LedgerError> {
        match usage {
            KeyUse::Log => self.replace_by(NewKey::Log(key_file::draw(&*self.entropy)), reason, by),
            KeyUse::Record => {
                let algorithm = hold(&self.ring).public(usage).algorithm();
                self.rotate_record_key(algorithm, reason, by)
            }
        }
    }

    /// Replaces the record key by a fresh one of that algorithm, as somebody ordered.
    pub fn rotate_record_key(
        &self,
        algorithm: KeyAlgorithm,
        reason: KeyChange,
        by: &Actor,
    ) -> Result<RotationReport, LedgerError> {
        let new = RecordKey::draw(algorithm, &*self.entropy).map_err(LedgerError::NoKey)?;
        self.replace_by(NewKey::Record(new), reason, by)
    }

    fn replace_by(
        &self,
        new: NewKey,
        reason: KeyChange,
        by: &Actor,
    ) -> Result<RotationReport, LedgerError> {
        let _rotating = hold(&self.rotating);
        let _creating = hold(&self.creating);
        self.finish_changes()?;
        self.anchor()?;
        let (usage, public) = (new.usage(), new.public());
        let (algorithm, new_id) = (public.algorithm(), public.key_id());
        let old_id = hold(&self.ring).public(usage).key_id();
        self.change_keys(|ring| ring.begin(new.clone()))?;
        let announced = self.announce_in_system(new, (&old_id, reason), by);
        if let Err(error) = announced {
            self.give_up(usage);
            return Err(error);
        }
        self.change_keys(|ring| ring.promote(usage))?;
        let ledgers = self.announce_everywhere(usage)? + 1;
        self.retire(usage)?;
        if reason == KeyChange::Compromise {
            self.change_keys(|ring| ring.drop_outgoing(usage))?;
        }
        self.expire_keys()?;
        Ok(RotationReport { usage, algorithm, old: old_id, new: new_id, ledgers })
    }

    /// Goes on with changes of keys that were interrupted, and ends overlaps that are over.
    pub fn finish_rotations(&self) -> Result<(), LedgerError> {
        let _rotating = hold(&self.rotating);
        let _creating = hold(&self.creating);
        self.finish_changes()?;
        self.expire_keys()
    }

    /// Destroys the old log key once it has signed beside the new one for long enough. Answers
    /// whether it did.
    pub fn expire_old_keys(&self) -> Result<(), LedgerError> {
        let _rotating = hold(&self.rotating);
        self.expire_keys()
    }

    fn finish_changes(&self) -> Result<(), LedgerError> {
        for usage in [KeyUse::Record, KeyUse::Log] {
            if hold(&self.ring).retirement(usage) == Some(Retirement::Announcing) {
                self.announce_everywhere(usage)?;
                self.retire(usage)?;
            }
        }
        Ok(())
    }

    fn expire_keys(&self) -> Result<(), LedgerError> {
        if hold(&self.ring).log.retirement() != Some(Retirement::Overlapping) {
            return Ok(());
        }
        let history = self.history();
        let Some(newest) = history.newest_key(KeyUse::Log) else {
            return Ok(());
        };
        let age = self.clock.now().micros().saturating_sub(newest.announced_at.micros());
        let age = Duration::from_micros(u64::try_from(age).unwrap_or(0));
        if age >= self.settings.key_overlap {
            self.change_keys(|ring| ring.log.outgoing = None)?;
        }
        Ok(())
    }

    /// Tells the sequencer, at opening, which ledgers an interrupted change of the record key has
    /// reached.
    pub(crate) fn resume_record_key_change(&self) -> Result<(), LedgerError> {
        let slots = hold(&self.ring).record.clone();
        if slots.retirement() != Some(Retirement::Announcing) {
            return Ok(());
        }
        let announced = self.ledgers_that_know(KeyUse::Record, &slots.current.public())?;
        let signer = RecordSigner::new(slots.current);
        self.sequencer.resume_key_change(signer, announced);
        Ok(())
    }

    /// Changes the private keys, in their home first.
    fn change_keys(&self, change: impl FnOnce(&mut KeyRing)) -> Result<(), LedgerError> {
        let mut ring = hold(&self.ring);
        let mut changed = ring.clone();
        change(&mut changed);
        self.key_home.save(&changed)?;
        *ring = changed;
        Ok(())
    }

    fn announce_in_system(
        &self,
        new: NewKey,
        (old, reason): (&KeyId, KeyChange),
        by: &Actor,
    ) -> Result<(), LedgerError> {
        let act = Administration::new("rotate", by.clone(), "signing_key", old.as_str());
        let act = act.with_reason(reason.as_str());
        let (usage, key) = (new.usage(), new.public());
        let signer = match new {
            NewKey::Log(_) => None,
            NewKey::Record(key) => Some(RecordSigner::new(key)),
        };
        let period = self.sequencer.administer(&[TenantId::system()], |round| {
            let audit = round.push_act(0, act)?;
            let mut announcement = None;
            let number = round.push(0, SignedAs::Always, |_, at| {
                let record = SigningKeyRecord::new(key.clone(), usage, at)
                    .replacing(old.clone(), reason)
                    .explained_by(Some(audit));
                announcement = Some((record.clone(), at));
                SystemRecord::SigningKey(record)
            });
            if let Some(signer) = signer {
                round.begin_key_change(signer);
                round.announced(0);
            }
            let (record, at) = announcement?;
            Some(KeyPeriod {
                usage,
                key,
                announced_by: number?,
                announced_at: at,
                announcement: Some(record),
            })
        })?;
        if usage == KeyUse::Record {
            self.sequencer.with_signing(|signing| signing.note_announced(&TenantId::system()));
        }
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        history.add_key(period.ok_or(LedgerError::NotBuilt("the new signing key"))?);
        Ok(())
    }

    /// A key that was not announced is forgotten. Where it is not known whether it was, the next
    /// opening sees.
    fn give_up(&self, usage: KeyUse) {
        if self.sequencer.halted().is_some() {
            return;
        }
        if usage == KeyUse::Record {
            self.sequencer.with_signing(crate::sequencer::HeaderSigning::cancel_change);
        }
        // Should this fail too, the next opening drops the key.
        let _ = self.change_keys(|ring| ring.drop_incoming(usage));
    }

    /// Announces the current key in every ledger that has not done so, and answers in how many.
    fn announce_everywhere(&self, usage: KeyUse) -> Result<usize, LedgerError> {
        let key = hold(&self.ring).public(usage);
        let announcement = self.announcement(usage)?;
        let knowing = self.ledgers_that_know(usage, &key)?;
        let ledgers = self.reader().tenants()?;
        let ignorant: Vec<TenantId> = ledgers
            .into_iter()
            .filter(|one| !knowing.contains(one) && !self.has_ended(one))
            .collect();
        for chunk in ignorant.chunks(LEDGERS_PER_ROUND) {
            self.sequencer.administer_by(Door::Ending, chunk, |round| {
                for (ledger, _) in chunk.iter().enumerate() {
                    let record = SystemRecord::SigningKey(announcement.clone());
                    round.push(ledger, SignedAs::Always, |_, _| record);
                    if usage == KeyUse::Record {
                        round.announced(ledger);
                    }
                }
            })?;
            self.sequencer.with_signing(|signing| {
                for tenant in chunk {
                    signing.note_announced(tenant);
                }
            });
        }
        Ok(ignorant.len())
    }

    /// What the other ledgers are told of the newest key.
    fn announcement(&self, usage: KeyUse) -> Result<SigningKeyRecord, LedgerError> {
        let history = self.history();
        let newest = history.newest_key(usage).and_then(|period| period.announcement.clone());
        Ok(newest
            .ok_or(LedgerError::NotBuilt("the announcement of the signing key"))?
            .explained_by(None))
    }

    /// The ledgers that began with a key or have announced it.
    fn ledgers_that_know(
        &self,
        usage: KeyUse,
        key: &PublicKey,
    ) -> Result<HashSet<TenantId>, LedgerError> {
        let key_id = key.key_id();
        let sizes = self.sizes_before_announcement(usage)?;
        let mut knowing = HashSet::new();
        for tenant in self.reader().tenants()? {
            let genesis = self.reader().genesis(&tenant)?;
            let began_with_it = match usage {
                KeyUse::Log => *key == PublicKey::Ed25519(*genesis.log_key().verifying_key()),
                KeyUse::Record => genesis.record_key() == key,
            };
            let from = sizes.get(&tenant).copied().unwrap_or(0);
            if began_with_it || tenant.is_system() || self.announces(&tenant, from, &key_id)? {
                knowing.insert(tenant);
            }
        }
        Ok(knowing)
    }

    /// How long each ledger was when the newest key was about to be announced.
    fn sizes_before_announcement(
        &self,
        usage: KeyUse,
    ) -> Result<HashMap<TenantId, u64>, LedgerError> {
        let history = self.history();
        let announced_by =
            history.newest_key(usage).map_or(0, |period| period.announced_by.value());
        let (parts, _) = self.store.parts()?;
        let rounds = parts.into_iter().flat_map(|part| part.contents.anchored);
        let mut sizes = HashMap::new();
        for (tenant, size) in
            rounds.filter(|round| round.anchor < announced_by).flat_map(|round| round.sizes)
        {
            let newest = sizes.entry(tenant).or_insert(size);
            *newest = size.max(*newest);
        }
        Ok(sizes)
    }

    fn announces(&self, tenant: &TenantId, from: u64, key: &KeyId) -> Result<bool, LedgerError> {
        let from = SequenceNumber::new(from).unwrap_or(SequenceNumber::MAX);
        for record in self.reader().list(tenant, Order::Sequence, Some(from))? {
            let record = record?;
            if record.kind == Kind::System
                && let (SystemRecord::SigningKey(announced), _) = parse_system(&record)?
                && announced.key().key_id() == *key
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The new key is announced everywhere: the old one goes.
    fn retire(&self, usage: KeyUse) -> Result<(), LedgerError> {
        match usage {
            KeyUse::Record => {
                self.sequencer.with_signing(crate::sequencer::HeaderSigning::end_change);
                self.change_keys(|ring| ring.drop_outgoing(usage))
            }
            KeyUse::Log => {
                self.sign_last_checkpoints()?;
                self.change_keys(|ring| {
                    if let Some(OutgoingKey { retirement, .. }) = &mut ring.log.outgoing {
                        *retirement = Retirement::Overlapping;
                    }
                })
            }
        }
    }

    /// Checkpoints of all ledgers under the old log key alone, over the announcement of the new one.
    fn sign_last_checkpoints(&self) -> Result<(), LedgerError> {
        let ring = hold(&self.ring).clone();
        let Some(old) = &ring.log.outgoing else {
            return Ok(());
        };
        let sizes = self.sizes_before_announcement(KeyUse::Log)?;
        let mut wanted = Vec::new();
        for tenant in self.reader().tenants()? {
            let genesis = self.reader().genesis(&tenant)?;
            let knows_no_other = is_public_of(genesis.log_key().verifying_key(), &ring.log.current);
            let size = sizes.get(&tenant).copied().unwrap_or(0);
            let is_open = !knows_no_other && !self.has_ended(&tenant);
            if is_open && !self.has_last_checkpoint(&tenant, size, &old.key)? {
                wanted.push(tenant);
            }
        }
        self.sign_checkpoints(&wanted, Signing::LastOfOldKey)?;
        Ok(())
    }

    /// Whether a checkpoint made for good in this change is kept.
    fn has_last_checkpoint(
        &self,
        tenant: &TenantId,
        before: u64,
        old: &SigningKey,
    ) -> Result<bool, LedgerError> {
        let genesis = self.reader().genesis(tenant)?;
        let key = ledgerstone_proof::VerifierKey::new_ed25519(
            genesis.log_key().name().clone(),
            &old.verifying_key(),
        );
        let kept = self.store.checkpoints(tenant)?;
        Ok(kept.iter().any(|kept| {
            kept.kept_for_good
                && kept.size > before
                && Note::parse(kept.note.as_bytes())
                    .is_ok_and(|note| note.verify(std::slice::from_ref(&key)).is_ok())
        }))
    }
}
