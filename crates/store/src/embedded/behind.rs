//! What stands behind damage in the unsealed logs: nothing there is served, but it is verified, and
//! what is lost in between is counted.

use std::path::{Path, PathBuf};

use ledgerstone_proof::{SequenceNumber, TenantId};

use super::frame::{self, BadFrame, Frame};
use super::layout::log_number;
use super::log_file::{End, Frames, LogHeader};
use super::payload::Payload;
use super::shared::Shared;
use super::suspect::first_changed_record;
use crate::record::{Check, ContainerFinding, Location};

/// A log file whose frames the store does not serve, from `from` on.
pub struct LogBehind {
    pub number: u64,
    pub path: PathBuf,
    pub from: usize,
}

impl LogBehind {
    /// Reads the file; `None` when it is gone or no log of this store.
    pub fn read(&self, shared: &Shared) -> Option<(LogHeader, Vec<u8>)> {
        let bytes = std::fs::read(&self.path).ok()?;
        let header = LogHeader::decode(&bytes, &shared.store).ok()?;
        (header.number == self.number).then_some((header, bytes))
    }
}

/// The log files that hold what a damaged store does not serve; none where it is sound.
pub fn logs_behind(shared: &Shared) -> Vec<LogBehind> {
    let state = shared.read();
    if state.read_only.is_none() {
        return Vec::new();
    }
    let last = state.logs.back();
    let sealed = state.segments.last().map_or(0, |segment| segment.header().log_number);
    let known = last.map_or(sealed, |log| log.number);
    let mut logs: Vec<_> = last
        .map(|log| (log.number, log.file.path().to_owned(), log.end as usize))
        .into_iter()
        .collect();
    drop(state);
    let listed = super::load::list(&shared.layout.logs()).unwrap_or_default();
    let listed = listed.into_iter().filter_map(|path| Some((log_number(&path)?, path)));
    logs.extend(
        listed.filter(|log| log.0 > known).map(|(number, path)| (number, path, frame::SECTOR)),
    );
    logs.sort();
    logs.into_iter().map(|(number, path, from)| LogBehind { number, path, from }).collect()
}

/// Damage that was met, and what its frame says that it held, which is believed only where the
/// frames around it agree.
struct Open {
    finding: ContainerFinding,
    runs: Vec<(TenantId, u64, u64)>,
}

/// A walk over frames that goes on behind damage.
pub struct Scan {
    next_frame: u64,
    /// Ordinal of the next record.
    ordinal: u64,
    lost: u64,
    open: Vec<Open>,
    findings: Vec<ContainerFinding>,
}

impl Scan {
    /// Begins behind what was read; `told` is the damage that ended it.
    pub fn begin(next_frame: u64, ordinal: u64, told: Option<ContainerFinding>) -> Self {
        let open = told.map(|finding| Open { finding, runs: Vec::new() });
        let open = open.into_iter().collect();
        Self { next_frame, ordinal, lost: 0, open, findings: Vec::new() }
    }

    /// Walks over one file, and shows every good frame that goes on.
    pub fn file(
        &mut self,
        name: &Path,
        frames: &mut Frames<'_>,
        is_torn: impl Fn(&BadFrame) -> bool,
        mut show: impl FnMut(&Frame<'_>, Payload<'_>),
    ) {
        loop {
            match frames.next_frame() {
                Ok(frame) => match Payload::decode(frame.payload) {
                    Ok(payload) => {
                        if self.goes_on(name, &frame, &payload) {
                            show(&frame, payload);
                        }
                    }
                    Err(fault) => self.meet(name, frame.start, fault.what, Vec::new()),
                },
                Err(End::Clean) => return,
                Err(End::Bad(bad)) if is_torn(&bad) => return,
                Err(End::Bad(bad)) => {
                    self.bad(name, frames.file(), &bad);
                    let Some(next) = bad.good_behind else { return };
                    frames.skip_to(next);
                }
            }
        }
    }

