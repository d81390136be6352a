//! Whoever an event names by an id that is sealed under somebody else's key is found by all that depends on whom
//! it names: holds, erasure, expiry, restriction, the bundle and rectification.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ledgerstone_ledger::rectification::NewCorrection;
use ledgerstone_ledger::subject_requests::NewRequest;
use ledgerstone_ledger::{Ledger, LedgerError, NewHold, Order};
use ledgerstone_model::access::{Role, RoleSet, Sight};
use ledgerstone_model::audit::Changes;
use ledgerstone_model::hold::HoldId;
use ledgerstone_model::policy::PolicyKind;
use ledgerstone_model::sealing::{Preset, Subject, SubjectId};
use ledgerstone_model::subject_request::{RequestStep, SubjectRequestId, SubjectRight};
use ledgerstone_model::{Clock as _, ErrorCode, Filter, HiddenPart, Why};
use ledgerstone_proof::{Canonicalizer, EventId, Kind};
use ledgerstone_store::StoredRecord;
use ledgerstone_testkit::TestEvent;
use serde_json::json;

use crate::erasure::{Unwatched, approve, erase, means, open, person};
use crate::erasure_reach::set_policy;
use crate::rig::tenant;
use crate::sealing_rig::SealingRig;

/// Under which policy and type the id of whoever is acted upon is sealed for whoever acted.
#[derive(Clone, Copy, Debug)]
struct Case {
    preset: Preset,
    policy: &'static str,
    kind: &'static str,
}

const CASES: [Case; 2] = [
    Case {
        preset: Preset::Strict,
        policy: r#"{"preset":"strict","rules":[
            {"path":"data.metadata.shoe","class":"public"}]}"#,
        kind: "client",
    },
    Case {
        preset: Preset::Standard,
        policy: r#"{"preset":"standard","rules":[
            {"path":"target.id","class":"personal","owner":"actor"},
            {"path":"data.metadata.shoe","class":"public"}]}"#,
        kind: "customer",
    },
];

struct Scene {
    own: SealingRig,
    ledger: Ledger,
    kind: &'static str,
}

impl Scene {
    /// Ursula did something to Clara in `st-1`, and to somebody else in `st-2`.
    fn new(case: Case) -> Self {
        let own = SealingRig::new(case.preset);
        let ledger = own.rig.create(&["acme"]);
        set_policy(&ledger, PolicyKind::Sealing, case.policy);
        let scene = Self { own, ledger, kind: case.kind };
        scene.deed("st-1", "cl-9");
        scene.deed("st-2", "cl-8");
        scene
    }

    fn deed(&self, event: &str, target: &str) {
        let deed = TestEvent::new("record.read")
            .id(event)
            .set("/actor", json!({"type": "user", "id": "u-77"}))
            .set("/target", json!({"type": self.kind, "id": target}))
            .set("/data", json!({"metadata": {"shoe": 38}}));
        SealingRig::append(&self.ledger, "acme", &deed.json());
        assert!(!SealingRig::newest(&self.ledger, "acme").contains(target), "it is sealed");
    }

    fn id_of(&self, kind: &str, id: &str) -> SubjectId {
        let who = Subject::Person { kind: kind.to_owned(), id: id.to_owned() };
        self.ledger.subject(&tenant("acme"), &who).unwrap().id
    }

    fn ursula(&self) -> SubjectId {
        self.id_of("user", "u-77")
    }

    fn clara(&self) -> SubjectId {
        self.id_of(self.kind, "cl-9")
    }

    /// A hold on the events of a person.
    fn hold(&self, subject: SubjectId) -> HoldId {
        let events = br#"{"field":"kind","eq":"event"}"#;
        let new = NewHold {
            subject: Some(subject),
            filter: Filter::parse(events, &mut Canonicalizer::new()).ok(),
            from: None,
            until: None,
            review_at: self.own.rig.clock.now(),
            owner: "legal".to_owned(),
            reason: "case 17".to_owned(),
        };
        self.ledger.set_hold(&tenant("acme"), &new, &person("carla")).unwrap().set.hold
    }

    fn release(&self, hold: HoldId) {
        for who in ["carla", "dora"] {
            self.ledger.release_hold(&tenant("acme"), hold, "settled", &person(who)).unwrap();
        }
    }

    fn held(&self, hold: HoldId) -> u64 {
        self.ledger.count_held(&tenant("acme"), hold, &Unwatched).unwrap().unwrap()
    }

