//! How a command ends, and the one error that all of them fail with.

use std::borrow::Cow;
use std::process::ExitCode;

use ledgerstone_edge::importer::{ImportError, Position};
use ledgerstone_ledger::{AdmissionError, LedgerError, Refusal, SubmitError};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::{ErrorCode, Fault, Rejection};
use ledgerstone_store::ReadError;

use crate::interruption::Interruption;

/// A command that came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is done, or holds.
    Done,
    /// Something was found, or some items were refused; it has been named.
    Findings,
    /// A signal asked for the end, and what was under way was finished.
    Interrupted(Interruption),
}

impl Ending {
    /// [`Ending::Findings`] if there are any.
    pub const fn findings_if(any: bool) -> Self {
        if any { Self::Findings } else { Self::Done }
    }

    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Findings => ExitCode::from(1),
            Self::Interrupted(signal) => ExitCode::from(signal.exit_status()),
        }
    }
}

/// The status of a process whose disk failed while it wrote: what was written is not known.
const WRITER_LOST: u8 = 70;

/// The status of a command that could not do what it was asked to.
const COULD_NOT: u8 = 2;

/// What went wrong, where, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    // Boxed, because every result of every command carries room for it.
    told: Box<Told>,
}

#[derive(Debug)]
struct Told {
    code: ErrorCode,
    message: String,
    remedy: Cow<'static, str>,
    place: Option<InputPlace>,
    id: Option<String>,
    faults: Vec<Fault>,
    is_fatal: bool,
}

/// A place in an input.
#[derive(Clone, Debug)]
pub struct InputPlace {
    pub input: String,
    pub position: Option<Position>,
}

impl Failure {
    /// A failure with the remedy of its code.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let told = Told {
            code,
            message: message.into(),
            remedy: Cow::Borrowed(remedy(code)),
            place: None,
            id: None,
            faults: Vec::new(),
            is_fatal: code == ErrorCode::OutcomeUnknown,
        };
        Self { told: Box::new(told) }
    }

    /// The same with a remedy that fits this case better than the code's own.
    pub fn with_remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.told.remedy = remedy.into();
        self
    }

    /// The same where a write failed of which nobody knows how far it went.
    pub fn after_failed_write(mut self) -> Self {
        self.told.is_fatal = true;
        self
    }

    /// The same about something in an input.
    pub fn at(mut self, place: InputPlace) -> Self {
        self.told.place = Some(place);
        self
    }

    /// The same about the event of this id.
    pub fn about(mut self, id: &str) -> Self {
        self.told.id = Some(id.to_owned());
        self
    }

    /// The same for so many more events, which are not named.
    pub fn and_more(mut self, count: u64) -> Self {
        let more = match count {
            0 => return self,
            1 => "; 1 more event that went with it met the same, and is not named".to_owned(),
            _ => format!("; {count} more events that went with it met the same, and are not named"),
        };
        self.told.message.push_str(&more);
        self
    }

    /// A file that could not be read or written.
    pub fn file(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(io_code(error), format!("{what} {} failed: {error}", path.display()))
    }

    pub fn code(&self) -> ErrorCode {
        self.told.code
    }

    /// What went wrong and where, without the code.
    pub fn message(&self) -> &str {
        &self.told.message
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        &self.told.remedy
    }

    /// The input that it is about.
    pub fn input(&self) -> Option<&str> {
        self.told.place.as_ref().map(|place| place.input.as_str())
    }

    /// Whether the process must end, because nobody knows what is on the disk.
    pub fn is_fatal(&self) -> bool {
        self.told.is_fatal
    }

    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.is_fatal() { WRITER_LOST } else { COULD_NOT })
    }

    /// The failure for people.
    pub fn to_text(&self) -> String {
        let place = match &self.told.place {
            None => String::new(),
            Some(InputPlace { input, position: None }) => format!("{input}: "),
            Some(InputPlace { input, position: Some(position) }) => {
                format!("{input}, {position}: ")
            }
        };
        // A message that speaks of the id need not be told it.
        let id = self.told.id.as_ref().filter(|id| !self.told.message.contains(id.as_str()));
        let id = id.map_or_else(String::new, |id| format!(" (id {id})"));
        let Told { code, message, remedy, .. } = &*self.told;
        format!("error[{code}]: {place}{message}{id}\n  {remedy}")
    }

    /// The failure for programs, as one line.
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        let mut error = ObjectWriter::open(object.key("error"));
        error.text("code", self.told.code.as_str());
        error.text("message", &self.told.message);
        error.text("remedy", &self.told.remedy);
        error.optional_text("input", self.told.place.as_ref().map(|place| place.input.as_str()));
        let position = self.told.place.as_ref().and_then(|place| place.position);
        error.optional_text("position", position.map(|one| one.to_string()).as_deref());
        error.optional_text("id", self.told.id.as_deref());
        if !self.told.faults.is_empty() {
            error.array("faults", &self.told.faults, write_fault);
        }
        error.close();
        object.close();
        String::from_utf8_lossy(&out).into_owned()
    }
}

fn write_fault(fault: &Fault, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.text("pointer", fault.pointer());
    object.text("code", fault.code().as_str());
    object.text("reason", fault.reason());
    if let Some(offset) = fault.offset() {
        object.number("offset", offset as u64);
    }
    object.close();
}

/// The remedy of a code; a command that ended does not go on by itself, as a server does.
const fn remedy(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::DiskFull => {
            "Make room and run the command again; everything acknowledged is safe."
        }
        other => other.remedy(),
    }
}

/// The code of an error of the file system.
pub fn io_code(error: &std::io::Error) -> ErrorCode {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => ErrorCode::DiskFull,
        ReadOnlyFilesystem | PermissionDenied => ErrorCode::ReadOnlyStorage,
        _ => ErrorCode::StorageFailed,
    }
}

/// What was wrong; faults whose code stands before the message do not name it again.
fn told_once(rejection: &Rejection) -> String {
    let faults = rejection.faults();
    if rejection.omitted() > 0 || faults.iter().any(|fault| fault.code() != rejection.code()) {
        return rejection.to_string();
    }
    let told = faults.iter().map(|fault| format!("{}: {}", fault.place(), fault.reason()));
    told.collect::<Vec<_>>().join("; ")
}

impl From<AdmissionError> for Failure {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::Refused(rejection) => rejection.into(),
            AdmissionError::Read(error) => error.into(),
        }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let mut failure = Self::new(rejection.code(), told_once(&rejection));
        failure.told.faults = rejection.faults().to_vec();
        failure
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let mut failure = Self::new(refusal.code, refusal.message);
        failure.told.id = Some(refusal.id.as_str().to_owned());
        failure
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::InvalidTaxonomy(rejection) => rejection.into(),
            // Its own text begins with the code.
            LedgerError::NotWritten { code, message } => Self::new(code, message),
            LedgerError::Keys(error) if error.code() == ErrorCode::InvalidKey => {
                Self::new(error.code(), error.to_string()).with_remedy(
                    "Run `chmod 600` on the file if others may read or write it; else put it back \
                     from a copy of keys/. Without it the directory can be read and verified.",
                )
            }
            other => Self::new(other.code(), other.to_string()),
        }
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
