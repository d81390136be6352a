//! Fixed slots in two files, of which one is whole at every moment.
//!
//! A slot is a payload, the number of its last change, and a checksum over both and its place. Where
//! the files differ, the later change counts and is copied; where one slot is damaged, the other
//! heals it.

use std::io;
use std::path::Path;

use thiserror::Error;

use crate::embedded::files::{DataFile, Files, make_directory};

/// Bytes of change number and checksum behind each payload.
const TRAILER_BYTES: usize = 12;

/// The file's first slot begins with this; the rest of it is zeros.
const MAGIC: &[u8; 16] = b"ledgerstone-slt1";

/// Slots by which the files grow. Zeros are written and synced ahead, so that a new slot needs no
/// new block of the disk.
const GROWTH: u64 = 4096;

const MODE: u32 = 0o600;

/// The place of a slot, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotNumber(u64);

impl std::fmt::Display for SlotNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl SlotNumber {
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    pub const fn value(self) -> u64 {
        self.0
    }
}

/// Two files of slots with payloads of `N` bytes.
#[derive(Debug)]
pub struct PairedSlots<const N: usize> {
    pair: [DataFile; 2],
    capacity: u64,
    next: u64,
    last_change: u64,
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotsReport {
    /// Slots that were damaged or behind in one file and were copied from the other.
    pub healed: u64,
    /// Slots that a stopped process had begun and nobody was told of; they are empty again.
    pub unfinished: u64,
    /// Slots that are damaged in both files.
    pub faults: Vec<SlotFault>,
}

/// A slot whose payload is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotFault {
    pub number: SlotNumber,
    /// Where it begins in each file, in bytes.
    pub offset: u64,
}

/// Why slots could not be read or written.
#[derive(Debug, Error)]
pub enum SlotsError {
    #[error("{path}: {source}")]
    Io {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{path} is no file of keys of this version")]
    Form { path: String },
}

/// A payload that is held, with its place.
pub type HeldSlot<const N: usize> = (SlotNumber, [u8; N]);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading<const N: usize> {
    /// The file ends before it. Files grow before anything is written into the new slots, so this
    /// one was cut, or lost and made anew.
    Missing,
    Empty,
    Held {
        change: u64,
        payload: [u8; N],
    },
    Bad,
}

impl<const N: usize> PairedSlots<N> {
    const SLOT_BYTES: usize = N + TRAILER_BYTES;

    /// Opens `<name>.a` and `<name>.b` in a directory, or makes them. Heals what can be healed, and
    /// answers every payload that is held.
    pub fn open(
        directory: &Path,
        name: &str,
        files: &Files,
    ) -> Result<(Self, Vec<HeldSlot<N>>, SlotsReport), SlotsError> {
        make_directory(directory).map_err(|source| io_error(directory, source))?;
        let paths = ["a", "b"].map(|which| directory.join(format!("{name}.{which}")));
        let pair = [open_or_make(&paths[0], files)?, open_or_make(&paths[1], files)?];
        files.sync_directory(directory).map_err(|source| io_error(directory, source))?;
        let mut slots = Self { pair, capacity: 0, next: 0, last_change: 0 };
        let texts = [slots.read_all(0)?, slots.read_all(1)?];
        let (held, report) = slots.settle(&texts)?;
        Ok((slots, held, report))
    }

    /// The place of a slot that was never used.
    pub fn take_new(&mut self) -> SlotNumber {
        let number = SlotNumber(self.next);
        self.next += 1;
        number
    }

    /// The number of the last change, from 1; 0 where nothing was ever written.
    pub const fn last_change(&self) -> u64 {
        self.last_change
    }

    /// Writes payloads into slots; when it returns, both files hold them.
    ///
    /// After a failure it is not known which do, and everything but opening again is refused by
    /// whoever owns this.
    pub fn write(&mut self, changes: &[HeldSlot<N>]) -> Result<(), SlotsError> {
        let Some(end) = changes.iter().map(|(number, _)| number.0 + 1).max() else {
            return Ok(());
        };
        self.grow(end)?;
        let change = self.last_change + 1;
        let encoded: Vec<(u64, Vec<u8>)> = changes
            .iter()
            .map(|(number, payload)| (number.0, encode(number.0, change, payload)))
            .collect();
        for file in &self.pair {
            for (number, bytes) in joined(&encoded) {
                write_at(file, &bytes, Self::offset(number))?;
            }
            file.sync_data().map_err(|source| io_error(file.path(), source))?;
        }
        // Not before: the ledger relies on what this says, and a change that failed may be in neither file.
        self.last_change = change;
        Ok(())
    }

