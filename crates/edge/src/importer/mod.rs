//! Turns files of foreign formats into events, one importer a format.
//!
//! An importer reads a stream and hands out its records one at a time, so that a file of any size
//! needs little memory, and turns each into an event. It never drops a record: what it cannot turn
//! into an event is refused by itself, and the others go on. Reading and mapping are two steps, so
//! that records can be read where a file is and mapped where the ledger is.

pub mod cloudtrail;
mod input;
pub mod ndjson;
mod reader;

use std::fmt;
use std::io::{self, Read};

use ledgerstone_model::sealing::Preset;
use ledgerstone_model::{ErrorCode, Rejection};
use thiserror::Error;

pub use input::{Input, InputLimits};

use crate::shape::Shaped;

/// Every format that can be imported. A new one is a file and a line here.
pub const IMPORTERS: &[&dyn Importer] = &[&cloudtrail::CloudTrail, &ndjson::Ndjson];

/// What an importer reads out of an input, one after another.
pub type Submissions<'a> = Box<dyn Iterator<Item = Result<Submission, ImportError>> + Send + 'a>;

/// One foreign format.
pub trait Importer: fmt::Debug + Sync {
    /// The name it is asked for by, e.g. `cloudtrail`.
    fn name(&self) -> &'static str;

    /// What it reads, in one line.
    fn doc(&self) -> &'static str;

    /// The ends of the names of files in this format, `.gz` left off.
    fn extensions(&self) -> &'static [&'static str];

    /// The rules of sealing that are made for records of this format.
    fn sealing_preset(&self) -> Preset {
        Preset::Standard
    }

    /// Reads submissions one after another. After an error there is nothing more.
    fn submissions<'a>(&self, input: Input<'a>) -> Result<Submissions<'a>, ImportError>;

    /// Turns the text of one submission into an event; `None` where it is one as it stands. The same
    /// text always gives the same event.
    fn map(&self, text: &[u8]) -> Result<Option<Shaped>, Rejection>;
}

/// The importer of this name.
pub fn find(name: &str) -> Result<&'static dyn Importer, ImportError> {
    let found = IMPORTERS.iter().find(|importer| importer.name() == name);
    found.copied().ok_or_else(|| ImportError::UnknownFormat(name.to_owned()))
}

/// Whether a file of this name is one the importer reads, compressed or not.
pub fn accepts(importer: &dyn Importer, file_name: &str) -> bool {
    let plain = file_name.strip_suffix(".gz").unwrap_or(file_name);
    importer
        .extensions()
        .iter()
        .any(|extension| plain.strip_suffix(extension).is_some_and(|stem| stem.ends_with('.')))
}

/// One record as it stands in the input; it still has to be mapped and parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    text: Vec<u8>,
    position: Position,
}

impl Submission {
    pub(crate) const fn new(text: Vec<u8>, position: Position) -> Self {
        Self { text, position }
    }

    /// The record's text.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The record's text, for who needs nothing else.
    pub fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// Where in the input it stood.
    pub const fn position(&self) -> Position {
        self.position
    }
}

/// A place in an input, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// A line, counted from 1.
    Line(u64),
    /// A record, counted from 1, and the byte of the unpacked input where it begins.
    Record { number: u64, offset: u64 },
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Record { number, offset } => write!(f, "record {number} at byte {offset}"),
        }
    }
}

/// Why an input was not taken, or not read further.
#[derive(Debug, Error)]
pub enum ImportError {
    #[error("the input is empty; check that the right file was given")]
    Empty,
    #[error("the compressed input is damaged or cut short: {0}; fetch the file again")]
    Gzip(String),
    #[error(
        "the input unpacks to more than {allowed} bytes out of {compressed}; unpack and split it"
    )]
    Bomb { allowed: u64, compressed: u64 },
    #[error("the input is larger than {0} bytes; split it")]
    TooLarge(u64),
    #[error("{position} is longer than {limit} bytes; leave it out or split it")]
    RecordTooLarge { position: Position, limit: usize },
    #[error("{0} has no end: the input is cut short; fetch the file again")]
    Unfinished(Position),
    #[error("the input at byte {offset} {reason}")]
    Format { offset: u64, reason: &'static str },
    #[error("there is no format {0:?}; the formats are {names}", names = names())]
    UnknownFormat(String),
    #[error("the input could not be read: {0}")]
    Read(#[from] io::Error),
}

impl ImportError {
    /// The stable code.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Empty => ErrorCode::EmptyInput,
            Self::Gzip(_) => ErrorCode::InvalidGzip,
            Self::Bomb { .. } | Self::TooLarge(_) => ErrorCode::InputTooLarge,
            Self::RecordTooLarge { .. } => ErrorCode::EventTooLarge,
            Self::Format { .. } | Self::Unfinished(_) => ErrorCode::InvalidImport,
            Self::UnknownFormat(_) => ErrorCode::UnknownFormat,
            Self::Read(_) => ErrorCode::StorageFailed,
        }
    }
}

fn names() -> String {
    let names: Vec<&str> = IMPORTERS.iter().map(|importer| importer.name()).collect();
    names.join(", ")
}

/// Opens a stream, compressed or not, and reads its submissions with `importer`.
pub fn read<'a>(
    importer: &dyn Importer,
    stream: impl Read + Send + 'a,
    limits: InputLimits,
) -> Result<Submissions<'a>, ImportError> {
    importer.submissions(Input::open(stream, limits)?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{IMPORTERS, accepts, find};
    use ledgerstone_model::ErrorCode;

    #[test]
    fn the_table_is_in_order() {
        let mut names = HashSet::new();
        for importer in IMPORTERS {
            assert!(names.insert(importer.name()), "{} stands twice", importer.name());
            assert!(importer.doc().len() > 10 && !importer.extensions().is_empty());
            assert_eq!(find(importer.name()).unwrap().name(), importer.name());
        }
        let error = find("csv").unwrap_err();
        assert_eq!(error.code(), ErrorCode::UnknownFormat);
        assert!(error.to_string().contains("cloudtrail, ndjson"), "{error}");
    }

    #[test]
    fn files_are_known_by_their_ends() {
        let cloudtrail = find("cloudtrail").unwrap();
        assert!(accepts(cloudtrail, "1_CloudTrail_us-east-1_x.json.gz"));
        assert!(accepts(cloudtrail, "a.json"));
        assert!(!accepts(cloudtrail, "json"));
        assert!(!accepts(cloudtrail, "a.txt"));
    }
}
