//! Removes refused submissions that are about a person or name them: they are kept for a while outside of
//! the ledger, in clear.

use ledgerstone_model::DeadLetter;
use ledgerstone_model::personal::names::Names;
use ledgerstone_model::sealing::{FieldPolicy, Preset, SealingPlan, SubjectId};
use ledgerstone_proof::{TenantId, canonicalize};

use crate::dead_letters::DeadLetters;
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::subjects::SubjectIds;

/// Letters looked at at a time.
const LETTERS_PAGE: usize = 100;

/// Removes what concerns a person, whose names are known or not, and answers how many letters that were.
pub(super) fn remove(
    ledger: &Ledger,
    letters: Option<&DeadLetters>,
    tenant: &TenantId,
    (subject, names): (&SubjectId, &Names),
) -> Result<u64, LedgerError> {
    let Some(letters) = letters else { return Ok(0) };
    let standard = FieldPolicy::of_preset(Preset::Standard);
    let mut ids = SubjectIds::new(ledger.ring_for(tenant)?, tenant);
    let mut removed = 0;
    let mut before = None;
    loop {
        let page = letters.list(tenant, before, LETTERS_PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(removed) };
        before = Some(*last);
        for (id, letter) in &page {
            let concerns = names.stand_in_text(&String::from_utf8_lossy(&letter.text))
                || is_about(letter, subject, &standard, &mut ids)?;
            if concerns && letters.remove(tenant, *id)? {
                removed += 1;
            }
        }
    }
}

/// Whether a refused event, where it can be read, has the person for actor or target.
fn is_about(
    letter: &DeadLetter,
    subject: &SubjectId,
    policy: &FieldPolicy,
    ids: &mut SubjectIds<'_>,
) -> Result<bool, LedgerError> {
    let Ok(text) = canonicalize(&letter.text) else { return Ok(false) };
    let Ok(plan) = SealingPlan::make(&text, policy) else { return Ok(false) };
    for person in plan.subjects() {
        if ids.of(person)? == *subject {
            return Ok(true);
        }
    }
    Ok(false)
}
