//! `system.retention_started` and `system.retention`: contents of a ledger are about to be dropped,
//! and have been.
//!
//! The first names every record whose content goes, before it goes: a content may be missing only
//! where such a record covers exactly its number. Neither says whose contents they are; who ordered it
//! stands in the `audit` record to which `audit_record` points.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerstone_proof::SequenceNumber;

use super::SystemRecordError;
use super::fields::Fields;
use crate::json::Value;
use crate::json_write::ObjectWriter;
use crate::number_set::{NumberSet, WINDOW_BYTES, Windows};
use crate::random_id::random_id;

/// Pieces of a set that one record may hold, each of at most 200 bytes: so the record stays below
/// the 256 KiB that a content may have.
pub const RETENTION_PIECES_MAX: usize = 1_000;

/// A window with more ranges than this is written as its bits, which is then shorter.
const WINDOW_RANGES_MAX: usize = 12;

random_id! {
    /// Name of a run that drops contents: 128 random bits. One run may concern several ledgers.
    RetentionRunId
}

/// Why contents are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetentionReason {
    /// Their time is over.
    Expired,
    /// They held a person in clear who had a right to be erased.
    Erasure,
    /// The tenant is gone.
    TenantClosed,
}

impl RetentionReason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Expired, Self::Erasure, Self::TenantClosed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Erasure => "erasure",
            Self::TenantClosed => "tenant_closed",
        }
    }

    /// The reason of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// The payload of `system.retention_started`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionStarted {
    run: RetentionRunId,
    reason: RetentionReason,
    numbers: NumberSet,
    policy_record: Option<SequenceNumber>,
    audit_record: Option<SequenceNumber>,
}

impl RetentionStarted {
    /// The records that a run begins with in one ledger: one, or several where one would become too
    /// long. None where no number is given.
    pub fn split(run: RetentionRunId, reason: RetentionReason, numbers: &NumberSet) -> Vec<Self> {
        let mut started = Vec::new();
        let mut part = NumberSet::new();
        let mut count = 0;
        for piece in pieces(numbers) {
            piece.add_to(&mut part);
            count += 1;
            if count == RETENTION_PIECES_MAX {
                started.extend(Self::new(run, reason, std::mem::take(&mut part)));
                count = 0;
            }
        }
        started.extend(Self::new(run, reason, part));
        started
    }

    /// `None` where there are no numbers, too many pieces of them, or one beyond 2^53 - 1.
    pub fn new(run: RetentionRunId, reason: RetentionReason, numbers: NumberSet) -> Option<Self> {
        let last = numbers.last()?;
        let fits = pieces(&numbers).count() <= RETENTION_PIECES_MAX;
        (fits && last <= SequenceNumber::MAX.value()).then_some(Self {
            run,
            reason,
            numbers,
            policy_record: None,
            audit_record: None,
        })
    }

    /// The same with the number of the `system` record of this ledger that holds the policy.
    #[must_use]
    pub const fn under_policy(mut self, policy_record: Option<SequenceNumber>) -> Self {
        self.policy_record = policy_record;
        self
    }

    /// The same with the number of the `audit` record of this ledger that says who ordered it.
    #[must_use]
    pub const fn explained_by(mut self, audit_record: Option<SequenceNumber>) -> Self {
        self.audit_record = audit_record;
        self
    }

    pub const fn run(&self) -> RetentionRunId {
        self.run
    }

    pub const fn reason(&self) -> RetentionReason {
        self.reason
    }

    /// The records whose contents go.
    pub const fn numbers(&self) -> &NumberSet {
        &self.numbers
    }

    /// The record that holds the policy by which they go.
    pub const fn policy_record(&self) -> Option<SequenceNumber> {
        self.policy_record
    }

