//! Writes what is gathered: whatever is ripe in one commit, with what others wait for.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use ledgerstone_model::SealedEvent;
use ledgerstone_model::sealing::{AccessMonth, Subject, SubjectKey};
use ledgerstone_proof::TenantId;

use super::gathered::Entry;
use super::{Awaited, minute};
use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};
use crate::sequencer::Round;

/// Entries that one commit takes.
const AT_ONCE: usize = 50;

/// What is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ripe {
    /// What was gathered in minutes that are over.
    PastMinutes,
    Everything,
}

impl Ledger {
    /// Writes what is gathered, and answers how many entries that were. What could not be written stays
    /// gathered.
    pub fn write_access_log(&self, ripe: Ripe) -> Result<usize, LedgerError> {
        let _writing = hold(&self.access_log.writing);
        let now = minute(self.clock.now());
        let is_ripe = |of: i64| ripe == Ripe::Everything || of != now;
        let entries = hold(&self.access_log.gathered).take(is_ripe);
        self.write_entries(entries, false)
    }

    /// Returns once an access is durably in the ledger, with what else waits for that by then: many who
    /// wait cost one commit.
    pub fn secure_access(&self, awaited: &Awaited) -> Result<(), LedgerError> {
        let _writing = hold(&self.access_log.writing);
        let entries = {
            let mut gathered = hold(&self.access_log.gathered);
            if !gathered.is_awaited(&awaited.0) {
                return Ok(());
            }
            gathered.take_awaited()
        };
        self.write_entries(entries, true).map(drop)
    }

    fn write_entries(
        &self,
        mut entries: Vec<Entry>,
        is_awaited: bool,
    ) -> Result<usize, LedgerError> {
        let mut written = 0;
        while !entries.is_empty() {
            let rest = entries.split_off(entries.len().min(AT_ONCE));
            let some = std::mem::replace(&mut entries, rest);
            let ended = self.write_some(&some);
            let mut gathered = hold(&self.access_log.gathered);
            match ended {
                Ok(records) => {
                    written += some.len();
                    self.access_log.written.fetch_add(records, Ordering::Relaxed);
                    for entry in &some {
                        if let Entry::Access(key, group) = entry {
                            gathered.remember(key, group);
                        }
                    }
                }
                Err(error) => {
                    let back = some.into_iter().chain(entries);
                    back.for_each(|entry| gathered.put_back(entry, is_awaited));
                    return Err(error);
                }
            }
        }
        Ok(written)
    }

    /// Writes entries in one commit, and answers how many records that were.
    fn write_some(&self, entries: &[Entry]) -> Result<u64, LedgerError> {
        // A ledger that is brought to its end takes no more of them.
        let is_taken = |one: &&Entry| self.refuse_shut(one.tenant()).is_ok();
        let entries: Vec<&Entry> = entries.iter().filter(is_taken).collect();
        let mut tenants: Vec<TenantId> = entries.iter().map(|one| one.tenant().clone()).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let keys = self.keys_of_month(&entries);
        let who = entries.iter().map(|one| (one.tenant(), one.actor()));
        let acting = self.acting(who.filter(|(_, actor)| actor.is_named()));
        let pushed = self.sequencer.administer(&tenants, |round| {
            round.name_as(acting);
            let mut sealed = Vec::with_capacity(entries.len());
            for entry in &entries {
                let ledger = tenants.binary_search(entry.tenant()).ok()?;
                seal(round, ledger, entry, &keys, &mut sealed)?;
            }
            // Nothing is left out from here on: what was put back after a part of it was written would stand
            // there twice.
            let records = sealed.len() as u64;
            for (ledger, record) in sealed {
                round.push_sealed(ledger, record)?;
            }
            Some(records)
        })?;
        pushed.ok_or(LedgerError::NotCreated)
    }

    /// The keys under which is sealed what was looked for, as far as there are such and they can be had:
    /// what happened is recorded in any case.
    fn keys_of_month(&self, entries: &[&Entry]) -> HashMap<TenantId, SubjectKey> {
        let mut keys = HashMap::new();
        let Some(ring) = self.sealing_keys() else { return keys };
        let month = Subject::AccessMonth(AccessMonth::of(self.clock.now()));
        for entry in entries {
            let Entry::Access(key, group) = entry else { continue };
            let tenant = &key.tenant;
            // `_system` has no subjects.
            if group.has_literals() && !tenant.is_system() && !keys.contains_key(tenant) {
                let made = ring.keys_for(tenant, &[&month]).ok().and_then(|mut keys| keys.pop());
                keys.extend(made.map(|key| (tenant.clone(), key)));
            }
        }
        keys
    }
}

/// Adds the records of an entry, sealed for a ledger of the round; `None` where that has no such ledger, or
/// the library refuses.
fn seal(
    round: &Round<'_>,
    ledger: usize,
    entry: &Entry,
    keys: &HashMap<TenantId, SubjectKey>,
    sealed: &mut Vec<(usize, SealedEvent)>,
) -> Option<()> {
    match entry {
        Entry::Access(key, group) => {
            for record in group.to_records() {
                let record = round.seal_access(ledger, record, keys.get(&key.tenant))?;
                sealed.push((ledger, record));
            }
        }
        Entry::Denial(_, refused) => {
            sealed.push((ledger, round.seal_denial(ledger, refused.to_record())?));
        }
    }
    Some(())
}
