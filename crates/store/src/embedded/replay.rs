//! Replays the unsealed logs at opening: every frame is checked, every hash recomputed.

use std::sync::Arc;

use ledgerstone_proof::{SequenceNumber, TenantId, leaf_hash, sha256};

use super::active::{ActiveRecord, Ledger, signature_crc};
use super::files::DataFile;
use super::frame::{self, BadFrame, Frame, PAYLOAD_OFFSET, SECTOR};
use super::head_file::{FramePlace, HeadState};
use super::log_file::{End, Frames, LogHeader};
use super::payload::{Payload, PayloadRun};
use super::shared::{Log, Shared, State};
use super::suspect::first_changed_record;
use crate::record::{Check, ContainerFinding, Location};

/// How the replay of one log file ended.
pub enum Ended {
    /// Zeros follow the last frame.
    Clean,
    /// A write that was cut short.
    Torn(BadFrame),
    /// Not what was written: nothing behind it may be believed.
    Damaged,
}

/// Replays log files, oldest first.
pub struct Replay<'a> {
    pub shared: &'a Shared,
    pub state: &'a mut State,
    /// What `HEAD` says; `None` when it cannot be read.
    pub head: Option<&'a HeadState>,
    /// Frames beyond `HEAD` are left alone: a living writer may be at work on them.
    pub stop_at_head: bool,
    /// The frame of `HEAD` was met.
    pub head_met: bool,
    /// Behind the last good frame of the file before stood something bad. If the next file begins
    /// with the next frame, no frame was lost by it.
    pub bad_before: bool,
}

/// A log file read into memory.
pub struct LogBytes {
    pub header: LogHeader,
    pub file: Arc<DataFile>,
    pub bytes: Vec<u8>,
    /// A later log file holds frames.
    pub followed: bool,
}

impl LogBytes {
    /// Nothing but zeros stands behind the header.
    pub fn is_empty(&self) -> bool {
        frame::is_zero(self.bytes.get(SECTOR..).unwrap_or_default())
    }
}