    fn approved(&self, right: SubjectRight, subject: SubjectId) -> SubjectRequestId {
        let new = NewRequest { right, basis: None, subject, reason: None, again: false };
        let acme = tenant("acme");
        let id = self.ledger.open_request(&acme, &new, &person("anna")).unwrap().request.id();
        approve(&self.ledger, id);
        id
    }

    fn erasure_of(&self, subject: SubjectId) -> SubjectRequestId {
        let id = open(&self.ledger, subject).unwrap();
        approve(&self.ledger, id);
        id
    }

    fn records(&self) -> Vec<StoredRecord> {
        let listed = self.ledger.reader().list(&tenant("acme"), Order::Sequence, None).unwrap();
        listed.map(Result::unwrap).filter(|record| record.kind == Kind::Event).collect()
    }

    /// Why nothing of an event is shown to somebody who may see little; `None` where something is.
    fn closed(&self, event: &str) -> Option<Why> {
        let acme = tenant("acme");
        let record = self.ledger.reader().get(&acme, &EventId::parse(event).unwrap()).unwrap();
        let sight = Sight::of(RoleSet::from(Role::Viewer), &acme);
        let shown = self.ledger.viewer(&acme, sight).unwrap().view(record);
        let whole = shown.hidden().iter().find(|part| part.pointer().is_empty());
        assert_eq!(shown.event().is_none(), whole.is_some());
        whole.map(HiddenPart::why)
    }

    /// The events in the bundle of a request.
    fn bundled(&self, id: SubjectRequestId) -> Result<Vec<String>, LedgerError> {
        let mut bundle = self.ledger.bundle(&tenant("acme"), id)?;
        let mut found = Vec::new();
        for record in self.records() {
            let name = record.event_id.as_str().to_owned();
            if bundle.view(record)?.is_some() {
                found.push(name);
            }
        }
        Ok(found)
    }

    fn rectify(&self, id: SubjectRequestId, event: &str) -> Result<(), LedgerError> {
        let changes = br#"{"/data/metadata/shoe":39}"#;
        let correction = NewCorrection {
            event_id: EventId::parse(event).unwrap(),
            changes: Changes::parse(changes, &mut Canonicalizer::new()).unwrap(),
        };
        self.ledger.rectify(&tenant("acme"), id, &[correction], None, &person("anna")).map(drop)
    }

