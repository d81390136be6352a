//! What an erasure would reach, and what stands against it, as a job: it goes through a whole ledger
//! and changes nothing.

use ledgerstone_model::json::Value;
use ledgerstone_model::json_write::{ObjectWriter, array_into};
use ledgerstone_model::subject_request::SubjectRequestId;
use ledgerstone_model::{ErrorCode, NumberSet};
use ledgerstone_proof::TenantId;

use super::work::{Ended, Work};
use crate::erasure::{KeptParts, Obstacles, Survey};
use crate::jobs::pool::NewJob;

/// The name of this kind.
pub(super) const NAME: &str = "erasure_survey";

/// Ranges of numbers that the result lists; the contents are all counted.
const RANGES_MAX: usize = 1_000;

/// The job that finds what an erasure would reach.
pub fn erasure_survey_job(
    tenant: TenantId,
    request: SubjectRequestId,
    created_by: String,
) -> NewJob {
    let mut json = Vec::with_capacity(64);
    let mut object = ObjectWriter::open(&mut json);
    object.text("request", &request.to_string());
    object.close();
    let request = String::from_utf8_lossy(&json).into_owned();
    NewJob { tenant, kind: NAME, request, created_by }
}

pub(super) fn run(work: &Work<'_>) -> Result<String, Ended> {
    let request = Value::new(work.job.request.as_bytes());
    let request = request.member("request").ok().flatten().and_then(Value::text);
    let request = request.and_then(|text| SubjectRequestId::parse(&text));
    let unreadable = || Ended::failed(ErrorCode::Internal, "the job's request cannot be read");
    let (tenant, request) = (&work.job.tenant, request.ok_or_else(unreadable)?);
    let subject = *work.ledger.request(tenant, request)?.request.subject();
    let survey = work.ledger.survey_subject(tenant, &subject, work.control)?;
    let survey = survey.ok_or(Ended::Interrupted)?;
    let mut obstacles = work.ledger.obstacles(tenant, &survey)?;
    for hold in work.ledger.holds_on(tenant, &subject)? {
        // One that covers nothing keeps the erasure from being approved all the same.
        let nothing = (hold.set_as.0, KeptParts::default());
        obstacles.holds.entry(hold.set.hold).or_insert(nothing);
    }
    let note = survey.kind().map(|kind| work.ledger.note_on_type(tenant, kind)).transpose()?;
    let note = note.flatten();
    Ok(result(request, (&survey, &obstacles), note.as_deref()))
}

fn result(
    request: SubjectRequestId,
    (survey, obstacles): (&Survey, &Obstacles),
    note: Option<&str>,
) -> String {
    let mut out = Vec::with_capacity(512);
    let mut object = ObjectWriter::open(&mut out);
    object.number("clear_contents", survey.clear().len());
    ranges(survey.clear(), object.key("clear_numbers"));
    object.array("duties", &obstacles.duties, |(rule, parts), out| {
        let mut object = ObjectWriter::open(out);
        object.number("clear_contents", parts.clear);
        object.text("rule", rule);
        object.number("sealed_contents", parts.sealed);
        object.close();
    });
    object.array("holds", &obstacles.holds, |(id, (record, parts)), out| {
        let KeptParts { sealed, clear } = parts;
        let mut object = ObjectWriter::open(out);
        object.number("clear_contents", *clear);
        object.text("hold", &id.to_string());
        object.number("sealed_contents", *sealed);
        object.number("system_record", record.value());
        object.close();
    });
    object.number("kept_contents", obstacles.kept.len());
    object.optional_text("note", note);
    object.text("request", &request.to_string());
    object.number("sealed_contents", survey.sealed().len());
    object.number("sealed_for_others", survey.sealed_for_others().len());
    object.close();
    String::from_utf8_lossy(&out).into_owned()
}

fn ranges(numbers: &NumberSet, out: &mut Vec<u8>) {
    array_into(numbers.ranges().take(RANGES_MAX), out, |range, out| {
        out.extend_from_slice(format!("[{},{}]", range.start, range.end - 1).as_bytes());
    });
}
