//! Attacks on what ties a tenant's ledger to `_system`: the genesis and the record that announced it.

use ledgerstone_store::Check;
use ledgerstone_store::memory::Record;

use super::{Attack, Named, Scene, attack};

fn text_of(record: &Record) -> String {
    String::from_utf8(record.content.clone().unwrap()).unwrap()
}

/// Puts one text in the place of another in a record's content.
fn rewrite_text(record: &mut Record, from: &str, to: &str) {
    let text = text_of(record);
    assert!(text.contains(from), "{text}");
    record.content = Some(text.replacen(from, to, 1).into_bytes());
}

/// The value of a text member in a record's content.
fn member(record: &Record, name: &str) -> String {
    let text = text_of(record);
    let name = format!("\"{name}\":\"");
    let value = &text[text.find(&name).unwrap() + name.len()..];
    value[..value.find('"').unwrap()].to_owned()
}

/// Puts the same member of another record in the place of a text member.
fn take_member(scene: &mut Scene<'_>, from: (&str, u64), to: (&str, u64), name: &str) {
    let theirs = member(scene.record(from.0, from.1), name);
    let record = scene.record(to.0, to.1);
    let ours = member(record, name);
    rewrite_text(record, &ours, &theirs);
}

/// All hashes are computed again after each.
pub const ATTACKS: &[Attack] = &[
    attack(
        "a genesis that names another record of _system",
        |scene| {
            let from = "\"sequence_number\":1}";
            rewrite_text(scene.record("acme", 0), from, "\"sequence_number\":2}");
            scene.recompute("acme", None);
        },
        Named(Check::Record, "acme", Some(0)),
    ),
    attack(
        "a genesis that names another record hash",
        |scene| {
            take_member(scene, ("beta", 0), ("acme", 0), "record_hash");
            scene.recompute("acme", None);
        },
        Named(Check::Record, "acme", Some(0)),
    ),
    attack(
        "a genesis with another ledger id",
        |scene| {
            for name in ["log_key", "ledger_id"] {
                take_member(scene, ("beta", 0), ("acme", 0), name);
            }
            scene.recompute("acme", None);
        },
        Named(Check::Record, "acme", Some(0)),
    ),
    attack(
        "a tenant announced with another ledger",
        |scene| {
            take_member(scene, ("_system", 2), ("_system", 1), "ledger_id");
            scene.recompute("_system", None);
        },
        Named(Check::Record, "acme", Some(0)),
    ),
    attack(
        "a tenant announced twice, with two ledgers",
        |scene| {
            take_member(scene, ("_system", 1), ("_system", 2), "tenant_id");
            scene.recompute("_system", None);
        },
        Named(Check::Record, "_system", Some(2)),
    ),
];
