//! The stage that seals, on its way through a whole ledger: policies, keys, duplicates, restarts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledgerstone_ledger::sealing_keys::{
    KeyRing as SealingKeyRing, KeyRingSettings, RootKey, RootKeyError,
};
use ledgerstone_ledger::{Ledger, LedgerError, MemoryKeys, Outcome, PolicyDraft, ReceiptStatus};
use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::sealing::{FieldPolicy, Preset, Subject};
use ledgerstone_model::{Actor, AdmittedEvent, ErrorCode, ParseContext, Taxonomy, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::embedded::files::Files;
use ledgerstone_testkit::{MockClock, TestEvent};
use zeroize::Zeroizing;

use crate::rig::{Rig, tenant};

/// A root key that can be switched off.
#[derive(Debug, Default)]
struct SwitchedRoot(AtomicBool);

impl SwitchedRoot {
    fn turned(&self, bytes: &[u8]) -> Result<Vec<u8>, RootKeyError> {
        if self.0.load(Ordering::SeqCst) {
            return Err(RootKeyError::Unavailable("switched off".to_owned()));
        }
        Ok(bytes.iter().map(|byte| byte ^ 0x5a).collect())
    }
}

impl RootKey for SwitchedRoot {
    fn kind(&self) -> &'static str {
        "switched"
    }

    fn wrap(&self, _: &TenantId, secrets: &[u8]) -> Result<Vec<u8>, RootKeyError> {
        self.turned(secrets)
    }

    fn unwrap(&self, _: &TenantId, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        self.turned(wrapped).map(Zeroizing::new)
    }
}

/// A deployment with sealing keys in a directory of its own.
struct SealingRig {
    rig: Rig,
    place: tempfile::TempDir,
    root: Arc<SwitchedRoot>,
    sealing: Arc<SealingKeyRing>,
}

impl SealingRig {
    fn new(default: Preset) -> Self {
        let mut rig = Rig::new();
        rig.settings.default_sealing = default;
        let place = tempfile::tempdir().unwrap();
        let root = Arc::new(SwitchedRoot::default());
        let sealing = ring(&rig, &root, place.path());
        let mut own = Self { rig, place, root, sealing };
        own.use_keys();
        own
    }

    fn use_keys(&mut self) {
        let signing = ledgerstone_ledger::KeyHome::load(&*self.rig.keys).unwrap();
        let keys = MemoryKeys::new(signing).with_sealing(Arc::clone(&self.sealing));
        self.rig.keys = Arc::new(keys);
    }

    /// The key files are opened again, as a new process would.
    fn reopen_keys(&mut self) {
        self.sealing = ring(&self.rig, &self.root, self.place.path());
        self.use_keys();
    }

    fn event(name: &str, json: &str) -> AdmittedEvent {
        let tenant = tenant(name);
        let at = IngestedAt::from_micros(MockClock::START_MICROS).unwrap();
        let context = ParseContext::new(&tenant, at, [7; 16]);
        let event = ValidEvent::parse(json.as_bytes(), &context, &mut Canonicalizer::new());
        Taxonomy::none().admit(event.unwrap()).unwrap()
    }

    fn append(ledger: &Ledger, name: &str, json: &str) -> Outcome {
        let sealed = ledger.seal(vec![Self::event(name, json)]).unwrap();
        ledger.append(sealed).unwrap().remove(0)
    }

    /// The stored text of the newest record.
    fn newest(ledger: &Ledger, name: &str) -> String {
        let head = ledger.store().head(&tenant(name)).unwrap().unwrap();
        let last = SequenceNumber::new(head.size() - 1).unwrap();
        let record = ledger.store().read(&tenant(name), last, 1).unwrap().remove(0);
        String::from_utf8(record.content.unwrap()).unwrap()
    }
}

fn ring(rig: &Rig, root: &Arc<SwitchedRoot>, place: &std::path::Path) -> Arc<SealingKeyRing> {
    let tools = (Arc::clone(&rig.clock) as _, Arc::clone(&rig.entropy) as _);
    let root = Arc::clone(root) as _;
    let opened =
        SealingKeyRing::open(place, &Files::new(), root, tools, KeyRingSettings::default());
    Arc::new(opened.unwrap().0)
}

