//! Data directories to damage: small segments, small logs, several ledgers, and a memory of what
//! was acknowledged in them.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledgerstone_proof::{SigningKey, TenantId};
use ledgerstone_store::conformance::ChainBuilder;
use ledgerstone_store::conformance::builder::{source, tenant};
use ledgerstone_store::conformance::oracle::assert_holds;
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{EmbeddedStore, Mode, OpenError, Options};
use ledgerstone_store::{Batch, LedgerStore};
use ledgerstone_testkit::{MockClock, SeededEntropy, TestDirectory};

pub const NOW: i64 = 1_760_000_000_000_000;
/// Records of a segment at most.
pub const SEGMENT: u64 = 12;

/// Small files; `HEAD` is written only when it must be, so that frames lie behind it.
pub fn options() -> Options {
    Options {
        segment_records: SEGMENT,
        log_bytes_first: 8 << 10,
        log_bytes_max: 8 << 10,
        head_interval: Duration::from_hours(1),
        ..Options::default()
    }
}

/// A data directory and what was acknowledged in it.
pub struct Place {
    directory: TestDirectory,
    pub chain: ChainBuilder,
    seed: u64,
}

impl Place {
    pub fn new(name: &str, seed: u64) -> Self {
        let chain = ChainBuilder::new().signing_with(SigningKey::from_seed([seed as u8; 32]));
        Self { directory: TestDirectory::new(name), chain, seed }
    }

    /// Eleven sealed segments, merged ids, and a log with five frames of which `HEAD` knows none;
    /// the process died.
    pub fn crashed(name: &str) -> Self {
        let mut place = Self::new(name, 7);
        let store = place.create();
        place.fill(&store, 11);
        place.write(&store, 5);
        drop(store);
        place
    }

    /// The same, stopped in order.
    pub fn stopped(name: &str) -> Self {
        let place = Self::crashed(name);
        let store = place.open(Mode::Write).unwrap();
        store.close().unwrap();
        drop(store);
        place
    }

    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.data().join(relative)
    }

    pub fn copy(&self, name: &str) -> Self {
        let directory = self.directory.copy(name);
        Self { directory, chain: self.chain.clone(), seed: self.seed }
    }

    /// The directory as it was copied at some moment, with what was acknowledged then. Its key
    /// becomes private again, which a copy may not have kept.
    pub fn of_copy(directory: TestDirectory, chain: ChainBuilder) -> Self {
        let place = Self { directory, chain, seed: 7 };
        drop(set_permissions(place.path("keys/store.key"), Permissions::from_mode(0o600)));
        place
    }

    pub fn create(&self) -> EmbeddedStore {
        self.create_with(options(), Files::new())
    }

    pub fn create_with(&self, options: Options, files: Files) -> EmbeddedStore {
        let (clock, entropy) = self.surroundings();
        EmbeddedStore::create(&self.data(), options, files, clock, entropy).unwrap()
    }

    pub fn open(&self, mode: Mode) -> Result<EmbeddedStore, OpenError> {
        self.open_with(mode, options(), Files::new())
    }

    pub fn open_with(
        &self,
        mode: Mode,
        options: Options,
        files: Files,
    ) -> Result<EmbeddedStore, OpenError> {
        let (clock, entropy) = self.surroundings();
        EmbeddedStore::open(&self.data(), mode, options, files, clock, entropy)
    }

    fn surroundings(&self) -> (Arc<MockClock>, Arc<SeededEntropy>) {
        let clock = Arc::new(MockClock::stepping(NOW, Duration::from_micros(10)));
        (clock, Arc::new(SeededEntropy::new(self.seed)))
    }

    /// Writes until that many segments are sealed and their ids are merged as far as they can be.
    pub fn fill(&mut self, store: &EmbeddedStore, segments: u64) {
        while store.status().sealed_segments + store.status().unsealed_logs <= segments {
            self.write(store, 1);
        }
        store.wait_until_sealed();
        let manifest = self.path("ids/MANIFEST");
        wait_for("the ids to be merged", || segments < 8 || manifest.exists());
    }

    /// Appends that many batches to several ledgers.
    pub fn write(&mut self, store: &dyn LedgerStore, batches: usize) {
        for _ in 0..batches {
            let batch = next_batch(&mut self.chain);
            store.append(&batch).unwrap();
        }
    }

    /// Opens for writing, compares everything with what was acknowledged, writes on, and compares
    /// again after a crash and after a stop in order.
    pub fn assert_sound_and_goes_on(&mut self) {
        let store = self.open(Mode::Write).unwrap();
        assert_eq!(store.report().read_only, None);
        assert_holds(&store, &self.chain);
        self.write(&store, 4);
        assert_holds(&store, &self.chain);
        drop(store);
        let store = self.open(Mode::Write).unwrap();
        assert_holds(&store, &self.chain);
        self.write(&store, 3);
        store.close().unwrap();
        drop(store);
        let store = self.open(Mode::Read).unwrap();
        assert!(!store.report().unclean);
        assert_holds(&store, &self.chain);
    }

    pub fn read_file(&self, relative: impl AsRef<Path>) -> Vec<u8> {
        std::fs::read(self.path(relative)).unwrap()
    }

    /// Writes a file of the directory, read-only ones included, for its owner alone.
    pub fn write_file(&self, relative: impl AsRef<Path>, bytes: &[u8]) {
        let path = self.path(relative);
        drop(std::fs::remove_file(&path));
        std::fs::write(&path, bytes).unwrap();
        set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    /// Changes the bytes of one file.
    pub fn change(&self, relative: impl AsRef<Path>, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.read_file(&relative);
        change(&mut bytes);
        self.write_file(relative, &bytes);
    }

    /// Files of one kind, relative to the directory, in order of their names.
    pub fn files(&self, folder: &str, extension: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut files: Vec<PathBuf> = entries
            .map(|entry| Path::new(folder).join(entry.unwrap().file_name()))
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect();
        files.sort();
        files
    }

    /// The log file with the last frames, and where each of its frames begins and the last ends.
    pub fn last_log(&self) -> (PathBuf, Vec<usize>) {
        let logs = self.files("log", "log");
        let with_frames = logs.iter().rev().map(|log| (log, frame_borders(&self.read_file(log))));
        let (log, borders) = with_frames.into_iter().find(|(_, found)| found.len() > 1).unwrap();
        (log.clone(), borders)
    }
}

/// The next batch of a fixed sequence over three ledgers, with positions, checkpoints and rounds.
pub fn next_batch(chain: &mut ChainBuilder) -> Batch {
    let round = chain.record_count();
    let (acme, other) = (tenant("acme"), tenant("other"));
    let batch = chain.batch().events(&acme, 1 + (round % 3) as usize);
    let batch = if round.is_multiple_of(2) { batch.audit(&other) } else { batch };
    let batch = if round.is_multiple_of(5) {
        let anchor = batch.chain().head(&TenantId::system()).size();
        batch.system(&TenantId::system()).anchored(anchor)
    } else {
        batch
    };
    batch.position(&source("topic/0"), round + 1).build()
}

/// Where frames begin, by their headers, and where the last one ends. Says nothing of whether they
/// are good.
pub fn frame_borders(log: &[u8]) -> Vec<usize> {
    let mut borders = vec![512];
    let mut at = 512;
    while log.get(at..at + 4) == Some(b"LFRM") {
        let len = u64::from_le_bytes(log[at + 12..at + 20].try_into().unwrap());
        at += (24 + len as usize + 5).next_multiple_of(512);
        borders.push(at);
    }
    borders
}

/// Waits up to ten seconds for something that other threads do.
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(10), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
