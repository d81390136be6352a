//! How much a legal hold covers, as a job: it goes through a whole ledger.

use ledgerstone_model::ErrorCode;
use ledgerstone_model::hold::HoldId;
use ledgerstone_model::json::Value;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::TenantId;

use super::work::{Ended, Work};
use crate::jobs::pool::NewJob;

/// The name of this kind.
pub(super) const NAME: &str = "hold_survey";

/// The job that counts what a hold covers.
pub fn hold_survey_job(tenant: TenantId, hold: HoldId, created_by: String) -> NewJob {
    let mut json = Vec::with_capacity(64);
    let mut object = ObjectWriter::open(&mut json);
    object.text("hold", &hold.to_string());
    object.close();
    let request = String::from_utf8_lossy(&json).into_owned();
    NewJob { tenant, kind: NAME, request, created_by }
}

pub(super) fn run(work: &Work<'_>) -> Result<String, Ended> {
    let request = Value::new(work.job.request.as_bytes());
    let hold = request.member("hold").ok().flatten().and_then(Value::text);
    let hold = hold.and_then(|text| HoldId::parse(&text));
    let unreadable = || Ended::failed(ErrorCode::Internal, "the job's request cannot be read");
    let hold = hold.ok_or_else(unreadable)?;
    let contents = work.ledger.count_held(&work.job.tenant, hold, work.control)?;
    let mut json = Vec::with_capacity(64);
    let mut object = ObjectWriter::open(&mut json);
    object.number("contents", contents.ok_or(Ended::Interrupted)?);
    object.text("hold", &hold.to_string());
    object.close();
    Ok(String::from_utf8_lossy(&json).into_owned())
}
