//! All runs of sealed ids: the newest in memory, older ones merged into files by tiers of eight.

use std::path::PathBuf;
use std::sync::Arc;

use super::IdHash;
use super::filter::Filter;
use super::manifest::{self, ManifestEntry};
use super::merge::Merge;
use super::run::{Covers, RunFault, RunFile, matching};
use crate::embedded::binding::Binding;
use crate::embedded::files::Files;

/// Runs of one tier that are merged into one of the next.
const FAN_IN: usize = 8;

/// The ids of one sealed segment, held in memory until they are merged into a file.
#[derive(Clone, Debug)]
pub struct MemoryRun {
    covers: Covers,
    entries: Arc<Vec<(IdHash, u64)>>,
    filter: Arc<Filter>,
}

impl MemoryRun {
    /// `entries` sorted by hash.
    pub fn new(from: u64, to: u64, entries: Vec<(IdHash, u64)>) -> Self {
        let mut filter = Filter::with_keys(entries.len());
        entries.iter().for_each(|entry| filter.insert(entry.0.value()));
        Self { covers: Covers { from, to }, entries: Arc::new(entries), filter: Arc::new(filter) }
    }
}

#[derive(Clone, Debug)]
enum Source {
    Memory(MemoryRun),
    File { run: RunFile, tier: u32 },
}

impl Source {
    fn covers(&self) -> Covers {
        match self {
            Self::Memory(run) => run.covers,
            Self::File { run, .. } => run.covers(),
        }
    }

    fn tier(&self) -> u32 {
        match self {
            Self::Memory(_) => 0,
            Self::File { tier, .. } => *tier,
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Memory(run) => run.entries.len() as u64,
            Self::File { run, .. } => run.entries(),
        }
    }

    fn iter(&self) -> Box<dyn Iterator<Item = Result<(IdHash, u64), RunFault>> + '_> {
        match self {
            Self::Memory(run) => Box::new(run.entries.iter().copied().map(Ok)),
            Self::File { run, .. } => Box::new(run.iter()),
        }
    }
}

/// The runs, oldest first; together they cover the sealed ordinals without gap.
#[derive(Clone, Debug, Default)]
pub struct IdTiers {
    sources: Vec<Source>,
}

impl IdTiers {
    /// Loads the merged runs that the manifest names, as far as they can be used: from ordinal 0
    /// on, without a gap, within `sealed_to`. What they do not cover is added by the caller.
    pub fn load(files: &Files, directory: &std::path::Path, binding: &Binding, to: u64) -> Self {
        let mut tiers = Self::default();
        for entry in named(directory, binding) {
            let Ok(run) = RunFile::open(files, &directory.join(&entry.file), binding) else {
                break;
            };
            let fits = run.covers() == entry.covers && entry.covers.from == tiers.covered();
            if !fits || entry.covers.to > to {
                break;
            }
            tiers.sources.push(Source::File { run, tier: entry.tier });
        }
        tiers
    }

    /// First ordinal that no run covers.
    pub fn covered(&self) -> u64 {
        self.sources.last().map_or(0, |source| source.covers().to)
    }

    pub fn push(&mut self, run: MemoryRun) {
        self.sources.push(Source::Memory(run));
    }

