//! Walks the records of a log file one at a time, however large the file is.

use crate::importer::reader::{Gather, Reader};
use crate::importer::{ImportError, Position, Submission};

/// Bytes that one record may have. AWS itself stops at 256 KB; white space comes on top.
const RECORD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes that the name of the file's first member may have.
const NAME_BYTES_MAX: usize = 256;

/// The records behind `{"Records":[`. The reader is gone after the end or an error.
#[derive(Debug)]
pub(super) struct Records<'a> {
    reader: Option<Reader<'a>>,
    count: u64,
}

impl<'a> Records<'a> {
    pub(super) fn open(mut reader: Reader<'a>) -> Result<Self, ImportError> {
        expect(&mut reader, b'{', "is no json object, so no cloudtrail log file")?;
        if reader.peek_token()? != Some(b'"') {
            return Err(not_a_log(&reader));
        }
        let name = match reader.value(NAME_BYTES_MAX) {
            Ok(name) => name,
            Err(Gather::Failed(error)) => return Err(error),
            Err(Gather::TooLong | Gather::Ended) => return Err(not_a_log(&reader)),
        };
        match name.as_slice() {
            b"\"Records\"" => {}
            b"\"awsAccountId\"" | b"\"digestStartTime\"" => {
                let reason = "is a cloudtrail digest file, which holds hashes and no events; import the log files";
                return Err(fault(&reader, reason));
            }
            _ => return Err(not_a_log(&reader)),
        }
        expect(&mut reader, b':', "has no `:` behind \"Records\"")?;
        expect(&mut reader, b'[', "has no array behind \"Records\"")?;
        Ok(Self { reader: Some(reader), count: 0 })
    }

    /// The next record as it stands in the file, and its place.
    fn next_record(&mut self) -> Result<Option<Submission>, ImportError> {
        let Some(mut reader) = self.reader.take() else {
            return Ok(None);
        };
        match reader.peek_token()? {
            Some(b']') => return close(&mut reader).map(|()| None),
            Some(b',') if self.count > 0 => {
                reader.advance();
                reader.peek_token()?;
            }
            _ if self.count > 0 => {
                return Err(fault(
                    &reader,
                    "has no `,` between two records; nothing behind it was read",
                ));
            }
            _ => {}
        }
        self.count += 1;
        let position = Position::Record { number: self.count, offset: reader.offset() };
        let record = reader
            .any_value(RECORD_BYTES_MAX)
            .map_err(|gather| gather.at(position, RECORD_BYTES_MAX))?;
        if record.is_empty() {
            let reason = "is no json where a record should stand; nothing behind it was read";
            return Err(fault(&reader, reason));
        }
        self.reader = Some(reader);
        Ok(Some(Submission::new(record, position)))
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Submission, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}

/// Reads the end of the file, so that a file cut short or with more in it does not pass for whole.
fn close(reader: &mut Reader<'_>) -> Result<(), ImportError> {
    reader.advance();
    expect(
        reader,
        b'}',
        "has no `}` behind its records; it is cut short or holds more than records",
    )?;
    match reader.peek_token()? {
        None => Ok(()),
        Some(_) => Err(fault(reader, "goes on behind its end")),
    }
}

fn expect(reader: &mut Reader<'_>, byte: u8, reason: &'static str) -> Result<(), ImportError> {
    if reader.peek_token()? != Some(byte) {
        return Err(fault(reader, reason));
    }
    reader.advance();
    Ok(())
}

fn not_a_log(reader: &Reader<'_>) -> ImportError {
    fault(reader, "does not begin with {\"Records\":[ as a cloudtrail log file does")
}

fn fault(reader: &Reader<'_>, reason: &'static str) -> ImportError {
    ImportError::Format { offset: reader.offset(), reason }
}
