//! Checkpoints against the recomputed trees: those that the store keeps, and those seen elsewhere.

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{Checkpoint, KeyName, Note, NoteError, TenantId, VerifierKey};
use ledgerstone_store::{Check, StoredCheckpoint};

use super::options::{KnownCheckpoint, TrustedKeys};
use super::report::Finding;
use super::verdicts::{Source, Verdicts};
use super::walk::Walk;

/// A kept checkpoint and the file that holds it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) stored: StoredCheckpoint,
    pub(super) file: String,
}

/// A checkpoint that agrees with the ledger, and the places in the ledger's history of the keys that
/// signed it.
struct Agreeing {
    size: u64,
    signers: Vec<usize>,
}

/// Checks a ledger's checkpoints and answers for how many records a trusted key vouches.
pub(super) fn check_kept(
    walk: &Walk,
    kept: &[Kept],
    trusted: &TrustedKeys,
    verdicts: &mut Verdicts,
    findings: &mut Vec<Finding>,
) -> u64 {
    let mut agreeing = Vec::new();
    for one in kept {
        match check_one(walk, one, verdicts) {
            Ok(Some(good)) => agreeing.push(good),
            Ok(None) => {}
            Err(finding) => findings.push(*finding),
        }
    }
    let trusted = trusted_keys(walk, &agreeing, trusted);
    let is_trusted = |good: &&Agreeing| good.signers.iter().any(|key| trusted.contains(key));
    let vouched = agreeing.iter().filter(is_trusted).map(|good| good.size).max().unwrap_or(0);
    // What an older key signed lies within a tree that a trusted one signed.
    for stray in agreeing.iter().filter(|good| good.size > vouched) {
        let note = "a checkpoint by keys that no trusted key vouches for";
        findings.push(
            Finding::new(Check::Checkpoint, note)
                .at(walk.tenant(), stray.size)
                .values("a signature of a trusted key", "none"),
        );
    }
    vouched
}

