//! Derived files are never believed: missing, damaged or foreign ones are noticed and made again,
//! and every id is still found exactly.

use std::path::{Path, PathBuf};

use ledgerstone_proof::SequenceNumber;
use ledgerstone_store::conformance::oracle::assert_holds;
use ledgerstone_store::embedded::testing::{forge_index, forge_page_of_run, forge_run};
use ledgerstone_store::embedded::{EmbeddedStore, Mode};
use ledgerstone_store::{Check, LedgerStore};
use ledgerstone_testkit::SeededEntropy;

use crate::observed::Observed;
use crate::place::{Place, wait_for};

/// Every derived file of the store, relative to the directory.
fn derived(place: &Place) -> Vec<PathBuf> {
    let mut files = place.files("segments", "idx");
    files.extend(place.files("ids", "run"));
    assert!(files.len() > 11);
    files.push(PathBuf::from("ids/MANIFEST"));
    files
}

/// Reading is exact whatever became of the derived files, and a writer makes them anew.
fn assert_not_believed(place: &mut Place, what: &str) {
    let reader = place.open(Mode::Read).unwrap();
    assert_holds(&reader, &place.chain);
    drop(reader);
    assert!(Observed::of(place).is_clean(), "{what}: derived files are not truth");
    let store = place.open(Mode::Write).unwrap();
    assert_holds(&store, &place.chain);
    place.write(&store, 1);
    assert_holds(&store, &place.chain);
    store.close().unwrap();
    drop(store);
    let reader = place.open(Mode::Read).unwrap();
    assert_holds(&reader, &place.chain);
}

#[test]
fn missing_derived_files_are_made_again() {
    let original = Place::stopped("missing");
    // Indexes are all alike: every fourth stands for the others.
    let some = |(number, file): &(usize, PathBuf)| !file.starts_with("segments") || number % 4 == 0;
    for (_, file) in derived(&original).into_iter().enumerate().filter(some) {
        let mut place = original.copy("one-missing");
        std::fs::remove_file(place.path(&file)).unwrap();
        assert_not_believed(&mut place, &file.to_string_lossy());
    }
    let mut place = original.copy("all-missing");
    for folder in ["ids", "tiles"] {
        std::fs::remove_dir_all(place.path(folder)).unwrap();
    }
    for index in place.files("segments", "idx") {
        std::fs::remove_file(place.path(index)).unwrap();
    }
    let store = place.open(Mode::Write).unwrap();
    let indexes = original.files("segments", "idx").len();
    wait_for("the indexes", || place.files("segments", "idx").len() == indexes);
    wait_for("the manifest", || place.path("ids/MANIFEST").exists());
    drop(store);
    for index in original.files("segments", "idx") {
        assert_eq!(place.read_file(&index), original.read_file(&index), "made again as it was");
    }
    assert_not_believed(&mut place, "all");
    place.assert_sound_and_goes_on();
}

/// Bytes changed at random places, ranges zeroed, files cut: each derived file, several ways.
#[test]
fn damaged_derived_files_are_noticed() {
    let original = Place::stopped("damaged");
    let entropy = SeededEntropy::new(41);
    for file in derived(&original) {
        // Indexes are all alike: a few stand for the others.
        if file.starts_with("segments") && entropy.below(6) > 0 {
            continue;
        }
        let good = original.read_file(&file);
        for way in 0..6 {
            let mut place = original.copy("damaged-one");
            let at = entropy.below(good.len() as u64) as usize;
            place.change(&file, |bytes| match way {
                0 | 1 => bytes[at] ^= 1 << entropy.below(8),
                2 => bytes[at..].fill(0),
                3 => bytes.truncate(at),
                4 => bytes.extend_from_slice(&good),
                _ => bytes.fill(0xa5),
            });
            assert_not_believed(&mut place, &format!("{} way {way}", file.display()));
        }
    }
}

