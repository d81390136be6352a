//! Parts of a verification: one tenant, a range, only what is new, under given keys.

use std::sync::atomic::{AtomicU64, Ordering};

use ledgerstone_ledger::check::{
    Level, Report, Scope, TrustedKeys, VerifiedHead, VerifyOptions, verify,
};
use ledgerstone_model::system::{KeyChange, KeyUse};
use ledgerstone_model::{Actor, ErrorCode};
use ledgerstone_proof::{KeyName, SigningKey, TenantId, VerifierKey};
use ledgerstone_store::memory::Commit;
use ledgerstone_store::{Check, LedgerStore};

use crate::rig::{Rig, lines, report_of, tenant};

fn deployment() -> Rig {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    for round in 0..10 {
        ledger.append(rig.events("acme", &format!("r{round}-"), 10)).unwrap();
        ledger.append(rig.events("beta", &format!("r{round}-"), 10)).unwrap();
        if round == 4 {
            ledger.checkpoint(&tenant("acme")).unwrap();
        }
    }
    ledger.close().unwrap();
    rig.assert_sound();
    rig
}

fn flip_content(rig: &Rig, name: &str, number: u64) {
    rig.store.tamper(|commits: &mut Vec<Commit>| {
        let runs = commits.iter_mut().flat_map(|commit| &mut commit.runs);
        let run = runs
            .filter(|run| run.tenant == tenant(name))
            .find(|run| (run.first..run.head.size()).contains(&number))
            .unwrap();
        let at = usize::try_from(number - run.first).unwrap();
        run.records[at].content.as_mut().unwrap()[20] ^= 1;
    });
}

fn scoped(rig: &Rig, scope: Scope) -> Report {
    let mut options = VerifyOptions::new(Level::Full, 2);
    options.scope = scope;
    report_of(&*rig.store, &options)
}

#[test]
fn one_tenant_is_verified_without_the_others() {
    let rig = deployment();
    flip_content(&rig, "beta", 7);
    let acme = scoped(&rig, Scope::Tenant(tenant("acme")));
    assert!(acme.holds(), "{}", lines(&acme));
    assert!(!acme.whole);
    assert_eq!(acme.ledger(&tenant("acme")).unwrap().vouched, 101, "anchored in _system");
    assert!(acme.ledger(&tenant("beta")).is_none());
    assert!(!scoped(&rig, Scope::Tenant(tenant("beta"))).holds());
}

#[test]
fn a_range_is_verified_against_a_checkpoint_that_covers_it() {
    let rig = deployment();
    let range = |from, to| scoped(&rig, Scope::Range { tenant: tenant("acme"), from, to });
    let report = range(12, 18);
    assert!(report.holds(), "{}", lines(&report));
    assert_eq!(report.records_checked, 10, "the run of 11 to 20");
    assert!(range(0, 5).holds());
    assert!(range(95, 200).holds());
    flip_content(&rig, "acme", 40);
    assert!(range(12, 18).holds(), "damage elsewhere is not looked at");
    assert_eq!(range(35, 45).findings[0].sequence_number, Some(40));
}

#[test]
fn a_rewritten_range_contradicts_the_tree() {
    let rig = deployment();
    // A run that claims to be what it is not, while node hashes and heads stay as they were.
    rig.store.tamper(|commits| {
        let run = commits
            .iter_mut()
            .flat_map(|commit| &mut commit.runs)
            .find(|run| run.tenant == tenant("acme") && run.first == 11)
            .unwrap();
        run.range_before[0] = ledgerstone_proof::sha256(b"another tree");
    });
    let report = scoped(&rig, Scope::Range { tenant: tenant("acme"), from: 12, to: 13 });
    assert!(report.findings.iter().any(|finding| finding.check == Check::MerkleRoot));
}

fn head(rig: &Rig, name: &str) -> VerifiedHead {
    let report = rig.assert_sound();
    let ledger = report.ledger(&tenant(name)).unwrap();
    VerifiedHead { tenant: tenant(name), size: ledger.size, root: ledger.root.unwrap() }
}

#[test]
fn what_was_verified_before_is_not_read_again_but_held_against_its_root() {
    let rig = deployment();
    let mut options = VerifyOptions::new(Level::Full, 2);
    options.since = vec![head(&rig, "acme"), head(&rig, "beta"), head(&rig, "_system")];
    let nothing_new = report_of(&*rig.store, &options);
    assert!(nothing_new.holds(), "{}", lines(&nothing_new));
    assert_eq!(nothing_new.records_checked, 0);
    assert!(!nothing_new.whole);

    let ledger = rig.open();
    ledger.append(rig.events("acme", "new-", 7)).unwrap();
    ledger.close().unwrap();
    let grown = report_of(&*rig.store, &options);
    assert!(grown.holds(), "{}", lines(&grown));
    assert_eq!(grown.records_checked, 7 + 1, "the new records, and the anchor");
    assert_eq!(grown.ledger(&tenant("acme")).unwrap().size, 108);
    rig.assert_sound();

    flip_content(&rig, "acme", 103);
    let damaged = report_of(&*rig.store, &options);
    assert_eq!(damaged.findings[0].sequence_number, Some(103));
}

