//! Key files: readable by their owner, destroyed when they have served, whole after any crash.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};

use ledgerstone_ledger::{KeyFiles, KeyHome, KeyRing, KeySlots, OutgoingKey, Retirement};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::system::{KeyAlgorithm, KeyUse};
use ledgerstone_proof::SigningKey;
use ledgerstone_store::RecordKey;
use ledgerstone_testkit::{SeededEntropy, TestDirectory};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn files(directory: &TestDirectory) -> KeyFiles {
    KeyFiles::in_directory(directory.path())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The seeds and stages of the log keys, to compare.
fn stages(slots: &KeySlots<SigningKey>) -> (u8, Option<u8>, Option<(u8, Retirement)>) {
    let seed = |key: &SigningKey| key.seed()[0];
    (
        seed(&slots.current),
        slots.incoming.as_ref().map(seed),
        slots.outgoing.as_ref().map(|old| (seed(&old.key), old.retirement)),
    )
}

#[test]
fn fresh_keys_are_two_private_files_of_one_line() {
    let directory = TestDirectory::new("fresh-keys");
    let home = KeyFiles::in_directory(directory.join("keys"));
    assert!(!home.exists());
    let made = home.create(KeyAlgorithm::Ed25519, &SeededEntropy::new(1)).unwrap();
    assert!(home.exists());
    assert_eq!(names(&directory.join("keys")), ["log.key", "record.key"]);
    let text = fs::read_to_string(directory.join("keys/log.key")).unwrap();
    assert!(text.starts_with("ledgerstone-key-v1 log ed25519 ") && text.ends_with("=\n"), "{text}");
    let loaded = home.load().unwrap();
    assert_eq!(loaded.log.current.seed(), made.log.current.seed());
    assert_eq!(loaded.public(KeyUse::Record), made.public(KeyUse::Record));
    assert_ne!(loaded.public(KeyUse::Log), loaded.public(KeyUse::Record));
    let again = home.create(KeyAlgorithm::Ed25519, &SeededEntropy::new(2)).unwrap();
    assert_eq!(again.log.current.seed(), made.log.current.seed(), "keys that are there stay");
}

#[test]
fn keys_that_others_may_read_are_told_and_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = TestDirectory::new("exposed-keys");
    let home = files(&directory);
    home.create(KeyAlgorithm::Ed25519, &SeededEntropy::new(1)).unwrap();
    let file = directory.join("log.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(home.exposed(), Vec::<PathBuf>::new());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(home.exposed(), [file]);
    let error = home.load().unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidKey);
    let told = error.to_string();
    assert!(told.contains("log.key") && told.contains("0640") && told.contains("chmod 600"));
}

/// The states that a log key goes through.
fn life() -> Vec<KeySlots<SigningKey>> {
    let with = |incoming: Option<u8>, current: u8, outgoing: Option<(u8, Retirement)>| KeySlots {
        current: key(current),
        incoming: incoming.map(key),
        outgoing: outgoing.map(|(old, retirement)| OutgoingKey { key: key(old), retirement }),
    };
    vec![
        with(None, 1, None),
        with(Some(2), 1, None),
        with(None, 2, Some((1, Retirement::Announcing))),
        with(None, 2, Some((1, Retirement::Overlapping))),
        with(None, 2, None),
    ]
}

fn ring(log: KeySlots<SigningKey>) -> KeyRing {
    KeyRing { log, record: KeySlots::of(RecordKey::Ed25519(key(9))) }
}

#[test]
fn every_state_of_a_key_comes_back_and_old_keys_go() {
    let directory = TestDirectory::new("key-life");
    let home = files(&directory);
    let mut seen = Vec::new();
    for state in life() {
        home.save(&ring(state.clone())).unwrap();
        assert_eq!(stages(&home.load().unwrap().log), stages(&state));
        seen.push(names(directory.path()));
    }
    assert_eq!(seen[1], ["log.key", "log.next.key", "record.key"]);
    assert_eq!(seen[2], ["log.key", "log.retiring.key", "record.key"]);
    assert_eq!(seen[3], ["log.key", "log.previous.key", "record.key"]);
    assert_eq!(seen[4], ["log.key", "record.key"]);
}

fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// All files of a directory with their contents.
fn contents(directory: &Path) -> Vec<(String, String)> {
    let read = |name: String| (name.clone(), fs::read_to_string(directory.join(name)).unwrap());
    names(directory).into_iter().map(read).collect()
}

