//! The log and record keys of a deployment in key files, one for each stage of a key's life.
//!
//! | file | key |
//! |---|---|
//! | `<use>.key` | current |
//! | `<use>.next.key` | incoming: kept, but not yet announced |
//! | `<use>.retiring.key` | outgoing, while its successor is being announced |
//! | `<use>.previous.key` | outgoing, while both sign |
//!
//! A save writes what is new before it removes what is old, so a crash leaves one key in two files at
//! worst; [`load`](KeyHome::load) then takes the state before the save, or the one after it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledgerstone_model::Entropy;
use ledgerstone_model::system::{KeyAlgorithm, KeyUse};
use ledgerstone_store::RecordKey;
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::key_file::{self, FileKey, KeyFileError};

use crate::keys::{KeyHome, KeyHomeError, KeyRing, KeySlots, OutgoingKey, Retirement};
use crate::sealing_keys::KeyRing as SealingKeyRing;

/// A directory of key files.
#[derive(Clone, Debug)]
pub struct KeyFiles {
    directory: PathBuf,
    files: Files,
    sealing: Option<Arc<SealingKeyRing>>,
}

/// A place that a key file can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Current,
    Incoming,
    Retiring,
    Previous,
}

impl KeyFiles {
    /// The key files in a directory, which may not exist yet.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self::through(Files::new(), directory)
    }

    /// The same, with every change going through this file layer.
    pub fn through(files: Files, directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), files, sealing: None }
    }

    /// The same with keys to seal under.
    #[must_use]
    pub fn with_sealing(self, keys: Arc<SealingKeyRing>) -> Self {
        Self { sealing: Some(keys), ..self }
    }

    /// Makes the directory and fresh keys in it, the record key of that algorithm. Keys that are
    /// there already stay, but for a record key of another algorithm.
    pub fn create(
        &self,
        algorithm: KeyAlgorithm,
        entropy: &dyn Entropy,
    ) -> Result<KeyRing, KeyHomeError> {
        let there = if self.exists() { Some(self.load()?) } else { None };
        if let Some(ring) = &there
            && ring.record.current.public().algorithm() == algorithm
        {
            return Ok(ring.clone());
        }
        make_directory(&self.directory).map_err(|source| io_error(&self.directory, source))?;
        let record = RecordKey::draw(algorithm, entropy).map_err(io::Error::other);
        let record = record.map_err(|source| io_error(&self.directory, source))?;
        let log = there.map_or_else(|| KeySlots::of(key_file::draw(entropy)), |ring| ring.log);
        let ring = KeyRing { log, record: KeySlots::of(record) };
        self.save(&ring)?;
        Ok(ring)
    }

    /// Whether both current keys are there.
    pub fn exists(&self) -> bool {
        let path = |usage| self.path(usage, Slot::Current);
        path(KeyUse::Log).exists() && path(KeyUse::Record).exists()
    }

    /// Key files that others than their owner may read or write, which is worth a warning.
    pub fn exposed(&self) -> Vec<PathBuf> {
        let slots = [Slot::Current, Slot::Incoming, Slot::Retiring, Slot::Previous];
        let paths = [KeyUse::Log, KeyUse::Record]
            .into_iter()
            .flat_map(|usage| slots.map(|slot| self.path(usage, slot)));
        paths.filter(|path| key_file::is_exposed(path)).collect()
    }

    fn path(&self, usage: KeyUse, slot: Slot) -> PathBuf {
        let suffix = match slot {
            Slot::Current => "key",
            Slot::Incoming => "next.key",
            Slot::Retiring => "retiring.key",
            Slot::Previous => "previous.key",
        };
        self.directory.join(format!("{}.{suffix}", usage.as_str()))
    }

    fn read<K: FileKey>(&self, usage: KeyUse, slot: Slot) -> Result<Option<K>, KeyHomeError> {
        let path = self.path(usage, slot);
        key_file::read(&path, usage.into()).map_err(|source| file_error(&path, source))
    }

    fn load_slots<K: FileKey>(&self, usage: KeyUse) -> Result<KeySlots<K>, KeyHomeError> {
        let path = self.path(usage, Slot::Current);
        let missing = || io_error(&path, io::ErrorKind::NotFound.into());
        let current: K = self.read(usage, Slot::Current)?.ok_or_else(missing)?;
        let other = |key: &K| key.public() != current.public();
        // A file that holds the current key is left over from a save that was cut short.
        let incoming = self.read(usage, Slot::Incoming)?.filter(other);
        let retiring = self.read(usage, Slot::Retiring)?.filter(other);
        let previous = self.read(usage, Slot::Previous)?.filter(other);
        let of = |retirement| move |key| OutgoingKey { key, retirement };
        let outgoing =
            previous.map(of(Retirement::Overlapping)).or(retiring.map(of(Retirement::Announcing)));
        Ok(KeySlots { current, incoming, outgoing })
    }

    fn save_slots<K: FileKey>(&self, usage: KeyUse, slots: &KeySlots<K>) -> io::Result<()> {
        let outgoing = |wanted| {
            let old = slots.outgoing.as_ref().filter(|old| old.retirement == wanted);
            old.map(|old| &old.key)
        };
        let files = [
            (Slot::Previous, outgoing(Retirement::Overlapping)),
            (Slot::Retiring, outgoing(Retirement::Announcing)),
            (Slot::Current, Some(&slots.current)),
            (Slot::Incoming, slots.incoming.as_ref()),
        ];
        for (slot, key) in files {
            if let Some(key) = key {
                self.write(usage, slot, key)?;
            }
        }
        for (slot, key) in files {
            if key.is_none() {
                key_file::destroy(&self.files, &self.path(usage, slot))?;
            }
        }
        self.files.sync_directory(&self.directory)
    }

    fn write<K: FileKey>(&self, usage: KeyUse, slot: Slot, key: &K) -> io::Result<()> {
        let path = self.path(usage, slot);
        let is_there = |found: K| found.public() == key.public();
        if key_file::read(&path, usage.into()).is_ok_and(|found| found.is_some_and(is_there)) {
            return Ok(());
        }
        key_file::write(&self.files, &path, usage.into(), key)
    }
}

impl KeyHome for KeyFiles {
    fn sealing_keys(&self) -> Option<Arc<SealingKeyRing>> {
        self.sealing.clone()
    }

    fn load(&self) -> Result<KeyRing, KeyHomeError> {
        Ok(KeyRing { log: self.load_slots(KeyUse::Log)?, record: self.load_slots(KeyUse::Record)? })
    }

    fn save(&self, keys: &KeyRing) -> Result<(), KeyHomeError> {
        self.save_slots(KeyUse::Log, &keys.log)
            .and_then(|()| self.save_slots(KeyUse::Record, &keys.record))
            .map_err(|source| io_error(&self.directory, source))
    }
}

fn io_error(path: &Path, source: io::Error) -> KeyHomeError {
    file_error(path, source.into())
}

fn file_error(path: &Path, source: KeyFileError) -> KeyHomeError {
    KeyHomeError { place: path.display().to_string(), source }
}

fn make_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