    /// Sequence numbers that may be recorded under the hash.
    pub fn find(&self, hash: IdHash) -> Result<Vec<u64>, RunFault> {
        for source in self.sources.iter().rev() {
            let found = match source {
                Source::Memory(run) if run.filter.may_hold(hash.value()) => {
                    matching(&run.entries, hash)
                }
                Source::Memory(_) => Vec::new(),
                Source::File { run, .. } => run.find(hash)?,
            };
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// Reads every page of every file, as long as there is time.
    pub fn check(&self, has_time: impl Fn() -> bool) -> Result<(), RunFault> {
        self.sources.iter().try_for_each(|source| match source {
            Source::Memory(_) => Ok(()),
            Source::File { run, .. } => run.check(&has_time),
        })
    }

    /// Signs the runs again for the segments as they are now: the same ids, and another generation of
    /// what holds their records.
    pub fn bind(&self, files: &Files, binding: &Binding) -> Result<(), RunFault> {
        self.sources.iter().try_for_each(|source| match source {
            Source::Memory(_) => Ok(()),
            Source::File { run, .. } => Ok(run.bind(files, binding)?),
        })
    }

    /// The runs that are due to be merged: the last [`FAN_IN`] of one tier, as a place and count.
    fn due(&self) -> Option<(usize, u32)> {
        let tier = self.sources.last()?.tier();
        let same = self.sources.iter().rev().take_while(|source| source.tier() == tier).count();
        (same >= FAN_IN).then(|| (self.sources.len() - same, tier + 1))
    }

    /// Merges what is due, if anything, into a new file. The result replaces `self` once its
    /// manifest is written; files that are no longer named are given by [`unused`](Self::unused).
    pub fn merge_once(
        &self,
        files: &Files,
        directory: &std::path::Path,
        binding: &Binding,
    ) -> Result<Option<Self>, RunFault> {
        let Some((from, tier)) = self.due() else {
            return Ok(None);
        };
        let merged = &self.sources[from..];
        let (Some(first), Some(last)) = (merged.first(), merged.last()) else {
            return Ok(None);
        };
        let covers = Covers { from: first.covers().from, to: last.covers().to };
        let count = merged.iter().map(Source::len).sum();
        let path = directory.join(format!("{:016}-{:016}.{tier}.run", covers.from, covers.to));
        let beside = path.with_extension("tmp");
        remove_if_there(files, &beside)?;
        let mut merge = Merge::new(merged.iter().map(Source::iter).collect());
        RunFile::write(files, &beside, binding, covers, count, &mut merge)?;
        if let Some(fault) = merge.fault() {
            return Err(fault);
        }
        files.rename(&beside, &path)?;
        files.sync_directory(directory)?;
        let mut next = Self { sources: self.sources[..from].to_vec() };
        next.sources.push(Source::File { run: RunFile::open(files, &path, binding)?, tier });
        files.replace(
            &directory.join(MANIFEST),
            &manifest::encode(&binding.store, &next.list()),
            0o640,
        )?;
        Ok(Some(next))
    }

    fn list(&self) -> Vec<ManifestEntry> {
        let file_entry = |source: &Source| match source {
            Source::Memory(_) => None,
            Source::File { run, tier } => Some(ManifestEntry {
                file: run.path().file_name()?.to_str()?.to_owned(),
                covers: run.covers(),
                tier: *tier,
            }),
        };
        self.sources.iter().filter_map(file_entry).collect()
    }

    /// Files in the directory that no run uses any more.
    pub fn unused(&self, directory: &std::path::Path) -> Vec<PathBuf> {
        let used: Vec<String> = self.list().into_iter().map(|entry| entry.file).collect();
        let Ok(found) = std::fs::read_dir(directory) else {
            return Vec::new();
        };
        found
            .flatten()
            .filter(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                name != MANIFEST && !used.contains(&name)
            })
            .map(|entry| entry.path())
            .collect()
    }
}

const MANIFEST: &str = "MANIFEST";

/// The runs that the manifest names; none when it is missing, damaged or another store's.
fn named(directory: &std::path::Path, binding: &Binding) -> Vec<ManifestEntry> {
    let bytes = std::fs::read(directory.join(MANIFEST)).unwrap_or_default();
    manifest::decode(&bytes, &binding.store).unwrap_or_default()
}

/// Run files that the manifest names for what `wanted` covers, and what opening each of them says.
pub fn named_runs(
    files: &Files,
    directory: &std::path::Path,
    binding: &Binding,
    wanted: impl Fn(Covers) -> bool,
) -> Vec<(PathBuf, Result<RunFile, RunFault>)> {
    let entries = named(directory, binding).into_iter().filter(|entry| wanted(entry.covers));
    let paths = entries.map(|entry| directory.join(entry.file));
    paths.map(|path| (path.clone(), RunFile::open(files, &path, binding))).collect()
}

fn remove_if_there(files: &Files, path: &std::path::Path) -> std::io::Result<()> {
    match files.unlink(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::StoreId;

    fn hash(i: u64) -> IdHash {
        let digest = ledgerstone_proof::sha256(&i.to_le_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&digest.as_bytes()[..16]);
        IdHash::new(u128::from_be_bytes(half))
    }

    fn memory_run(from: u64, to: u64) -> MemoryRun {
        let mut entries: Vec<_> = (from..to).map(|i| (hash(i), i)).collect();
        entries.sort_unstable();
        MemoryRun::new(from, to, entries)
    }

    #[test]
    fn merging_keeps_every_id_and_survives_a_reload() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new();
        let binding = Binding::without_segments(StoreId::from_bytes([3; 16]));
        let mut tiers = IdTiers::default();
        for i in 0..70 {
            tiers.push(memory_run(i * 50, i * 50 + 50));
            while let Some(next) = tiers.merge_once(&files, directory.path(), &binding).unwrap() {
                tiers = next;
            }
        }
        for i in 0..3_500 {
            assert_eq!(tiers.find(hash(i)).unwrap(), vec![i]);
        }
        assert!(tiers.find(hash(3_500)).unwrap().is_empty());
        let mut loaded = IdTiers::load(&files, directory.path(), &binding, 3_500);
        assert_eq!(loaded.covered(), 64 * 50, "one run of 64 segments");
        for i in 64..70 {
            loaded.push(memory_run(i * 50, i * 50 + 50));
        }
        assert_eq!(loaded.find(hash(17)).unwrap(), vec![17]);
        assert_eq!(loaded.find(hash(3_499)).unwrap(), vec![3_499]);
        assert!(!loaded.unused(directory.path()).is_empty());
        for path in loaded.unused(directory.path()) {
            std::fs::remove_file(path).unwrap();
        }
        assert_eq!(loaded.find(hash(17)).unwrap(), vec![17]);
    }
}
