//! The text of a file of dead letters: a head with its letters' numbers and checksum, then one
//! canonical JSON object a line. `docs/format.md` draws it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_model::json::Value;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::{DeadLetter, ErrorCode, Fault, LetterState, Numbers};
use ledgerstone_proof::{EventId, Hash, IngestedAt, SequenceNumber, canonicalize, sha256};

/// How the head begins.
const MAGIC: &str = "ledgerstone dead letters 1";

/// Bytes of the longest head, line end included.
pub(super) const HEAD_BYTES_MAX: usize = 160;

/// What the first line of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) letters: u64,
    pub(super) open: u64,
    /// Bytes behind the head.
    body: u64,
    /// SHA-256 of them.
    sha256: Hash,
    /// Bytes of the head itself.
    bytes: usize,
}

impl Head {
    /// Reads the head at the beginning of a file, in the one spelling it has.
    pub(super) fn parse(file: &[u8]) -> Option<Self> {
        let window = file.get(..file.len().min(HEAD_BYTES_MAX))?;
        let end = window.iter().position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(window.get(..end)?).ok()?;
        let mut words = line.strip_prefix(MAGIC)?.strip_prefix(' ')?.split(' ');
        let mut number = || words.next()?.parse().ok();
        let (letters, open, body) = (number()?, number()?, number()?);
        let sha256 = Hash::from_hex(words.next()?).ok()?;
        let head = Self { letters, open, body, sha256, bytes: end + 1 };
        (head.line().as_bytes() == file.get(..=end)?).then_some(head)
    }

    fn line(&self) -> String {
        format!("{MAGIC} {} {} {} {}\n", self.letters, self.open, self.body, self.sha256.to_hex())
    }

    /// Bytes that the whole file must have.
    pub(super) const fn file_bytes(&self) -> u64 {
        self.body.saturating_add(self.bytes as u64)
    }
}

/// The bytes of a file.
pub fn encode(letters: &[DeadLetter]) -> Vec<u8> {
    let open = letters.iter().filter(|letter| letter.state.is_open()).count();
    let lines: Vec<Vec<u8>> = letters.iter().map(line).collect();
    join(&lines, open as u64)
}

/// The line of one letter.
pub(super) fn line(letter: &DeadLetter) -> Vec<u8> {
    let mut line = Vec::with_capacity(letter.text.len() + 512);
    write(letter, &mut line);
    line.push(b'\n');
    line
}

/// The bytes of a file with these lines.
pub(super) fn join(lines: &[Vec<u8>], open: u64) -> Vec<u8> {
    let mut body = lines.concat();
    let head = Head {
        letters: lines.len() as u64,
        open,
        body: body.len() as u64,
        sha256: sha256(&body),
        bytes: 0,
    };
    let mut file = head.line().into_bytes();
    file.append(&mut body);
    file
}

/// The letters of a file; `None` unless every byte is as [`encode`] wrote it.
pub fn decode(file: &[u8]) -> Option<Vec<DeadLetter>> {
    let head = Head::parse(file)?;
    let body = file.get(head.bytes..)?;
    if body.len() as u64 != head.body || sha256(body) != head.sha256 {
        return None;
    }
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    let letters: Vec<DeadLetter> =
        lines.map(|line| parse(line.strip_suffix(b"\n")?)).collect::<Option<_>>()?;
    (encode(&letters) == file).then_some(letters)
}

fn write(letter: &DeadLetter, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    if let LetterState::Closed { at, event_id, sequence_number } = &letter.state {
        let mut closed = ObjectWriter::open(object.key("closed"));
        closed.text("at", &at.to_string());
        closed.text("event_id", event_id.as_str());
        closed.number("sequence_number", sequence_number.value());
        closed.close();
    }
    object.text("code", letter.code.as_str());
    object.optional_text("default_id", letter.default_id.as_ref().map(EventId::as_str));
    object.text("detail", &letter.detail);
    object.array("faults", &letter.faults, write_fault);
    object.number("index", u64::from(letter.index));
    object.text("numbers", letter.numbers.as_str());
    object.text("principal", &letter.principal);
    object.optional_text("reading", letter.reading.as_deref());
    object.text("received_at", &letter.received_at.to_string());
    match std::str::from_utf8(&letter.text) {
        Ok(text) => object.text("text", text),
        Err(_) => object.text("text_base64", &STANDARD.encode(&letter.text)),
    }
    object.close();
}

fn write_fault(fault: &Fault, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.text("code", fault.code().as_str());
    object.text("pointer", fault.pointer());
    object.text("reason", fault.reason());
    object.close();
}

fn parse(line: &[u8]) -> Option<DeadLetter> {
    if canonicalize(line).ok()? != line {
        return None;
    }
    let value = Value::new(line);
    let text = |name: &str| Some(value.member(name).ok()??.text()?.into_owned());
    let sent = match text("text") {
        Some(text) => text.into_bytes(),
        None => STANDARD.decode(text("text_base64")?).ok()?,
    };
    let state = match value.member("closed").ok()? {
        None => LetterState::Open,
        Some(closed) => parse_closed(closed)?,
    };
    let default_id = match text("default_id") {
        None => None,
        Some(id) => Some(EventId::parse(&id).ok()?),
    };
    Some(DeadLetter {
        index: u32::try_from(value.member("index").ok()??.unsigned()?).ok()?,
        received_at: IngestedAt::parse(&text("received_at")?).ok()?,
        principal: text("principal")?,
        reading: text("reading"),
        numbers: Numbers::parse(&text("numbers")?)?,
        default_id,
        text: sent,
        code: ErrorCode::parse(&text("code")?)?,
        detail: text("detail")?,
        faults: parse_faults(value.member("faults").ok()??)?,
        state,
    })
}

fn parse_closed(closed: Value<'_>) -> Option<LetterState> {
    let text = |name: &str| Some(closed.member(name).ok()??.text()?.into_owned());
    let number = closed.member("sequence_number").ok()??.unsigned()?;
    Some(LetterState::Closed {
        at: IngestedAt::parse(&text("at")?).ok()?,
        event_id: EventId::parse(&text("event_id")?).ok()?,
        sequence_number: SequenceNumber::new(number).ok()?,
    })
}

fn parse_faults(faults: Value<'_>) -> Option<Vec<Fault>> {
    let mut found = Vec::new();
    let mut elements = faults.elements();
    while let Some(fault) = elements.next_element().ok()? {
        let text = |name: &str| Some(fault.member(name).ok()??.text()?.into_owned());
        let code = ErrorCode::parse(&text("code")?)?;
        found.push(Fault::new(text("pointer")?, code, text("reason")?));
    }
    Some(found)
}
