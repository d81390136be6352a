//! Contents taken away, put back, or said to be gone: every content that is missing has its record, and
//! every record its missing contents.

use ledgerstone_ledger::ContentDrop;
use ledgerstone_ledger::check::Level;
use ledgerstone_model::NumberSet;
use ledgerstone_model::system::RetentionReason;
use ledgerstone_store::Check;
use ledgerstone_store::memory::{MemoryStore, Record};

use super::{FEW, Named, Scene, is_named, verified};
use crate::rig::{Rig, lines, tenant};

/// Records 3 to 6 of `acme` are dropped: 21 begins the run, 22 ends it.
fn deployment() -> Rig {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    for name in ["acme", "beta"] {
        ledger.append(rig.events(name, "e", 20)).unwrap();
    }
    ledger.retention(&*rig.store).drop_contents(&[expiry()]).unwrap();
    ledger.close().unwrap();
    rig.assert_sound();
    rig
}

fn expiry() -> ContentDrop {
    ContentDrop {
        tenant: tenant("acme"),
        numbers: NumberSet::from(3..7),
        reason: RetentionReason::Expired,
        policy_record: None,
        audit_record: None,
    }
}

/// Changes the text of a record, and computes all hashes of its ledger again.
fn rewrite(scene: &mut Scene<'_>, number: u64, change: impl FnOnce(&str) -> String) {
    let record: &mut Record = scene.record("acme", number);
    let text = String::from_utf8(record.content.clone().unwrap()).unwrap();
    let changed = change(&text);
    assert_ne!(changed, text);
    record.content = Some(changed.into_bytes());
    scene.recompute("acme", None);
}

type Change = fn(&mut Scene<'_>);

const ATTACKS: &[(&str, Change, Named)] = &[
    (
        "a content taken away that no record covers",
        |scene| scene.record("acme", 8).content = None,
        Named(Check::ContentHash, "acme", Some(8)),
    ),
    (
        "a content taken away from a ledger without any run",
        |scene| scene.record("beta", 20).content = None,
        Named(Check::ContentHash, "beta", Some(20)),
    ),
    (
        "contents taken away beside those that are covered",
        |scene| {
            for number in [2, 7, 8] {
                scene.record("acme", number).content = None;
            }
        },
        Named(Check::ContentHash, "acme", Some(7)),
    ),
    (
        "the content of the record that begins the run",
        |scene| scene.record("acme", 21).content = None,
        Named(Check::Record, "acme", Some(21)),
    ),
    (
        "a record that covers fewer than are gone",
        |scene| rewrite(scene, 21, |text| text.replacen("[[3,6]]", "[[3,5]]", 1)),
        Named(Check::ContentHash, "acme", Some(6)),
    ),
    (
        "a record that covers a system record",
        |scene| rewrite(scene, 21, |text| text.replacen("[[3,6]]", "[[0,0],[3,6]]", 1)),
        Named(Check::Record, "acme", Some(21)),
    ),
    (
        "a record that covers what comes after it",
        |scene| rewrite(scene, 21, |text| text.replacen("[[3,6]]", "[[3,6],[23,23]]", 1)),
        Named(Check::Record, "acme", Some(21)),
    ),
    (
        "a run that is said to be done and was never started",
        |scene| {
            rewrite(scene, 22, |text| {
                let at = text.find("\"run\":\"").unwrap() + "\"run\":\"".len();
                format!("{}{}{}", &text[..at], "a".repeat(32), &text[at + 32..])
            });
        },
        Named(Check::Record, "acme", Some(22)),
    ),
    (
        "a run that is said to have covered more",
        |scene| rewrite(scene, 22, |text| text.replacen("\"contents\":4", "\"contents\":5", 1)),
        Named(Check::Record, "acme", Some(22)),
    ),
];

#[test]
fn every_attack_on_dropped_contents_is_found_and_named() {
    for (name, change, named) in ATTACKS {
        for level in [Level::Tree, Level::Full] {
            let rig = deployment();
            rig.store.tamper(|commits| change(&mut Scene { commits }));
            let report = verified(&rig, level);
            let found = lines(&report);
            assert!(is_named(&report, named), "{name} is not named:\n{found}");
            let few = if level == Level::Full { FEW + 2 } else { FEW };
            assert!(report.findings.len() <= few, "{name} floods:\n{found}");
        }
    }
}

#[test]
fn contents_that_are_said_to_be_gone_and_are_not_are_named() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    ledger.append(rig.events("acme", "e", 20)).unwrap();
    // Another store is asked to drop them, so that the run is said to be done and nothing has gone.
    ledger.retention(&MemoryStore::new()).drop_contents(&[expiry()]).unwrap();
    let report = verified(&rig, Level::Tree);
    assert_eq!(report.findings.len(), 1, "{}", lines(&report));
    assert!(is_named(&report, &Named(Check::Record, "acme", Some(3))), "{}", lines(&report));
    assert_eq!(report.findings[0].following, 3);
}

#[test]
fn missing_contents_that_follow_each_other_are_one_finding() {
    let rig = deployment();
    rig.store.tamper(|commits| {
        let mut scene = Scene { commits };
        (7..15).for_each(|number| scene.record("acme", number).content = None);
    });
    let report = verified(&rig, Level::Tree);
    assert_eq!(report.findings.len(), 1, "{}", lines(&report));
    assert_eq!((report.findings[0].sequence_number, report.findings[0].following), (Some(7), 7));
}