#[test]
fn an_incremental_verification_sees_that_the_beginning_was_replaced() {
    let rig = deployment();
    let mut options = VerifyOptions::new(Level::Tree, 1);
    let mut since = head(&rig, "acme");
    since.root = ledgerstone_proof::sha256(b"what it was");
    options.since = vec![since.clone()];
    let report = report_of(&*rig.store, &options);
    assert_eq!(report.findings.len(), 1, "{}", lines(&report));
    assert_eq!(report.findings[0].code, Some(ErrorCode::LedgerRolledBack));
    since.size += 100;
    options.since = vec![since];
    let report = report_of(&*rig.store, &options);
    let shorter = report.findings.iter().find(|finding| finding.check == Check::Truncated);
    assert_eq!(shorter.unwrap().code, Some(ErrorCode::LedgerRolledBack));
    let mut gone = head(&rig, "acme");
    gone.tenant = tenant("gone");
    options.since = vec![gone];
    let report = report_of(&*rig.store, &options);
    assert_eq!(report.findings.len(), 1, "{}", lines(&report));
    assert_eq!(report.findings[0].code, Some(ErrorCode::LedgerRolledBack));
    assert_eq!(report.findings[0].tenant, Some(tenant("gone")));
}

#[test]
fn a_strange_key_vouches_for_nothing() {
    let rig = deployment();
    let key = SigningKey::from_seed([3; 32]).verifying_key();
    let name = rig.open().verifier_key(&TenantId::system()).unwrap().name().clone();
    let mut options = VerifyOptions::new(Level::Full, 2);
    options.keys = TrustedKeys::Given(vec![VerifierKey::new_ed25519(name, &key)]);
    let report = report_of(&*rig.store, &options);
    assert!(!report.holds());
    assert!(report.ledgers.iter().all(|ledger| ledger.vouched == 0));
    let own = rig.open().verifier_key(&TenantId::system()).unwrap();
    let elsewhere = KeyName::parse("another.example/00").unwrap();
    let renamed = VerifierKey::new_ed25519(elsewhere, own.verifying_key());
    options.keys = TrustedKeys::Given(vec![renamed]);
    let report = report_of(&*rig.store, &options);
    assert_eq!(report.findings.len(), 1, "the right key under another ledger's name");
}

#[test]
fn progress_is_told_to_the_end() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    for round in 0..4 {
        ledger.append(rig.events("acme", &format!("r{round}-"), 9_000)).unwrap();
    }
    let calls = AtomicU64::new(0);
    let last = AtomicU64::new(0);
    let report = verify(&*rig.store, &VerifyOptions::new(Level::Tree, 1), &|progress| {
        calls.fetch_add(1, Ordering::Relaxed);
        assert!(progress.records <= progress.total);
        last.store(progress.records, Ordering::Relaxed);
    })
    .unwrap();
    assert!(report.holds());
    assert!(calls.into_inner() >= 2);
    assert_eq!(last.into_inner(), report.records_checked);
    assert_eq!(report.records_checked, rig.store.status().records);
    rig.assert_sound();
}

#[test]
fn an_empty_store_holds_nothing_and_nothing_wrong() {
    let rig = Rig::new();
    let report = rig.assert_sound();
    assert_eq!((report.records_checked, report.ledgers.len()), (0, 0));
}

#[test]
fn any_range_holds_whatever_keys_came_before_and_after_it() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    let by = Actor::operator("uid:0");
    let change = |number: usize| {
        for name in ["acme", "beta"] {
            ledger.append(rig.events(name, &format!("c{number}"), 1)).unwrap();
        }
        ledger.checkpoints(&[tenant("acme"), tenant("beta"), TenantId::system()]).unwrap();
        ledger.anchor().unwrap();
    };
    change(0);
    let changes = [
        (KeyUse::Log, KeyChange::Rotation),
        (KeyUse::Record, KeyChange::Rotation),
        (KeyUse::Log, KeyChange::Compromise),
    ];
    for (number, (usage, why)) in changes.into_iter().enumerate() {
        ledger.rotate_key(usage, why, &by).unwrap();
        change(number + 1);
    }
    for name in [tenant("acme"), TenantId::system()] {
        let size = ledger.reader().size(&name).unwrap();
        for from in 0..size {
            for to in from + 1..=size {
                let report = scoped(&rig, Scope::Range { tenant: name.clone(), from, to });
                assert!(report.holds(), "{name} {from}..{to}: {:?}", report.findings);
            }
        }
    }
}