impl Replay<'_> {
    /// Replays one file into the state.
    pub fn log(&mut self, log: &LogBytes) -> Ended {
        let number = log.header.number;
        self.state.logs.push_back(Log::new(number, log.file.clone(), self.state.records));
        let mut frames = Frames::new(&log.bytes, log.header.nonce);
        if std::mem::take(&mut self.bad_before) && !self.goes_on(log) {
            return Ended::Damaged;
        }
        loop {
            if self.stop_at_head && self.head_met {
                return Ended::Clean;
            }
            match frames.next_frame() {
                Ok(frame) => {
                    if let Err(finding) = self.frame(log, &frame) {
                        self.state.findings.push(*finding);
                        return Ended::Damaged;
                    }
                }
                Err(End::Clean) => return Ended::Clean,
                Err(End::Bad(bad)) => return self.bad(log, bad),
            }
        }
    }

    fn goes_on(&self, log: &LogBytes) -> bool {
        let first = Frames::new(&log.bytes, log.header.nonce).next_frame();
        first.is_ok_and(|frame| frame.number == self.state.frame.frame + 1)
    }

    fn bad(&mut self, log: &LogBytes, bad: BadFrame) -> Ended {
        let place = FramePlace { file: log.header.number, frame: 0, end: bad.start as u64 };
        let after_head = self.head.is_some_and(|head| {
            (place.file, place.end) >= (head.last_frame.file, head.last_frame.end)
        });
        if after_head && bad.good_behind.is_none() && !log.followed && bad.zero_sector {
            return Ended::Torn(bad);
        }
        let found = bad.reason.to_owned();
        let expected = format!("frame {}", self.state.frame.frame + 1);
        let check = if bad.cut_by_the_end { Check::Truncated } else { Check::Frame };
        let mut finding = self.finding(log, check, bad.start as u64, expected, found);
        (finding.tenant, finding.sequence_number) = first_changed_record(&log.bytes, &bad).unzip();
        self.state.findings.push(*finding);
        self.bad_before = log.followed && bad.good_behind.is_none();
        if self.bad_before { Ended::Clean } else { Ended::Damaged }
    }

    fn frame(&mut self, log: &LogBytes, frame: &Frame<'_>) -> Result<(), Box<ContainerFinding>> {
        let at = frame.start as u64;
        let expected = self.state.frame.frame + 1;
        if frame.number != expected {
            let found = format!("frame {}", frame.number);
            return Err(self.finding(log, Check::Frame, at, format!("frame {expected}"), found));
        }
        let payload = Payload::decode(frame.payload).map_err(|fault| {
            let expected = "a readable frame".to_owned();
            self.finding(log, Check::Frame, at, expected, fault.to_string())
        })?;
        if payload.first_ordinal != self.state.records {
            let expected = format!("a frame that begins at ordinal {}", self.state.records);
            let found = format!("ordinal {}", payload.first_ordinal);
            return Err(self.finding(log, Check::Frame, at, expected, found));
        }
        for run in &payload.runs {
            self.run(log, frame, run)?;
        }
        self.rest(log, frame, payload);
        self.compare_with_head(log, at)
    }

    fn rest(&mut self, log: &LogBytes, frame: &Frame<'_>, payload: Payload<'_>) {
        let end = frame.end as u64;
        let state = &mut *self.state;
        state.frame = FramePlace { file: log.header.number, frame: frame.number, end };
        state.positions.extend(payload.all_positions);
        state.positions.extend(payload.moved_positions);
        state.key_generation = state.key_generation.max(payload.key_generation);
        if let Some(open) = state.logs.back_mut() {
            open.end = end;
            open.last_frame = frame.number;
            open.anchored.extend(payload.anchored);
            open.checkpoints.extend(payload.checkpoints.iter().cloned());
        }
        payload.checkpoints.into_iter().for_each(|checkpoint| state.keep_checkpoint(checkpoint));
    }

    /// `HEAD` names the last durable frame and what the store held then.
    fn compare_with_head(&mut self, log: &LogBytes, at: u64) -> Result<(), Box<ContainerFinding>> {
        let Some(head) = self.head.filter(|h| h.last_frame.frame == self.state.frame.frame) else {
            return Ok(());
        };
        self.head_met = true;
        let system = self.state.ledgers.get(&TenantId::system());
        let size = system.map_or(0, |ledger| ledger.head.size());
        let root = system.map_or_else(ledgerstone_proof::empty_root, |l| l.head.range.root());
        let fits = head.last_frame == self.state.frame
            && head.records == self.state.records
            && head.system_size == size
            && head.system_root == root;
        if fits {
            return Ok(());
        }
        let expected = format!(
            "{} records and {} with root {} in _system, as HEAD says of frame {}",
            head.records,
            head.system_size,
            head.system_root.to_hex(),
            head.last_frame.frame
        );
        let found = format!(
            "{} records and {size} with root {} in _system",
            self.state.records,
            root.to_hex()
        );
        Err(self.finding(log, Check::Head, at, expected, found))
    }

    fn run(
        &mut self,
        log: &LogBytes,
        frame: &Frame<'_>,
        run: &PayloadRun<'_>,
    ) -> Result<(), Box<ContainerFinding>> {
        let at = frame.start as u64;
        let ledger =
            self.state.ledgers.entry(run.tenant.clone()).or_insert_with(Ledger::empty).head.clone();
        let place = |mut finding: Box<ContainerFinding>, number: u64| {
            finding.tenant = Some(run.tenant.clone());
            finding.sequence_number = SequenceNumber::new(number).ok();
            finding
        };
        if run.first != ledger.size() {
            let expected = format!("record {}", ledger.size());
            let found = format!("record {}", run.first);
            let finding = self.finding(log, Check::Sequence, at, expected, found);
            return Err(place(finding, run.first));
        }
        if run.previous_hash != ledger.record_hash {
            let (expected, found) = (ledger.record_hash.to_hex(), run.previous_hash.to_hex());
            let finding = self.finding(log, Check::PreviousHash, at, expected, found);
            return Err(place(finding, run.first));
        }
        let records = check_rows(run).map_err(|fault| {
            let finding = self.finding(log, fault.check, at, fault.expected, fault.found);
            place(finding, fault.number)
        })?;
        self.add(log, frame, run, ledger, &records);
        Ok(())
    }

    fn add(
        &mut self,
        log: &LogBytes,
        frame: &Frame<'_>,
        run: &PayloadRun<'_>,
        mut head: crate::record::Head,
        hashes: &[ledgerstone_proof::Hash],
    ) {
        let payload_at = (frame.start + PAYLOAD_OFFSET) as u64;
        let State { ledgers, logs, records, .. } = &mut *self.state;
        let (Some(ledger), Some(open)) = (ledgers.get_mut(&run.tenant), logs.back_mut()) else {
            return;
        };
        for ((row, record_hash), number) in run.rows.iter().zip(hashes).zip(run.first..) {
            ledger.push(ActiveRecord {
                log: log.header.number,
                offset: payload_at + u64::from(row.place.offset),
                len: row.place.len,
                signature_crc: signature_crc(row.signature.as_ref().map(|signed| signed.1)),
                leaf_hash: row.leaf_hash,
                record_hash: *record_hash,
                kind: row.kind,
            });
            head.range.push(row.leaf_hash);
            head.ingested_at = Some(row.ingested_at);
            open.ids.insert(self.shared.hasher.hash(&run.tenant, row.event_id), number);
        }
        head.record_hash = run.last_record_hash;
        ledger.head = head;
        open.first_at = open.first_at.or_else(|| run.rows.first().map(|row| row.ingested_at));
        let count = run.rows.len() as u64;
        open.order.push((run.tenant.clone(), run.first, count as u32));
        open.records += count;
        *records += count;
    }

    #[expect(clippy::unnecessary_box_returns, reason = "it is the error of most of its callers")]
    fn finding(
        &self,
        log: &LogBytes,
        check: Check,
        offset: u64,
        expected: String,
        found: String,
    ) -> Box<ContainerFinding> {
        let file = self.shared.layout.relative(log.file.path());
        let location = Location { file, offset };
        Box::new(ContainerFinding {
            check,
            location,
            tenant: None,
            sequence_number: None,
            expected,
            found,
            following: 0,
        })
    }
}

