//! Closings that were faked, or that something was done to afterwards.

use std::ops::ControlFlow;

use ledgerstone_ledger::check::Level;
use ledgerstone_ledger::closing::ClosingWish;
use ledgerstone_ledger::erasure::SurveyWatch;
use ledgerstone_model::Actor;
use ledgerstone_proof::Kind;
use ledgerstone_store::Check;
use ledgerstone_store::memory::Record;

use super::{FEW, Named, Scene, is_named, verified};
use crate::rig::{Rig, lines, tenant};

struct Unwatched;

impl SurveyWatch for Unwatched {
    fn records(&self, _: u64, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Record 21 of `acme` begins its end, 22 and 23 are the run, 24 is the last; record 6 of `_system`
/// announces it.
fn deployment() -> Rig {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    for name in ["acme", "beta"] {
        ledger.append(rig.events(name, "e", 20)).unwrap();
    }
    let wish = ClosingWish { reason: "the contract has ended", despite_duties: false };
    let acme = tenant("acme");
    let asked = ledger.ask_closing(&acme, wish, &Actor::operator("anna")).unwrap();
    ledger.approve_closing(&acme, asked.recorded_as, &Actor::operator("berta")).unwrap();
    let last = ledger.retention(&*rig.store).close_tenant(&acme, None, &Unwatched).unwrap();
    assert_eq!(last.unwrap().value(), 24);
    ledger.close().unwrap();
    rig.assert_sound();
    rig
}

fn rewrite(scene: &mut Scene<'_>, (name, number): (&str, u64), from: &str, to: &str) {
    let record: &mut Record = scene.record(name, number);
    let text = String::from_utf8(record.content.clone().unwrap()).unwrap();
    assert!(text.contains(from), "{text}");
    record.content = Some(text.replacen(from, to, 1).into_bytes());
    scene.recompute(name, None);
}

type Change = fn(&mut Scene<'_>);

const ATTACKS: &[(&str, Change, Named)] = &[
    (
        "a closing that names another record of _system",
        |scene| {
            let (from, to) = ("\"sequence_number\":6", "\"sequence_number\":1");
            rewrite(scene, ("acme", 21), from, to);
        },
        Named(Check::Record, "acme", Some(21)),
    ),
    (
        "a closing that _system never announced",
        |scene| rewrite(scene, ("_system", 6), "\"closing\"", "\"suspended\""),
        Named(Check::Record, "acme", Some(21)),
    ),
    (
        "an end that names another beginning",
        |scene| {
            let (from, to) = ("\"closing_record\":21", "\"closing_record\":20");
            rewrite(scene, ("acme", 24), from, to);
        },
        Named(Check::Record, "acme", Some(24)),
    ),
    (
        "an end that tells of fewer contents",
        |scene| rewrite(scene, ("acme", 24), "\"contents\":20", "\"contents\":19"),
        Named(Check::Record, "acme", Some(24)),
    ),
    (
        "an event behind the closing",
        |scene| {
            scene.record("acme", 23).kind = Kind::Event;
            scene.recompute("acme", None);
        },
        Named(Check::Record, "acme", Some(21)),
    ),
    (
        "a content that was put back",
        |scene| scene.record("acme", 4).content = Some(b"{}".to_vec()),
        Named(Check::Record, "acme", Some(4)),
    ),
];

#[test]
fn every_attack_on_a_closed_tenant_is_found_and_named() {
    for (name, change, named) in ATTACKS {
        for level in [Level::Tree, Level::Full] {
            let rig = deployment();
            rig.store.tamper(|commits| change(&mut Scene { commits }));
            let report = verified(&rig, level);
            let found = lines(&report);
            assert!(is_named(&report, named), "{name} is not named:\n{found}");
            assert!(report.findings.len() <= FEW + 3, "{name} floods:\n{found}");
        }
    }
}
