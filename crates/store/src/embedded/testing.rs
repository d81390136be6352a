//! Takes a data directory apart and puts it together again with every checksum repaired: what
//! somebody can do who knows the format and can write the files. For tests of verification.

mod derived;
mod forged;
mod reading;
mod rehash;
mod repaired;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use ledgerstone_proof::{CompactRange, Hash, SigningKey, TenantId, empty_root};

pub use derived::{forge_index, forge_page_of_run, forge_run};
use forged::{Forged, RecordsOf, next_of, stored_of};
use reading::{read_log, read_segment};
use rehash::rehash_record;
pub use repaired::{log_with_changed_frame, segment_with_changed_section};

use super::files::Files;
use super::frame;
use super::head_file::{FramePlace, HeadFile, HeadState};
use super::layout::{Layout, log_number, segment_name};
use super::load::list;
use super::log_file::{Frames, LogHeader};
use super::open::read_format;
use super::payload;
use super::segment::{self, Ordering, Segment, SegmentHeader, SegmentInput, list_digest};
use super::{StoreId, store_key};
use crate::batch::{Batch, ExpectedHead, LedgerAppend, SourceName, SourcePosition};

/// Where a record stands: container, batch, run in the batch, record in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    pub container: usize,
    pub batch: usize,
    pub run: usize,
    pub record: usize,
}

/// Everything in the segments and log files of a directory that is sound and not in use.
pub struct Contents {
    layout: Layout,
    store: StoreId,
    containers: Vec<Container>,
    changed: BTreeSet<usize>,
}

struct Container {
    path: PathBuf,
    form: Form,
    batches: Vec<Batch>,
}

enum Form {
    Segment(Box<SegmentHeader>),
    Log { header: LogHeader, len: usize },
}

impl Contents {
    pub fn read(directory: &Path) -> io::Result<Self> {
        let layout = Layout::new(directory);
        let store = read_format(&layout).map_err(io::Error::other)?.store;
        let mut contents = Self { layout, store, containers: Vec::new(), changed: BTreeSet::new() };
        let mut chains = HashMap::new();
        for path in segment_paths(&contents.layout)? {
            let container = read_segment(path, &store, &mut chains)?;
            contents.containers.push(container);
        }
        let mut logs = list(&contents.layout.logs()).map_err(io::Error::other)?;
        logs.retain(|path| log_number(path).is_some());
        logs.sort();
        for path in logs {
            contents.containers.push(read_log(path, &store, &mut chains)?);
        }
        Ok(contents)
    }

    /// Number of containers: segments first, then log files, oldest first.
    pub fn count(&self) -> usize {
        self.containers.len()
    }

    /// The file of a container, relative to the directory.
    pub fn file(&self, container: usize) -> PathBuf {
        let path = self.containers.get(container).map(|found| found.path.as_path());
        self.layout.relative(path.unwrap_or(Path::new("")))
    }

    /// Where the record of that number stands now; the number is its place in its ledger.
    pub fn find(&self, tenant: &TenantId, number: u64) -> Option<RecordPlace> {
        let mut left = usize::try_from(number).ok()?;
        for (container, found) in self.containers.iter().enumerate() {
            for (batch, one) in found.batches.iter().enumerate() {
                for (run, append) in one.ledgers.iter().enumerate() {
                    let count = append.records.len();
                    if append.tenant == *tenant && left < count {
                        return Some(RecordPlace { container, batch, run, record: left });
                    }
                    left -= if append.tenant == *tenant { count } else { 0 };
                }
            }
        }
        None
    }

    /// The batches of a container, to be changed. A segment has one, in commit order.
    pub fn batches(&mut self, container: usize) -> Option<&mut Vec<Batch>> {
        self.changed.insert(container);
        self.containers.get_mut(container).map(|found| &mut found.batches)
    }

    /// The run that holds a record, to be changed.
    pub fn run(&mut self, place: RecordPlace) -> Option<&mut LedgerAppend> {
        self.batches(place.container)?.get_mut(place.batch)?.ledgers.get_mut(place.run)
    }

    /// Computes every hash of a ledger again, and with a key every signature.
    pub fn rehash(&mut self, tenant: &TenantId, key: Option<&SigningKey>) {
        let mut size = 0;
        let mut previous = Hash::ZERO;
        for (place, container) in self.containers.iter_mut().enumerate() {
            let runs = container.batches.iter_mut().flat_map(|batch| &mut batch.ledgers);
            for run in runs.filter(|run| run.tenant == *tenant) {
                self.changed.insert(place);
                run.expected = ExpectedHead { size, record_hash: previous };
                for record in &mut run.records {
                    previous = rehash_record(record, tenant, size, previous, key);
                    size += 1;
                }
                run.head.record_hash = previous;
            }
        }
    }

    /// Writes the containers that were changed, with every checksum repaired.
    pub fn write(&self) -> io::Result<()> {
        let mut known = Forged::default();
        let mut ordinal = 0;
        for (place, container) in self.containers.iter().enumerate() {
            known.begin(container);
            if self.changed.contains(&place) {
                match &container.form {
                    Form::Segment(header) => {
                        self.write_segment(container, header, ordinal, &known)?;
                    }
                    Form::Log { header, len } => {
                        self.write_log(container, *header, *len, ordinal)?;
                    }
                }
            }
            ordinal += container.batches.iter().map(Batch::record_count).sum::<usize>() as u64;
            known.end();
        }
        Ok(())
    }