    pub(super) const fn offset(number: u64) -> u64 {
        // The first slot of the file is its header.
        (number + 1) * Self::SLOT_BYTES as u64
    }

    fn grow(&mut self, end: u64) -> Result<(), SlotsError> {
        if end <= self.capacity {
            return Ok(());
        }
        let capacity = end.next_multiple_of(GROWTH);
        for file in &self.pair {
            file.fill_with_zeros(Self::offset(self.capacity), Self::offset(capacity))
                .and_then(|()| file.sync_all())
                .map_err(|source| io_error(file.path(), source))?;
        }
        self.capacity = capacity;
        Ok(())
    }

    fn read_all(&self, which: usize) -> Result<Vec<u8>, SlotsError> {
        let Some(file) = self.pair.get(which) else {
            return Ok(Vec::new());
        };
        let length = file.byte_len().map_err(|source| io_error(file.path(), source))?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, 0).map_err(|source| io_error(file.path(), source))?;
        match Self::behind_header(&bytes, file.path())? {
            Some(slots) => Ok(slots.to_vec()),
            None => {
                // Made and not finished, or lost: the other file has everything.
                Self::write_header(file)?;
                Ok(Vec::new())
            }
        }
    }

    /// The slots in the bytes of a file; `None` where it has no header yet.
    pub(super) fn behind_header<'a>(
        bytes: &'a [u8],
        path: &Path,
    ) -> Result<Option<&'a [u8]>, SlotsError> {
        match bytes.split_at_checked(Self::SLOT_BYTES) {
            Some((header, slots)) if header.starts_with(MAGIC) => Ok(Some(slots)),
            _ if bytes.iter().all(|byte| *byte == 0) => Ok(None),
            _ => Err(SlotsError::Form { path: path.display().to_string() }),
        }
    }

    fn write_header(file: &DataFile) -> Result<(), SlotsError> {
        let mut header = vec![0; Self::SLOT_BYTES];
        if let Some(place) = header.get_mut(..MAGIC.len()) {
            place.copy_from_slice(MAGIC);
        }
        write_at(file, &header, 0)?;
        file.sync_all().map_err(|source| io_error(file.path(), source))
    }

    /// Compares the files slot by slot and makes them equal.
    fn settle(
        &mut self,
        texts: &[Vec<u8>; 2],
    ) -> Result<(Vec<HeldSlot<N>>, SlotsReport), SlotsError> {
        let count = texts.iter().map(|text| Self::count(text)).max().unwrap_or(0);
        self.capacity = texts.iter().map(|text| Self::count(text)).min().unwrap_or(0);
        self.grow(count)?;
        let mut held = Vec::new();
        let mut report = SlotsReport::default();
        for number in 0..count {
            let readings = [&texts[0], &texts[1]].map(|text| Self::read_slot(text, number));
            match resolve(readings) {
                Resolved::Empty => {}
                Resolved::Unfinished => {
                    report.unfinished += 1;
                    self.copy_into_both(number, &vec![0; Self::SLOT_BYTES])?;
                }
                Resolved::Lost => {
                    let offset = Self::offset(number);
                    report.faults.push(SlotFault { number: SlotNumber(number), offset });
                    self.next = number + 1;
                    // A file that grows here would have zeros there, as before a beginning.
                    for bytes in texts.iter().filter_map(|text| Self::slot_bytes(text, number)) {
                        if readings.contains(&Reading::Missing) {
                            self.copy_into_both(number, bytes)?;
                        }
                    }
                }
                Resolved::Held { change, payload, is_equal } => {
                    if !is_equal {
                        report.healed += 1;
                        self.copy_into_both(number, &encode(number, change, &payload))?;
                    }
                    self.last_change = self.last_change.max(change);
                    self.next = number + 1;
                    held.push((SlotNumber(number), payload));
                }
            }
        }
        Ok((held, report))
    }

    /// How many slots a text has room for.
    pub(super) const fn count(text: &[u8]) -> u64 {
        (text.len() / Self::SLOT_BYTES) as u64
    }

    pub(super) fn read_slot(text: &[u8], number: u64) -> Reading<N> {
        match Self::slot_bytes(text, number) {
            None => Reading::Missing,
            Some(bytes) if bytes.iter().all(|byte| *byte == 0) => Reading::Empty,
            Some(bytes) => decode(number, bytes),
        }
    }

    fn slot_bytes(text: &[u8], number: u64) -> Option<&[u8]> {
        let start = usize::try_from(number).unwrap_or(usize::MAX).saturating_mul(Self::SLOT_BYTES);
        text.get(start..start.saturating_add(Self::SLOT_BYTES))
    }

    /// In order, as every change: the second file stays as it is until the first is whole.
    fn copy_into_both(&self, number: u64, bytes: &[u8]) -> Result<(), SlotsError> {
        for file in &self.pair {
            write_at(file, bytes, Self::offset(number))?;
            file.sync_data().map_err(|source| io_error(file.path(), source))?;
        }
        Ok(())
    }
}

