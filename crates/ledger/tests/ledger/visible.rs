//! The stages that open and redact, on their way through a whole ledger: many records, lost keys,
//! records that do not belong where they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ledgerstone_ledger::sealing_keys::KeyLook;
use ledgerstone_ledger::{Ledger, Order, VIEWED_AT_ONCE, Viewer, VisibleEvent};
use ledgerstone_model::access::{Role, Sight};
use ledgerstone_model::sealing::Preset;
use ledgerstone_model::visible::{HiddenPart, Why};
use ledgerstone_proof::Kind;
use ledgerstone_store::StoredRecord;

use crate::rig::tenant;
use crate::sealing_rig::{SealingRig, ana, login};

fn records(ledger: &Ledger, name: &str) -> Vec<StoredRecord> {
    let all = ledger.reader().list(&tenant(name), Order::Sequence, None).unwrap();
    all.map(Result::unwrap).filter(|record| record.kind == Kind::Event).collect()
}

fn seen(ledger: &Ledger, name: &str, sight: Sight) -> Vec<VisibleEvent> {
    ledger.viewer(&tenant(name), sight).unwrap().view_all(records(ledger, name))
}

fn text(event: &VisibleEvent) -> &str {
    std::str::from_utf8(event.event().unwrap()).unwrap()
}

fn whys(event: &VisibleEvent) -> Vec<Why> {
    event.hidden().iter().map(HiddenPart::why).collect()
}

#[test]
fn many_records_are_opened_with_their_own_keys() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let count = 2 * VIEWED_AT_ONCE;
    for number in 0..count {
        let (id, actor, name) =
            (format!("e-{number}"), format!("u-{}", number % 7), format!("Name {}", number % 7));
        SealingRig::append(&ledger, "acme", &login(&id, &actor, &name));
    }
    let all = seen(&ledger, "acme", Sight::EVERYTHING);
    assert_eq!(all.len(), count);
    for (number, event) in all.iter().enumerate() {
        assert!(text(event).contains(&format!("Name {}\"", number % 7)), "{}", text(event));
        assert!(event.hidden().is_empty() && event.record().content.is_none());
    }
    let viewer = Sight::of(Role::Viewer.into(), &tenant("acme"));
    for event in seen(&ledger, "acme", viewer) {
        assert!(!text(&event).contains("Name") && !whys(&event).is_empty(), "{}", text(&event));
    }
    for event in seen(&ledger, "acme", Sight::NOTHING) {
        assert_eq!((event.event(), whys(&event)), (None, vec![Why::Hidden]));
    }
}

#[test]
fn what_keys_are_rotated_or_destroyed_meanwhile_shows_at_once() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    let acme = tenant("acme");
    let stored = records(&ledger, "acme").remove(0);
    let mut viewer = ledger.viewer(&acme, Sight::EVERYTHING).unwrap();
    assert!(text(&viewer.view(stored.clone())).contains("Ana Lima"));
    own.sealing.rotate(&acme).unwrap();
    assert!(text(&viewer.view(stored.clone())).contains("Ana Lima"));
    own.sealing.destroy(&own.sealing.ids_of(&acme, &ana()).unwrap()).unwrap();
    for _ in 0..2 {
        let erased = viewer.view(stored.clone());
        assert!(!text(&erased).contains("Ana Lima"));
        assert!(whys(&erased).iter().all(|why| *why == Why::Erased) && !whys(&erased).is_empty());
    }
}

/// A service that does not answer makes one request wait once.
#[test]
fn a_service_that_is_away_is_asked_once_by_one_reader() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    for number in 0..3 {
        SealingRig::append(&ledger, "acme", &login(&format!("e-{number}"), "ana", "Ana Lima"));
    }
    drop(ledger);
    own.reopen_keys();
    let ledger = own.rig.open();
    own.root.0.store(true, Ordering::SeqCst);
    let mut viewer = ledger.viewer(&tenant("acme"), Sight::EVERYTHING).unwrap();
    let before = own.root.1.load(Ordering::SeqCst);
    for record in records(&ledger, "acme") {
        let away = viewer.view(record);
        assert!(whys(&away).iter().all(|why| *why == Why::Unavailable) && !whys(&away).is_empty());
    }
    assert_eq!(own.root.1.load(Ordering::SeqCst), before + 1);
    own.root.0.store(false, Ordering::SeqCst);
    let later = seen(&ledger, "acme", Sight::EVERYTHING);
    assert!(later.iter().all(|event| text(event).contains("Ana Lima")));
}