fn login(id: &str, actor: &str, name: &str) -> String {
    TestEvent::new("user.login")
        .id(id)
        .set("/actor/id", actor.into())
        .set("/actor/type", "user".into())
        .set("/actor/name", name.into())
        .set("/metadata/shift", "night".into())
        .json()
}

fn status(outcome: &Outcome) -> ReceiptStatus {
    match outcome {
        Outcome::Recorded(receipt) => receipt.status,
        Outcome::Refused(refusal) => panic!("{refusal:?}"),
    }
}

fn code(outcome: &Outcome) -> ErrorCode {
    match outcome {
        Outcome::Recorded(receipt) => panic!("{receipt:?}"),
        Outcome::Refused(refusal) => refusal.code,
    }
}

fn ana() -> Subject {
    Subject::Person { kind: "user".to_owned(), id: "ana".to_owned() }
}

#[test]
fn what_the_default_names_is_sealed_and_a_record_says_so() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let outcome = SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    assert_eq!(status(&outcome), ReceiptStatus::Created);
    let stored = SealingRig::newest(&ledger, "acme");
    assert!(!stored.contains("Ana Lima") && stored.contains(r#""$sealed":0"#), "{stored}");
    assert!(stored.contains(r#""id":"ana""#) && stored.contains("night"), "{stored}");
    let policy = ledger.policy(&tenant("acme"), PolicyKind::Sealing).unwrap().unwrap();
    assert_eq!((policy.version(), policy.set_by().value()), (1, 1));
    assert_eq!(policy.audit_record(), None);
    assert_eq!(ledger.store().status().key_generation, own.sealing.generation());
    own.rig.assert_sound();
}

#[test]
fn a_ledger_that_began_without_a_policy_gets_one_before_its_next_event() {
    let mut own = SealingRig::new(Preset::None);
    let ledger = own.rig.create(&["acme", "other"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    assert!(SealingRig::newest(&ledger, "acme").contains("Ana Lima"));
    assert_eq!(ledger.policy(&tenant("acme"), PolicyKind::Sealing).unwrap(), None);
    drop(ledger);

    own.rig.settings.default_sealing = Preset::Standard;
    let ledger = own.rig.open();
    SealingRig::append(&ledger, "acme", &login("e-2", "ana", "Ana Lima"));
    assert!(!SealingRig::newest(&ledger, "acme").contains("Ana Lima"));
    let policy = ledger.policy(&tenant("acme"), PolicyKind::Sealing).unwrap().unwrap();
    assert_eq!(policy.set_by().value(), 2);
    // Only where something is written.
    assert_eq!(ledger.policy(&tenant("other"), PolicyKind::Sealing).unwrap(), None);
    drop(ledger);
    let again = own.rig.open();
    let read = again.policy(&tenant("acme"), PolicyKind::Sealing).unwrap().unwrap();
    assert_eq!(read, policy);
    own.rig.assert_sound();
}

#[test]
fn a_tenant_sets_what_is_sealed_and_who_did_it_is_recorded() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let draft = |preset, based_on| PolicyDraft {
        document: PolicyDocument::Sealing(FieldPolicy::of_preset(preset)),
        based_on,
    };
    let by = Actor::operator("uid:0");
    let acme = tenant("acme");
    let stale = ledger.set_policy(&acme, draft(Preset::None, Some(0)), &by).unwrap_err();
    assert_eq!(stale.code(), ErrorCode::VersionConflict);
    let set = ledger.set_policy(&acme, draft(Preset::None, Some(1)), &by).unwrap();
    assert_eq!((set.version(), set.set_by().value()), (2, 3));
    assert_eq!(set.audit_record().map(SequenceNumber::value), Some(2));
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    assert!(SealingRig::newest(&ledger, "acme").contains("Ana Lima"));
    ledger.set_policy(&acme, draft(Preset::Strict, None), &by).unwrap();
    SealingRig::append(&ledger, "acme", &login("e-2", "ana", "Ana Lima"));
    let stored = SealingRig::newest(&ledger, "acme");
    assert!(!stored.contains("Ana Lima") && !stored.contains(r#""ana""#), "{stored}");
    let unknown = ledger.set_policy(&tenant("nobody"), draft(Preset::None, None), &by);
    assert_eq!(unknown.unwrap_err().code(), ErrorCode::UnknownTenant);
    own.rig.assert_sound();
}

#[test]
fn a_repeated_event_is_compared_by_what_was_sent() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    let again = SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    assert_eq!(status(&again), ReceiptStatus::Duplicate);
    let other = SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lime"));
    assert_eq!(code(&other), ErrorCode::IdConflict);
    drop(ledger);
    own.reopen_keys();
    let ledger = own.rig.open();
    let again = SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    assert_eq!(status(&again), ReceiptStatus::Duplicate);
    // In one submission, and taken as a whole.
    let twice = vec![SealingRig::event("acme", &login("e-2", "bo", "Bo Berg")); 2];
    let outcomes = ledger.append(ledger.seal(twice).unwrap()).unwrap();
    assert_eq!(
        outcomes.iter().map(status).collect::<Vec<_>>(),
        [ReceiptStatus::Created, ReceiptStatus::Duplicate]
    );
    let whole = vec![
        SealingRig::event("acme", &login("e-2", "bo", "Bo Berg")),
        SealingRig::event("acme", &login("e-3", "bo", "Bo Berg")),
    ];
    let outcomes = ledger.try_submit_whole(ledger.seal(whole).unwrap()).unwrap().wait();
    assert_eq!(
        outcomes.iter().map(status).collect::<Vec<_>>(),
        [ReceiptStatus::Duplicate, ReceiptStatus::Created]
    );
    own.rig.assert_sound();
}

#[test]
fn values_whose_key_is_destroyed_are_left_out_of_the_comparison() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    let ids = own.sealing.ids_of(&tenant("acme"), &ana()).unwrap();
    own.sealing.destroy(&ids).unwrap();
    for name in ["Ana Lima", "Somebody Else"] {
        let again = SealingRig::append(&ledger, "acme", &login("e-1", "ana", name));
        assert_eq!(status(&again), ReceiptStatus::Duplicate, "{name}");
    }
    let json = login("e-1", "ana", "Ana Lima").replace("night", "early");
    assert_eq!(code(&SealingRig::append(&ledger, "acme", &json)), ErrorCode::IdConflict);
}

#[test]
fn events_of_several_tenants_are_sealed_in_their_order() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme", "other"]);
    let names = ["acme", "other", "other", "acme", "other"];
    let events = names.iter().enumerate().map(|(index, name)| {
        SealingRig::event(name, &login(&format!("e-{index}"), "ana", "Ana Lima"))
    });
    let sealed = ledger.seal(events.collect()).unwrap();
    for (index, (event, name)) in sealed.iter().zip(names).enumerate() {
        assert_eq!(event.event_id().as_str(), format!("e-{index}"));
        assert_eq!(event.tenant(), &tenant(name));
    }
    let [acme, other] = ["acme", "other"].map(|name| own.sealing.ids_of(&tenant(name), &ana()));
    assert_ne!(acme.unwrap(), other.unwrap(), "a person is another one with each tenant");
    assert!(ledger.append(sealed).unwrap().iter().all(|one| status(one) == ReceiptStatus::Created));
    own.rig.assert_sound();
}

#[test]
fn without_the_root_key_nothing_is_written_in_clear() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    own.root.0.store(true, Ordering::SeqCst);
    // The tenant's key is in memory.
    SealingRig::append(&ledger, "acme", &login("e-2", "bo", "Bo Berg"));
    drop(ledger);
    own.reopen_keys();
    let ledger = own.rig.open();
    let refused = ledger.seal(vec![SealingRig::event("acme", &login("e-3", "ana", "Ana Lima"))]);
    assert_eq!(refused.unwrap_err().code(), ErrorCode::KeyServiceUnavailable);
    // What needs no key is taken.
    let bare = TestEvent::new("job.done").id("e-4").json();
    assert_eq!(status(&SealingRig::append(&ledger, "acme", &bare)), ReceiptStatus::Created);
    own.root.0.store(false, Ordering::SeqCst);
    SealingRig::append(&ledger, "acme", &login("e-3", "ana", "Ana Lima"));
    own.rig.assert_sound();
}

#[test]
fn an_older_copy_of_the_key_files_is_refused() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(own.place.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    SealingRig::append(&ledger, "acme", &login("e-2", "bo", "Bo Berg"));
    drop(ledger);
    own.place = copy;
    own.reopen_keys();
    let error = own.rig.try_open().unwrap_err();
    assert!(matches!(error, LedgerError::KeysBehind { expected: 2, found: 1 }), "{error}");
    assert_eq!(error.code(), ErrorCode::KeysBehind);
}
