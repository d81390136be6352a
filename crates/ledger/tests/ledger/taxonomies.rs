//! Taxonomies: what is written for them, that a change holds at once and after a restart, and that the
//! ledger alone suffices.

use ledgerstone_ledger::{AdmissionError, Ledger, LedgerError, Outcome, ReceiptStatus};
use ledgerstone_model::{Actor, ErrorCode, ParseContext, TaxonomyDraft, TaxonomyMode, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, Kind, Salt, SequenceNumber};
use ledgerstone_store::admin::{AdminStore as _, SqliteAdmin};
use ledgerstone_testkit::{MockClock, seal_in_clear};

use crate::rig::{Rig, receipts, tenant};

const KNOWN: &str =
    r#"{"mode":"enforce","event_types":{"user.*":{"schema":{"required":["actor"]}}}}"#;

fn draft(text: &str) -> TaxonomyDraft {
    TaxonomyDraft::parse(text.as_bytes()).unwrap()
}

fn set(ledger: &Ledger, name: &str, text: &str) -> Result<u64, LedgerError> {
    let by = Actor::operator("uid:1000");
    let in_force = ledger.set_taxonomy(&tenant(name), draft(text), &by)?;
    Ok(in_force.taxonomy().document().version())
}

fn parse(name: &str, text: &str) -> ValidEvent {
    let (tenant, at) = (tenant(name), IngestedAt::from_micros(MockClock::START_MICROS).unwrap());
    let context = ParseContext::new(&tenant, at, [3; 16]);
    ValidEvent::parse(text.as_bytes(), &context, &mut Canonicalizer::new()).unwrap()
}

fn admit(ledger: &Ledger, name: &str, text: &str) -> Result<(), ErrorCode> {
    ledger.admit(parse(name, text)).map(drop).map_err(|error: AdmissionError| error.code())
}

#[test]
fn what_is_recorded_is_compared_and_a_repetition_alone_makes_no_record() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let other = r#"{"id":"e1","event_type":"other"}"#;
    let first = receipts(ledger.append(vec![rig.sealed("acme", other)]).unwrap()).remove(0);
    assert_eq!(set(&ledger, "acme", KNOWN).unwrap(), 1);
    let size = ledger.reader().size(&tenant("acme")).unwrap();
    let seal = |event| seal_in_clear(event, &Salt::from_bytes([5; 16]));
    let admitted = ledger.admit(parse("acme", other)).unwrap();
    assert_eq!(admitted.repeats_only(), Some(ErrorCode::EventTypeUnknown));
    let again = receipts(ledger.append(vec![seal(admitted)]).unwrap()).remove(0);
    assert_eq!((again.status, again.record_hash), (ReceiptStatus::Duplicate, first.record_hash));
    // One that was taken for a repetition, and is none.
    let new = other.replace("e1", "e2");
    assert_eq!(admit(&ledger, "acme", &new), Err(ErrorCode::EventTypeUnknown));
    let taxonomy = ledger.taxonomy(&tenant("acme")).unwrap();
    let kept_out = taxonomy.taxonomy().admit(parse("acme", &new)).unwrap_err();
    let repetition = seal(kept_out.into_repetition());
    let Ok([Outcome::Refused(refusal)]) =
        <[Outcome; 1]>::try_from(ledger.append(vec![repetition]).unwrap())
    else {
        panic!("it was recorded");
    };
    assert_eq!(refusal.code, ErrorCode::EventTypeUnknown);
    assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), size);
    rig.assert_sound();
}

fn content(ledger: &Ledger, name: &str, number: SequenceNumber) -> (Kind, String) {
    let record = ledger.reader().record(&tenant(name), number).unwrap();
    (record.kind, String::from_utf8(record.content.unwrap()).unwrap())
}