pub(super) enum Resolved<const N: usize> {
    Empty,
    Unfinished,
    Lost,
    Held { change: u64, payload: [u8; N], is_equal: bool },
}

/// What two readings of one slot come to.
pub(super) fn resolve<const N: usize>(readings: [Reading<N>; 2]) -> Resolved<N> {
    use Reading::{Bad, Empty, Held, Missing};
    let held = |change, payload, is_equal| Resolved::Held { change, payload, is_equal };
    match readings {
        [Empty | Missing, Empty | Missing] => Resolved::Empty,
        // The first file is written first: a new slot that is not whole there was never told.
        [Bad, Empty] => Resolved::Unfinished,
        [Empty | Bad | Missing, Bad] | [Bad, Missing] => Resolved::Lost,
        [Held { change, payload }, Empty | Bad | Missing]
        | [Empty | Bad | Missing, Held { change, payload }] => held(change, payload, false),
        [Held { change, payload }, Held { change: other, payload: theirs }] => {
            if change == other && payload == theirs {
                held(change, payload, true)
            } else if change == other {
                Resolved::Lost
            } else if change > other {
                held(change, payload, false)
            } else {
                held(other, theirs, false)
            }
        }
    }
}

fn encode<const N: usize>(number: u64, change: u64, payload: &[u8; N]) -> Vec<u8> {
    let mut out = Vec::with_capacity(N + TRAILER_BYTES);
    out.extend_from_slice(payload);
    out.extend_from_slice(&change.to_le_bytes());
    let checksum = checksum(number, &out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

fn decode<const N: usize>(number: u64, bytes: &[u8]) -> Reading<N> {
    let Some((covered, stored)) = bytes.split_last_chunk::<4>() else {
        return Reading::Bad;
    };
    if checksum(number, covered) != u32::from_le_bytes(*stored) {
        return Reading::Bad;
    }
    match (covered.split_first_chunk::<N>(), covered.split_last_chunk::<8>()) {
        (Some((payload, _)), Some((_, change))) => {
            Reading::Held { change: u64::from_le_bytes(*change), payload: *payload }
        }
        _ => Reading::Bad,
    }
}

/// Over the place too, so that a slot copied elsewhere is damage.
fn checksum(number: u64, covered: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&number.to_le_bytes()), covered)
}

/// Neighbours written at once: a batch of new subjects is one run of slots.
fn joined(changes: &[(u64, Vec<u8>)]) -> Vec<(u64, Vec<u8>)> {
    let mut out: Vec<(u64, u64, Vec<u8>)> = Vec::new();
    for (number, bytes) in changes {
        match out.last_mut() {
            Some((_, next, run)) if *next == *number => {
                run.extend_from_slice(bytes);
                *next += 1;
            }
            _ => out.push((*number, *number + 1, bytes.clone())),
        }
    }
    out.into_iter().map(|(first, _, run)| (first, run)).collect()
}

