//! What an earlier verification covered, so that it is not read again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledgerstone_ledger::Reader;
use ledgerstone_ledger::check::{KnownCheckpoint, Level, VerifiedHead, VerifyOptions};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{Checkpoint, Hash, Note, TenantId};
use ledgerstone_store::embedded::EmbeddedStore;
use serde_json::Value;

use crate::arguments::read_file;
use crate::failure::Failure;

/// Adds what the files say was verified. A checkpoint is also held against the ledger as one that
/// was seen elsewhere, which checks its signature.
pub fn add_since(
    paths: &[PathBuf],
    store: &Arc<EmbeddedStore>,
    options: &mut VerifyOptions,
) -> Result<(), Failure> {
    let mut heads = Vec::new();
    for path in paths {
        let text =
            String::from_utf8(read_file(path)?).map_err(|_| refused(path, "it is not text"))?;
        if text.trim_start().starts_with('{') {
            heads.extend(of_report(path, &text, options.level)?);
        } else {
            heads.push(of_checkpoint(path, &text, store)?);
            let name = path.display().to_string();
            options.known.push(KnownCheckpoint { name, note: text });
        }
    }
    // Of two about one ledger the later serves; the other is held against the same tree by it.
    heads.sort_by_key(|head| std::cmp::Reverse(head.size));
    for head in heads {
        if head.size > 0 && options.since.iter().all(|since| since.tenant != head.tenant) {
            options.since.push(head);
        }
    }
    Ok(())
}

fn refused(path: &Path, reason: &str) -> Failure {
    let message = format!("{} cannot serve for --since: {reason}", path.display());
    Failure::new(ErrorCode::InvalidArgument, message).with_remedy(
        "Give the one line that `ledgerstone verify --json` wrote, of a verification that held, or \
         a checkpoint; or verify everything, without --since.",
    )
}

/// The heads that a report names: of one that held, and that left out nothing asked for now.
fn of_report(path: &Path, text: &str, level: Level) -> Result<Vec<VerifiedHead>, Failure> {
    let report: Value = serde_json::from_str(text)
        .map_err(|error| refused(path, &format!("it is no report in json: {error}")))?;
    if report.get("holds").and_then(Value::as_bool) != Some(true) {
        return Err(refused(path, "it does not say that what was verified holds"));
    }
    if level == Level::Full && report.get("level").and_then(Value::as_str) != Some("full") {
        return Err(refused(path, "the signatures of records were left out then (level tree)"));
    }
    let ledgers = report.get("ledgers").and_then(Value::as_array);
    let ledgers = ledgers.ok_or_else(|| refused(path, "it names no ledgers"))?;
    let heads = ledgers.iter().map(|ledger| {
        of_ledger(ledger).ok_or_else(|| {
            refused(path, "it does not say of every ledger what its tree was, up to the end")
        })
    });
    heads.collect()
}

fn of_ledger(ledger: &Value) -> Option<VerifiedHead> {
    Some(VerifiedHead {
        tenant: TenantId::parse_stored(ledger.get("tenant")?.as_str()?).ok()?,
        size: ledger.get("size")?.as_u64()?,
        root: Hash::from_base64(ledger.get("root")?.as_str()?).ok()?,
    })
}

fn of_checkpoint(
    path: &Path,
    text: &str,
    store: &Arc<EmbeddedStore>,
) -> Result<VerifiedHead, Failure> {
    let note = Note::parse(text.as_bytes()).map_err(|error| refused(path, &error.to_string()))?;
    let body =
        Checkpoint::parse_body(note.text()).map_err(|error| refused(path, &error.to_string()))?;
    let reader = Reader::new(store.clone());
    for tenant in reader.tenants()? {
        if reader.genesis(&tenant)?.origin() == body.origin() {
            return Ok(VerifiedHead { tenant, size: body.size().value(), root: *body.root() });
        }
    }
    Err(refused(path, &format!("its origin {} is no ledger of this directory", body.origin())))
}
