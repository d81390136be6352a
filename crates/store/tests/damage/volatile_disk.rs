//! A disk that forgets: what it holds durably at any moment, and what it may hold after the power
//! fails in that moment.
//!
//! Contents are durable by a sync of the file, names by a sync of their directory. Of everything
//! else each 512-byte sector may have arrived or not, in any order; of the changes to the names in
//! one directory the first few may have happened.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ThreadId;

use ledgerstone_store::conformance::random::Random;
use ledgerstone_store::embedded::files::{FileFault, FileOp};

const SECTOR: usize = 512;

/// A file through all its names.
type FileNumber = u64;

/// A change of names, in one directory.
#[derive(Clone, Debug)]
enum Change {
    Made { path: PathBuf, file: FileNumber },
    Renamed { from: PathBuf, to: PathBuf, file: FileNumber },
    Removed { path: PathBuf },
}

impl Change {
    fn directory(&self) -> &Path {
        let (Self::Made { path, .. } | Self::Renamed { to: path, .. } | Self::Removed { path }) =
            self;
        path.parent().unwrap()
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, FileNumber>) {
        match self {
            Self::Made { path, file } => drop(names.insert(path.clone(), *file)),
            Self::Renamed { from, to, file } => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
            Self::Removed { path } => drop(names.remove(path)),
        }
    }
}

/// What a directory holds after the power failed.
pub struct Image {
    /// Contents by path, relative to the directory.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// Batches that had been acknowledged.
    pub acknowledged: usize,
    /// The operation before which the power failed, for messages.
    pub before: String,
}

/// How much of what was not synced arrives.
#[derive(Clone, Copy, Debug)]
enum Arrives {
    Nothing,
    All,
    Some,
}

#[derive(Default)]
struct State {
    numbers: HashMap<u64, FileNumber>,
    durable: HashMap<FileNumber, Vec<u8>>,
    names: BTreeMap<PathBuf, FileNumber>,
    pending: Vec<Change>,
    syncing: HashMap<ThreadId, (FileNumber, Vec<u8>)>,
    syncing_names: HashMap<ThreadId, usize>,
    next: FileNumber,
    random: Option<Random>,
    images: Vec<Image>,
    seen: BTreeSet<[u8; 32]>,
}

/// Watches one directory, and draws images of it before every operation.
pub struct VolatileDisk {
    root: PathBuf,
    state: Mutex<State>,
    acknowledged: AtomicUsize,
}

impl VolatileDisk {
    /// Everything in the directory now counts as durable.
    pub fn watch(root: &Path, seed: u64) -> Self {
        let mut state = State { random: Some(Random::new(seed)), ..State::default() };
        for path in files_below(root) {
            let content = std::fs::read(&path).unwrap();
            let file = state.number(std::fs::metadata(&path).unwrap().ino());
            state.durable.insert(file, content);
            state.names.insert(path, file);
        }
        Self { root: root.to_owned(), state: Mutex::new(state), acknowledged: AtomicUsize::new(0) }
    }

    pub fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }

    pub fn take_images(&self) -> Vec<Image> {
        std::mem::take(&mut self.state.lock().unwrap().images)
    }
}

impl State {
    fn number(&mut self, inode: u64) -> FileNumber {
        self.next += 1;
        self.numbers.insert(inode, self.next);
        self.next
    }

    fn file_at(&self, path: &Path) -> Option<FileNumber> {
        let inode = std::fs::metadata(path).ok()?.ino();
        self.numbers.get(&inode).copied()
    }

    /// The names as a process sees them.
    fn visible(&self) -> BTreeMap<PathBuf, FileNumber> {
        let mut names = self.names.clone();
        self.pending.iter().for_each(|change| change.apply(&mut names));
        names
    }

    fn changed(&mut self, op: FileOp, path: &Path) {
        let path = path.to_owned();
        match op {
            FileOp::Create => {
                let inode = std::fs::metadata(&path).unwrap().ino();
                let file = self.number(inode);
                self.durable.insert(file, Vec::new());
                self.pending.push(Change::Made { path, file });
            }
            FileOp::Rename => {
                let file = self.file_at(&path).unwrap();
                let visible = self.visible();
                let from = visible.iter().find(|(name, known)| **known == file && **name != path);
                let from = from.map_or_else(|| path.clone(), |(name, _)| name.clone());
                self.pending.push(Change::Renamed { from, to: path, file });
            }
            FileOp::Unlink => self.pending.push(Change::Removed { path }),
            FileOp::Write | FileOp::Truncate | FileOp::Sync | FileOp::SyncDirectory => {}
        }
    }

