//! Tenants come to be explicitly, or with their first event, and survive a crash in between.

use std::sync::Arc;

use ledgerstone_ledger::{Ledger, LedgerError, TenantCreation};
use ledgerstone_model::system::{LedgerId, SystemRecord, TenantRecord, TenantState};
use ledgerstone_model::{Actor, ErrorCode};
use ledgerstone_proof::{Kind, TenantId, record_hash, split_content};
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
    let error = ledger.create_tenant(&tenant("acme"), &Actor::operator("uid:0")).unwrap_err();
    assert!(matches!(error, LedgerError::TenantExists(_)));
    ledger.create_tenant(&tenant("beta"), &Actor::operator("uid:0")).unwrap();
    let many: Vec<TenantId> = (0..2_500).map(|n| tenant(&format!("m{n}"))).collect();
    assert_eq!(ledger.create_tenants(&many).unwrap(), 2_500);
    assert_eq!(ledger.create_tenants(&many).unwrap(), 0);
    let geneses: Vec<_> =
        many.iter().map(|tenant| ledger.reader().genesis(tenant).unwrap().ledger_id()).collect();
    let distinct: std::collections::HashSet<_> = geneses.iter().collect();
    assert_eq!(distinct.len(), geneses.len());
    rig.assert_sound();
}

/// What `_system` says of a tenant, and that its genesis says the same.
fn assert_announced(ledger: &Ledger, name: &str) -> LedgerId {
    let entry = ledger.history().tenants()[&tenant(name)].clone();
    let genesis = ledger.reader().genesis(&tenant(name)).unwrap();
    assert_eq!(genesis.ledger_id(), entry.ledger_id);
    assert_eq!(genesis.announced_by(), Some(&entry.created_by));
    let number = entry.created_by.sequence_number();
    let stored = ledger.store().read(&TenantId::system(), number, 1).unwrap().remove(0);
    assert_eq!(record_hash(&stored.header_bytes()), *entry.created_by.record_hash());
    let (event, _) = split_content(stored.content.as_deref().unwrap()).unwrap();
    let SystemRecord::Tenant(said) = SystemRecord::parse(event).unwrap().0 else {
        panic!("{name}")
    };
    let record = TenantRecord::new(tenant(name), entry.ledger_id, TenantState::Active);
    // Whoever ordered it stands in the record before.
    let expected = match said.audit_record() {
        Some(audit) => {
            assert_eq!(audit.next(), number);
            let act = ledger.store().read(&TenantId::system(), audit, 1).unwrap().remove(0);
            assert_eq!(act.kind, Kind::Audit);
            record.explained_by(audit)
        }
        None => record,
    };
    assert_eq!(said, expected);
    entry.ledger_id
}

#[test]
fn a_genesis_names_the_record_that_announced_its_tenant() {
    for creation in [TenantCreation::Explicit, TenantCreation::OnFirstEvent] {
        let mut rig = Rig::new();
        rig.settings.tenant_creation = creation;
        let explicit = creation == TenantCreation::Explicit;
        let ledger = rig.create(if explicit { &["acme", "beta"] } else { &[] });
        for name in ["acme", "beta"] {
            receipts(ledger.append(rig.events(name, "e", 1)).unwrap());
        }
        let made = ["acme", "beta"].map(|name| assert_announced(&ledger, name));
        assert_ne!(made[0], made[1]);
        assert_eq!(ledger.reader().genesis(&TenantId::system()).unwrap().announced_by(), None);
        drop(ledger);
        let ledger = rig.open();
        assert_eq!(["acme", "beta"].map(|name| assert_announced(&ledger, name)), made);
        rig.assert_sound();
    }
}

