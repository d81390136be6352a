//! Whether the files of sealing keys are as new as the ledger.

use std::path::Path;

use ledgerstone_model::ErrorCode;
use ledgerstone_store::KeyGeneration;
use ledgerstone_store::embedded::Layout;
use ledgerstone_store::subject_keys::SubjectKeySlots;

use super::Observation;
use crate::output::counted;

/// Compares the key files with the generation that the ledger relies on.
pub fn look(path: &Path, relied_on: KeyGeneration, seen: &mut Vec<Observation>) {
    let keys = Layout::new(path).keys();
    if !keys.exists() {
        let what =
            "there are no keys here: what is sealed stays sealed, and the ledger can be verified";
        seen.push(Observation::note("sealing keys", what.to_owned()));
        return;
    }
    let slots = match SubjectKeySlots::look(&keys) {
        Ok((slots, _)) => slots,
        Err(error) => {
            let what = format!(
                "the ledger relies on key generation {}, and the key files cannot be looked at: {error}",
                relied_on.0
            );
            seen.push(Observation::note("sealing keys", what));
            return;
        }
    };
    let found = slots.iter().map(|slot| slot.generation).max().unwrap_or_default();
    if found < relied_on {
        let what = format!(
            "the key files have generation {}, and the ledger relies on {}: keys that were made since \
             then are missing, and nothing can be written ({})",
            found.0,
            relied_on.0,
            ErrorCode::KeysBehind.as_str()
        );
        let remedy = format!(
            "Put the newest copy of {} back, of generation {} or later. Without one, what was sealed \
             under the missing keys stays sealed; records before and after it verify as before.",
            keys.display(),
            relied_on.0
        );
        seen.push(Observation::problem("sealing keys", what, remedy));
        return;
    }
    if slots.is_empty() {
        return;
    }
    let live = slots.iter().filter(|slot| slot.key.is_some()).count() as u64;
    let destroyed = slots.len() as u64 - live;
    let what = format!(
        "{} of people, {destroyed} destroyed; the key files have generation {}, the ledger relies on {}",
        counted(live, "key"),
        found.0,
        relied_on.0
    );
    seen.push(Observation::note("sealing keys", what));
}
