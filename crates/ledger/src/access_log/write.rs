//! Writes what is gathered: whatever is ripe in one commit, with what others wait for.

use std::collections::{HashMap, HashSet};
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
        match self.write_entries(entries, true) {
            // That of somebody else is kept back, and nobody waits for it.
            Err(LedgerError::AccessNotSealed(_))
                if !hold(&self.access_log.gathered).is_awaited(&awaited.0) =>
            {
                Ok(())
            }
            written => written.map(drop),
        }
    }

    fn write_entries(
        &self,
        mut entries: Vec<Entry>,
        is_awaited: bool,
    ) -> Result<usize, LedgerError> {
        let (mut written, mut unsealed) = (0, 0);
        while !entries.is_empty() {
            let rest = entries.split_off(entries.len().min(AT_ONCE));
            let some = std::mem::replace(&mut entries, rest);
            let ended = self.write_some(&some);
            let mut gathered = hold(&self.access_log.gathered);
            match ended {
                Ok(Written { records, left_out }) => {
                    written += some.len() - left_out.len();
                    self.access_log.written.fetch_add(records, Ordering::Relaxed);
                    for (place, entry) in some.into_iter().enumerate() {
                        if left_out.contains(&place) {
                            unsealed += 1;
                            gathered.put_back(entry, is_awaited);
                        } else if let Entry::Access(key, group) = &entry {
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
        match unsealed {
            0 => Ok(written),
            _ => Err(LedgerError::AccessNotSealed(unsealed)),
        }
    }

    /// Writes entries in one commit, as far as they can be sealed: what is wrong with those of one tenant
    /// keeps nobody else's back.
    fn write_some(&self, entries: &[Entry]) -> Result<Written, LedgerError> {
        // A ledger that is brought to its end takes no more of them.
        let is_taken = |(_, one): &(usize, &Entry)| self.refuse_shut(one.tenant()).is_ok();
        let taken: Vec<(usize, &Entry)> = entries.iter().enumerate().filter(is_taken).collect();
        let entries: Vec<&Entry> = taken.iter().map(|(_, entry)| *entry).collect();
        let mut tenants: Vec<TenantId> = entries.iter().map(|one| one.tenant().clone()).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let keys = self.keys_of_month(&entries);
        let who = entries.iter().map(|one| (one.tenant(), one.actor()));
        let acting = self.acting(who.filter(|(_, actor)| actor.is_named()));
        let pushed = self.sequencer.administer(&tenants, |round| {
            round.name_as(acting);
            let mut sealed = Vec::with_capacity(entries.len());
            let mut left_out = HashSet::new();
            for (place, entry) in &taken {
                let ledger = tenants.binary_search(entry.tenant()).ok()?;
                match seal(round, ledger, entry, &keys) {
                    Some(records) => {
                        sealed.extend(records.into_iter().map(|record| (ledger, record)));
                    }
                    None => {
                        left_out.insert(*place);
                    }
                }
            }
            // Nothing is left out from here on: what was put back after a part of it was written would stand
            // there twice.
            let records = sealed.len() as u64;
            for (ledger, record) in sealed {
                round.push_sealed(ledger, record)?;
            }
            Some(Written { records, left_out })
        })?;
        pushed.ok_or(LedgerError::NotBuilt("the access log"))
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

/// What came of entries.
struct Written {
    records: u64,
    /// Places of those that could not be sealed.
    left_out: HashSet<usize>,
}

/// The records of an entry, sealed for a ledger of the round; `None` where that has no such ledger, or the
/// library refuses.
fn seal(
    round: &Round<'_>,
    ledger: usize,
    entry: &Entry,
    keys: &HashMap<TenantId, SubjectKey>,
) -> Option<Vec<SealedEvent>> {
    match entry {
        Entry::Access(key, group) => {
            let records = group.to_records().into_iter();
            records.map(|record| round.seal_access(ledger, record, keys.get(&key.tenant))).collect()
        }
        Entry::Denial(_, refused) => Some(vec![round.seal_denial(ledger, refused.to_record())?]),
    }
}