    /// Takes in a good frame, if it is one that comes after those before.
    fn goes_on(&mut self, name: &Path, frame: &Frame<'_>, payload: &Payload<'_>) -> bool {
        if frame.number < self.next_frame {
            self.meet(name, frame.start, "a frame that was there already", Vec::new());
            return false;
        }
        let lost = payload.first_ordinal.saturating_sub(self.ordinal);
        if self.open.is_empty() && (lost > 0 || frame.number > self.next_frame) {
            let found = format!("frame {}", frame.number);
            self.meet(name, frame.start, &found, Vec::new());
        }
        self.settle(lost);
        let records: usize = payload.runs.iter().map(|run| run.rows.len()).sum();
        self.ordinal = payload.first_ordinal.saturating_add(records as u64);
        self.next_frame = frame.number.saturating_add(1);
        true
    }

    fn bad(&mut self, name: &Path, file: &[u8], bad: &BadFrame) {
        let payload = frame::payload_of_bad(file, bad.start);
        let payload = payload.and_then(|payload| Payload::decode(payload).ok());
        let runs = payload.map(|payload| {
            let run = |run: &super::payload::PayloadRun<'_>| {
                (run.tenant.clone(), run.first, run.rows.len() as u64)
            };
            payload.runs.iter().map(run).filter(|run| run.2 > 0).collect()
        });
        self.meet(name, bad.start, bad.reason, runs.unwrap_or_default());
        if let (Some((tenant, number)), Some(open)) =
            (first_changed_record(file, bad), self.open.last_mut())
        {
            open.finding.tenant = Some(tenant);
            open.finding.sequence_number = Some(number);
        }
    }

    /// Damage at a place, which may have been told already.
    fn meet(&mut self, name: &Path, start: usize, found: &str, runs: Vec<(TenantId, u64, u64)>) {
        let location = Location { file: name.to_owned(), offset: start as u64 };
        if let Some(told) = self.open.iter_mut().find(|one| one.finding.location == location) {
            told.runs = runs;
            return;
        }
        let finding = ContainerFinding {
            check: Check::Frame,
            location,
            tenant: None,
            sequence_number: None,
            expected: format!("frame {}", self.next_frame),
            found: found.to_owned(),
            following: 0,
        };
        self.open.push(Open { finding, runs });
    }

    /// So many records were lost by the damage met since the last good frame.
    fn settle(&mut self, lost: u64) {
        self.lost = self.lost.saturating_add(lost);
        let named = self.open.iter().flat_map(|one| &one.runs).map(|run| run.2).sum::<u64>();
        let mut is_first = true;
        for Open { finding, runs } in self.open.drain(..) {
            if named == lost && !runs.is_empty() {
                self.findings.extend(name_runs(&finding, &runs));
            } else {
                let counted = if is_first { lost } else { 0 };
                let itself = u64::from(finding.sequence_number.is_some());
                let following = counted.saturating_sub(itself);
                self.findings.push(ContainerFinding { following, ..finding });
            }
            is_first = false;
        }
    }

    /// Everything was walked over, and the store held so many records, as far as is known.
    pub fn finish(mut self, name: &Path, records: Option<u64>) -> Vec<ContainerFinding> {
        let lost = records.unwrap_or(0).saturating_sub(self.ordinal);
        if self.open.is_empty() && lost > 0 {
            self.meet(name, 0, "no such frame", Vec::new());
        }
        self.settle(lost);
        let total = records.unwrap_or(0).max(self.ordinal);
        if let Some(first) = self.findings.first_mut().filter(|_| self.lost > 0) {
            let read = total.saturating_sub(self.lost);
            first.found = format!("{}; of {total} records {read} can be read", first.found);
        }
        self.findings
    }
}

/// One finding for every ledger with records in a damaged frame.
fn name_runs(finding: &ContainerFinding, runs: &[(TenantId, u64, u64)]) -> Vec<ContainerFinding> {
    let name = |(tenant, first, count): &(TenantId, u64, u64)| {
        let changed = finding.sequence_number.filter(|_| finding.tenant.as_ref() == Some(tenant));
        let changed = changed.filter(|number| number.value() < first + count);
        let lost = match count {
            1 => format!("record {first} of {tenant} is lost"),
            _ => format!("records {first} to {} of {tenant} are lost", first + count - 1),
        };
        let found = match changed {
            Some(number) if *count > 1 => {
                format!("{}, at record {number}: {lost}", finding.found)
            }
            _ => format!("{}: {lost}", finding.found),
        };
        ContainerFinding {
            tenant: Some(tenant.clone()),
            sequence_number: SequenceNumber::new(*first).ok(),
            following: count - 1,
            found,
            ..finding.clone()
        }
    };
    runs.iter().map(name).collect()
}
