//! A directory of a format that this program does not know is refused, and the container named.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::sha256;
use ledgerstone_store::Check;
use ledgerstone_store::embedded::{Mode, OpenError};
use ledgerstone_store::key_file::KeyFileError;

use crate::observed::Observed;
use crate::place::Place;

/// Changes a line of `FORMAT` and makes its last line fit again.
fn with_format(place: &Place, change: impl Fn(&str) -> String) {
    place.change("FORMAT", |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let (body, _) = text.split_once("sha256 = ").unwrap();
        let body = change(body);
        *bytes = format!("{body}sha256 = {}\n", sha256(body.as_bytes()).to_hex()).into_bytes();
    });
}

fn refusal(place: &Place) -> (String, String) {
    for mode in [Mode::Read, Mode::Write] {
        let error = place.open(mode).err().unwrap();
        assert_eq!(error.code(), ErrorCode::UnsupportedFormatVersion, "{error}");
        let told = error.to_string();
        let OpenError::UnknownVersion { container, version } = error else { panic!("{told}") };
        assert!(told.contains(&container) && told.contains(&version), "{told}");
        if mode == Mode::Write {
            return (container, version);
        }
    }
    panic!("not refused")
}

#[test]
fn an_unknown_version_of_each_container_is_named() {
    let original = Place::stopped("version");
    for container in ["log", "head", "segment", "index", "ids"] {
        let place = original.copy("one-version");
        with_format(&place, |body| {
            body.replace(&format!("\n{container} = 1\n"), &format!("\n{container} = 2\n"))
        });
        let before = place.read_file("HEAD");
        assert_eq!(refusal(&place), (container.to_owned(), "2".to_owned()));
        assert_eq!(place.read_file("HEAD"), before, "a refused directory is left alone");
    }
}

/// A later program may keep something in containers of which this one has never heard.
#[test]
fn an_unknown_container_is_named() {
    let place = Place::stopped("container");
    with_format(&place, |body| format!("{body}dead = 3\n"));
    assert_eq!(refusal(&place), ("dead".to_owned(), "3".to_owned()));
}

/// A single file of another version is not what `FORMAT` says, so it is a finding.
#[test]
fn a_file_of_another_version_is_a_finding() {
    let original = Place::stopped("file-version");
    let (log, _) = original.last_log();
    let segment = original.files("segments", "seg")[1].clone();
    for (file, check) in [(log, Check::Frame), (segment, Check::Section)] {
        let place = original.copy("one-file");
        place.change(&file, |bytes| bytes[8] = 2);
        let observed = Observed::of(&place);
        assert!(observed.names(&file), "{observed:?}");
        let finding = observed.finding(check);
        assert!(finding.found.contains("version"), "{finding:?}");
    }
}

#[test]
fn what_is_no_data_directory_is_said() {
    let place = Place::stopped("no-format");
    std::fs::remove_file(place.path("FORMAT")).unwrap();
    for mode in [Mode::Read, Mode::Write] {
        let error = place.open(mode).err().unwrap();
        assert_eq!(error.code(), ErrorCode::NotADataDirectory, "{error}");
    }
    place.write_file("FORMAT", b"");
    let error = place.open(Mode::Read).err().unwrap();
    assert_eq!(error.code(), ErrorCode::StoreDamaged, "{error}");
    assert!(error.to_string().contains("FORMAT"), "{error}");
}

/// Keys: only a writer needs the store key, and it must be the one that `FORMAT` names.
#[test]
fn only_a_writer_needs_the_store_key() {
    let place = Place::stopped("keys");
    let other = Place::new("other-keys", 8);
    drop(other.create());
    let broken: [(Option<Vec<u8>>, ErrorCode); 3] = [
        (None, ErrorCode::InvalidKey),
        (Some(b"no key".to_vec()), ErrorCode::InvalidKey),
        (Some(other.read_file("keys/store.key")), ErrorCode::StoreDamaged),
    ];
    for (key, expected) in broken {
        match &key {
            None => std::fs::remove_file(place.path("keys/store.key")).unwrap(),
            Some(bytes) => place.write_file("keys/store.key", bytes),
        }
        assert!(Observed::of(&place).is_clean(), "{key:?}");
        let error = place.open(Mode::Write).err().unwrap();
        assert!(error.to_string().contains("keys/store.key"), "{error}");
        let exposed = matches!(&error, OpenError::Key(KeyFileError::Exposed { .. }));
        assert!(!exposed && error.code() == expected, "{error}");
    }
    drop(place);
    let place = Place::stopped("exposed-key");
    set_permissions(place.path("keys/store.key"), Permissions::from_mode(0o644)).unwrap();
    assert!(Observed::of(&place).is_clean());
    let error = place.open(Mode::Write).err().unwrap();
    assert_eq!(error.code(), ErrorCode::InvalidKey);
    let told = error.to_string();
    assert!(told.contains("keys/store.key") && told.contains("chmod 600"), "{told}");
}
