//! Counts the contents of events that lie in clear: written before their tenant sealed what it seals
//! today. Nothing can seal them afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ledgerstone_model::NumberSet;
use ledgerstone_model::policy::PolicyKind;
use ledgerstone_model::sealing::{FieldPolicy, Preset, SealingPlan};
use ledgerstone_proof::{Kind, SequenceNumber, TenantId, split_content};
use ledgerstone_store::StoredRecord;

use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};
use crate::reader::{Order, Reader};

/// How many contents lie in clear, as far as anybody has looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentsInClear {
    /// Events with a value in clear that would be sealed today; where the policy seals nothing, that the
    /// preset `standard` would seal.
    pub contents: u64,
    /// Records that were looked at, from the first on.
    pub looked_at: u64,
    /// Records of the ledger.
    pub records: u64,
}

/// What was counted, by tenant.
#[derive(Debug, Default)]
pub(super) struct ClearCounts(Mutex<HashMap<TenantId, Arc<Mutex<Count>>>>);

#[derive(Debug, Default)]
struct Count {
    /// Version of the policy that counts.
    version: u64,
    looked_at: u64,
    clear: NumberSet,
}

impl Count {
    /// Looks at so many more records.
    fn go_on(
        &mut self,
        reader: &Reader,
        tenant: &TenantId,
        policy: &FieldPolicy,
        limit: u64,
    ) -> Result<ContentsInClear, LedgerError> {
        let standard = FieldPolicy::of_preset(Preset::Standard);
        let policy = if policy.seals_nothing() { &standard } else { policy };
        let records = reader.size(tenant)?;
        let end = records.min(self.looked_at.saturating_add(limit));
        for record in reader.walk(tenant, Order::Sequence, self.looked_at..end) {
            let record = record?;
            if is_in_clear(&record, policy)? {
                self.clear.insert(record.sequence_number.value());
            }
            self.looked_at = record.sequence_number.value() + 1;
        }
        Ok(ContentsInClear { contents: self.clear.len(), looked_at: self.looked_at, records })
    }

    /// Takes contents out that were dropped since they were counted.
    fn forget_dropped(&mut self, reader: &Reader, tenant: &TenantId) -> Result<(), LedgerError> {
        let dropped = reader.retention_index().covered(reader.store(), tenant)?;
        self.clear.remove(&dropped);
        Ok(())
    }
}

fn is_in_clear(record: &StoredRecord, policy: &FieldPolicy) -> Result<bool, LedgerError> {
    let Some(content) = record.content.as_deref().filter(|_| record.kind == Kind::Event) else {
        return Ok(false);
    };
    let damaged = || LedgerError::Damaged {
        tenant: record.tenant.clone(),
        number: record.sequence_number,
        reason: "has no readable content",
    };
    let (text, _) = split_content(content).map_err(|_| damaged())?;
    let plan = SealingPlan::make(text, policy).map_err(|_| damaged())?;
    Ok(!plan.subjects_in_clear(text).map_err(|_| damaged())?.is_empty())
}

impl Reader {
    /// Looks at every record of a ledger for values in clear that this policy would seal.
    pub fn contents_in_clear(
        &self,
        tenant: &TenantId,
        policy: &FieldPolicy,
    ) -> Result<ContentsInClear, LedgerError> {
        Count::default().go_on(self, tenant, policy, SequenceNumber::MAX.value())
    }
}

impl Ledger {
    /// How many contents of a tenant lie in clear under its policy of today. Looks at no more than
    /// `limit` records; the next call goes on behind them.
    pub fn contents_in_clear(
        &self,
        tenant: &TenantId,
        limit: u64,
    ) -> Result<ContentsInClear, LedgerError> {
        let version = self.policy(tenant, PolicyKind::Sealing)?.map_or(0, |policy| policy.version);
        let policy = self.known_sealing_policy(tenant)?;
        let counts = &self.policies.in_clear.0;
        let count = Arc::clone(hold(counts).entry(tenant.clone()).or_default());
        let mut count = hold(&count);
        if count.version != version {
            *count = Count { version, ..Count::default() };
        }
        count.forget_dropped(&self.reader, tenant)?;
        count.go_on(&self.reader, tenant, policy.fields(), limit)
    }
}
