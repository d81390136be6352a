//! Keys are replaced in the open, and an interruption anywhere is made good.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledgerstone_ledger::check::{Finding, Level, TrustedKeys, VerifyOptions};
use ledgerstone_ledger::{
    KeyHome, KeyHomeError, KeyRing, Ledger, LedgerError, MemoryKeys, Retirement,
};
use ledgerstone_model::Actor;
use ledgerstone_model::system::{KeyChange, KeyUse, PublicKey, SigningKeyRecord, SigningMode};
use ledgerstone_model::{SealedEvent, SystemRecord};
use ledgerstone_proof::{
    Checkpoint, KeyId, KeyName, Note, Salt, SequenceNumber, Signer, SigningKey, TenantId, TreeSize,
    VerifierKey,
};
use ledgerstone_store::conformance::{AppendFault, FaultyStore};
use ledgerstone_store::{Check, LedgerStore};

use crate::rig::{Rig, lines, receipts, report_of, tenant};

fn ring(rig: &Rig) -> KeyRing {
    rig.keys.load().unwrap()
}

#[test]
fn records_are_signed_with_the_new_key_after_its_announcement() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    let before = receipts(ledger.append(rig.events("acme", "a", 1)).unwrap()).remove(0);
    let report =
        ledger.rotate_key(KeyUse::Record, KeyChange::Rotation, &Actor::operator("uid:0")).unwrap();
    assert_eq!(report.ledgers, 3);
    let after = receipts(ledger.append(rig.events("acme", "b", 1)).unwrap()).remove(0);
    assert_eq!(after.sequence_number.value(), before.sequence_number.value() + 2);
    assert_eq!(before.signature.unwrap().key_id, report.old);
    assert_eq!(after.signature.unwrap().key_id, report.new);
    assert!(ring(&rig).record.outgoing.is_none(), "the old private key is destroyed");
    ledger.create_tenant(&tenant("gamma"), &Actor::operator("uid:0")).unwrap();
    let newborn = receipts(ledger.append(rig.events("gamma", "c", 1)).unwrap()).remove(0);
    assert_eq!(newborn.sequence_number.value(), 1, "a new ledger begins with the new key");
    ledger.rotate_key(KeyUse::Record, KeyChange::Compromise, &Actor::operator("uid:0")).unwrap();
    ledger.append(rig.events("beta", "d", 1)).unwrap();
    drop(ledger);
    rig.assert_sound();
    rig.open().close().unwrap();
    rig.assert_sound();
}

fn signatures(note: &str) -> usize {
    Note::parse(note.as_bytes()).unwrap().signatures().len()
}

#[test]
fn both_log_keys_sign_until_the_overlap_is_over() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let acme = tenant("acme");
    let old_key = ledger.verifier_key(&acme).unwrap();
    ledger.rotate_key(KeyUse::Log, KeyChange::Rotation, &Actor::operator("uid:0")).unwrap();
    let new_key = ledger.verifier_key(&acme).unwrap();
    assert_ne!(old_key, new_key);
    let kept: Vec<_> = rig.store.checkpoints(&acme).unwrap();
    let last = kept.iter().find(|kept| kept.kept_for_good).unwrap();
    let by_old = Note::parse(last.note.as_bytes()).unwrap();
    by_old.verify(std::slice::from_ref(&old_key)).unwrap();
    assert!(by_old.verify(std::slice::from_ref(&new_key)).is_err(), "the last is by the old alone");
    ledger.append(rig.events("acme", "a", 1)).unwrap();
    let both = ledger.checkpoint(&acme).unwrap();
    assert_eq!(signatures(&both.note), 2);
    let parsed = Note::parse(both.note.as_bytes()).unwrap();
    assert_eq!(parsed.verify(&[old_key.clone(), new_key.clone()]).unwrap().len(), 2);
    drop(ledger);

    let ledger = rig.open();
    assert_eq!(ring(&rig).log.outgoing.unwrap().retirement, Retirement::Overlapping);
    rig.clock.advance(Duration::from_hours(24));
    ledger.expire_old_keys().unwrap();
    assert!(ring(&rig).log.outgoing.is_none());
    let one = ledger.checkpoint(&acme).unwrap();
    assert_eq!(
        (one.size, signatures(&one.note)),
        (both.size, 1),
        "signed anew by the new key alone"
    );
    ledger.create_tenant(&tenant("beta"), &Actor::operator("uid:0")).unwrap();
    ledger.close().unwrap();
    rig.assert_sound();
    for key in [old_key, new_key] {
        let report = given(&rig, key);
        assert!(report.holds(), "{}", lines(&report));
        assert!(report.ledgers.iter().all(|ledger| ledger.vouched == ledger.size));
    }
}

