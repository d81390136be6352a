//! Sealed segments: missing, older, foreign, renamed or damaged ones are named, and damage in one
//! record leaves the rest readable.

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::SequenceNumber;
use ledgerstone_store::conformance::builder::tenant;
use ledgerstone_store::embedded::Mode;
use ledgerstone_store::{Check, LedgerStore};

use crate::observed::Observed;
use crate::place::Place;
use crate::torn::assert_writes_are_refused;

/// The directory is read-only, and every part of it that is still there was left alone.
fn assert_section(place: &Place, what: &str) {
    let before = place.files("segments", "seg");
    let observed = Observed::of(place);
    assert!(
        observed.findings.iter().any(|finding| finding.check == Check::Section
            && finding.location.file.starts_with("segments")),
        "{what}: {observed:?}"
    );
    let store = place.open(Mode::Write).unwrap();
    assert!(store.report().read_only.as_ref().unwrap().contains("section"), "{what}");
    assert_writes_are_refused(&store, &place.chain);
    drop(store);
    assert_eq!(place.files("segments", "seg"), before, "{what}: opening removes nothing");
}

#[test]
fn a_removed_segment_is_named() {
    let original = Place::stopped("removed-segment");
    let segments = original.files("segments", "seg");
    for segment in [&segments[0], &segments[4], segments.last().unwrap()] {
        let place = original.copy("removed");
        std::fs::remove_file(place.path(segment)).unwrap();
        assert_section(&place, "removed");
        let name = segment.to_string_lossy();
        let observed = Observed::of(&place);
        let is_named = observed.findings.iter().any(|one| one.found.contains(&*name));
        assert!(is_named, "{name}: {:?}", observed.findings);
    }
    let place = original.copy("several-removed");
    let removed = [&segments[2], &segments[4], &segments[5]];
    for segment in removed {
        std::fs::remove_file(place.path(segment)).unwrap();
    }
    let told = |place: &Place| -> String {
        let found = Observed::of(place).findings.into_iter().map(|finding| finding.found);
        found.filter(|found| found.contains("missing")).collect()
    };
    for segment in removed {
        let name = segment.to_string_lossy();
        assert!(told(&place).contains(&*name), "{name}: {}", told(&place));
    }
    // Without its index, of the second in a row only what it held is known.
    std::fs::remove_file(place.path(segments[5].with_extension("idx"))).unwrap();
    let first = |at: usize| -> u64 {
        let name = segments[at].file_name().unwrap().to_str().unwrap();
        name.split('.').next().unwrap().parse().unwrap()
    };
    let range = format!("commit ordinals {} to {}", first(4), first(6) - 1);
    assert!(told(&place).contains(&range), "{range}: {}", told(&place));
    let place = original.copy("all-segments-removed");
    for segment in &segments {
        std::fs::remove_file(place.path(segment)).unwrap();
    }
    assert_section(&place, "all removed");
}

/// A segment of an earlier state of the same store is put in the place of a later one, or beside.
#[test]
fn an_older_segment_is_named() {
    let original = Place::stopped("older-segment");
    let segments = original.files("segments", "seg");
    for (older, newer) in [(0, 1), (2, 9), (9, 10)] {
        let place = original.copy("older");
        place.write_file(&segments[newer], &original.read_file(&segments[older]));
        assert_section(&place, "in the place of a newer one");
    }
    let place = original.copy("beside");
    place.write_file("segments/0000000000009999.1.seg", &original.read_file(&segments[3]));
    assert_section(&place, "beside, under another number");
    let place = original.copy("generation");
    let second = segments[3].to_string_lossy().replace(".1.seg", ".2.seg");
    place.write_file(second, &original.read_file(&segments[3]));
    assert_section(&place, "beside, as another generation");
}

#[test]
fn a_foreign_segment_is_named() {
    let place = Place::stopped("own-segments");
    let mut foreign = Place::new("foreign-segments", 8);
    let store = foreign.create();
    foreign.fill(&store, 3);
    drop(store);
    let (own, others) = (place.files("segments", "seg"), foreign.files("segments", "seg"));
    let replaced = place.copy("replaced");
    replaced.write_file(&own[1], &foreign.read_file(&others[1]));
    let told = Observed::of(&replaced);
    assert!(told.names(&own[1]), "{told:?}");
    assert_section(&replaced, "replaced by a foreign one");
    place.write_file("segments/0000000000009999.1.seg", &foreign.read_file(&others[2]));
    assert_section(&place, "a foreign one beside");
}

/// Names are not part of what `HEAD` signs; a segment under another name would be written over
/// when its number comes up.
#[test]
fn a_renamed_segment_is_named() {
    let place = Place::stopped("renamed");
    let segments = place.files("segments", "seg");
    let last = segments.last().unwrap();
    let later = "segments/0000000000000999.1.seg";
    std::fs::rename(place.path(last), place.path(later)).unwrap();
    assert_section(&place, "renamed");
    assert!(Observed::of(&place).names(std::path::Path::new(later)));
}

/// Cut short, and longer than it was.
#[test]
fn a_segment_of_another_length_is_named() {
    let original = Place::stopped("length");
    let segment = &original.files("segments", "seg")[2];
    let bytes = original.read_file(segment);
    for len in [0, 100, bytes.len() / 2, bytes.len() - 1] {
        let place = original.copy("shorter");
        place.write_file(segment, &bytes[..len]);
        assert!(Observed::of(&place).names(segment), "cut to {len}");
        assert_section(&place, "shorter");
    }
    let place = original.copy("longer");
    place.change(segment, |bytes| bytes.push(0));
    assert!(Observed::of(&place).names(segment));
    assert_section(&place, "longer");
}

/// Damage in the contents of one segment: its records answer `RECORD_DAMAGED`, all others are
/// read, and the ledger goes on.
#[test]
fn a_damaged_sealed_record_does_not_stop_its_ledger() {
    let mut place = Place::stopped("damaged-record");
    let segment = place.files("segments", "seg")[3].clone();
    let contents = section(&place.read_file(&segment), 4);
    place.change(&segment, |bytes| bytes[contents.start + contents.len() / 2] ^= 0x10);

    let store = place.open(Mode::Write).unwrap();
    assert_eq!(store.report().read_only, None, "found by reading, not by opening");
    place.write(&store, 6);
    let mut damaged = 0;
    for name in ["acme", "other", "_system"].map(tenant) {
        for record in place.chain.records(&name) {
            match store.read(&name, record.sequence_number, 1) {
                Ok(found) => assert_eq!(found, std::slice::from_ref(record)),
                Err(error) => {
                    assert_eq!(error.code(), ErrorCode::RecordDamaged, "{error}");
                    damaged += 1;
                }
            }
        }
    }
    assert!(damaged > 0 && damaged <= 12, "{damaged} records are damaged");
    // A long page ends before the damage instead of being refused as a whole.
    let (acme, first) = (tenant("acme"), SequenceNumber::new(0).unwrap());
    let page = store.read(&acme, first, 10_000).unwrap();
    assert_eq!(page, place.chain.records(&acme)[..page.len()]);
    assert!(!page.is_empty());
    let observed = Observed::of_store(&store);
    assert!(observed.names(&segment), "{observed:?}");
}

/// Where a section lies, by the table in the segment's header.
fn section(segment: &[u8], number: usize) -> std::ops::Range<usize> {
    let entry = 76 + (number - 1) * 52;
    let field = |at: usize| u64::from_le_bytes(segment[at..at + 8].try_into().unwrap()) as usize;
    assert_eq!(usize::from(segment[entry]), number);
    let offset = field(entry + 4);
    offset..offset + field(entry + 12)
}
