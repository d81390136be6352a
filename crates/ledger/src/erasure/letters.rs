//! Removes refused submissions that are about a person or name them: they are kept for a while outside of
//! the ledger, in clear.

use ledgerstone_model::json::Value;
use ledgerstone_model::personal::names::Names;
use ledgerstone_model::sealing::{FieldPolicy, Preset, SealingPlan, SubjectId, party};
use ledgerstone_proof::{TenantId, canonicalize_lenient};

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
    // What the tenant's policy does not seal may be about somebody all the same.
    let own = ledger.known_sealing_policy(tenant)?.fields().clone();
    let policies = [own, FieldPolicy::of_preset(Preset::Standard)];
    let mut ids = SubjectIds::new(ledger.ring_for(tenant)?, tenant);
    let mut removed = 0;
    let mut before = None;
    loop {
        let page = letters.list(tenant, before, LETTERS_PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(removed) };
        before = Some(*last);
        for (id, letter) in &page {
            let concerns = match canonicalize_lenient(&letter.text) {
                Ok(text) => {
                    names.stand_in_json(Value::new(&text)).unwrap_or(true)
                        || is_about(&text, subject, &policies, &mut ids)?
                }
                Err(_) => stand_in_raw(names, &letter.text),
            };
            if concerns && letters.remove(tenant, *id)? {
                removed += 1;
            }
        }
    }
}

/// Whether a text that is no JSON holds a name, as it is or in the escapes of JSON.
fn stand_in_raw(names: &Names, text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    names.stand_in_text(&text) || names.stand_in_text(&without_escapes(&text))
}

/// A text with the escapes of RFC 8259, section 7, undone wherever they stand. Control characters become
/// spaces, which part words as they do.
fn without_escapes(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        units.extend(before.encode_utf16());
        let hex = escape.strip_prefix('u').and_then(|hex| hex.get(..4));
        let hex = hex.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if let Some(unit) = hex.and_then(|hex| u16::from_str_radix(hex, 16).ok()) {
            units.push(unit);
            rest = escape.get(5..).unwrap_or_default();
            continue;
        }
        let mut after = escape.chars();
        match after.next() {
            Some('n' | 'r' | 't' | 'b' | 'f') => units.push(u16::from(b' ')),
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut [0; 2])),
            None => {}
        }
        rest = after.as_str();
    }
    units.extend(rest.encode_utf16());
    String::from_utf16_lossy(&units)
}

/// Whether a refused event has the person for actor or target, whatever type of person that is, or holds
/// something that one of the policies seals for them.
fn is_about(
    text: &[u8],
    subject: &SubjectId,
    policies: &[FieldPolicy],
    ids: &mut SubjectIds<'_>,
) -> Result<bool, LedgerError> {
    let parties = ["actor", "target"].map(|group| party(text, group));
    for named in parties.into_iter().filter_map(|named| named.ok().flatten()) {
        if ids.of(&named)? == *subject {
            return Ok(true);
        }
    }
    for policy in policies {
        let Ok(plan) = SealingPlan::make(text, policy) else { continue };
        for person in plan.subjects() {
            if ids.of(person)? == *subject {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::personal::names::Names;

    use super::{stand_in_raw, without_escapes};

    #[test]
    fn escapes_are_undone_where_they_stand() {
        for (text, expected) in [
            (r"Jos\u00e9 \ud83d\ude00", "José 😀"),
            (r#"\"Ana\" \\ \/x"#, r#""Ana" \ /x"#),
            (r"a\nb\u12", "a bu12"),
            (r"\u+123é\", "u+123é"),
            ("plain é", "plain é"),
        ] {
            assert_eq!(without_escapes(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_cut_names_people_in_escapes_too() {
        let mut names = Names::default();
        names.note("José Lima");
        for (text, expected) in [
            (r#"{"a":"x\nJos\u00e9 Lima"#, true),
            (r#"{"a":"José Lima"#, true),
            (r#"{"a":"Jos\u00e9 Limao"#, false),
        ] {
            assert_eq!(stand_in_raw(&names, text.as_bytes()), expected, "{text}");
        }
    }
}
