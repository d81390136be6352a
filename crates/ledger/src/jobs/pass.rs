//! A pass of the background verification as it is kept: what the last one came to, since when the next
//! one runs, and what it has read so far. A line each, as one JSON object.

use std::collections::HashMap;
use std::io;

use ledgerstone_model::ErrorCode;
use ledgerstone_model::json::Value;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{Hash, IngestedAt, TenantId};
use ledgerstone_store::{Check, PassNotes};

use crate::check::{Finding, Level};

/// A pass over everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    pub started_at: IngestedAt,
    pub ended_at: IngestedAt,
    pub records: u64,
    pub findings: u64,
}

/// What is known of passes.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The last pass that ended, with the findings of it that are listed.
    pub(super) last: Option<(Pass, Vec<Finding>)>,
    /// The pass that was not ended.
    pub(super) running: Option<Running>,
}

/// A pass that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) started_at: IngestedAt,
    pub(super) level: Level,
    /// What was read of parts, by what stands for their bytes.
    pub(super) parts: HashMap<Hash, String>,
}

impl Known {
    /// Reads what was noted. What this version does not understand is as if it had not been.
    pub(super) fn read(notes: &dyn PassNotes) -> io::Result<Self> {
        let mut known = Self::default();
        for note in notes.notes()? {
            known.take(Value::new(note.as_bytes()));
        }
        Ok(known)
    }

    fn take(&mut self, note: Value<'_>) -> Option<()> {
        if let Some(last) = member(note, "last_pass") {
            self.last = Some((read_pass(last)?, Vec::new()));
        } else if let Some(finding) = member(note, "finding") {
            let (_, findings) = self.last.as_mut()?;
            findings.push(read_finding(finding)?);
        } else if let Some(pass) = member(note, "pass") {
            let started_at = time(pass, "started_at")?;
            let level = [Level::Tree, Level::Full];
            let named = text(pass, "level")?;
            let level = level.into_iter().find(|level| level.as_str() == named)?;
            self.running = Some(Running { started_at, level, parts: HashMap::new() });
        } else if let Some(read) = member(note, "read") {
            let fixed = Hash::from_hex(&text(note, "part")?).ok()?;
            let read = std::str::from_utf8(read.raw()).ok()?;
            self.running.as_mut()?.parts.insert(fixed, read.to_owned());
        }
        Some(())
    }

    /// Notes all of it, in place of what was noted before.
    pub(super) fn write(&self, notes: &dyn PassNotes) -> io::Result<()> {
        let mut lines = Vec::new();
        if let Some((pass, findings)) = &self.last {
            lines.push(in_member("last_pass", |out| write_pass(pass, out)));
            let finding = |one: &Finding| in_member("finding", |out| one.write_json(out));
            lines.extend(findings.iter().map(finding));
        }
        if let Some(running) = &self.running {
            lines.push(in_member("pass", |out| write_running(running, out)));
            let mut parts: Vec<_> = running.parts.iter().collect();
            parts.sort_unstable();
            lines.extend(parts.into_iter().map(|(fixed, read)| part_line(fixed, read)));
        }
        notes.begin(&lines)
    }
}

/// The line that says what was read of a part.
pub(super) fn part_line(fixed: &Hash, read: &str) -> String {
    let mut out = Vec::with_capacity(read.len() + 100);
    let mut object = ObjectWriter::open(&mut out);
    object.hash("part", fixed);
    object.key("read").extend_from_slice(read.as_bytes());
    object.close();
    String::from_utf8_lossy(&out).into_owned()
}

fn in_member(name: &str, write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::with_capacity(256);
    let mut object = ObjectWriter::open(&mut out);
    write(object.key(name));
    object.close();
    String::from_utf8_lossy(&out).into_owned()
}

fn write_pass(pass: &Pass, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.text("ended_at", &pass.ended_at.to_string());
    object.number("findings", pass.findings);
    object.number("records", pass.records);
    object.text("started_at", &pass.started_at.to_string());
    object.close();
}

