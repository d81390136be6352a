//! A run on disk: sorted hashes with their sequence numbers, in checked pages, a filter, and the
//! digests of the pages, for which the store key signs.

use std::path::Path;
use std::sync::Arc;

use ledgerstone_proof::sha256;
use thiserror::Error;

use super::filter::Filter;
use super::{IdHash, VERSION};
use crate::embedded::binding::{Binding, Unbound};
use crate::embedded::codec::{Malformed, Reader, put_hash, put_u32, put_u64};
use crate::embedded::files::{DataFile, Files};

const MAGIC: &[u8; 8] = b"LSIDS\r\n\0";
const PAGE_BYTES: usize = 4096;
const ENTRY_BYTES: usize = 24;
const DIGEST_BYTES: usize = 16;
/// Entries of a page; the rest of it is a checksum and zeros.
const PAGE_ENTRIES: usize = (PAGE_BYTES - 4) / ENTRY_BYTES;

/// Why a run cannot be used. It is then built again from the segments.
#[derive(Debug, Error)]
pub enum RunFault {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("page {page} does not match its checksum")]
    Page { page: u64 },
    /// Its checksums are right and it is not what the store key signed.
    #[error("it is not what the store wrote, though its checksums are right")]
    Forged,
    #[error("the filter does not match its checksum")]
    Filter,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<Unbound> for RunFault {
    fn from(unbound: Unbound) -> Self {
        match unbound {
            Unbound::Damaged(fault) => Self::Malformed(fault),
            Unbound::Forged => Self::Forged,
        }
    }
}

/// First half of a page's SHA-256.
type PageDigest = [u8; DIGEST_BYTES];

/// Commit ordinals whose ids a run holds: `from..to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Covers {
    pub from: u64,
    pub to: u64,
}

/// An open run file.
#[derive(Debug, Clone)]
pub struct RunFile {
    file: Arc<DataFile>,
    covers: Covers,
    entries: u64,
    filter: Arc<Filter>,
    digests: Arc<Vec<PageDigest>>,
}

impl RunFile {
    /// Writes a run; entries come sorted, `count` of them.
    pub fn write(
        files: &Files,
        path: &Path,
        binding: &Binding,
        covers: Covers,
        count: u64,
        entries: impl Iterator<Item = (IdHash, u64)>,
    ) -> std::io::Result<()> {
        let file = files.create(path)?;
        let mut filter = Filter::with_keys(count as usize);
        let mut digests = Vec::new();
        let mut page = Vec::with_capacity(PAGE_BYTES);
        let mut written = 0;
        for (hash, number) in entries {
            filter.insert(hash.value());
            page.extend_from_slice(&hash.value().to_be_bytes());
            put_u64(&mut page, number);
            written += 1;
            if page.len() == PAGE_ENTRIES * ENTRY_BYTES {
                flush_page(&file, covers, &mut page, &mut digests)?;
            }
        }
        if !page.is_empty() {
            flush_page(&file, covers, &mut page, &mut digests)?;
        }
        let filter = filter.to_bytes();
        let table = [filter.as_slice(), digests.as_flattened()].concat();
        file.write_all_at(&table, page_offset(digests.len() as u64))?;
        file.write_all_at(&header(binding, covers, written, filter.len(), &table)?, 0)?;
        file.sync_all()
    }

    /// Opens a run; header and filter are checked now, pages as they are read.
    pub fn open(files: &Files, path: &Path, binding: &Binding) -> Result<Self, RunFault> {
        let file = files.open_for_reading(path)?;
        let header = file.read_at(0, PAGE_BYTES)?;
        let mut reader = Reader::new(&header);
        if reader.array::<8>()? != *MAGIC || reader.u32()? != VERSION {
            return Err(reader.malformed("not a run of this version").into());
        }
        if reader.array::<16>()? != *binding.store.as_bytes() {
            return Err(reader.malformed("another store's run").into());
        }
        let covers = Covers { from: reader.u64()?, to: reader.u64()? };
        let entries = reader.u64()?;
        let filter_len = reader.u64()?;
        let table_digest = reader.hash()?;
        if reader.hash()? != binding.covered(covers) {
            return Err(reader.malformed("a run of other segments").into());
        }
        binding.check(&header, &mut reader)?;
        let pages = entries.div_ceil(PAGE_ENTRIES as u64);
        let table_len = filter_len.saturating_add(pages.saturating_mul(DIGEST_BYTES as u64));
        if file.byte_len()? != page_offset(pages).saturating_add(table_len) {
            return Err(reader.malformed("wrong length").into());
        }
        let table = file.read_at(page_offset(pages), table_len as usize)?;
        if sha256(&table) != table_digest {
            return Err(RunFault::Filter);
        }
        let (filter, digests) = table.split_at(filter_len as usize);
        let filter = Arc::new(Filter::from_bytes(filter).ok_or(RunFault::Filter)?);
        let digests = Arc::new(digests.as_chunks().0.to_vec());
        Ok(Self { file: Arc::new(file), covers, entries, filter, digests })
    }

