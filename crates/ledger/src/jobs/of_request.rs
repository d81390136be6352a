//! Finds the work that a request of a person has led to.

use ledgerstone_model::json::Value;
use ledgerstone_model::subject_request::SubjectRequestId;
use ledgerstone_store::JobRow;

use super::erasure;

/// Whether a job carries out this request for erasure.
pub fn carries_out(job: &JobRow, request: SubjectRequestId) -> bool {
    let asked = Value::new(job.request.as_bytes()).member("request");
    let asked = asked.ok().flatten().and_then(Value::text);
    job.kind == erasure::NAME
        && asked.is_some_and(|text| SubjectRequestId::parse(&text) == Some(request))
}