/// The trusted ones of a ledger's log keys, by their places in its history. A key is trusted on the
/// word of the one before it: a checkpoint under that one which covers its announcement.
fn trusted_keys(walk: &Walk, agreeing: &[Agreeing], trusted: &TrustedKeys) -> Vec<usize> {
    let keys = walk.keys().log_keys();
    let mut places: Vec<usize> = match trusted {
        TrustedKeys::FromDirectory => vec![0],
        TrustedKeys::Given(given) => {
            let is_given = |key: &VerifierKey| {
                given.iter().any(|one| one.verifying_key() == key.verifying_key())
            };
            (0..keys.len())
                .filter(|at| keys.get(*at).is_some_and(|key| is_given(&key.key)))
                .collect()
        }
    };
    for (place, key) in keys.iter().enumerate().skip(1) {
        // Where a walk begins in the middle or ends there, another has seen to the other keys.
        let vouched = walk.keys().knows_all_log_keys() && places.contains(&(place - 1));
        let vouched = vouched
            || agreeing.iter().any(|good| {
                good.size > key.announced_by
                    && good.signers.contains(&(place - 1))
                    && places.contains(&(place - 1))
            });
        if vouched && !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// `None` where the checkpoint and the ledger do not agree, or damage, which other findings name,
/// keeps them from being compared.
fn check_one(
    walk: &Walk,
    kept: &Kept,
    verdicts: &mut Verdicts,
) -> Result<Option<Agreeing>, Box<Finding>> {
    let stored = &kept.stored;
    if walk.keys().genesis().is_none() {
        // Without its first record nothing says who the ledger is.
        return Ok(None);
    }
    let not_ours = |reason: &str| {
        let note = "a kept checkpoint is not one of this ledger";
        let finding = Finding::new(Check::Checkpoint, note)
            .at(walk.tenant(), stored.size)
            .in_file(&kept.file, 0);
        Box::new(finding.values("a checkpoint under the ledger's log key", reason))
    };
    let note = Note::parse(stored.note.as_bytes()).map_err(|error| not_ours(&error.to_string()))?;
    let body = Checkpoint::parse_body(note.text()).map_err(|error| not_ours(&error.to_string()))?;
    let size = body.size().value();
    if walk.keys().origin().map(KeyName::as_str) != Some(body.origin()) || size != stored.size {
        return Err(not_ours(&format!("one of {} at size {size}", body.origin())));
    }
    let signers = signers(walk, &note, size).map_err(|error| not_ours(&error.to_string()))?;
    let source = Source { what: "a kept checkpoint".to_owned(), file: kept.file.clone() };
    match walk.root_at(size) {
        None => {
            if walk.is_shorter_than(size) {
                verdicts.is_beyond(walk.tenant(), size, walk.size(), source);
            }
            Ok(None)
        }
        Some(root) if root == *body.root() => {
            verdicts.agrees(walk.tenant(), size);
            Ok(Some(Agreeing { size, signers }))
        }
        Some(root) => {
            verdicts.contradicts(walk.tenant(), size, (body.root().to_string(), root), source);
            Ok(None)
        }
    }
}

/// The places, in the ledger's history, of the keys that signed a note about a tree of that size.
/// A key that the tree does not announce is none of them.
fn signers(walk: &Walk, note: &Note, size: u64) -> Result<Vec<usize>, NoteError> {
    let history = walk.keys().log_keys().iter().enumerate();
    let usable: Vec<(usize, VerifierKey)> = history
        .filter(|(_, key)| key.announced_by < size)
        .map(|(place, key)| (place, key.key.clone()))
        .collect();
    let keys: Vec<VerifierKey> = usable.iter().map(|(_, key)| key.clone()).collect();
    let signed = note.verify(&keys)?;
    let signed = usable.iter().filter(|(_, key)| signed.contains(&key));
    Ok(signed.map(|(place, _)| *place).collect())
}

/// A checkpoint that was seen elsewhere.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) seen: KnownCheckpoint,
    pub(super) body: Checkpoint,
    /// The ledger with its origin.
    pub(super) tenant: Option<TenantId>,
}

/// Compares a ledger with a checkpoint seen elsewhere.
pub(super) fn check_known(
    walk: &Walk,
    known: &Known,
    trusted: &TrustedKeys,
    findings: &mut Vec<Finding>,
) {
    let size = known.body.size().value();
    let mut keys: Vec<VerifierKey> =
        walk.keys().log_keys().iter().map(|key| key.key.clone()).collect();
    if let TrustedKeys::Given(given) = trusted {
        keys.extend(given.iter().cloned());
    }
    let finding = |check, note: &str| {
        let finding = Finding::new(check, note).at(walk.tenant(), walk.size().min(size));
        finding.seen_in(&known.seen.name)
    };
    let verified = Note::parse(known.seen.note.as_bytes()).and_then(|note| {
        note.verify(&keys)?;
        Ok(())
    });
    if let Err(error) = verified {
        let note = "a checkpoint seen elsewhere is not signed by a key of this ledger";
        findings.push(finding(Check::Checkpoint, note).values("a known key", error));
        return;
    }
    if walk.is_shorter_than(size) {
        let note = "the ledger is shorter than a checkpoint that was seen elsewhere";
        let finding = finding(Check::Truncated, note).values(size, walk.size());
        findings.push(finding.with_code(ErrorCode::LedgerRolledBack));
        return;
    }
    if let Some(root) = walk.root_at(size).filter(|root| root != known.body.root()) {
        let note = format!(
            "the first {size} records are not those under a checkpoint that was seen elsewhere"
        );
        let finding = Finding::new(Check::Checkpoint, note).of(walk.tenant());
        let finding = finding.seen_in(&known.seen.name).values(known.body.root(), root);
        findings.push(finding.with_code(ErrorCode::LedgerRolledBack));
    }
}