    /// Three years go by, after which contents expire. Answers how many do, and how many each hold keeps.
    fn expire(&self) -> (u64, BTreeMap<HoldId, u64>) {
        set_policy(
            &self.ledger,
            PolicyKind::Retention,
            r#"{"rules":[
            {"name":"short","filter":{"field":"event_type","eq":"record.read"},"maximum":"P3Y"}]}"#,
        );
        self.own.rig.clock.advance(Duration::from_hours(24 * 366 * 4));
        let retention = self.ledger.retention(&*self.own.rig.store);
        let run = retention.expire(&[(tenant("acme"), None)], &Unwatched).unwrap().unwrap();
        let [found] = run.found.as_slice() else { panic!("one ledger") };
        let held = found.held.iter().map(|one| (one.hold, one.contents)).collect();
        (found.expired.len(), held)
    }

    /// The service of the root key goes away, and no key is in memory.
    fn lose_keys(&mut self) {
        self.own.reopen_keys();
        self.ledger = self.own.rig.open();
        self.own.root.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_hold_stands_against_the_erasure_of_whoever_acted() {
    for case in CASES {
        let scene = Scene::new(case);
        let (acme, clara) = (tenant("acme"), scene.clara());
        let hold = scene.hold(clara);
        let other = scene.hold(scene.id_of(case.kind, "cl-7"));
        assert_eq!((scene.held(hold), scene.held(other)), (1, 0), "{case:?}");
        let survey = scene.ledger.survey_subject(&acme, &clara, &Unwatched).unwrap().unwrap();
        let obstacles = scene.ledger.obstacles(&acme, &survey).unwrap();
        // A field that a rule of the tenant gives to whoever acted is not hers to erase.
        let is_hers = case.preset == Preset::Strict;
        assert_eq!(survey.sealed_for_others().len(), u64::from(is_hers), "{case:?}");
        assert_eq!(obstacles.holds.contains_key(&hold), is_hers, "{case:?}");
        assert!(!obstacles.holds.contains_key(&other), "{case:?}");

        let request = scene.erasure_of(scene.ursula());
        let refused = scene.ledger.erase(&acme, request, &means(&scene.own), &Unwatched);
        assert_eq!(refused.unwrap_err().code(), ErrorCode::HeldBack, "{case:?}");
        let ursula = scene.ledger.subject_of_id(&acme, &scene.ursula()).unwrap();
        assert_eq!((ursula.live_keys.len(), ursula.destroyed_keys.len()), (1, 0));

        scene.release(hold);
        erase(&scene.own, &scene.ledger, request);
        let again = scene.hold(clara);
        assert_eq!(scene.held(again), 0, "with the key it is nobody's: {case:?}");
        scene.own.rig.assert_sound();
    }
}

#[test]
fn a_hold_stands_against_expiry() {
    for case in CASES {
        let scene = Scene::new(case);
        let hold = scene.hold(scene.clara());
        assert_eq!(scene.expire(), (1, BTreeMap::from([(hold, 1)])), "{case:?}");
        let there = scene.records().into_iter().filter(|record| record.content.is_some());
        let there: Vec<_> = there.map(|record| record.event_id.as_str().to_owned()).collect();
        assert_eq!(there, ["st-1"]);
        scene.own.rig.assert_sound();
    }
}

#[test]
fn a_restriction_closes_what_was_done_to_the_person() {
    for case in CASES {
        let scene = Scene::new(case);
        let request = scene.approved(SubjectRight::Restriction, scene.clara());
        assert_eq!(scene.closed("st-1"), Some(Why::Restricted), "{case:?}");
        assert_eq!(scene.closed("st-2"), None, "{case:?}");
        let acme = tenant("acme");
        let lift = RequestStep::Finish;
        scene.ledger.step_request(&acme, request, lift, None, &person("anna")).unwrap();
        assert_eq!(scene.closed("st-1"), None, "{case:?}");

        scene.approved(SubjectRight::Restriction, scene.clara());
        erase(&scene.own, &scene.ledger, scene.erasure_of(scene.ursula()));
        assert_eq!(scene.closed("st-1"), None, "with the key it is nobody's: {case:?}");
    }
}

#[test]
fn a_bundle_has_what_was_done_to_the_person() {
    for case in CASES {
        let scene = Scene::new(case);
        let clara = scene.approved(SubjectRight::Access, scene.clara());
        assert_eq!(scene.bundled(clara).unwrap(), ["st-1"], "{case:?}");
        let ursula = scene.approved(SubjectRight::Access, scene.ursula());
        assert_eq!(scene.bundled(ursula).unwrap(), ["st-1", "st-2"], "{case:?}");
    }
}

#[test]
fn clear_values_about_the_person_are_corrected() {
    for case in CASES {
        let scene = Scene::new(case);
        let request = scene.approved(SubjectRight::Rectification, scene.clara());
        let others = scene.rectify(request, "st-2").unwrap_err();
        assert_eq!(others.code(), ErrorCode::SubjectNotInEvent, "{case:?}");
        scene.rectify(request, "st-1").unwrap();
        scene.own.rig.assert_sound();
    }
}

#[test]
fn while_keys_are_away_a_hold_keeps_and_a_restriction_closes_what_may_be_the_persons() {
    let scene = || Scene::new(CASES[0]);
    let mut keeping = scene();
    let hold = keeping.hold(keeping.clara());
    let other = keeping.hold(keeping.id_of("client", "cl-7"));
    keeping.lose_keys();
    assert_eq!((keeping.held(hold), keeping.held(other)), (2, 2));
    let asked = keeping.own.root.1.load(Ordering::SeqCst);
    assert_eq!(keeping.held(hold), 2);
    assert_eq!(keeping.own.root.1.load(Ordering::SeqCst), asked + 1, "once for all records");
    keeping.own.root.0.store(false, Ordering::SeqCst);
    assert_eq!((keeping.held(hold), keeping.held(other)), (1, 0));

    let mut closed = scene();
    closed.approved(SubjectRight::Restriction, closed.clara());
    closed.lose_keys();
    assert_eq!(closed.closed("st-2"), Some(Why::Restricted));
    closed.own.root.0.store(false, Ordering::SeqCst);
    assert_eq!(closed.closed("st-2"), None);

    let mut asked = scene();
    let bundle = asked.approved(SubjectRight::Access, asked.clara());
    let correction = asked.approved(SubjectRight::Rectification, asked.clara());
    asked.lose_keys();
    for refused in [asked.bundled(bundle).map(drop), asked.rectify(correction, "st-1")] {
        assert_eq!(refused.unwrap_err().code(), ErrorCode::KeyServiceUnavailable);
    }
}
