//! An approved erasure as a job: it goes through a whole ledger, and is finished after a restart.

use ledgerstone_model::ErrorCode;
use ledgerstone_model::json::Value;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::subject_request::{ErasureTerms, SubjectRequestId};
use ledgerstone_proof::{SequenceNumber, TenantId};

use super::work::{Ended, Work};
use crate::erasure::ErasureMeans;
use crate::jobs::pool::NewJob;

/// The name of this kind.
pub(super) const NAME: &str = "erasure";

/// The job that carries a request out.
pub fn erasure_job(
    tenant: TenantId,
    request: SubjectRequestId,
    terms: ErasureTerms,
    created_by: String,
) -> NewJob {
    let mut json = Vec::with_capacity(64);
    let mut object = ObjectWriter::open(&mut json);
    object.number("clear_contents", terms.clear_contents);
    object.boolean("despite_duties", terms.despite_duties);
    object.boolean("keep_sealed_for_others", terms.keep_sealed_for_others);
    object.text("request", &request.to_string());
    object.close();
    let request = String::from_utf8_lossy(&json).into_owned();
    NewJob { tenant, kind: NAME, request, created_by }
}

pub(super) fn run(work: &Work<'_>) -> Result<String, Ended> {
    let asked = Value::new(work.job.request.as_bytes());
    let is_said =
        |name: &str| asked.member(name).ok().flatten().and_then(Value::boolean) == Some(true);
    let clear_contents = asked.member("clear_contents").ok().flatten().and_then(Value::unsigned);
    let request = asked.member("request").ok().flatten().and_then(Value::text);
    let request = request.and_then(|text| SubjectRequestId::parse(&text));
    let unreadable = || Ended::failed(ErrorCode::Internal, "the job's request cannot be read");
    let (tenant, request) = (&work.job.tenant, request.ok_or_else(unreadable)?);
    let means = ErasureMeans {
        letters: work.tools.dead_letters.as_deref(),
        contents: work.contents()?,
        despite_duties: is_said("despite_duties"),
        keep_sealed_for_others: is_said("keep_sealed_for_others"),
        clear_contents_max: clear_contents.unwrap_or(0),
    };
    let number = work.ledger.erase(tenant, request, &means, work.control)?;
    let number = number.ok_or(Ended::Interrupted)?;
    Ok(result(number, request))
}

/// What a job ends with: the number of the certificate.
pub(super) fn result(certificate: SequenceNumber, request: SubjectRequestId) -> String {
    let mut json = Vec::with_capacity(64);
    let mut object = ObjectWriter::open(&mut json);
    object.number("certificate", certificate.value());
    object.text("request", &request.to_string());
    object.close();
    String::from_utf8_lossy(&json).into_owned()
}
