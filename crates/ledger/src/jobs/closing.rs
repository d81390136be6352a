//! The end of a tenant's ledger as a job of `_system`: it goes through all of it, and is finished after a
//! restart.

use ledgerstone_model::json::Value;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::{Actor, ErrorCode};
use ledgerstone_proof::{SequenceNumber, TenantId};
use ledgerstone_store::JobRow;

use super::work::{Ended, Work};
use crate::jobs::pool::{JobPool, NewJob};
use crate::ledger::Ledger;

/// The name of this kind.
pub(super) const NAME: &str = "tenant_closing";

/// The job that brings the ledger of a tenant to its end, which two people agreed on.
pub fn closing_job(tenant: &TenantId, created_by: String) -> NewJob {
    let mut json = Vec::with_capacity(64);
    let mut object = ObjectWriter::open(&mut json);
    object.text("tenant_id", tenant.as_str());
    object.close();
    let request = String::from_utf8_lossy(&json).into_owned();
    NewJob { tenant: TenantId::system(), kind: NAME, request, created_by }
}

/// Goes on with the end of ledgers whose closing was cut short: one job for each.
pub fn finish_closings(ledger: &Ledger, jobs: &JobPool) {
    for tenant in ledger.unfinished_closings() {
        let asked_by = Actor::server().principal_id().as_str().to_owned();
        if let Err(error) = jobs.submit(closing_job(&tenant, asked_by)) {
            tracing::error!(%tenant, %error, "the end of a tenant waits for the next run of retention");
        }
    }
}

pub(super) fn run(work: &Work<'_>) -> Result<String, Ended> {
    let unreadable = || Ended::failed(ErrorCode::Internal, "the job's request cannot be read");
    let tenant = tenant_of(work.job).ok_or_else(unreadable)?;
    let letters = work.tools.dead_letters.as_deref();
    let closed = work.retention()?.close_tenant(&tenant, letters, work.control)?;
    Ok(result(closed.ok_or(Ended::Interrupted)?, &tenant))
}

/// The tenant whose ledger a job brings to its end.
pub(super) fn tenant_of(job: &JobRow) -> Option<TenantId> {
    let asked = Value::new(job.request.as_bytes()).member("tenant_id");
    TenantId::parse(&asked.ok().flatten().and_then(Value::text)?).ok()
}

/// What a job ends with: the last record of the ledger.
pub(super) fn result(closed: SequenceNumber, tenant: &TenantId) -> String {
    let mut json = Vec::with_capacity(64);
    let mut object = ObjectWriter::open(&mut json);
    object.number("closed_record", closed.value());
    object.text("tenant_id", tenant.as_str());
    object.close();
    String::from_utf8_lossy(&json).into_owned()
}
