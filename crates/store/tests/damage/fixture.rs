//! The committed data directory opens for ever, or is refused with the way to go on.

use std::path::{Path, PathBuf};

use ledgerstone_store::LedgerStore;
use ledgerstone_store::conformance::ChainBuilder;
use ledgerstone_store::conformance::builder::tenant;
use ledgerstone_store::embedded::{Mode, OpenError};
use ledgerstone_testkit::TestDirectory;

use crate::observed::Observed;
use crate::place::Place;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/embedded-v1")
}

fn copy_of_fixture() -> Place {
    let directory = TestDirectory::new("fixture");
    let data = fixture().join("data");
    for entry in walk(&data) {
        let name = entry.strip_prefix(&data).unwrap().to_string_lossy().into_owned();
        directory.write(&format!("data/{name}"), std::fs::read(&entry).unwrap());
    }
    Place::of_copy(directory, ChainBuilder::new())
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

/// The heads that the directory had when it was written.
fn assert_heads(store: &dyn LedgerStore) {
    let heads = std::fs::read_to_string(fixture().join("heads.txt")).unwrap();
    let mut records = 0;
    for line in heads.lines() {
        let [name, size, root, last] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let head = store.head(&tenant(name)).unwrap().unwrap();
        assert_eq!(head.size().to_string(), size, "{name}");
        assert_eq!(head.range.root().to_base64(), root, "{name}");
        assert_eq!(head.record_hash.to_hex(), last, "{name}");
        records += head.size();
    }
    assert_eq!(store.status().records, records);
    assert!(store.status().sealed_segments > 1);
}

#[test]
fn a_directory_of_version_1_opens_and_goes_on() {
    let place = copy_of_fixture();
    let reader = match place.open(Mode::Read) {
        Ok(reader) => reader,
        Err(error @ OpenError::UnknownVersion { .. }) => {
            assert!(error.to_string().contains("docs/format.md"), "{error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    assert_heads(&reader);
    drop(reader);
    assert!(Observed::of(&place).is_clean());
    let writer = place.open(Mode::Write).unwrap();
    assert_heads(&writer);
    let acme = tenant("acme");
    let mut chain = ChainBuilder::continuing(&writer, &acme);
    let more = chain.batch().events(&acme, 3).build();
    let size = writer.head(&acme).unwrap().unwrap().size();
    writer.append(&more).unwrap();
    writer.close().unwrap();
    drop(writer);
    assert!(Observed::of(&place).is_clean());
    let reader = place.open(Mode::Read).unwrap();
    assert_eq!(reader.head(&acme).unwrap().unwrap().size(), size + 3);
}