    /// The record that says who ordered it.
    pub const fn audit_record(&self) -> Option<SequenceNumber> {
        self.audit_record
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.optional_number("audit_record", self.audit_record.map(SequenceNumber::value));
        write_numbers(&self.numbers, object.key("numbers"));
        object.optional_number("policy_record", self.policy_record.map(SequenceNumber::value));
        object.text("reason", self.reason.as_str());
        object.text("run", &self.run.to_string());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let run = fields.parsed("run", |text| RetentionRunId::parse(text).ok_or(()))?;
        let reason = fields.parsed("reason", |text| RetentionReason::parse(text).ok_or(()))?;
        let numbers = read_numbers(fields.value("numbers")?)?;
        let started = Self::new(run, reason, numbers).ok_or(NUMBERS)?;
        Ok(started
            .under_policy(fields.optional_sequence_number("policy_record")?)
            .explained_by(fields.optional_sequence_number("audit_record")?))
    }
}

/// The payload of `system.retention`: a run is done in this ledger, and what it covers is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionDone {
    run: RetentionRunId,
    contents: u64,
    segments: u64,
}

impl RetentionDone {
    /// `contents` contents of this ledger were covered, and `segments` containers, which hold other
    /// ledgers too, were written anew by the run. Which ones they are would tell one tenant how much
    /// the others write. `None` for counts beyond 2^53 - 1.
    pub fn new(run: RetentionRunId, contents: u64, segments: u64) -> Option<Self> {
        let max = SequenceNumber::MAX.value();
        (contents <= max && segments <= max).then_some(Self { run, contents, segments })
    }

    pub const fn run(&self) -> RetentionRunId {
        self.run
    }

    /// How many contents of the ledger the run covered.
    pub const fn contents(&self) -> u64 {
        self.contents
    }

    /// How many containers the run wrote anew, as far as the process knows that ended it.
    pub const fn segments(&self) -> u64 {
        self.segments
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.number("contents", self.contents);
        object.text("run", &self.run.to_string());
        object.number("segments", self.segments);
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let run = fields.parsed("run", |text| RetentionRunId::parse(text).ok_or(()))?;
        let (contents, segments) = (fields.number("contents")?, fields.number("segments")?);
        Self::new(run, contents, segments).ok_or(SystemRecordError::Field("contents"))
    }
}

const NUMBERS: SystemRecordError = SystemRecordError::Field("numbers");

/// A piece of a set as it is written: there is one way to write a set.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// The first number and the one after the last.
    Range(u64, u64),
    /// The first number of a window, and the bytes of its bits up to the last that is set.
    Bits(u64, Vec<u8>),
}

impl Piece {
    fn add_to(&self, numbers: &mut NumberSet) {
        match self {
            Self::Range(first, end) => numbers.insert_range(*first..*end),
            Self::Bits(first, bytes) => drop(numbers.insert_bits(*first, bytes)),
        }
    }
}

/// The pieces of a set in order. Ranges that touch are one, unless bits come between.
fn pieces(numbers: &NumberSet) -> impl Iterator<Item = Piece> + '_ {
    let mut pieces = numbers.windows().flat_map(of_windows).peekable();
    std::iter::from_fn(move || {
        let mut piece = pieces.next()?;
        if let Piece::Range(_, end) = &mut piece {
            while let Some(Piece::Range(_, next)) =
                pieces.next_if(|next| matches!(next, Piece::Range(first, _) if first == end))
            {
                *end = next;
            }
        }
        Some(piece)
    })
}

fn of_windows(windows: Windows<'_>) -> Vec<Piece> {
    let ranges: Vec<Piece> =
        windows.ranges().map(|range| Piece::Range(range.start, range.end)).collect();
    match windows {
        Windows::Part { first, bits } if ranges.len() > WINDOW_RANGES_MAX => {
            let end = bits.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            vec![Piece::Bits(first, bits.iter().take(end).copied().collect())]
        }
        _ => ranges,
    }
}

/// Writes a set: `[first,last]` for a range, `[first,"bits"]` for a window.
fn write_numbers(numbers: &NumberSet, out: &mut Vec<u8>) {
    for (at, piece) in pieces(numbers).enumerate() {
        out.push(if at == 0 { b'[' } else { b',' });
        let text = match piece {
            Piece::Range(first, end) => format!("[{first},{}]", end - 1),
            Piece::Bits(first, bytes) => format!("[{first},\"{}\"]", URL_SAFE_NO_PAD.encode(bytes)),
        };
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b']');
}