#[test]
fn a_save_cut_short_leaves_the_state_before_or_after() {
    for (before, after) in life().into_iter().zip(life().into_iter().skip(1)) {
        let directory = TestDirectory::new("cut-save");
        let home = files(&directory);
        home.save(&ring(before.clone())).unwrap();
        let old = contents(directory.path());
        home.save(&ring(after.clone())).unwrap();
        let new = contents(directory.path());
        // Files are written in the order of a save, and removed after all writing.
        let order = ["log.previous.key", "log.retiring.key", "log.key", "log.next.key"];
        let find = |all: &[(String, String)], name: &str| {
            all.iter().find(|(found, _)| found == name).map(|(_, text)| text.clone())
        };
        let writes: Vec<(&str, String)> = order
            .into_iter()
            .filter_map(|name| Some((name, find(&new, name)?)))
            .filter(|(name, text)| find(&old, name).as_ref() != Some(text))
            .collect();
        for done in 0..=writes.len() {
            for name in names(directory.path()) {
                fs::remove_file(directory.join(&name)).unwrap();
            }
            for (name, text) in &old {
                write_private(&directory.join(name), text);
            }
            for (name, text) in &writes[..done] {
                write_private(&directory.join(name), text);
            }
            let loaded = stages(&home.load().unwrap().log);
            let (current, incoming, outgoing) = loaded;
            let states = [stages(&before), stages(&after)];
            // An incoming key that nobody announced, or an old key that lives on for a moment, is
            // what the opening and the next save put right.
            let is_either = states.iter().any(|state| {
                state.0 == current
                    && (state.1 == incoming || incoming.is_none())
                    && (state.2 == outgoing || outgoing.is_none() || state.2.is_none())
            });
            assert!(is_either, "{loaded:?} between {states:?} after {done} writes");
            let keeps_old =
                current == stages(&before).0 || outgoing.is_some() || stages(&after).2.is_none();
            assert!(keeps_old, "the old key is lost: {loaded:?}");
            home.save(&ring(after.clone())).unwrap();
            assert_eq!(stages(&home.load().unwrap().log), stages(&after));
        }
    }
}

#[test]
fn what_is_no_key_file_is_refused_by_name() {
    let directory = TestDirectory::new("bad-keys");
    let home = files(&directory);
    home.create(KeyAlgorithm::Ed25519, &SeededEntropy::new(1)).unwrap();
    let file = directory.join("log.key");
    let good = fs::read_to_string(&file).unwrap();
    let record = fs::read_to_string(directory.join("record.key")).unwrap();
    let cases = [
        ("", "newline"),
        (good.trim_end(), "newline"),
        ("one two three\n", "four words"),
        (&good.replace("v1", "v2"), "version 1"),
        (record.as_str(), "another use"),
        (&good.replace("ed25519", "rsa"), "not known for this use"),
        ("ledgerstone-key-v1 log ed25519 AAAA\n", "32 bytes"),
        ("ledgerstone-key-v1 log ed25519 ???\n", "32 bytes"),
        (&format!("{good}{good}"), "four words"),
    ];
    for (text, reason) in cases {
        fs::write(&file, text).unwrap();
        let error = home.load().unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidKey, "{text:?}");
        let message = error.to_string();
        assert!(message.contains(reason) && message.contains("log.key"), "{text:?}: {message}");
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(home.load().unwrap_err().code(), ErrorCode::StorageFailed);
}

#[test]
fn an_rsa_record_key_is_one_private_line_of_pkcs8() {
    let directory = TestDirectory::new("rsa-key");
    let home = files(&directory);
    let made = home.create(KeyAlgorithm::Rsa, &SeededEntropy::new(1)).unwrap();
    assert_eq!(made.public(KeyUse::Log).algorithm(), KeyAlgorithm::Ed25519);
    assert_eq!(made.public(KeyUse::Record).algorithm(), KeyAlgorithm::Rsa);
    let file = directory.join("record.key");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("ledgerstone-key-v1 record rsa MII") && text.lines().count() == 1);
    assert_eq!(home.load().unwrap().public(KeyUse::Record), made.public(KeyUse::Record));
    let again = home.create(KeyAlgorithm::Rsa, &SeededEntropy::new(2)).unwrap();
    assert_eq!(again.public(KeyUse::Record), made.public(KeyUse::Record), "it stays");
    for (text, reason) in [
        (text.replace("record rsa", "record ed25519"), "32 bytes"),
        (text.replace("record rsa", "log rsa"), "another use"),
        (text.replace("record rsa", "record dsa"), "not known for this use"),
        (text.replace("rsa MII", "rsa MIIA"), "not PKCS#8"),
        (text.replace("rsa MII", "rsa MI*"), "not PKCS#8"),
    ] {
        fs::write(&file, &text).unwrap();
        let error = home.load().unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidKey);
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_creation_begun_with_another_algorithm_takes_the_one_asked_for() {
    let directory = TestDirectory::new("other-algorithm");
    let home = files(&directory);
    let first = home.create(KeyAlgorithm::Ed25519, &SeededEntropy::new(1)).unwrap();
    let second = home.create(KeyAlgorithm::Rsa, &SeededEntropy::new(2)).unwrap();
    assert_eq!(second.public(KeyUse::Log), first.public(KeyUse::Log));
    assert_eq!(second.public(KeyUse::Record).algorithm(), KeyAlgorithm::Rsa);
    assert_eq!(home.load().unwrap().public(KeyUse::Record), second.public(KeyUse::Record));
    assert_eq!(names(directory.path()), ["log.key", "record.key"]);
}