    pub fn covers(&self) -> Covers {
        self.covers
    }

    pub fn entries(&self) -> u64 {
        self.entries
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Sequence numbers recorded under this hash: none, or nearly always one.
    pub fn find(&self, hash: IdHash) -> Result<Vec<u64>, RunFault> {
        if self.entries == 0 || !self.filter.may_hold(hash.value()) {
            return Ok(Vec::new());
        }
        let pages = self.entries.div_ceil(PAGE_ENTRIES as u64);
        // Hashes are evenly spread, so the page can be guessed; then the search closes in.
        let (mut low, mut high) = (0, pages - 1);
        let mut guess = (((hash.value() >> 64) * u128::from(pages)) >> 64) as u64;
        loop {
            let page = self.page(guess)?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else {
                return Ok(Vec::new());
            };
            if hash < first.0 && guess > low {
                high = guess - 1;
            } else if hash > last.0 && guess < high {
                low = guess + 1;
            } else {
                return Ok(matching(&page, hash));
            }
            let step = if guess < low { low } else { high };
            guess = if high - low > 4 { u64::midpoint(low, high) } else { step };
        }
    }

    fn page(&self, page: u64) -> Result<Vec<(IdHash, u64)>, RunFault> {
        let offset = page_offset(page);
        let bytes = self.file.read_at(offset, PAGE_BYTES)?;
        let left = self.entries - page * PAGE_ENTRIES as u64;
        let count = (left as usize).min(PAGE_ENTRIES);
        let (body, rest) = bytes.split_at(PAGE_BYTES - 4);
        let mut crc = Reader::new(rest);
        if crc.u32()? != page_crc(self.covers, offset, body) {
            return Err(RunFault::Page { page });
        }
        if self.digests.get(page as usize) != Some(&page_digest(&bytes)) {
            return Err(RunFault::Forged);
        }
        let mut reader = Reader::new(body);
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            let hash = IdHash::new(u128::from_be_bytes(reader.array()?));
            entries.push((hash, reader.u64()?));
        }
        Ok(entries)
    }

    /// Signs the run for these segments, unless it is. The pages stay as they are: what was signed of
    /// them is in memory, not what the disk says now.
    pub fn bind(&self, files: &Files, binding: &Binding) -> std::io::Result<()> {
        let filter = self.filter.to_bytes();
        let table = [filter.as_slice(), self.digests.as_flattened()].concat();
        let header = header(binding, self.covers, self.entries, filter.len(), &table)?;
        if self.file.read_at(0, PAGE_BYTES)? == header {
            return Ok(());
        }
        let file = files.open_for_writing(self.path())?;
        file.write_all_at(&header, 0)?;
        file.sync_data()
    }

    /// Reads every page, as long as there is time.
    pub fn check(&self, has_time: impl Fn() -> bool) -> Result<(), RunFault> {
        let mut pages = 0..self.entries.div_ceil(PAGE_ENTRIES as u64);
        pages.try_for_each(|page| if has_time() { self.page(page).map(drop) } else { Ok(()) })
    }

    /// All entries in order, page by page.
    pub fn iter(&self) -> impl Iterator<Item = Result<(IdHash, u64), RunFault>> + '_ {
        let pages = self.entries.div_ceil(PAGE_ENTRIES as u64);
        (0..pages).flat_map(|page| match self.page(page) {
            Ok(entries) => entries.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(fault) => vec![Err(fault)],
        })
    }
}

/// Entries with this hash in a sorted slice.
pub fn matching(entries: &[(IdHash, u64)], hash: IdHash) -> Vec<u64> {
    let from = entries.partition_point(|entry| entry.0 < hash);
    entries[from..].iter().take_while(|entry| entry.0 == hash).map(|entry| entry.1).collect()
}

/// Checksum of a page in its place: a good page elsewhere is not good.
fn page_crc(covers: Covers, offset: u64, body: &[u8]) -> u32 {
    let place = [covers.from, covers.to, offset].map(u64::to_le_bytes).concat();
    crc32c::crc32c_append(crc32c::crc32c(&place), body)
}