fn read_numbers(list: Value<'_>) -> Result<NumberSet, SystemRecordError> {
    let mut numbers = NumberSet::new();
    let mut elements = list.elements();
    let mut count = 0;
    while let Some(element) = elements.next_element()? {
        count += 1;
        // What is longer was not written here, and nobody goes through all of it.
        let piece = read_piece(element)?.filter(|_| count <= RETENTION_PIECES_MAX);
        piece.ok_or(NUMBERS)?.add_to(&mut numbers);
    }
    Ok(numbers)
}

fn read_piece(element: Value<'_>) -> Result<Option<Piece>, SystemRecordError> {
    let mut parts = element.elements();
    let (Some(first), Some(second)) = (parts.next_element()?, parts.next_element()?) else {
        return Ok(None);
    };
    let max = SequenceNumber::MAX.value();
    let Some(first) = first.unsigned().filter(|first| *first <= max) else {
        return Ok(None);
    };
    if let Some(last) = second.unsigned() {
        return Ok((first <= last && last <= max).then_some(Piece::Range(first, last + 1)));
    }
    let bytes = second.text().and_then(|text| URL_SAFE_NO_PAD.decode(&*text).ok());
    Ok(bytes.filter(|bytes| bytes.len() <= WINDOW_BYTES).map(|bytes| Piece::Bits(first, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number_set::WINDOW;

    fn run() -> RetentionRunId {
        RetentionRunId::from_bytes([7; 16])
    }

    fn alternating(count: u64) -> NumberSet {
        (0..count).map(|number| 2 * number).collect()
    }

    #[test]
    fn a_long_set_is_split_and_nothing_of_it_is_lost() {
        let reason = RetentionReason::Expired;
        assert!(RetentionStarted::split(run(), reason, &NumberSet::new()).is_empty());
        for numbers in [
            NumberSet::from(5..6),
            NumberSet::from(0..10_000_000),
            alternating(WINDOW / 2 * (RETENTION_PIECES_MAX as u64 + 9)),
            // Twelve ranges a window, the most that are written as ranges.
            (0..2_000)
                .flat_map(|window| (0..12).map(move |at| window * WINDOW + 80 * at))
                .collect(),
        ] {
            let split = RetentionStarted::split(run(), reason, &numbers);
            let mut together = NumberSet::new();
            for started in &split {
                assert!(together.shared_with(started.numbers()).is_empty());
                together.add(started.numbers());
                let mut text = Vec::new();
                write_numbers(started.numbers(), &mut text);
                assert!(text.len() < 200 * RETENTION_PIECES_MAX, "{}", text.len());
                assert_eq!(read_numbers(Value::new(&text)).as_ref(), Ok(started.numbers()));
            }
            assert_eq!(together, numbers);
            assert_eq!(split.len(), pieces(&numbers).count().div_ceil(RETENTION_PIECES_MAX));
        }
    }

    #[test]
    fn what_stands_alone_is_a_range_and_what_alternates_is_bits() {
        let mut numbers = alternating(11);
        numbers.insert_range(1_000..5_000);
        let mut text = Vec::new();
        write_numbers(&numbers, &mut text);
        let ranges =
            b"[[0,0],[2,2],[4,4],[6,6],[8,8],[10,10],[12,12],[14,14],[16,16],[18,18],[20,20],";
        assert_eq!(text, [ranges.as_slice(), b"[1000,4999]]"].concat());
        numbers.insert(22);
        text.clear();
        write_numbers(&numbers, &mut text);
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.starts_with("[[0,\"VVVVAAAA") && text.ends_with("AAD___8\"],[1024,4999]]"),
            "{text}"
        );
        let mut text = Vec::new();
        write_numbers(&alternating(13), &mut text);
        assert_eq!(text, br#"[[0,"VVVVAQ"]]"#);
    }
}