#[test]
fn a_content_of_another_tenant_or_event_tells_nothing() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme", "other"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    SealingRig::append(&ledger, "acme", &login("e-2", "ana", "Ana Lima"));
    let [first, second] = records(&ledger, "acme").try_into().unwrap();
    let moved = StoredRecord { content: first.content.clone(), ..second };
    let foreign = StoredRecord { tenant: tenant("other"), ..first.clone() };
    for (name, record) in [("acme", moved), ("other", foreign)] {
        let mut viewer = ledger.viewer(&tenant(name), Sight::EVERYTHING).unwrap();
        let shown = viewer.view(record);
        assert!(!text(&shown).contains("Ana Lima"));
        assert!(whys(&shown).iter().all(|why| *why == Why::Damaged) && !whys(&shown).is_empty());
    }
    let broken = StoredRecord { content: Some(b"no content".to_vec()), ..first.clone() };
    // No record of the ledger says that it goes.
    let lost = StoredRecord { content: None, ..first };
    let mut viewer = ledger.viewer(&tenant("acme"), Sight::EVERYTHING).unwrap();
    assert_eq!(whys(&viewer.view(broken)), [Why::Damaged]);
    assert_eq!(whys(&viewer.view(lost)), [Why::Damaged]);
}

#[test]
fn the_operator_of_the_machine_sees_everything_or_what_is_stored() {
    let own = SealingRig::new(Preset::Strict);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    let record = records(&ledger, "acme").remove(0);
    let stored = VisibleEvent::as_stored(record.clone());
    assert!(text(&stored).contains("$sealed") && text(&stored).contains("\"sealed\":["));
    let opened = Viewer::of_operator(ledger.reader(), &tenant("acme"), Some(&*own.sealing))
        .unwrap()
        .view(record.clone());
    assert!(text(&opened).contains("Ana Lima") && opened.hidden().is_empty());
    let blind = Viewer::of_operator(ledger.reader(), &tenant("acme"), None).unwrap().view(record);
    assert!(whys(&blind).iter().all(|why| *why == Why::Unavailable) && !whys(&blind).is_empty());
}

/// Beside a process that writes, or without one: the files say it all.
#[test]
fn key_files_are_read_without_a_ring() {
    let own = SealingRig::new(Preset::Strict);
    let ledger = own.rig.create(&["acme", "other"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    own.sealing.rotate(&tenant("acme")).unwrap();
    SealingRig::append(&ledger, "acme", &login("e-2", "bo", "Bo Berg"));
    SealingRig::append(&ledger, "other", &login("e-1", "ana", "Ana Lima"));
    let before: Vec<_> = files(own.place.path());
    let look = || KeyLook::at(own.place.path(), Arc::clone(&own.root) as _).unwrap();
    let keys = look();
    let show = |keys: &KeyLook, name: &str| {
        Viewer::of_operator(ledger.reader(), &tenant(name), Some(keys))
            .unwrap()
            .view_all(records(&ledger, name))
    };
    for (name, people) in [("acme", &["Ana Lima", "Bo Berg"][..]), ("other", &["Ana Lima"])] {
        for (event, person) in show(&keys, name).iter().zip(people) {
            assert!(text(event).contains(person) && event.hidden().is_empty(), "{}", text(event));
        }
    }
    assert_eq!(files(own.place.path()), before);
    own.sealing.destroy(&own.sealing.ids_of(&tenant("acme"), &ana()).unwrap()).unwrap();
    let shown = show(&look(), "acme");
    assert!(whys(&shown[0]).iter().all(|why| *why == Why::Erased));
    assert!(shown[1].hidden().is_empty());
    own.root.0.store(true, Ordering::SeqCst);
    let asked = own.root.1.load(Ordering::SeqCst);
    let shown = show(&look(), "other");
    assert!(whys(&shown[0]).iter().all(|why| *why == Why::Unavailable));
    assert_eq!(own.root.1.load(Ordering::SeqCst), asked + 1);
}

fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    files.sort();
    files
}
