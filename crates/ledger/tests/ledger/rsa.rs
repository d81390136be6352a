//! RSA record keys: a deployment that begins with one, histories that mix both algorithms, and what
//! is done to signatures.

use std::sync::Arc;

use ledgerstone_ledger::check::{Level, VerifyOptions};
use ledgerstone_ledger::{KeyHome as _, KeyRing, KeySlots, Ledger, MemoryKeys};
use ledgerstone_model::Actor;
use ledgerstone_model::system::{KeyAlgorithm, KeyChange, KeyUse, PublicKey};
use ledgerstone_proof::{RsaSigningKey, SequenceNumber};
use ledgerstone_store::memory::Record;
use ledgerstone_store::{Check, LedgerStore as _, RecordKey};

use crate::rig::{Rig, lines, receipts, report_of, tenant};

/// A deployment whose record key is RSA from the beginning.
fn rsa_rig() -> Rig {
    let mut rig = Rig::new();
    let record = RecordKey::draw(KeyAlgorithm::Rsa, &*rig.entropy).unwrap();
    let log = rig.keys.load().unwrap().log;
    rig.keys = Arc::new(MemoryKeys::new(KeyRing { log, record: KeySlots::of(record) }));
    rig
}

fn append(rig: &Rig, ledger: &Ledger, prefix: &str, count: usize) -> Vec<usize> {
    let receipts = receipts(ledger.append(rig.events("acme", prefix, count)).unwrap());
    receipts.iter().map(|receipt| receipt.signature.as_ref().unwrap().bytes.len()).collect()
}

#[test]
fn a_deployment_can_begin_with_rsa() {
    let rig = rsa_rig();
    let ledger = rig.create(&["acme"]);
    assert_eq!(append(&rig, &ledger, "e", 40), [384; 40]);
    let genesis = ledger.reader().genesis(&tenant("acme")).unwrap();
    assert!(matches!(genesis.record_key(), PublicKey::Rsa(_)));
    let receipt = receipts(ledger.append(rig.events("acme", "e", 1)).unwrap()).remove(0);
    let record = ledger.reader().get(&tenant("acme"), &receipt.id).unwrap();
    let signed = receipt.signature.unwrap();
    assert!(genesis.record_key().verifies(&record.header_bytes(), &signed.bytes));
    assert_eq!(record.signature, Some(signed), "a repeated delivery is told the same");
    ledger.close().unwrap();
    let report = rig.assert_sound();
    assert!(report.ledgers.iter().all(|ledger| ledger.vouched == ledger.size));
    rig.open().close().unwrap();
}

#[test]
fn algorithms_follow_each_other_in_one_history() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    assert_eq!(append(&rig, &ledger, "a", 3), [64; 3]);
    let to_rsa = ledger
        .rotate_record_key(KeyAlgorithm::Rsa, KeyChange::Rotation, &Actor::operator("uid:0"))
        .unwrap();
    assert_eq!((to_rsa.algorithm, to_rsa.ledgers), (KeyAlgorithm::Rsa, 3));
    assert_eq!(append(&rig, &ledger, "b", 3), [384; 3]);
    drop(ledger);
    rig.assert_sound();

    // A rotation that names no algorithm keeps it.
    let ledger = rig.open();
    let kept = ledger
        .rotate_key(KeyUse::Record, KeyChange::Compromise, &Actor::operator("uid:0"))
        .unwrap();
    assert_eq!((kept.algorithm, &kept.old), (KeyAlgorithm::Rsa, &to_rsa.new));
    assert_eq!(append(&rig, &ledger, "c", 2), [384; 2]);
    let back = ledger
        .rotate_record_key(KeyAlgorithm::Ed25519, KeyChange::Rotation, &Actor::operator("uid:0"))
        .unwrap();
    assert_eq!(back.algorithm, KeyAlgorithm::Ed25519);
    assert_eq!(append(&rig, &ledger, "d", 3), [64; 3]);
    ledger.rotate_key(KeyUse::Log, KeyChange::Rotation, &Actor::operator("uid:0")).unwrap();
    ledger.create_tenant(&tenant("gamma"), &Actor::operator("uid:0")).unwrap();
    ledger.close().unwrap();
    rig.assert_sound();
    rig.open().close().unwrap();
    let algorithms: Vec<_> = rig
        .open()
        .history()
        .keys()
        .iter()
        .filter(|period| period.usage == KeyUse::Record)
        .map(|period| period.key.algorithm())
        .collect();
    let expected =
        [KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa, KeyAlgorithm::Rsa, KeyAlgorithm::Ed25519];
    assert_eq!(algorithms, expected);
}

/// What is done to one record's signature, at what level it is found, and as what.
type Attack = (&'static str, Level, fn(&mut Record, &[u8]), &'static str);

const ATTACKS: &[Attack] = &[
    ("stripped", Level::Tree, |record, _| record.signature = None, "without the signature"),
    (
        "a bit flipped",
        Level::Full,
        |record, _| record.signature.as_mut().unwrap().bytes[200] ^= 1,
        "does not hold",
    ),
    (
        "one byte shorter",
        Level::Full,
        |record, _| record.signature.as_mut().unwrap().bytes.truncate(383),
        "not 384 bytes",
    ),
    (
        "as long as one of Ed25519",
        Level::Full,
        |record, _| record.signature.as_mut().unwrap().bytes.truncate(64),
        "not 384 bytes",
    ),
    (
        "taken from another record",
        Level::Full,
        |record, other| record.signature.as_mut().unwrap().bytes = other.to_vec(),
        "does not hold",
    ),
    (
        "made with another RSA key",
        Level::Full,
        |record, _| {
            let key = RsaSigningKey::generate().unwrap();
            record.signature.as_mut().unwrap().bytes = key.sign(b"a header").unwrap();
        },
        "does not hold",
    ),
    (
        "made with another RSA key, under its own name",
        Level::Tree,
        |record, _| {
            let key = RsaSigningKey::generate().unwrap();
            record.signature.as_mut().unwrap().key_id = key.verifying_key().key_id();
        },
        "not signed by the key in use",
    ),
];

#[test]
fn attacks_on_rsa_signatures_are_named() {
    let attacked = 4;
    for (name, level, change, note) in ATTACKS {
        let rig = rsa_rig();
        let ledger = rig.create(&["acme"]);
        append(&rig, &ledger, "e", 8);
        ledger.close().unwrap();
        let store = &rig.store;
        let other = store.read(&tenant("acme"), SequenceNumber::new(5).unwrap(), 1).unwrap();
        let other = other[0].signature.clone().unwrap().bytes;
        store.tamper(|commits| {
            let runs = commits.iter_mut().flat_map(|commit| &mut commit.runs);
            for run in runs.filter(|run| run.tenant == tenant("acme")) {
                let first = run.first;
                for (at, record) in run.records.iter_mut().enumerate() {
                    if first + at as u64 == attacked {
                        change(record, &other);
                    }
                }
            }
        });
        let report = report_of(&**store, &VerifyOptions::new(*level, 2));
        let finding = report.findings.iter().find(|finding| finding.check == Check::Signature);
        let finding = finding.unwrap_or_else(|| panic!("{name} is not found:\n{}", lines(&report)));
        assert_eq!(finding.sequence_number, Some(attacked), "{name}");
        assert!(finding.note.contains(note), "{name}: {}", finding.note);
        assert_eq!(finding.following, 0, "{name}");
        assert!(report.findings.len() <= 2, "{name} floods:\n{}", lines(&report));
    }
}
