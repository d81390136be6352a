//! A small deployment in a data directory: two tenants, several segments, checkpoints and anchors.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_ledger::check::{Level, Report, VerifyOptions, verify};
use ledgerstone_ledger::{KeyFiles, Ledger, Settings};
use ledgerstone_model::system::{KeyAlgorithm, LogName};
use ledgerstone_model::{Entropy, ParseContext, SealedEvent, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, Salt, TenantId};
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{EmbeddedStore, Mode, OpenError, Options};
use ledgerstone_testkit::sealed_in_clear;
use ledgerstone_testkit::{MockClock, SeededEntropy, TestDirectory, TestEvent};

/// Segments and logs of some kilobytes.
pub fn options() -> Options {
    Options {
        segment_records: 24,
        log_bytes_first: 24 << 10,
        log_bytes_max: 24 << 10,
        head_interval: Duration::from_hours(1),
        ..Options::default()
    }
}

/// A data directory that nobody has open.
pub struct Deployment {
    directory: TestDirectory,
}

impl Deployment {
    /// Seven rounds of events for two tenants; a checkpoint and an anchor half-way and at the end.
    pub fn build(name: &str) -> Self {
        let deployment = Self { directory: TestDirectory::new(name) };
        deployment.write(options(), 7, KeyAlgorithm::Ed25519);
        deployment
    }

    /// The same with records that an RSA key signs, in logs with room for its signatures.
    pub fn build_with_rsa(name: &str) -> Self {
        let deployment = Self { directory: TestDirectory::new(name) };
        let (log_bytes_first, log_bytes_max) = (36 << 10, 36 << 10);
        let options = Options { log_bytes_first, log_bytes_max, ..options() };
        deployment.write(options, 7, KeyAlgorithm::Rsa);
        deployment
    }

    /// The same, as small as it may be and still have segments.
    pub fn build_small(name: &str) -> Self {
        let deployment = Self { directory: TestDirectory::new(name) };
        let (log_bytes_first, log_bytes_max) = (6 << 10, 6 << 10);
        let options = Options { log_bytes_first, log_bytes_max, ..options() };
        deployment.write(options, 2, KeyAlgorithm::Ed25519);
        deployment
    }

    /// A deployment whose data directory is a copy of another. Its keys become private again: a
    /// checkout does not keep that.
    pub fn of_copy(data: &Path) -> Self {
        let deployment = Self { directory: TestDirectory::new("copy") };
        copy_tree(data, &deployment.data());
        for key in std::fs::read_dir(deployment.data().join("keys")).unwrap() {
            std::fs::set_permissions(key.unwrap().path(), Permissions::from_mode(0o600)).unwrap();
        }
        deployment
    }

    /// Copies a file or folder of the data directory to another one, without what is derived.
    pub fn save(&self, name: &str, to: &Path) {
        let from = self.data().join(name);
        if from.is_dir() {
            copy_tree(&from, &to.join(name));
        } else {
            std::fs::create_dir_all(to).unwrap();
            std::fs::copy(from, to.join(name)).unwrap();
        }
        for entry in std::fs::read_dir(to.join("segments")).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "idx") {
                std::fs::remove_file(path).unwrap();
            }
        }
    }

    fn write(&self, options: Options, rounds: usize, record_key: KeyAlgorithm) {
        let entropy = Arc::new(SeededEntropy::new(1));
        let clock =
            Arc::new(MockClock::stepping(MockClock::START_MICROS, Duration::from_micros(7)));
        let (data, files) = (self.data(), Files::new());
        let store = EmbeddedStore::create(&data, options, files, clock.clone(), entropy.clone());
        let store = Arc::new(store.unwrap());
        let keys = Arc::new(KeyFiles::in_directory(data.join("keys")));
        keys.create(record_key, &*entropy).unwrap();
        let settings = Settings::new(LogName::parse("test.example").unwrap());
        let ledger = Ledger::create(store.clone(), keys, settings, clock, entropy.clone()).unwrap();
        ledger.create_tenants(&[tenant("acme"), tenant("beta")]).unwrap();
        for round in 0..rounds {
            for name in ["acme", "beta"] {
                ledger.append(events(&entropy, name, &format!("many{round}-"), 6)).unwrap();
                ledger.append(events(&entropy, name, &format!("one{round}-"), 1)).unwrap();
                store.wait_until_sealed();
            }
            if round == rounds / 2 {
                ledger.checkpoint(&tenant("acme")).unwrap();
                ledger.anchor().unwrap();
            }
        }
        ledger.checkpoint(&tenant("acme")).unwrap();
        ledger.close().unwrap();
        store.close().unwrap();
    }

    /// Opens for writing, as the next process would, and appends one event more.
    pub fn append_one_more(&self) {
        let entropy = Arc::new(SeededEntropy::new(2));
        let later = MockClock::START_MICROS + 60_000_000;
        let clock = Arc::new(MockClock::stepping(later, Duration::from_micros(7)));
        let (data, files) = (self.data(), Files::new());
        let store = EmbeddedStore::open(
            &data,
            Mode::Write,
            options(),
            files,
            clock.clone(),
            entropy.clone(),
        );
        let store = Arc::new(store.unwrap());
        let keys = Arc::new(KeyFiles::in_directory(data.join("keys")));
        let settings = Settings::new(LogName::parse("test.example").unwrap());
        let ledger = Ledger::open(store.clone(), keys, settings, clock, entropy.clone()).unwrap();
        ledger.append(events(&entropy, "acme", "more", 1)).unwrap();
        ledger.close().unwrap();
        store.close().unwrap();
    }

    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub fn copy(&self) -> Self {
        Self { directory: self.directory.copy("attack") }
    }

    /// What `verify` says of the directory as it is now.
    pub fn verified(&self, level: Level) -> Result<Report, OpenError> {
        verified(&self.data(), level)
    }
}

/// Opens a directory for reading and verifies it.
pub fn verified(data: &Path, level: Level) -> Result<Report, OpenError> {
    let clock = Arc::new(MockClock::at(MockClock::START_MICROS));
    let entropy = Arc::new(SeededEntropy::new(5));
    let store = EmbeddedStore::open(data, Mode::Read, options(), Files::new(), clock, entropy)?;
    Ok(verify(&store, &VerifyOptions::new(level, 2), &|_| {}).unwrap())
}

pub fn tenant(name: &str) -> TenantId {
    TenantId::parse_stored(name).unwrap()
}

fn events(entropy: &SeededEntropy, name: &str, prefix: &str, count: usize) -> Vec<SealedEvent> {
    let event = |n| TestEvent::new("user.login").id(&format!("{prefix}{n}")).json();
    (0..count).map(|n| sealed(entropy, name, &event(n))).collect()
}

fn sealed(entropy: &SeededEntropy, name: &str, json: &str) -> SealedEvent {
    let (tenant, mut new_id, mut salt) = (tenant(name), [0; 16], [0; 16]);
    entropy.fill(&mut new_id);
    entropy.fill(&mut salt);
    let at = IngestedAt::from_micros(MockClock::START_MICROS).unwrap();
    let context = ParseContext::new(&tenant, at, new_id);
    let event = ValidEvent::parse(json.as_bytes(), &context, &mut Canonicalizer::new()).unwrap();
    sealed_in_clear(event, &Salt::from_bytes(salt))
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
