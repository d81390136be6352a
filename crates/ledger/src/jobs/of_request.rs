//! Finds the work that a request of a person has led to.

use ledgerstone_model::json::Value;
use ledgerstone_model::subject_request::SubjectRequestId;
use ledgerstone_store::JobRow;

use super::erasure;

/// The request for erasure that a job carries out.
pub fn carried_out_by(job: &JobRow) -> Option<SubjectRequestId> {
    if job.kind != erasure::NAME {
        return None;
    }
    let asked = Value::new(job.request.as_bytes()).member("request");
    SubjectRequestId::parse(&asked.ok().flatten().and_then(Value::text)?)
}