fn open_or_make(path: &Path, files: &Files) -> Result<DataFile, SlotsError> {
    match files.open_for_writing(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => files.create_with_mode(path, MODE),
        other => other,
    }
    .map_err(|source| io_error(path, source))
}

fn write_at(file: &DataFile, bytes: &[u8], offset: u64) -> Result<(), SlotsError> {
    file.write_all_at(bytes, offset).map_err(|source| io_error(file.path(), source))
}

pub(super) fn io_error(path: &Path, source: io::Error) -> SlotsError {
    SlotsError::Io { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::{HeldSlot, PairedSlots, SlotNumber, SlotsError, SlotsReport};
    use crate::embedded::files::{FileFault, FileOp, Files};
    use std::io;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const BYTES: usize = 20 + 12;

    type Slots = PairedSlots<20>;

    fn open(directory: &Path) -> (Slots, Vec<HeldSlot<20>>, SlotsReport) {
        Slots::open(directory, "keys", &Files::new()).unwrap()
    }

    fn slot(number: u64, byte: u8) -> HeldSlot<20> {
        (SlotNumber::new(number), [byte; 20])
    }

    fn change(path: &Path, at: usize, with: impl Fn(u8) -> u8) {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[at] = with(bytes[at]);
        std::fs::write(path, bytes).unwrap();
    }

    /// Bytes before the given slot.
    const fn offset(number: usize) -> usize {
        (number + 1) * BYTES
    }

    #[test]
    fn what_is_written_is_held_after_opening_again() {
        let place = tempfile::tempdir().unwrap();
        let (mut slots, held, report) = open(place.path());
        assert_eq!((held, report), (Vec::new(), SlotsReport::default()));
        assert_eq!((slots.take_new().value(), slots.take_new().value()), (0, 1));
        slots.write(&[slot(0, 1), slot(1, 2)]).unwrap();
        slots.write(&[slot(0, 3)]).unwrap();
        drop(slots);
        let (mut slots, held, report) = open(place.path());
        assert_eq!(held, [slot(0, 3), slot(1, 2)]);
        assert_eq!(report, SlotsReport::default());
        assert_eq!(slots.take_new().value(), 2);
        // What stood there before is nowhere any more.
        for name in ["keys.a", "keys.b"] {
            let bytes = std::fs::read(place.path().join(name)).unwrap();
            assert!(!bytes.windows(20).any(|piece| piece == [1; 20]), "{name}");
        }
    }

    #[test]
    fn damage_in_one_file_is_healed_from_the_other() {
        for name in ["keys.a", "keys.b"] {
            let place = tempfile::tempdir().unwrap();
            let (mut slots, _, _) = open(place.path());
            slots.write(&[slot(0, 1), slot(1, 2)]).unwrap();
            drop(slots);
            for at in offset(0)..offset(1) {
                change(&place.path().join(name), at, |byte| byte ^ 0x10);
                let (_, held, report) = open(place.path());
                assert_eq!(held, [slot(0, 1), slot(1, 2)]);
                assert_eq!((report.healed, report.faults.len()), (1, 0), "{name} {at}");
            }
            let (_, _, report) = open(place.path());
            assert_eq!(report, SlotsReport::default(), "it is healed for good");
        }
    }

    #[test]
    fn damage_in_both_is_named() {
        let place = tempfile::tempdir().unwrap();
        let (mut slots, _, _) = open(place.path());
        slots.write(&[slot(0, 1), slot(1, 2)]).unwrap();
        drop(slots);
        for name in ["keys.a", "keys.b"] {
            change(&place.path().join(name), offset(1) + 3, |byte| byte ^ 1);
        }
        let (mut slots, held, report) = open(place.path());
        assert_eq!(held, [slot(0, 1)]);
        let fault = report.faults.first().unwrap();
        assert_eq!((fault.number.value(), fault.offset), (1, offset(1) as u64));
        assert_eq!(slots.take_new().value(), 2, "a lost slot is never given out again");
    }

    #[test]
    fn a_lost_file_is_made_again() {
        for name in ["keys.a", "keys.b"] {
            let place = tempfile::tempdir().unwrap();
            let (mut slots, _, _) = open(place.path());
            slots.write(&[slot(0, 1), slot(1, 2)]).unwrap();
            drop(slots);
            std::fs::remove_file(place.path().join(name)).unwrap();
            let (_, held, report) = open(place.path());
            assert_eq!((held.len(), report.healed, report.faults.len()), (2, 2, 0));
            let read = |name| std::fs::read(place.path().join(name)).unwrap();
            assert_eq!(read("keys.a"), read("keys.b"));
        }
    }

    #[test]
    fn damage_beside_a_lost_file_is_not_taken_for_a_beginning() {
        for (lost, damaged) in [("keys.a", "keys.b"), ("keys.b", "keys.a")] {
            let place = tempfile::tempdir().unwrap();
            let (mut slots, _, _) = open(place.path());
            slots.write(&[slot(0, 1), slot(1, 2)]).unwrap();
            drop(slots);
            std::fs::remove_file(place.path().join(lost)).unwrap();
            change(&place.path().join(damaged), offset(1) + 3, |byte| byte ^ 1);
            for _ in 0..2 {
                let (_, held, report) = open(place.path());
                assert_eq!((held, report.unfinished), (vec![slot(0, 1)], 0), "{lost}");
                assert_eq!(report.faults.len(), 1, "{lost}");
            }
        }
    }

    #[test]
    fn a_slot_copied_elsewhere_is_damage() {
        let place = tempfile::tempdir().unwrap();
        let (mut slots, _, _) = open(place.path());
        slots.write(&[slot(0, 1), slot(1, 2)]).unwrap();
        drop(slots);
        for name in ["keys.a", "keys.b"] {
            let path = place.path().join(name);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.copy_within(offset(0)..offset(1), offset(1));
            std::fs::write(&path, bytes).unwrap();
        }
        let (_, held, report) = open(place.path());
        assert_eq!((held, report.faults.len()), (vec![slot(0, 1)], 1));
    }

    #[test]
    fn another_file_is_refused() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("keys.a"), [7; 500]).unwrap();
        let refused = Slots::open(place.path(), "keys", &Files::new());
        assert!(matches!(refused, Err(SlotsError::Form { .. })));
    }

    /// Fails the operation of this ordinal and all after it, with or without its effect.
    #[derive(Debug)]
    struct StopAt {
        left: AtomicUsize,
        has_effect: bool,
    }

    impl StopAt {
        fn step(&self) -> io::Result<()> {
            let left = self.left.load(Ordering::SeqCst);
            if left == 0 {
                return Err(io::Error::other("stopped"));
            }
            self.left.store(left - 1, Ordering::SeqCst);
            Ok(())
        }
    }

    impl FileFault for StopAt {
        fn before(&self, _: FileOp, _: &Path) -> io::Result<()> {
            if self.has_effect { Ok(()) } else { self.step() }
        }

        fn after(&self, _: FileOp, _: &Path) -> io::Result<()> {
            if self.has_effect { self.step() } else { Ok(()) }
        }
    }

    #[test]
    fn stopped_at_any_operation_a_change_is_whole_or_not_there() {
        for has_effect in [false, true] {
            for step in 0.. {
                let place = tempfile::tempdir().unwrap();
                let (mut slots, _, _) = open(place.path());
                slots.write(&[slot(0, 1), slot(1, 2)]).unwrap();
                drop(slots);
                let stop = StopAt { left: step.into(), has_effect };
                let outcome = Slots::open(place.path(), "keys", &Files::with_fault(Arc::new(stop)))
                    .and_then(|(mut slots, _, _)| {
                        slots.write(&[slot(0, 9), slot(2, 3), slot(9000, 4)])
                    });
                let (_, held, report) = open(place.path());
                assert_eq!(report.faults, [], "{step}");
                assert!(held.contains(&slot(1, 2)));
                let is_whole = held.contains(&slot(0, 9)) && held.contains(&slot(9000, 4));
                let is_old = held.contains(&slot(0, 1)) || held.contains(&slot(0, 9));
                assert!(is_old, "{step}: {held:?}");
                if outcome.is_ok() {
                    assert!(is_whole);
                    break;
                }
            }
        }
    }
}
