//! What is in memory of the unsealed logs: where each record's row lies, and its two hashes.

use std::collections::VecDeque;
use std::ops::Range;

use ledgerstone_proof::{CompactRange, Hash, Kind};

use super::segment::LedgerStart;
use crate::contract::Wanted;
use crate::record::Head;

/// Where an unsealed record lies.
#[derive(Clone, Copy, Debug)]
pub struct ActiveRecord {
    /// Number of its log file.
    pub log: u64,
    /// Offset of its row in that file.
    pub offset: u64,
    pub len: u32,
    /// [`signature_crc`] of the record: no hash covers its signature.
    pub signature_crc: u32,
    pub leaf_hash: Hash,
    pub record_hash: Hash,
    pub kind: Kind,
}

/// Checksum of a record's signature; 0 when it has none.
pub fn signature_crc(signature: Option<&[u8]>) -> u32 {
    signature.map_or(0, crc32c::crc32c)
}

/// Consecutive records of a ledger in one segment.
#[derive(Clone, Copy, Debug)]
pub struct SealedRun {
    pub first: u64,
    pub records: u32,
    /// Place of the segment among the sealed ones.
    pub segment: u32,
    /// Offset of the ledger's entry in that segment's directory.
    pub entry: u64,
}

/// One ledger, as far as the store knows it without reading.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub head: Head,
    /// Hash and frontier after the last sealed record.
    pub sealed_end: LedgerStart,
    /// In sequence order, from 0 without a gap.
    pub sealed: Vec<SealedRun>,
    /// What follows the sealed records.
    pub active: VecDeque<ActiveRecord>,
}

impl Ledger {
    pub fn empty() -> Self {
        Self {
            head: Head::empty(),
            sealed_end: LedgerStart { range: CompactRange::new(), record_hash: Hash::ZERO },
            sealed: Vec::new(),
            active: VecDeque::new(),
        }
    }

    /// Sequence number of the first unsealed record.
    pub fn active_first(&self) -> u64 {
        self.sealed_end.range.size()
    }

    /// The sealed run that holds a number.
    pub fn sealed_run(&self, number: u64) -> Option<SealedRun> {
        let after = self.sealed.partition_point(|run| run.first <= number);
        let run = self.sealed.get(after.checked_sub(1)?)?;
        (number < run.first + u64::from(run.records)).then_some(*run)
    }

    pub fn active_record(&self, number: u64) -> Option<&ActiveRecord> {
        let place = number.checked_sub(self.active_first())?;
        self.active.get(usize::try_from(place).ok()?)
    }

    /// The first number of the range that is not that of an unsealed record that nobody wants; its end
    /// if there is none.
    pub fn next_wanted(&self, mut range: Range<u64>, wanted: Wanted) -> u64 {
        let is_unwanted = |number: &u64| {
            self.active_record(*number).is_some_and(|record| !wanted.has(record.kind))
        };
        let end = range.end;
        range.find(|number| !is_unwanted(number)).unwrap_or(end)
    }

    /// `record_hash` of the record before an unsealed one.
    pub fn hash_before_active(&self, number: u64) -> Option<Hash> {
        if number == self.active_first() {
            return Some(self.sealed_end.record_hash);
        }
        self.active_record(number.checked_sub(1)?).map(|record| record.record_hash)
    }

    /// Adds the next unsealed record.
    pub fn push(&mut self, record: ActiveRecord) {
        if self.active.len() == self.active.capacity() {
            // Doubling would leave a quarter of the room empty, in each of ten thousand ledgers.
            self.active.reserve_exact((self.active.len() / 4).max(4));
        }
        self.active.push_back(record);
    }

    /// Takes over a sealed run: the records of that log leave the active part.
    pub fn seal(&mut self, run: SealedRun, log: u64, end: LedgerStart) {
        if self.sealed.len() == self.sealed.capacity() {
            self.sealed.reserve_exact((self.sealed.len() / 4).max(4));
        }
        self.sealed.push(run);
        self.sealed_end = end;
        while self.active.front().is_some_and(|record| record.log <= log) {
            self.active.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ActiveRecord, Ledger};
    use crate::contract::Wanted;
    use ledgerstone_proof::{Hash, Kind};

    #[test]
    fn unwanted_records_are_passed_over_and_nothing_else() {
        let mut ledger = Ledger::empty();
        for kind in [Kind::System, Kind::Event, Kind::Event, Kind::Audit, Kind::Event] {
            ledger.push(ActiveRecord {
                log: 0,
                offset: 0,
                len: 0,
                signature_crc: 0,
                leaf_hash: Hash::ZERO,
                record_hash: Hash::ZERO,
                kind,
            });
        }
        let next = |range, kind| ledger.next_wanted(range, Wanted::Kind(kind));
        assert_eq!(next(0..5, Kind::System), 0);
        assert_eq!(next(1..5, Kind::System), 5);
        assert_eq!(next(1..5, Kind::Audit), 3);
        assert_eq!(next(1..3, Kind::Audit), 3, "not beyond the range");
        assert_eq!(next(1..9, Kind::System), 5, "a number that is not there is for others to miss");
        assert_eq!(ledger.next_wanted(1..5, Wanted::Everything), 1);
    }
}