/// A record that does not match its hashes.
pub struct RowFault {
    check: Check,
    pub number: u64,
    expected: String,
    found: String,
}

/// Recomputes every hash of a run; answers the record hashes.
pub fn check_rows(run: &PayloadRun<'_>) -> Result<Vec<ledgerstone_proof::Hash>, RowFault> {
    let mut previous = run.previous_hash;
    let mut header = Vec::with_capacity(512);
    let mut hashes = Vec::with_capacity(run.rows.len());
    for (row, number) in run.rows.iter().zip(run.first..) {
        let fault = |check, expected: ledgerstone_proof::Hash, found: ledgerstone_proof::Hash| {
            RowFault { check, number, expected: expected.to_hex(), found: found.to_hex() }
        };
        let content_hash = sha256(row.content);
        if content_hash != row.content_hash {
            return Err(fault(Check::ContentHash, row.content_hash, content_hash));
        }
        let Ok(sequence_number) = SequenceNumber::new(number) else {
            return Err(fault(Check::Sequence, previous, previous));
        };
        header.clear();
        row.header(&run.tenant, sequence_number, &previous).write_canonical(&mut header);
        let leaf = leaf_hash(&header);
        if leaf != row.leaf_hash {
            return Err(fault(Check::RecordHash, row.leaf_hash, leaf));
        }
        previous = sha256(&header);
        hashes.push(previous);
    }
    if previous == run.last_record_hash {
        return Ok(hashes);
    }
    let number = run.first + run.rows.len() as u64;
    let (expected, found) = (run.last_record_hash.to_hex(), previous.to_hex());
    Err(RowFault { check: Check::RecordHash, number, expected, found })
}
