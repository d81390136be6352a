//! Whether the files of sealing keys are as new as the ledger, and whether the root key opens them.

use std::collections::HashSet;
use std::path::Path;

use ledgerstone_ledger::subject_requests;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::sealing::SealingKeyId;
use ledgerstone_store::LedgerStore as _;
use ledgerstone_store::embedded::{EmbeddedStore, Layout};
use ledgerstone_store::subject_keys::{LookedKeys, SubjectKeySlot, differing_copies};

use super::Observation;
use crate::data_dir::Means;
use crate::failure::Failure;
use crate::output::{Console, counted};

/// Compares the key files with the generation that the ledger relies on, and with its erasures.
pub fn look_at_files(path: &Path, store: &EmbeddedStore, seen: &mut Vec<Observation>) {
    let relied_on = store.status().key_generation;
    let keys = Layout::new(path).keys();
    if !keys.exists() {
        let what =
            "there are no keys here: what is sealed stays sealed, and the ledger can be verified";
        seen.push(Observation::note("sealing keys", what.to_owned()));
        return;
    }
    let looked = match LookedKeys::at(&keys) {
        Ok(looked) => looked,
        Err(error) => {
            let what = format!(
                "the ledger relies on key generation {}, and the key files cannot be looked at: {error}",
                relied_on.0
            );
            seen.push(Observation::note("sealing keys", what));
            return;
        }
    };
    let (slots, found) = (&looked.subjects, looked.generation);
    let erased = look_at_erased(&keys, slots, store, seen);
    look_at_stranded(&keys, &looked, &erased, seen);
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
    look_at_copies(&keys, seen);
}

/// Names keys that are there although an erasure destroyed them, or was about to.
fn look_at_erased(
    keys: &Path,
    slots: &[SubjectKeySlot],
    store: &EmbeddedStore,
    seen: &mut Vec<Observation>,
) -> HashSet<SealingKeyId> {
    let erased = match subject_requests::erased_keys(store) {
        Ok(erased) => erased,
        Err(error) => {
            let what = format!("which keys erasures have named cannot be told: {error}");
            let remedy = "Run `ledgerstone verify`, which names the damaged record.";
            seen.push(Observation::problem("sealing keys", what, remedy));
            return HashSet::new();
        }
    };
    let live =
        |id: &SealingKeyId| slots.iter().any(|slot| slot.key_id == *id && slot.key.is_some());
    for (tenant, ids) in &erased {
        let back = ids.iter().filter(|id| live(id)).count() as u64;
        if back == 0 {
            continue;
        }
        let what = format!(
            "the files in {} still hold {} of tenant {tenant} that an erasure named: an older copy was put \
             there, or an erasure was interrupted; nothing is opened with them",
            keys.display(),
            counted(back, "key")
        );
        let remedy = "The next command that writes destroys them, as does starting the server; where that \
                      is refused, put the newest copy of the files there first. If somebody has put an \
                      older copy there, destroy that copy too.";
        seen.push(Observation::problem("sealing keys", what, remedy));
    }
    erased.into_values().flatten().collect()
}

/// Names keys of people that no key of a tenant opens; those that an erasure named are told already.
fn look_at_stranded(
    keys: &Path,
    looked: &LookedKeys,
    erased: &HashSet<SealingKeyId>,
    seen: &mut Vec<Observation>,
) {
    let stranded = looked.stranded();
    let outlived = stranded.outlived.iter().filter(|id| !erased.contains(id)).count();
    for (count, file, why) in [
        (
            stranded.unknown.len(),
            "tenants.*",
            "it does not hold the keys of tenants that wrap them",
        ),
        (outlived, "subjects.*", "the keys of tenants that wrap them were destroyed since"),
    ] {
        if count == 0 {
            continue;
        }
        let what = format!(
            "{} is older than the files beside it, or missing: {} of people can be opened by nothing, \
             since {why}; nothing can be written, and nobody erased ({})",
            keys.join(file).display(),
            counted(count as u64, "key"),
            ErrorCode::KeysBehind.as_str()
        );
        let remedy = format!(
            "Put the newest copy of {} back, all of its files from the same moment. Without one, what was \
             sealed under these keys stays sealed; all records verify as before.",
            keys.display()
        );
        seen.push(Observation::problem("sealing keys", what, remedy));
    }
}

/// Names a key file that is not as the one beside it: one from before an erasure holds keys that were
/// destroyed, although nothing opens with them.
fn look_at_copies(keys: &Path, seen: &mut Vec<Observation>) {
    let Ok(first) = differing_copies(keys) else { return };
    if first.is_empty() {
        return;
    }
    // Beside a writer a change may be on its way from the one file to the other.
    let again = differing_copies(keys).unwrap_or_default();
    for copy in first.into_iter().filter(|copy| again.contains(copy)) {
        let what = format!(
            "{} is not as the file beside it: older in it or missing: {}, damaged: {}; the newer ones \
             count, and what was destroyed since may lie in this one",
            keys.join(&copy.file).display(),
            counted(copy.stale.len() as u64, "slot"),
            counted(copy.damaged.len() as u64, "slot")
        );
        let remedy = "The next command that writes copies the newer slots into it, as does starting the \
                      server. If somebody has put an older copy there, destroy that copy too.";
        seen.push(Observation::problem("sealing keys", what, remedy));
    }
}

/// Has the root key that the settings name unwrap what lies in the key files, if anything does.
pub fn look_at_root_key(path: &Path, console: &mut Console, seen: &mut Vec<Observation>) {
    match ask_root_key(path, console) {
        Ok(None) => {}
        Ok(Some(service)) => {
            let what = format!("the {service} opens the sealing keys");
            seen.push(Observation::note("root key", what));
        }
        Err(failure) => {
            let what = format!("{}: {}", failure.code().as_str(), failure.message());
            let remedy = "Put the root key back that wrapped them, or name its service in the settings \
                          (docs/sealing-keys.md). Until then what is sealed stays sealed, and events \
                          with fields to seal are refused.";
            seen.push(Observation::problem("root key", what, remedy));
        }
    }
}

fn ask_root_key(path: &Path, console: &mut Console) -> Result<Option<String>, Failure> {
    let keys = Means::of_environment()?.look_at_sealing_keys(path, console)?;
    let Some(keys) = keys else { return Ok(None) };
    keys.check_root().map_err(|error| Failure::new(error.code(), error.to_string()))?;
    Ok(Some(keys.root_service().to_owned()))
}