#[test]
fn setting_one_is_two_records_and_holds_for_its_tenant_at_once() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    let (login, other) = (r#"{"event_type":"user.login"}"#, r#"{"event_type":"other"}"#);
    for name in ["acme", "beta"] {
        assert_eq!(admit(&ledger, name, other), Ok(()));
    }
    assert_eq!(set(&ledger, "acme", KNOWN).unwrap(), 1);
    assert_eq!(admit(&ledger, "acme", other), Err(ErrorCode::EventTypeUnknown));
    assert_eq!(admit(&ledger, "acme", login), Err(ErrorCode::SchemaViolation));
    let whole = r#"{"event_type":"user.login","actor":{}}"#;
    assert_eq!(admit(&ledger, "acme", whole), Ok(()));
    assert_eq!(admit(&ledger, "beta", other), Ok(()));
    let set_by = ledger.taxonomy(&tenant("acme")).unwrap().set_by().unwrap();
    assert_eq!(set_by.record, set_by.audit_record.next());
    let (kind, audit) = content(&ledger, "acme", set_by.audit_record);
    assert_eq!(kind, Kind::Audit);
    assert!(audit.contains("uid:1000") && audit.contains(r#""verb":"set""#), "{audit}");
    assert!(audit.contains(&format!(r#""system_record":{}"#, set_by.record)), "{audit}");
    let (kind, system) = content(&ledger, "acme", set_by.record);
    assert_eq!(kind, Kind::System);
    assert!(system.contains(r#""user.*":{"schema":{"required":["actor"]}}"#), "{system}");
    assert!(!system.contains("uid:1000"), "{system}");
    assert_eq!(set(&ledger, "acme", r#"{"mode":"off","event_types":{}}"#).unwrap(), 2);
    assert_eq!(admit(&ledger, "acme", other), Ok(()));
    rig.assert_sound();
}

#[test]
fn a_change_of_another_version_than_the_one_in_force_is_refused() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let at = |version: u64| KNOWN.replacen('{', &format!("{{\"version\":{version},"), 1);
    assert_eq!(set(&ledger, "acme", &at(0)).unwrap(), 1);
    assert_eq!(set(&ledger, "acme", &at(1)).unwrap(), 2);
    let size = ledger.reader().size(&tenant("acme")).unwrap();
    for version in [0, 1, 3] {
        let refused = set(&ledger, "acme", &at(version)).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::VersionConflict, "{version}");
    }
    let unusable = r#"{"mode":"off","event_types":{"a":{"schema":{"$ref":"http://x/y"}}}}"#;
    let refused = set(&ledger, "acme", unusable).unwrap_err();
    assert!(refused.to_string().contains("http://x/y"), "{refused}");
    assert_eq!(refused.code(), ErrorCode::InvalidTaxonomy);
    for name in ["nobody", "_system"] {
        assert_eq!(set(&ledger, name, KNOWN).unwrap_err().code(), ErrorCode::UnknownTenant);
    }
    assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), size, "nothing was written");
}

#[test]
fn an_opened_ledger_knows_them_with_a_projection_and_without() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    set(&ledger, "acme", r#"{"mode":"warn","event_types":{}}"#).unwrap();
    set(&ledger, "acme", KNOWN).unwrap();
    drop(ledger);
    let directory = tempfile::tempdir().unwrap();
    let (admin, _) = SqliteAdmin::open(&directory.path().join("admin.sqlite")).unwrap();
    for with_projection in [false, true, true] {
        let ledger = rig.open();
        if with_projection {
            ledger.load_projection(&admin).unwrap();
            assert_eq!(admin.taxonomies().unwrap().len(), 1);
        }
        let other = r#"{"event_type":"other"}"#;
        assert_eq!(admit(&ledger, "acme", other), Err(ErrorCode::EventTypeUnknown));
        assert_eq!(admit(&ledger, "beta", other), Ok(()));
        let in_force = ledger.taxonomy(&tenant("acme")).unwrap();
        let document = in_force.taxonomy().document();
        assert_eq!((document.version(), document.mode()), (2, TaxonomyMode::Enforce));
        assert!(in_force.set_by().is_some());
        assert_eq!(ledger.taxonomy(&tenant("beta")).unwrap().taxonomy().document().version(), 0);
    }
    rig.assert_sound();
}

#[test]
fn of_many_changes_at_once_each_version_is_set_by_one() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let versions = std::thread::scope(|scope| {
        let set = || scope.spawn(|| set(&ledger, "acme", KNOWN).unwrap());
        let threads: Vec<_> = (0..6).map(|_| set()).collect();
        let mut versions: Vec<u64> =
            threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        versions.sort_unstable();
        versions
    });
    assert_eq!(versions, [1, 2, 3, 4, 5, 6]);
    ledger.close().unwrap();
    rig.assert_sound();
}
