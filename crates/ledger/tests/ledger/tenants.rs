//! Tenants come to be explicitly, or with their first event, and survive a crash in between.

use std::sync::Arc;

use ledgerstone_ledger::{LedgerError, TenantCreation};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::TenantId;
use ledgerstone_store::LedgerStore;
use ledgerstone_store::conformance::{AppendFault, FaultyStore};

use crate::rig::{Rig, assert_sound, receipts, tenant};

#[test]
fn an_unknown_tenant_is_refused_and_the_others_are_served() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let events = vec![rig.event("acme", "e", "a"), rig.event("nobody", "e", "b")];
    let outcomes = ledger.append(events).unwrap();
    assert!(outcomes[0].receipt().is_some());
    assert_eq!(outcomes[1].refused(), Some(ErrorCode::UnknownTenant));
    let missing = ledger.reader().size(&tenant("nobody")).unwrap_err();
    assert_eq!(missing.code(), ErrorCode::UnknownTenant);
    rig.assert_sound();
}

#[test]
fn the_first_event_creates_a_tenant_where_that_is_wanted() {
    let mut rig = Rig::new();
    rig.settings.tenant_creation = TenantCreation::OnFirstEvent;
    let ledger = rig.create(&[]);
    let events = (0..50).map(|n| rig.event(&format!("t{}", n % 10), &format!("e{n}"), "x"));
    let receipts = receipts(ledger.append(events.collect()).unwrap());
    assert_eq!(receipts.len(), 50);
    assert_eq!(ledger.reader().tenants().unwrap().len(), 11);
    assert_eq!(ledger.history().tenants().len(), 10);
    ledger.close().unwrap();
    rig.assert_sound();
}

#[test]
fn a_tenant_is_created_once() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let error = ledger.create_tenant(&tenant("acme")).unwrap_err();
    assert!(matches!(error, LedgerError::TenantExists(_)));
    ledger.create_tenant(&tenant("beta")).unwrap();
    let many: Vec<TenantId> = (0..2_500).map(|n| tenant(&format!("m{n}"))).collect();
    assert_eq!(ledger.create_tenants(&many).unwrap(), 2_500);
    assert_eq!(ledger.create_tenants(&many).unwrap(), 0);
    let geneses: Vec<_> =
        many.iter().map(|tenant| ledger.reader().genesis(tenant).unwrap().ledger_id()).collect();
    let distinct: std::collections::HashSet<_> = geneses.iter().collect();
    assert_eq!(distinct.len(), geneses.len());
    rig.assert_sound();
}

#[test]
fn opening_begins_the_ledger_that_a_crash_prevented() {
    let rig = Rig::new();
    let store = Arc::new(FaultyStore::new(rig.store.reopen()));
    let ledger = rig.create_on(Arc::clone(&store) as Arc<dyn LedgerStore>, &[]);
    // Appends so far: the genesis of _system. Next: system.tenant, then the tenant's genesis.
    store.fail_append(store.appends() + 1, AppendFault::UnknownNotApplied);
    let error = ledger.create_tenant(&tenant("acme")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::OutcomeUnknown);
    drop(ledger);
    assert!(rig.store.head(&tenant("acme")).unwrap().is_none());
    let ledger = rig.open();
    assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), 1);
    ledger.append(rig.events("acme", "e", 3)).unwrap();
    assert_eq!(ledger.history().tenants().len(), 1, "it is announced once");
    assert_sound(&*rig.store);
}

#[test]
fn creating_twice_and_opening_nothing_are_told() {
    let rig = Rig::new();
    assert!(matches!(rig.try_open(), Err(LedgerError::NotCreated)));
    drop(rig.create(&[]));
    let (keys, clock) = (Arc::clone(&rig.keys) as _, Arc::clone(&rig.clock) as _);
    let again = ledgerstone_ledger::Ledger::create(
        Arc::clone(&rig.store) as Arc<dyn LedgerStore>,
        keys,
        rig.settings.clone(),
        clock,
        Arc::clone(&rig.entropy) as _,
    );
    assert!(matches!(again, Err(LedgerError::AlreadyCreated)));
    rig.assert_sound();
}