fn given(rig: &Rig, key: VerifierKey) -> ledgerstone_ledger::check::Report {
    let mut options = VerifyOptions::new(Level::Full, 2);
    options.keys = TrustedKeys::Given(vec![key]);
    report_of(&*rig.store, &options)
}

#[test]
fn a_new_key_that_no_old_one_vouches_for_is_not_trusted() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let acme = tenant("acme");
    let old_key = ledger.verifier_key(&acme).unwrap();
    ledger.rotate_key(KeyUse::Log, KeyChange::Compromise, &Actor::operator("uid:0")).unwrap();
    ledger.append(rig.events("acme", "a", 1)).unwrap();
    ledger.close().unwrap();
    rig.assert_sound();
    // Somebody takes the last checkpoints under the old key away.
    rig.store.tamper(|commits| {
        for commit in commits {
            commit.checkpoints.retain(|kept| !kept.kept_for_good);
        }
    });
    assert!(!given(&rig, old_key).holds());
    assert!(!report_of(&*rig.store, &VerifyOptions::new(Level::Tree, 1)).holds());
}

/// Keys whose saving fails once, from a number of saves on.
struct FailingKeys {
    keys: Arc<MemoryKeys>,
    saves_left: Mutex<u32>,
}

impl KeyHome for FailingKeys {
    fn load(&self) -> Result<KeyRing, KeyHomeError> {
        self.keys.load()
    }

    fn save(&self, keys: &KeyRing) -> Result<(), KeyHomeError> {
        let mut left = self.saves_left.lock().unwrap();
        if *left == 0 {
            let source = std::io::Error::other("a planned fault");
            return Err(KeyHomeError { place: "keys".to_owned(), source: source.into() });
        }
        *left -= 1;
        self.keys.save(keys)
    }
}

/// Begins a rotation that ends early; a new process makes it good.
fn interrupted(usage: KeyUse, saves: u32, append: Option<u64>) {
    for signing in [SigningMode::Record, SigningMode::Checkpoint] {
        let mut rig = Rig::new();
        rig.settings.signing = signing;
        let names = ["acme", "beta", "gamma"];
        let ledger = rig.create(&names);
        ledger.append(rig.events("acme", "a", 3)).unwrap();
        drop(ledger);
        let store = Arc::new(FaultyStore::new(rig.store.reopen()));
        let keys =
            Arc::new(FailingKeys { keys: Arc::clone(&rig.keys), saves_left: Mutex::new(saves) });
        let ledger = Ledger::open(
            Arc::clone(&store) as Arc<dyn LedgerStore>,
            keys,
            rig.settings.clone(),
            Arc::clone(&rig.clock) as _,
            Arc::clone(&rig.entropy) as _,
        )
        .unwrap();
        if let Some(append) = append {
            store.fail_append(append, AppendFault::UnknownApplied);
        }
        let result = ledger.rotate_key(usage, KeyChange::Rotation, &Actor::operator("uid:0"));
        let what = format!("{usage:?}, {saves} saves, append {append:?}: {result:?}");
        let _ = ledger.append(rig.events("beta", "b", 2));
        drop(ledger);
        rig.assert_sound();
        let ledger = rig.open();
        for name in names {
            receipts(ledger.append(rig.events(name, "c", 2)).unwrap());
        }
        ledger.create_tenant(&tenant("delta"), &Actor::operator("uid:0")).unwrap();
        receipts(ledger.append(rig.events("delta", "c", 2)).unwrap());
        assert!(
            ring(&rig).log.incoming.is_none() && ring(&rig).record.incoming.is_none(),
            "{what}"
        );
        let retirement = ring(&rig).retirement(usage);
        assert_ne!(retirement, Some(Retirement::Announcing), "{what}");
        let newest = ledger.history().newest_key(usage).unwrap().announced_by;
        if newest.value() > 0 {
            for name in names {
                let announced = announcements(&ledger, name, usage);
                assert_eq!(announced, 1, "{name}: {what}");
            }
        }
        ledger.rotate_key(usage, KeyChange::Rotation, &Actor::operator("uid:0")).unwrap();
        ledger.close().unwrap();
        rig.assert_sound();
    }
}