    fn write_segment(
        &self,
        container: &Container,
        header: &SegmentHeader,
        first_ordinal: u64,
        known: &Forged,
    ) -> io::Result<()> {
        let batches = || container.batches.iter();
        let appends = || batches().flat_map(|batch| &batch.ledgers);
        let (mut rows, mut source) = (Ordering::default(), RecordsOf(Vec::new()));
        for append in appends() {
            let refs = append.records.iter().map(|record| source.add(record));
            rows.add(&append.tenant, append.expected.size, refs);
        }
        let input = SegmentInput {
            store: self.store,
            first_ordinal,
            log_number: header.log_number,
            last_frame: header.last_frame,
            key_generation: header.key_generation,
            rows: rows.finish(),
            positions: batches().flat_map(|batch| batch.positions.iter().map(next_of)).collect(),
            checkpoints: batches()
                .flat_map(|batch| batch.checkpoints.iter().map(stored_of))
                .collect(),
            anchored: batches().flat_map(|batch| batch.anchored.iter().cloned()).collect(),
        };
        std::fs::remove_file(&container.path)?;
        segment::build(&input, &mut source, known)?.write(&Files::new(), &container.path)
    }

    fn write_log(
        &self,
        container: &Container,
        header: LogHeader,
        len: usize,
        mut ordinal: u64,
    ) -> io::Result<()> {
        let mut frame = self.frames_before(container);
        let mut bytes = header.encode(&self.store);
        let mut buffer = Vec::new();
        for (place, batch) in container.batches.iter().enumerate() {
            // Positions of all sources before the file matter to no record; none are claimed.
            let positions: Option<&[(SourceName, SourcePosition)]> = (place == 0).then_some(&[]);
            frame::begin(&mut buffer);
            payload::encode(batch, ordinal, positions, &mut buffer);
            frame += 1;
            frame::finish(&mut buffer, header.nonce, frame);
            bytes.extend_from_slice(&buffer);
            ordinal += batch.record_count() as u64;
        }
        bytes.resize(bytes.len().max(len), 0);
        std::fs::write(&container.path, bytes)
    }

    /// Number of the last frame before a log file.
    fn frames_before(&self, log: &Container) -> u64 {
        let before = self.containers.iter().take_while(|container| container.path != log.path);
        before.fold(0, |frames, container| match &container.form {
            Form::Segment(header) => header.last_frame,
            Form::Log { .. } => frames + container.batches.len() as u64,
        })
    }

    /// Signs a `HEAD` that fits what is in the directory now, as a stop in order leaves it.
    pub fn sign_head(&self) -> io::Result<()> {
        let batches = self.containers.iter().flat_map(|container| &container.batches);
        let records: usize = batches.clone().map(Batch::record_count).sum();
        let system = batches.flat_map(|batch| &batch.ledgers).filter(|run| run.tenant.is_system());
        let mut range = CompactRange::new();
        system.flat_map(|run| &run.records).for_each(|record| range.push(record.leaf_hash));
        sign_head(&self.layout, |head| HeadState {
            last_frame: self.last_frame(),
            records: records as u64,
            system_size: range.size(),
            system_root: if range.size() == 0 { empty_root() } else { range.root() },
            ..head
        })
    }

    fn last_frame(&self) -> FramePlace {
        let mut place = FramePlace::default();
        for container in &self.containers {
            match &container.form {
                Form::Segment(header) => place.frame = header.last_frame,
                Form::Log { header, .. } if !container.batches.is_empty() => {
                    place.file = header.number;
                    place.frame += container.batches.len() as u64;
                    let bytes = std::fs::read(&container.path).unwrap_or_default();
                    let mut frames = Frames::new(&bytes, header.nonce);
                    while frames.next_frame().is_ok() {}
                    place.end = frames.offset() as u64;
                }
                Form::Log { .. } => {}
            }
        }
        place
    }
}

/// Signs a `HEAD` that fits the segments in a directory, and says the same as before of all else.
pub fn sign_head_of_files(directory: &Path) -> io::Result<()> {
    sign_head(&Layout::new(directory), |head| head)
}

/// The segments of a directory, oldest first.
fn open_segments(layout: &Layout, store: &StoreId) -> io::Result<Vec<Segment>> {
    let open = |path: &PathBuf| Segment::open(&Files::new(), path, store).map_err(io::Error::other);
    segment_paths(layout)?.iter().map(open).collect()
}

fn segment_paths(layout: &Layout) -> io::Result<Vec<PathBuf>> {
    let mut segments = list(&layout.segments()).map_err(io::Error::other)?;
    segments.retain(|path| segment_name(path).is_some());
    segments.sort();
    Ok(segments)
}

fn sign_head(layout: &Layout, change: impl FnOnce(HeadState) -> HeadState) -> io::Result<()> {
    let format = read_format(layout).map_err(io::Error::other)?;
    let key = store_key::load(layout).map_err(io::Error::other)?;
    let key = key.ok_or_else(|| io::Error::other("the store key is missing"))?;
    let bytes = std::fs::read(layout.head())?;
    let head = HeadFile::decode(&bytes, &format.store, &format.store_key).state;
    let head = change(head.ok_or_else(|| io::Error::other("HEAD cannot be read"))?);
    let opened = open_segments(layout, &format.store)?;
    let segments_digest = list_digest(opened.iter().map(Segment::header));
    let head = HeadState { clean_stop: true, segments_digest, ..head };
    let next = |by| HeadState { counter: head.counter + by, ..head.clone() };
    // The counter says which block is which.
    let even = head.counter % 2;
    let mut bytes = next(even).encode(&format.store, &key);
    bytes.extend(next(even + 1).encode(&format.store, &key));
    std::fs::write(layout.head(), bytes)
}
