//! Anchors: one checkpoint of `_system` stands for every ledger.

use ledgerstone_ledger::check::{Level, TrustedKeys, VerifyOptions};
use ledgerstone_model::SystemRecord;
use ledgerstone_proof::{TenantId, split_content};

use crate::rig::{Rig, report_of, tenant};

#[test]
fn a_round_anchors_what_grew_and_nothing_else() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta", "gamma"]);
    let first = ledger.anchor().unwrap();
    assert_eq!((first.ledgers, first.records.len()), (3, 1));
    let quiet = ledger.anchor().unwrap();
    assert_eq!((quiet.ledgers, quiet.records.len()), (0, 0));
    assert_eq!(quiet.checkpoint, first.checkpoint);
    ledger.append(rig.events("beta", "e", 3)).unwrap();
    let second = ledger.anchor().unwrap();
    assert_eq!((second.ledgers, second.records.len()), (1, 1));
    drop(ledger);
    let ledger = rig.open();
    assert_eq!(ledger.anchor().unwrap().ledgers, 0, "a restart does not forget");
    rig.assert_sound();
}

#[test]
fn an_anchor_holds_hashes_only() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let report = ledger.anchor().unwrap();
    let record = ledger.reader().record(&TenantId::system(), report.records[0]).unwrap();
    let content = record.content.unwrap();
    let (event, _) = split_content(&content).unwrap();
    let (SystemRecord::Anchor(anchor), _) = SystemRecord::parse(event).unwrap() else {
        panic!("not an anchor");
    };
    assert_eq!(anchor.checkpoints().len(), 1);
    let text = String::from_utf8(content).unwrap();
    assert!(!text.contains("acme"), "{text}");
    rig.assert_sound();
}

#[test]
fn more_than_a_thousand_ledgers_take_several_records() {
    let rig = Rig::new();
    let ledger = rig.create(&[]);
    let tenants: Vec<TenantId> = (0..2_100).map(|n| tenant(&format!("t{n}"))).collect();
    ledger.create_tenants(&tenants).unwrap();
    let report = ledger.anchor().unwrap();
    assert_eq!((report.ledgers, report.records.len()), (2_100, 3));
    let report = rig.assert_sound();
    assert_eq!(report.anchors_checked, 3);
    assert!(report.ledgers.iter().all(|ledger| ledger.vouched == ledger.size));
}

#[test]
fn a_clean_stop_puts_every_record_under_the_log_key() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    ledger.append(rig.events("acme", "e", 10)).unwrap();
    let key = ledger.verifier_key(&TenantId::system()).unwrap();
    let mut options = VerifyOptions::new(Level::Full, 2);
    options.keys = TrustedKeys::Given(vec![key]);
    let before = report_of(&*rig.store, &options);
    assert_eq!(before.findings.len(), 3, "nothing is signed by the log key yet");
    ledger.close().unwrap();
    let after = report_of(&*rig.store, &options);
    assert!(after.holds());
    assert!(after.ledgers.iter().all(|ledger| ledger.vouched == ledger.size));
    rig.assert_sound();
}