fn announcements(ledger: &Ledger, name: &str, usage: KeyUse) -> usize {
    let records =
        ledger.reader().list(&tenant(name), ledgerstone_ledger::Order::Sequence, None).unwrap();
    let text = |content: Option<Vec<u8>>| String::from_utf8(content.unwrap()).unwrap();
    let wanted = format!(r#""use":"{}""#, usage.as_str());
    records
        .filter(|record| text(record.as_ref().unwrap().content.clone()).contains(&wanted))
        .count()
}

#[test]
fn an_interruption_at_any_save_is_made_good() {
    for usage in [KeyUse::Log, KeyUse::Record] {
        for saves in 0..4 {
            interrupted(usage, saves, None);
        }
    }
}

#[test]
fn an_interruption_at_any_append_is_made_good() {
    for usage in [KeyUse::Log, KeyUse::Record] {
        for append in 0..6 {
            interrupted(usage, u32::MAX, Some(append));
        }
    }
}

#[test]
fn events_go_on_while_keys_are_replaced() {
    let rig = Rig::new();
    let names = ["acme", "beta", "gamma"];
    let ledger = rig.create(&names);
    std::thread::scope(|scope| {
        for name in names {
            let (ledger, rig) = (&ledger, &rig);
            scope.spawn(move || {
                for n in 0..150 {
                    let event = rig.event(name, &format!("e{n}"), "meanwhile");
                    receipts(ledger.append(vec![event]).unwrap());
                }
            });
        }
        for usage in [KeyUse::Record, KeyUse::Log, KeyUse::Record] {
            ledger.rotate_key(usage, KeyChange::Rotation, &Actor::operator("uid:0")).unwrap();
        }
    });
    ledger.close().unwrap();
    rig.assert_sound();
}

#[test]
fn keys_of_another_deployment_are_refused() {
    let mut rig = Rig::new();
    drop(rig.create(&["acme"]));
    let right = Arc::clone(&rig.keys);
    rig.keys = Arc::new(MemoryKeys::new(KeyRing::generate(&*rig.entropy)));
    assert!(matches!(rig.try_open(), Err(LedgerError::WrongKey { .. })));
    rig.keys = right;
    rig.open().close().unwrap();
    rig.assert_sound();
}

#[test]
fn the_way_of_signing_may_change_between_openings() {
    let mut rig = Rig::new();
    let mut ledger = rig.create(&["acme", "beta"]);
    for (round, signing) in [SigningMode::Checkpoint, SigningMode::Record, SigningMode::Checkpoint]
        .into_iter()
        .enumerate()
    {
        let events = rig.events("acme", &format!("r{round}-"), 2);
        receipts(ledger.append(events).unwrap());
        ledger.rotate_key(KeyUse::Log, KeyChange::Rotation, &Actor::operator("uid:0")).unwrap();
        drop(ledger);
        rig.settings.signing = signing;
        ledger = rig.open();
        let receipt =
            receipts(ledger.append(rig.events("acme", &format!("s{round}-"), 1)).unwrap());
        assert_eq!(receipt[0].signature.is_some(), signing == SigningMode::Record);
        rig.assert_sound();
    }
    let size = ledger.reader().size(&TenantId::system()).unwrap();
    drop(ledger);
    drop(rig.open());
    let again = rig.open();
    assert_eq!(again.reader().size(&TenantId::system()).unwrap(), size, "said once");
    rig.assert_sound();
}

/// Changes the last checkpoint of a ledger that is kept.
fn sign_anew(rig: &Rig, name: &str, key: &SigningKey, size: u64) {
    let name = tenant(name);
    let root = rig.open().reader().root(&name, TreeSize::new(size)).unwrap();
    let origin = rig.open().reader().genesis(&name).unwrap().origin();
    let body = Checkpoint::new(&origin, TreeSize::new(size), root).unwrap();
    let note = body.sign(&Signer::new(KeyName::parse(&origin).unwrap(), key.clone()));
    rig.store.tamper(|commits| {
        let mut kept = commits.iter_mut().rev().flat_map(|commit| &mut commit.checkpoints);
        let last = kept.find(|kept| kept.tenant == name).unwrap();
        last.size = size;
        last.note = note;
    });
}

#[test]
fn a_key_does_not_speak_for_a_tree_that_does_not_announce_it() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    ledger.append(rig.events("acme", "a", 4)).unwrap();
    ledger.rotate_key(KeyUse::Log, KeyChange::Compromise, &Actor::operator("uid:0")).unwrap();
    ledger.append(rig.events("acme", "b", 4)).unwrap();
    ledger.checkpoint(&tenant("acme")).unwrap();
    ledger.close().unwrap();
    rig.assert_sound();
    // Records 0 to 4, the announcement, 6 to 9.
    let new = ring(&rig).log.current;
    sign_anew(&rig, "acme", &new, 7);
    rig.assert_sound();
    sign_anew(&rig, "acme", &new, 5);
    let report = report_of(&*rig.store, &VerifyOptions::new(Level::Tree, 1));
    assert_eq!(report.findings.len(), 1, "{}", lines(&report));
    assert_eq!(report.findings[0].check, Check::Checkpoint);
}