/// Where a page begins.
const fn page_offset(page: u64) -> u64 {
    PAGE_BYTES as u64 * page.saturating_add(1)
}

fn page_digest(page: &[u8]) -> PageDigest {
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&sha256(page).as_bytes()[..DIGEST_BYTES]);
    digest
}

/// Writes the next page, and adds its digest to those of the pages before.
fn flush_page(
    file: &DataFile,
    covers: Covers,
    page: &mut Vec<u8>,
    digests: &mut Vec<PageDigest>,
) -> std::io::Result<()> {
    let offset = page_offset(digests.len() as u64);
    page.resize(PAGE_BYTES - 4, 0);
    let crc = page_crc(covers, offset, page);
    put_u32(page, crc);
    file.write_all_at(page, offset)?;
    digests.push(page_digest(page));
    page.clear();
    Ok(())
}

/// The first page. `table` is the filter and the digests of the pages.
fn header(
    binding: &Binding,
    covers: Covers,
    entries: u64,
    filter_len: usize,
    table: &[u8],
) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(PAGE_BYTES);
    out.extend_from_slice(MAGIC);
    put_u32(&mut out, VERSION);
    out.extend_from_slice(binding.store.as_bytes());
    put_u64(&mut out, covers.from);
    put_u64(&mut out, covers.to);
    put_u64(&mut out, entries);
    put_u64(&mut out, filter_len as u64);
    put_hash(&mut out, &sha256(table));
    put_hash(&mut out, &binding.covered(covers));
    binding.seal(&mut out)?;
    out.resize(PAGE_BYTES, 0);
    Ok(out)
}

/// Writes a page anew with a checksum that fits, as somebody without the store key can.
#[cfg(feature = "conformance")]
pub fn forge_page(bytes: &mut [u8], covers: Covers, page: u64, change: impl FnOnce(&mut [u8])) {
    let offset = page_offset(page) as usize;
    let Some(page) = bytes.get_mut(offset..offset + PAGE_BYTES) else { return };
    let (body, crc) = page.split_at_mut(PAGE_BYTES - 4);
    change(body);
    crc.copy_from_slice(&page_crc(covers, offset as u64, body).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::StoreId;

    fn entries(count: u64) -> Vec<(IdHash, u64)> {
        let mut entries: Vec<(IdHash, u64)> = (0..count)
            .map(|i| {
                let digest = sha256(&i.to_le_bytes());
                let mut half = [0; 16];
                half.copy_from_slice(&digest.as_bytes()[..16]);
                (IdHash::new(u128::from_be_bytes(half)), i)
            })
            .collect();
        entries.sort_unstable();
        entries
    }

    fn written(count: u64) -> (tempfile::TempDir, RunFile, Vec<(IdHash, u64)>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        let binding = Binding::without_segments(StoreId::from_bytes([1; 16]));
        let entries = entries(count);
        let covers = Covers { from: 0, to: count };
        let list = entries.clone().into_iter();
        RunFile::write(&Files::new(), &path, &binding, covers, count, list).unwrap();
        let run = RunFile::open(&Files::new(), &path, &binding).unwrap();
        (directory, run, entries)
    }

    #[test]
    fn every_entry_is_found_and_others_are_not() {
        for count in [1, 169, 170, 171, 5_000] {
            let (_directory, run, entries) = written(count);
            for (hash, number) in &entries {
                assert_eq!(run.find(*hash).unwrap(), vec![*number]);
                assert!(run.find(IdHash::new(hash.value() ^ 1)).unwrap().is_empty());
            }
            let listed: Vec<_> = run.iter().map(Result::unwrap).collect();
            assert_eq!(listed, entries);
        }
    }

    #[test]
    fn a_flipped_byte_anywhere_is_noticed() {
        let (_directory, run, entries) = written(500);
        let path = run.path().to_owned();
        let binding = Binding::without_segments(StoreId::from_bytes([1; 16]));
        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(7).filter(|at| *at < 216 || *at >= PAGE_BYTES) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::write(&path, &bad).unwrap();
            let noticed = match RunFile::open(&Files::new(), &path, &binding) {
                Err(_) => true,
                Ok(run) => {
                    run.iter().any(|entry| entry.is_err())
                        || entries.iter().any(|(hash, _)| run.find(*hash).is_err())
                }
            };
            assert!(noticed, "byte {at}");
        }
    }
}
