//! Private keys as files: one line of text each, readable by their owner alone.
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

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_model::Entropy;
use ledgerstone_model::system::KeyUse;
use ledgerstone_proof::SigningKey;
use zeroize::Zeroizing;

use crate::keys::{KeyHome, KeyHomeError, KeyRing, KeySlots, OutgoingKey, Retirement};

/// No key file is longer.
const LONGEST_FILE: u64 = 256;

/// The first word of a key file.
const FORMAT: &str = "ledgerstone-key-v1";

/// A directory of key files.
#[derive(Clone, Debug)]
pub struct KeyFiles {
    directory: PathBuf,
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
        Self { directory: directory.into() }
    }

    /// Makes the directory and fresh keys in it. Keys that are there already stay.
    pub fn create(&self, entropy: &dyn Entropy) -> Result<KeyRing, KeyHomeError> {
        if self.exists() {
            return self.load();
        }
        make_directory(&self.directory).map_err(|source| io_error(&self.directory, source))?;
        let ring = KeyRing::generate(entropy);
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
        paths.filter(|path| is_exposed(path)).collect()
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

    fn read(&self, usage: KeyUse, slot: Slot) -> Result<Option<SigningKey>, KeyHomeError> {
        let path = self.path(usage, slot);
        let mut text = Zeroizing::new(String::with_capacity(128));
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error(&path, source)),
        };
        file.take(LONGEST_FILE)
            .read_to_string(&mut text)
            .map_err(|source| io_error(&path, source))?;
        let invalid = |reason| KeyHomeError::Invalid { place: path.display().to_string(), reason };
        parse(&text, usage).map(Some).map_err(invalid)
    }

    fn load_slots(&self, usage: KeyUse) -> Result<KeySlots, KeyHomeError> {
        let path = self.path(usage, Slot::Current);
        let missing = || io_error(&path, io::ErrorKind::NotFound.into());
        let current = self.read(usage, Slot::Current)?.ok_or_else(missing)?;
        let other = |key: &SigningKey| key.seed() != current.seed();
        // A file that holds the current key is left over from a save that was cut short.
        let incoming = self.read(usage, Slot::Incoming)?.filter(other);
        let retiring = self.read(usage, Slot::Retiring)?.filter(other);
        let previous = self.read(usage, Slot::Previous)?.filter(other);
        let of = |retirement| move |key| OutgoingKey { key, retirement };
        let outgoing =
            previous.map(of(Retirement::Overlapping)).or(retiring.map(of(Retirement::Announcing)));
        Ok(KeySlots { current, incoming, outgoing })
    }

    fn save_slots(&self, usage: KeyUse, slots: &KeySlots) -> io::Result<()> {
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
                destroy(&self.path(usage, slot))?;
            }
        }
        sync_directory(&self.directory)
    }

    fn write(&self, usage: KeyUse, slot: Slot, key: &SigningKey) -> io::Result<()> {
        let path = self.path(usage, slot);
        let mut seed = Zeroizing::new(String::with_capacity(48));
        STANDARD.encode_string(key.seed(), &mut seed);
        let line =
            Zeroizing::new(format!("{FORMAT} {} ed25519 {}\n", usage.as_str(), seed.as_str()));
        if fs::read_to_string(&path).is_ok_and(|there| Zeroizing::new(there) == line) {
            return Ok(());
        }
        let beside = path.with_extension("tmp");
        let mut file = create_private(&beside)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        sync_directory(&self.directory)
    }
}

impl KeyHome for KeyFiles {
    fn load(&self) -> Result<KeyRing, KeyHomeError> {
        Ok(KeyRing { log: self.load_slots(KeyUse::Log)?, record: self.load_slots(KeyUse::Record)? })
    }

    fn save(&self, keys: &KeyRing) -> Result<(), KeyHomeError> {
        for usage in [KeyUse::Log, KeyUse::Record] {
            self.save_slots(usage, keys.slots(usage))
                .map_err(|source| io_error(&self.directory, source))?;
        }
        Ok(())
    }
}

/// Reads `ledgerstone-key-v1 <use> ed25519 <seed in base64>` and a newline.
fn parse(text: &str, usage: KeyUse) -> Result<SigningKey, &'static str> {
    let line = text.strip_suffix('\n').ok_or("is no key file: it does not end with a newline")?;
    let [format, used_for, algorithm, seed] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err("is no key file: it does not have four words");
    };
    if format != FORMAT {
        return Err("is not a key file of version 1; use the version of Ledgerstone that wrote it");
    }
    if used_for != usage.as_str() {
        return Err("holds a key for another use; put the right file back");
    }
    if algorithm != "ed25519" {
        return Err("holds a key of an algorithm that this version does not know");
    }
    let mut bytes = Zeroizing::new([0; 33]);
    match STANDARD.decode_slice(seed, &mut bytes[..]) {
        Ok(32) => {}
        _ => return Err("holds a key that is not 32 bytes in base64"),
    }
    let seed = bytes.first_chunk::<32>().ok_or("holds a key that is too short")?;
    Ok(SigningKey::from_seed(*seed))
}

/// Overwrites a file and removes it. A file system that writes elsewhere than in place may keep the
/// old blocks for a while; `docs/trust.md` says so.
fn destroy(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = usize::try_from(file.metadata()?.len().min(LONGEST_FILE)).unwrap_or(0);
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    fs::remove_file(path)
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn io_error(path: &Path, source: io::Error) -> KeyHomeError {
    KeyHomeError::Io { place: path.display().to_string(), source }
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let _ = fs::remove_file(path);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<File> {
    File::create(path)
}

#[cfg(unix)]
fn make_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_: &Path) -> bool {
    false
}
