//! Who saw a person: the records of the access log that name one of the person's keys.

use std::collections::HashSet;

use ledgerstone_model::access::View;
use ledgerstone_model::audit::access::ACCESS_EVENT_TYPE;
use ledgerstone_model::json::Value;
use ledgerstone_model::sealing::{SealingKeyId, SubjectId};
use ledgerstone_proof::{Kind, TenantId, split_content};
use ledgerstone_store::StoredRecord;

use crate::error::LedgerError;
use crate::ledger::Ledger;

/// The keys of one person, by which accesses are found. They are random, and outlive the person's erasure
/// as names alone.
#[derive(Clone, Debug)]
pub struct SubjectAccess {
    keys: HashSet<SealingKeyId>,
}

impl SubjectAccess {
    /// Of a person; `None` where nothing was ever sealed for them.
    pub fn of(
        ledger: &Ledger,
        tenant: &TenantId,
        subject: &SubjectId,
    ) -> Result<Option<Self>, LedgerError> {
        let (live, destroyed) = ledger.ring_for(tenant)?.keys_of(tenant, subject);
        let keys: HashSet<_> = live.into_iter().chain(destroyed).collect();
        Ok((!keys.is_empty()).then_some(Self { keys }))
    }

    /// How much of the person was seen by what a record tells of; `None` where it tells of no access to
    /// the person.
    pub fn view_in(&self, record: &StoredRecord) -> Option<View> {
        let content = record.content.as_deref().filter(|_| record.kind == Kind::Audit)?;
        let (text, _) = split_content(content).ok()?;
        let event = Value::new(text);
        let event_type = event.member("event_type").ok()??.text()?;
        if event_type != ACCESS_EVENT_TYPE {
            return None;
        }
        let mut opened = event;
        for name in ["data", "metadata", "opened"] {
            opened = opened.member(name).ok()??;
        }
        let has = |view: View| {
            let mut keys = opened.member(view.as_str()).ok()??.elements();
            while let Some(key) = keys.next_element().ok()? {
                let key = key.text().and_then(|text| SealingKeyId::parse(&text));
                if key.is_some_and(|key| self.keys.contains(&key)) {
                    return Some(view);
                }
            }
            None
        };
        has(View::Shown).or_else(|| has(View::Redacted))
    }
}
