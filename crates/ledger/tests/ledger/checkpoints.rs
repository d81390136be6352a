//! Checkpoints: over what is durable, never against what was signed before.

use ledgerstone_ledger::check::{KnownCheckpoint, Level, VerifyOptions};
use ledgerstone_ledger::checkpoint::CHECKPOINT_AGE_MAX;
use ledgerstone_ledger::{LedgerError, RolledBack};
use ledgerstone_model::system::{KeyChange, KeyUse};
use ledgerstone_model::{Actor, ErrorCode};
use ledgerstone_proof::{Checkpoint, TenantId, verify_consistency};
use ledgerstone_store::memory::Commit;
use ledgerstone_store::{Check, LedgerStore};

use crate::rig::{Rig, receipts, report_of, tenant};

fn known(note: &str) -> KnownCheckpoint {
    KnownCheckpoint { name: "kept.note".to_owned(), note: note.to_owned() }
}

#[test]
fn who_asks_all_the_time_gets_one_that_is_a_second_old_at_most() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let acme = tenant("acme");
    let first = ledger.recent_checkpoint(&acme).unwrap();
    ledger.append(rig.events("acme", "a", 1)).unwrap();
    rig.clock.advance(CHECKPOINT_AGE_MAX / 2);
    assert_eq!(ledger.recent_checkpoint(&acme).unwrap(), first, "it is not too old yet");
    rig.clock.advance(CHECKPOINT_AGE_MAX);
    let second = ledger.recent_checkpoint(&acme).unwrap();
    assert_eq!(second.size.value(), first.size.value() + 1);
    // Whoever needs its own record covered has it covered at once.
    ledger.append(rig.events("acme", "b", 1)).unwrap();
    let covering = ledger.checkpoint(&acme).unwrap();
    assert_eq!(covering.size.value(), second.size.value() + 1);
    assert_eq!(ledger.recent_checkpoint(&acme).unwrap(), covering);
    // Another key signs at once.
    ledger.rotate_key(KeyUse::Log, KeyChange::Rotation, &Actor::operator("uid:0")).unwrap();
    assert_ne!(ledger.recent_checkpoint(&acme).unwrap(), covering);
    drop(ledger);
    rig.assert_sound();
}

#[test]
fn a_checkpoint_is_signed_under_the_ledgers_own_name() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    ledger.append(rig.events("acme", "e", 5)).unwrap();
    let acme = tenant("acme");
    let signed = ledger.checkpoint(&acme).unwrap();
    let key = ledger.verifier_key(&acme).unwrap();
    let opened = Checkpoint::open(signed.note.as_bytes(), &[key]).unwrap();
    let genesis = ledger.reader().genesis(&acme).unwrap();
    assert_eq!(opened.origin(), format!("test.example/{}", genesis.ledger_id()));
    assert_eq!((opened.size(), opened.root()), (signed.size, &signed.root));
    assert_eq!(signed.size.value(), 6);
    let system = ledger.verifier_key(&TenantId::system()).unwrap();
    assert!(Checkpoint::open(signed.note.as_bytes(), &[system]).is_err(), "no other ledger's name");
    rig.assert_sound();
}

#[test]
fn the_last_checkpoint_serves_until_the_ledger_grows() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let acme = tenant("acme");
    let first = ledger.checkpoint(&acme).unwrap();
    assert_eq!(ledger.checkpoint(&acme).unwrap(), first);
    drop(ledger);
    let ledger = rig.open();
    assert_eq!(ledger.checkpoint(&acme).unwrap(), first, "also after a restart");
    ledger.append(rig.events("acme", "e", 2)).unwrap();
    let second = ledger.checkpoint(&acme).unwrap();
    assert_eq!((first.size.value(), second.size.value()), (1, 3));
    let proof = ledger.reader().consistency_proof(&acme, first.size, second.size).unwrap();
    verify_consistency(1, 3, &first.root, &second.root, &proof).unwrap();
    rig.assert_sound();
}

#[test]
fn checkpoints_of_many_ledgers_are_made_together() {
    let rig = Rig::new();
    let names: Vec<String> = (0..30).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ledger = rig.create(&names);
    let tenants: Vec<TenantId> = names.iter().map(|name| tenant(name)).collect();
    let made = ledger.checkpoints(&tenants).unwrap();
    assert!(made.iter().zip(&tenants).all(|(made, tenant)| made.tenant == *tenant));
    let unknown = ledger.checkpoint(&tenant("nobody")).unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::UnknownTenant);
    rig.assert_sound();
}

/// The store as it was before its last commits.
fn earlier(rig: &Rig, commits: usize) -> Vec<Commit> {
    let mut kept = Vec::new();
    rig.store.tamper(|all| kept = all[..commits].to_vec());
    kept
}

fn commits(rig: &Rig) -> usize {
    let mut count = 0;
    rig.store.tamper(|all| count = all.len());
    count
}