    /// What the syncs of a thread have made durable: what was there before they began.
    fn synced(&mut self, op: FileOp, path: &Path) {
        let me = std::thread::current().id();
        if op == FileOp::Sync
            && let Some((file, content)) = self.syncing.remove(&me)
        {
            self.durable.insert(file, content);
        }
        if op == FileOp::SyncDirectory
            && let Some(count) = self.syncing_names.remove(&me)
        {
            let mut kept = Vec::new();
            for (place, change) in std::mem::take(&mut self.pending).into_iter().enumerate() {
                if place < count && change.directory() == path {
                    change.apply(&mut self.names);
                } else {
                    kept.push(change);
                }
            }
            self.pending = kept;
        }
    }

    fn image(&mut self, arrives: Arrives) -> BTreeMap<PathBuf, Vec<u8>> {
        let Some(mut random) = self.random.take() else { return BTreeMap::new() };
        let mut names = self.names.clone();
        let mut stopped: BTreeSet<PathBuf> = BTreeSet::new();
        for change in &self.pending {
            let directory = change.directory().to_owned();
            let happens = match arrives {
                Arrives::Nothing => false,
                Arrives::All => true,
                Arrives::Some => !stopped.contains(&directory) && !random.one_in(3),
            };
            if happens {
                change.apply(&mut names);
            } else {
                stopped.insert(directory);
            }
        }
        let visible = self.visible();
        let files = names.iter().map(|(path, file)| {
            let durable = self.durable.get(file).cloned().unwrap_or_default();
            let now = visible.iter().find(|(_, known)| *known == file);
            let now = now.and_then(|(path, _)| std::fs::read(path).ok());
            let content = match now {
                Some(now) => mix(&durable, &now, arrives, &mut random),
                None => durable,
            };
            (path.clone(), content)
        });
        let files = files.collect();
        self.random = Some(random);
        files
    }
}

/// Sectors of what is durable, and of what is not yet.
fn mix(durable: &[u8], now: &[u8], arrives: Arrives, random: &mut Random) -> Vec<u8> {
    match arrives {
        Arrives::Nothing => return durable.to_vec(),
        Arrives::All => return now.to_vec(),
        Arrives::Some => {}
    }
    let len = if random.one_in(2) { now.len() } else { durable.len() };
    let mut image = durable.to_vec();
    image.resize(len, 0);
    // A third of the images have a beginning of the write, the others any of its sectors.
    let until = random.one_in(3).then(|| random.below(now.len() as u64 + 1) as usize);
    for (place, sector) in now.chunks(SECTOR).enumerate() {
        let at = place * SECTOR;
        let is_there = until.map_or_else(|| random.one_in(2), |until| at < until);
        let end = (at + sector.len()).min(image.len());
        if is_there && at < end {
            image[at..end].copy_from_slice(&sector[..end - at]);
        }
    }
    image
}

impl FileFault for VolatileDisk {
    fn before(&self, op: FileOp, path: &Path) -> io::Result<()> {
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        let mut state = self.state.lock().unwrap();
        let before = format!("{op:?} {}", path.strip_prefix(&self.root).unwrap_or(path).display());
        for arrives in [Arrives::Nothing, Arrives::All, Arrives::Some, Arrives::Some] {
            let files = state.image(arrives);
            let files: BTreeMap<PathBuf, Vec<u8>> = files
                .into_iter()
                .map(|(path, bytes)| (path.strip_prefix(&self.root).unwrap().to_owned(), bytes))
                .collect();
            if state.seen.insert(fingerprint(&files, acknowledged)) {
                let before = before.clone();
                state.images.push(Image { files, acknowledged, before });
            }
        }
        let me = std::thread::current().id();
        if op == FileOp::Sync
            && let Some(file) = state.file_at(path)
        {
            let content = std::fs::read(path)?;
            state.syncing.insert(me, (file, content));
        }
        if op == FileOp::SyncDirectory {
            let count = state.pending.len();
            state.syncing_names.insert(me, count);
        }
        Ok(())
    }

    fn after(&self, op: FileOp, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.changed(op, path);
        state.synced(op, path);
        Ok(())
    }
}

fn fingerprint(files: &BTreeMap<PathBuf, Vec<u8>>, acknowledged: usize) -> [u8; 32] {
    let mut all = acknowledged.to_le_bytes().to_vec();
    for (path, bytes) in files {
        all.extend_from_slice(path.to_string_lossy().as_bytes());
        all.extend_from_slice(ledgerstone_proof::sha256(bytes).as_bytes());
    }
    *ledgerstone_proof::sha256(&all).as_bytes()
}

fn files_below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}