/// Pages of a run in each other's place are good pages in the wrong place.
#[test]
fn pages_that_changed_places_are_noticed() {
    let mut place = Place::new("pages", 7);
    let store = place.create();
    place.fill(&store, 70);
    wait_for("a run of several pages", || {
        place.files("ids", "run").iter().any(|run| place.read_file(run).len() > 5 * 4096)
    });
    store.close().unwrap();
    drop(store);
    let run = place.files("ids", "run").into_iter().next().unwrap();
    place.change(&run, |bytes| {
        let (first, second) = bytes[4096..].split_at_mut(4096);
        first.swap_with_slice(&mut second[..4096]);
    });
    assert_not_believed(&mut place, "pages");
}

/// Derived files of another store, and of another place in the same store.
#[test]
fn foreign_derived_files_are_noticed() {
    let original = Place::stopped("own-derived");
    let mut foreign = Place::new("foreign-derived", 8);
    let store = foreign.create();
    foreign.fill(&store, 11);
    drop(store);
    let (own, others) = (derived(&original), derived(&foreign));
    let mut all = original.copy("all-foreign");
    for file in &own {
        let twin = others.iter().find(|other| other == &file).unwrap_or(&others[0]);
        all.write_file(file, &foreign.read_file(twin));
    }
    assert_not_believed(&mut all, "all foreign");
    all.assert_sound_and_goes_on();
    let mut moved = original.copy("moved");
    moved.write_file(&own[2], &original.read_file(&own[5]));
    assert_not_believed(&mut moved, "the index of another segment");
    let mut manifest = original.copy("manifest");
    manifest.write_file("ids/MANIFEST", &foreign.read_file("ids/MANIFEST"));
    assert_not_believed(&mut manifest, "a foreign manifest");
}

fn assert_every_id_is_found(store: &EmbeddedStore) {
    let mut records = 0;
    for tenant in store.ledgers().unwrap() {
        for record in store.read(&tenant, SequenceNumber::GENESIS, usize::MAX).unwrap() {
            let found = store.find(&tenant, &record.event_id).unwrap();
            assert_eq!(found, Some(record.sequence_number), "{tenant}");
            records += 1;
        }
    }
    assert!(records > 100, "{records}");
}

/// An index that leaves an id out, with every checksum right and another key's signature: the id is
/// found all the same, verification names the file, and a writer makes it again as it was.
#[test]
fn forged_derived_files_are_named_and_made_again() {
    type Forge = fn(&Path, &Path) -> std::io::Result<()>;
    let original = Place::stopped("forged");
    let index = original.files("segments", "idx");
    let run = original.files("ids", "run")[0].clone();
    let forgeries: [(&PathBuf, Forge); 4] = [
        // The run of the first eight segments has these ids too; of the newest segment nothing has.
        (&index[2], |data, _| forge_index(data, 2)),
        (&index[10], |data, _| forge_index(data, 10)),
        (&run, forge_run),
        (&run, forge_page_of_run),
    ];
    for (file, forge) in forgeries {
        let mut place = original.copy("forged-one");
        forge(&place.data(), file).unwrap();
        assert_every_id_is_found(&place.open(Mode::Read).unwrap());
        let observed = Observed::of(&place);
        assert_eq!(observed.findings.len(), 1, "{observed:?}");
        let finding = observed.finding(Check::Section);
        assert!(observed.names(file) && finding.found.contains("forged"), "{finding:?}");
        let store = place.open(Mode::Write).unwrap();
        assert_eq!(store.report().read_only, None);
        wait_for("what is derived to be made again", || Observed::of(&place).is_clean());
        drop(store);
        if file.starts_with("segments") {
            assert_eq!(place.read_file(file), original.read_file(file), "made again as it was");
        }
        assert!(Observed::of(&place).is_clean(), "{}", file.display());
        place.assert_sound_and_goes_on();
    }
}

/// Files that the store does not know are left alone.
#[test]
fn unknown_files_are_left_alone() {
    let mut place = Place::stopped("unknown");
    let names = ["notes.txt", "log/README", "segments/7.seg", "ids/.keep", "log/12.log"];
    for name in names {
        place.write_file(name, b"somebody else's");
    }
    place.assert_sound_and_goes_on();
    for name in names.iter().filter(|name| !name.starts_with("ids/")) {
        assert_eq!(place.read_file(Path::new(name)), b"somebody else's", "{name}");
    }
}