fn write_running(running: &Running, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.text("level", running.level.as_str());
    object.text("started_at", &running.started_at.to_string());
    object.close();
}

fn read_pass(value: Value<'_>) -> Option<Pass> {
    Some(Pass {
        started_at: time(value, "started_at")?,
        ended_at: time(value, "ended_at")?,
        records: member(value, "records")?.unsigned()?,
        findings: member(value, "findings")?.unsigned()?,
    })
}

fn read_finding(value: Value<'_>) -> Option<Finding> {
    let tenant = match text(value, "tenant") {
        None => None,
        Some(name) => Some(TenantId::parse_stored(&name).ok()?),
    };
    Some(Finding {
        check: Check::parse(&text(value, "check")?)?,
        code: text(value, "code").and_then(|code| ErrorCode::parse(&code)),
        tenant,
        sequence_number: member(value, "sequence_number").and_then(Value::unsigned),
        file: text(value, "file")?,
        offset: member(value, "offset")?.unsigned()?,
        expected: text(value, "expected")?,
        found: text(value, "found")?,
        following: member(value, "following")?.unsigned()?,
        note: text(value, "note")?,
    })
}

fn member<'a>(value: Value<'a>, name: &str) -> Option<Value<'a>> {
    value.member(name).ok().flatten()
}

fn text(value: Value<'_>, name: &str) -> Option<String> {
    Some(member(value, name)?.text()?.into_owned())
}

fn time(value: Value<'_>, name: &str) -> Option<IngestedAt> {
    IngestedAt::parse(&text(value, name)?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use ledgerstone_model::ErrorCode;
    use ledgerstone_proof::{IngestedAt, TenantId, sha256};
    use ledgerstone_store::{Check, MemoryNotes, PassNotes};

    use super::{Known, Pass, Running, part_line};
    use crate::check::{Finding, Level};

    fn at(micros: i64) -> IngestedAt {
        IngestedAt::from_micros(micros).unwrap()
    }

    fn finding() -> Finding {
        Finding {
            check: Check::ContentHash,
            code: Some(ErrorCode::LedgerRolledBack),
            tenant: Some(TenantId::system()),
            sequence_number: Some(7),
            file: "segments/1.seg".to_owned(),
            offset: 99,
            expected: "\"a\"\n".to_owned(),
            found: "ü".to_owned(),
            following: 3,
            note: "a note".to_owned(),
        }
    }

    #[test]
    fn what_is_noted_is_read_again() {
        let notes = MemoryNotes::default();
        assert!(Known::read(&notes).unwrap().last.is_none());
        let last = Pass { started_at: at(1), ended_at: at(2), records: 30, findings: 2 };
        let of_file = Finding { tenant: None, sequence_number: None, code: None, ..finding() };
        let findings = vec![finding(), of_file];
        let parts = HashMap::from([(sha256(b"1"), "{\"a\":1}".to_owned())]);
        let running = Running { started_at: at(5), level: Level::Tree, parts };
        let known = Known { last: Some((last, findings)), running: Some(running) };
        known.write(&notes).unwrap();
        notes.note(&part_line(&sha256(b"2"), "{}")).unwrap();
        let again = Known::read(&notes).unwrap();
        assert_eq!(again.last, known.last);
        let running = again.running.unwrap();
        assert_eq!((running.started_at, running.level), (at(5), Level::Tree));
        assert_eq!(running.parts.len(), 2);
        assert_eq!(running.parts[&sha256(b"1")], "{\"a\":1}");
        assert_eq!(running.parts[&sha256(b"2")], "{}");
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        let notes = MemoryNotes::default();
        let lines = ["", "7", "{\"later\":1}", "{\"pass\":{}}", "{\"part\":\"00\",\"read\":{}}"];
        notes.begin(&lines.map(str::to_owned)).unwrap();
        let known = Known::read(&notes).unwrap();
        assert!(known.last.is_none() && known.running.is_none());
    }
}