#[test]
fn an_announcement_names_the_key_that_it_replaces() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    ledger.rotate_key(KeyUse::Log, KeyChange::Rotation, &Actor::operator("uid:0")).unwrap();
    drop(ledger);
    rig.assert_sound();
    let acme = tenant("acme");
    rig.store.tamper(|commits| {
        let mut runs = commits.iter_mut().flat_map(|commit| &mut commit.runs);
        let run = runs.find(|run| run.tenant == acme && run.first == 1).unwrap();
        let stranger = SigningKey::from_seed([3; 32]).verifying_key();
        let key = PublicKey::Ed25519(SigningKey::from_seed([4; 32]).verifying_key());
        let record = SigningKeyRecord::new(key, KeyUse::Log, run.records[0].ingested_at)
            .replacing(KeyId::ed25519(&stranger), KeyChange::Rotation);
        let sealed = SealedEvent::system(
            &SystemRecord::SigningKey(record),
            &acme,
            SequenceNumber::GENESIS.next(),
            run.records[0].ingested_at,
            &Salt::from_bytes([0; 16]),
        );
        run.records[0].content_hash = *sealed.content_hash();
        run.records[0].content = Some(sealed.into_content());
    });
    let report = report_of(&*rig.store, &VerifyOptions::new(Level::Tree, 1));
    let named = |finding: &&Finding| {
        finding.check == Check::Record && finding.expected.starts_with("a key that replaces")
    };
    assert!(report.findings.iter().any(|finding| named(&finding)), "{}", lines(&report));
}