#[test]
fn an_earlier_state_put_back_is_found_with_a_checkpoint_seen_elsewhere() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    ledger.append(rig.events("acme", "a", 4)).unwrap();
    ledger.checkpoint(&tenant("acme")).unwrap();
    let then = commits(&rig);
    ledger.append(rig.events("acme", "b", 4)).unwrap();
    let seen = ledger.checkpoint(&tenant("acme")).unwrap();
    drop(ledger);
    rig.assert_sound();

    let old = earlier(&rig, then);
    rig.store.tamper(|all| *all = old);
    rig.assert_sound();
    let mut options = VerifyOptions::new(Level::Full, 2);
    options.known = vec![known(&seen.note)];
    let report = report_of(&*rig.store, &options);
    assert_eq!(report.findings.len(), 1);
    let finding = &report.findings[0];
    assert_eq!(finding.check, Check::Truncated);
    assert_eq!(finding.code, Some(ErrorCode::LedgerRolledBack));
    assert_eq!((finding.expected.as_str(), finding.found.as_str()), ("9", "5"));

    // A process that was shown it signs nothing, neither now nor after other records came.
    let ledger = rig.open();
    let error = ledger.show_checkpoint(&seen.note).unwrap_err();
    assert_eq!(error.code(), ErrorCode::LedgerRolledBack);
    assert!(matches!(error, LedgerError::RolledBack(RolledBack::Shorter { found: 5, .. })));
    assert!(matches!(ledger.checkpoint(&tenant("acme")), Err(LedgerError::RolledBack(_))));
    receipts(ledger.append(rig.events("acme", "c", 9)).unwrap());
    let error = ledger.checkpoint(&tenant("acme")).unwrap_err();
    assert!(matches!(error, LedgerError::RolledBack(RolledBack::Different { .. })));
    assert!(matches!(ledger.anchor(), Err(LedgerError::RolledBack(_))));
    let report = report_of(&*rig.store, &options);
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].check, Check::Checkpoint);
    assert_eq!(report.findings[0].code, Some(ErrorCode::LedgerRolledBack));
    rig.assert_sound();
}

#[test]
fn a_ledger_that_contradicts_its_own_checkpoint_is_not_signed() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let acme = tenant("acme");
    ledger.append(rig.events("acme", "a", 4)).unwrap();
    ledger.checkpoint(&acme).unwrap();
    drop(ledger);
    rig.assert_sound();
    rig.store.tamper(|all| {
        for commit in all {
            commit.runs.retain(|run| run.tenant != acme || run.first < 1);
        }
    });
    let ledger = rig.open();
    let error = ledger.checkpoint(&acme).unwrap_err();
    assert!(matches!(error, LedgerError::RolledBack(RolledBack::Shorter { found: 1, .. })));
}

#[test]
fn only_checkpoints_of_this_deployment_bind_it() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let stranger = Rig::seeded(2);
    stranger.clock.set(0);
    let other = stranger.create(&["acme", "more"]);
    let foreign = other.checkpoint(&tenant("acme")).unwrap();
    let error = ledger.show_checkpoint(&foreign.note).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidProof);
    let own = ledger.checkpoint(&tenant("acme")).unwrap();
    assert_eq!(ledger.show_checkpoint(&own.note).unwrap(), tenant("acme"));
    let altered = own.note.replacen("\n1\n", "\n2\n", 1);
    assert_eq!(ledger.show_checkpoint(&altered).unwrap_err().code(), ErrorCode::InvalidProof);
    let altered = ledger.checkpoint(&tenant("acme")).unwrap();
    assert_eq!(altered, own, "an altered checkpoint changes nothing");
    let mut options = VerifyOptions::new(Level::Tree, 1);
    options.known = vec![known(&foreign.note), known("no checkpoint")];
    let report = report_of(&*rig.store, &options);
    assert_eq!(report.findings.len(), 2);
    rig.assert_sound();
    assert!(rig.store.checkpoints(&tenant("acme")).unwrap().len() == 1);
}

#[test]
fn a_checkpoint_of_a_ledger_that_an_older_copy_lacks_shows_that_it_is_older() {
    let rig = Rig::new();
    rig.create(&["acme"]).close().unwrap();
    let mut early = 0;
    rig.store.tamper(|commits| early = commits.len());
    let ledger = rig.open();
    ledger.create_tenant(&tenant("beta"), &Actor::operator("uid:0")).unwrap();
    ledger.append(rig.events("beta", "b", 2)).unwrap();
    let kept = ledger.checkpoint(&tenant("beta")).unwrap();
    ledger.show_checkpoint(&kept.note).unwrap();

    ledger.close().unwrap();
    drop(ledger);
    rig.store.tamper(|commits| commits.truncate(early));
    let old = rig.open();
    let error = old.show_checkpoint(&kept.note).unwrap_err();
    assert_eq!(error.code(), ErrorCode::LedgerRolledBack, "{error}");
    let LedgerError::RolledBack(RolledBack::Missing { seen, .. }) = &error else {
        panic!("{error}")
    };
    assert_eq!(*seen, kept.size);
    // What no key of this deployment signed says nothing about it.
    let altered = kept.note.replacen("\n3\n", "\n4\n", 1);
    assert_ne!(altered, kept.note);
    assert_eq!(old.show_checkpoint(&altered).unwrap_err().code(), ErrorCode::InvalidProof);
}