#[test]
fn opening_begins_the_ledger_that_a_crash_prevented() {
    for creation in [TenantCreation::Explicit, TenantCreation::OnFirstEvent] {
        let mut rig = Rig::new();
        rig.settings.tenant_creation = creation;
        let store = Arc::new(FaultyStore::new(rig.store.reopen()));
        let ledger = rig.create_on(Arc::clone(&store) as Arc<dyn LedgerStore>, &[]);
        // Appends so far: the genesis of _system. Next: system.tenant, then the tenant's genesis.
        store.fail_append(store.appends() + 1, AppendFault::UnknownNotApplied);
        let code = if creation == TenantCreation::Explicit {
            ledger.create_tenant(&tenant("acme"), &Actor::operator("uid:0")).unwrap_err().code()
        } else {
            ledger.append(rig.events("acme", "e", 3)).unwrap_err().code()
        };
        assert_eq!(code, ErrorCode::OutcomeUnknown);
        let announced = ledger.history().tenants()[&tenant("acme")].ledger_id;
        drop(ledger);
        assert!(rig.store.head(&tenant("acme")).unwrap().is_none());
        assert_sound(&*rig.store);
        let ledger = rig.open();
        assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), 1);
        assert_eq!(assert_announced(&ledger, "acme"), announced);
        ledger.append(rig.events("acme", "e", 3)).unwrap();
        assert_eq!(ledger.history().tenants().len(), 1, "it is announced once");
        assert_sound(&*rig.store);
    }
}

#[test]
fn a_creation_that_failed_half_way_goes_on_in_the_same_process() {
    let rig = Rig::new();
    let store = Arc::new(FaultyStore::new(rig.store.reopen()));
    let ledger = rig.create_on(Arc::clone(&store) as Arc<dyn LedgerStore>, &[]);
    store.fail_append(store.appends() + 1, AppendFault::Unavailable);
    let error = ledger.create_tenant(&tenant("acme"), &Actor::operator("uid:0")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::StorageFailed);
    let announced = ledger.history().tenants()[&tenant("acme")].ledger_id;
    ledger.create_tenant(&tenant("acme"), &Actor::operator("uid:0")).unwrap();
    assert_eq!(assert_announced(&ledger, "acme"), announced);
    assert_eq!(ledger.reader().size(&TenantId::system()).unwrap(), 3, "it is announced once");
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

#[test]
fn a_suspended_tenant_is_refused_until_it_is_resumed() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    let (acme, by) = (tenant("acme"), Actor::operator("uid:7"));
    let set = |ledger: &Ledger, state, reason| {
        ledger.set_tenant_state(&acme, state, reason, &by).unwrap()
    };
    // One event for each of the tenants named, sent in both ways there are.
    let send = |ledger: &Ledger, id: &str, tenants: &[&str]| {
        let events = |suffix: &str| {
            tenants.iter().map(|name| rig.event(name, &format!("{id}{suffix}"), "x")).collect()
        };
        let whole = ledger.try_submit_whole(events("w")).map(|ticket| drop(ticket.wait()));
        let each = ledger.append(events("e")).map(drop);
        assert_eq!(whole.is_ok(), each.is_ok());
        each.map_err(|error| error.code())
    };
    let before = ledger.reader().size(&TenantId::system()).unwrap();
    assert_eq!(send(&ledger, "a", &["acme"]), Ok(()));
    assert_eq!(set(&ledger, TenantState::Active, None).state, TenantState::Active);
    assert_eq!(ledger.reader().size(&TenantId::system()).unwrap(), before, "it was so already");
    let entry = set(&ledger, TenantState::Suspended, Some("unpaid"));
    assert_eq!(entry.state, TenantState::Suspended);
    assert_eq!(entry.created_by, ledger.history().tenants()[&acme].created_by);
    let refused = Err(ErrorCode::TenantSuspended);
    assert_eq!(send(&ledger, "b", &["acme"]), refused);
    assert_eq!(send(&ledger, "b", &["beta", "acme"]), refused, "one of them is enough");
    assert_eq!(send(&ledger, "c", &["beta"]), Ok(()));
    let size = ledger.reader().size(&TenantId::system()).unwrap();
    assert_eq!(size, before + 2, "who did it, and what holds");
    let unknown = ledger.set_tenant_state(&tenant("nobody"), TenantState::Suspended, None, &by);
    assert_eq!(unknown.unwrap_err().code(), ErrorCode::UnknownTenant);
    ledger.close().unwrap();
    drop(ledger);
    let ledger = rig.open();
    assert_eq!(send(&ledger, "d", &["acme"]), refused, "an opening forgot it");
    set(&ledger, TenantState::Active, None);
    assert_eq!(send(&ledger, "e", &["acme"]), Ok(()));
    ledger.close().unwrap();
    rig.assert_sound();
}
