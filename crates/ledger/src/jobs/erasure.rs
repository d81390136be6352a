//! An approved erasure as a job: it goes through a whole ledger, and is finished after a restart.

use std::ops::ControlFlow;

use ledgerstone_model::ErrorCode;
use ledgerstone_model::json::Value;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::subject_request::SubjectRequestId;
use ledgerstone_proof::TenantId;

use super::work::{Control, Ended, Work};
use crate::erasure::SurveyWatch;
use crate::jobs::pool::NewJob;

/// The name of this kind.
pub(super) const NAME: &str = "erasure";

/// The job that carries a request out.
pub fn erasure_job(tenant: TenantId, request: SubjectRequestId, created_by: String) -> NewJob {
    let mut json = Vec::with_capacity(64);
    let mut object = ObjectWriter::open(&mut json);
    object.text("request", &request.to_string());
    object.close();
    let request = String::from_utf8_lossy(&json).into_owned();
    NewJob { tenant, kind: NAME, request, created_by }
}

/// Counts a job's progress.
struct Counting<'a>(&'a Control);

impl SurveyWatch for Counting<'_> {
    fn records(&self, more: u64, total: u64) -> ControlFlow<()> {
        self.0.advance(more, total)
    }
}

pub(super) fn run(work: &Work<'_>) -> Result<String, Ended> {
    let request = Value::new(work.job.request.as_bytes());
    let request = request.member("request").ok().flatten().and_then(Value::text);
    let request = request.and_then(|text| SubjectRequestId::parse(&text));
    let unreadable = || Ended::failed(ErrorCode::Internal, "the job's request cannot be read");
    let (tenant, request) = (&work.job.tenant, request.ok_or_else(unreadable)?);
    let watch = Counting(work.control);
    let number = work.ledger.erase(tenant, request, work.dead_letters, &watch)?;
    let number = number.ok_or(Ended::Interrupted)?;
    let mut json = Vec::with_capacity(64);
    let mut object = ObjectWriter::open(&mut json);
    object.number("certificate", number.value());
    object.text("request", &request.to_string());
    object.close();
    Ok(String::from_utf8_lossy(&json).into_owned())
}
