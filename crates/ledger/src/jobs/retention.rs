//! Dropping what expired as a job: of one tenant, or, for the deployment itself, of all in one run, so
//! that whatever holds contents of several of them is written anew once.

use ledgerstone_model::ErrorCode;
use ledgerstone_model::json::Value;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{SequenceNumber, TenantId};
use ledgerstone_store::JobRow;

use super::work::{Ended, Work};
use crate::erasure::ErasureMeans;
use crate::error::LedgerError;
use crate::jobs::pool::NewJob;
use crate::retention::{
    Expired, HeldBack, LedgerExpiry, LedgerOutcome, RetentionReport, RuleConflict,
};

/// The name of this kind.
pub(super) const NAME: &str = "retention";

/// What a job is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionRequest {
    /// Only looks, and says what would go.
    pub is_dry_run: bool,
    /// The record of the tenant's ledger that says who ordered it.
    pub audit_record: Option<SequenceNumber>,
}

/// Whether a job is one of these.
pub fn is_retention(job: &JobRow) -> bool {
    job.kind == NAME
}

impl RetentionRequest {
    /// The job that does it; one of `_system` does it for all tenants.
    pub fn into_job(self, tenant: TenantId, created_by: String) -> NewJob {
        let mut json = Vec::with_capacity(64);
        let mut object = ObjectWriter::open(&mut json);
        object.optional_number("audit_record", self.audit_record.map(SequenceNumber::value));
        object.boolean("dry_run", self.is_dry_run);
        object.close();
        let request = String::from_utf8_lossy(&json).into_owned();
        NewJob { tenant, kind: NAME, request, created_by }
    }

    fn parse(json: &str) -> Option<Self> {
        let object = Value::new(json.as_bytes());
        let is_dry_run = object.member("dry_run").ok()??.boolean()?;
        let audit_record = object.member("audit_record").ok()?.and_then(Value::unsigned);
        let audit_record = audit_record.and_then(|number| SequenceNumber::new(number).ok());
        Some(Self { is_dry_run, audit_record })
    }
}

pub(super) fn run(work: &Work<'_>) -> Result<String, Ended> {
    let unreadable = || Ended::failed(ErrorCode::Internal, "the job's request cannot be read");
    let request = RetentionRequest::parse(&work.job.request).ok_or_else(unreadable)?;
    let tenants = tenants(work, request.audit_record)?;
    if request.is_dry_run {
        let found = tenants.iter().map(|(tenant, _)| {
            work.ledger.find_expired(tenant, work.control)?.ok_or(Ended::Interrupted)
        });
        let found = found.collect::<Result<Vec<_>, Ended>>()?;
        return Ok(result(&found, None));
    }
    let Expired { resumed, found, dropped } =
        work.retention()?.expire(&tenants, work.control)?.ok_or(Ended::Interrupted)?;
    tracing::info!(
        dropped = dropped.store.dropped + resumed.store.dropped,
        freed_bytes = dropped.store.freed_bytes + resumed.store.freed_bytes,
        "contents whose time is over were dropped"
    );
    let tenant = &work.job.tenant;
    finish_erasures(work)?;
    finish_closings(work)?;
    let resumed = if tenant.is_system() { resumed } else { of_one(resumed, tenant) };
    Ok(result(&found, Some((&resumed, &dropped))))
}

/// Goes on with erasures that waited for contents that could not be dropped yet, or were cut short: of
/// the job's tenant, or of all. One that still waits holds up nothing else.
fn finish_erasures(work: &Work<'_>) -> Result<(), Ended> {
    let means = ErasureMeans {
        letters: work.tools.dead_letters.as_deref(),
        contents: work.contents()?,
        despite_duties: false,
        keep_sealed_for_others: false,
        // What was approved is recorded: these have begun.
        clear_contents_max: 0,
    };
    let own = &work.job.tenant;
    let mut unfinished = work.ledger.unfinished_erasures()?;
    unfinished.retain(|(tenant, _)| own.is_system() || tenant == own);
    for (tenant, request) in unfinished {
        match work.ledger.erase(&tenant, request, &means, work.control) {
            Ok(Some(_)) => {}
            Ok(None) => return Err(Ended::Interrupted),
            Err(LedgerError::ContentsWaiting(contents)) => {
                tracing::info!(%tenant, %request, contents, "an erasure waits for what is being written");
            }
            Err(error) => {
                tracing::warn!(%tenant, %request, %error, "an erasure is not done yet");
            }
        }
    }
    Ok(())
}

/// Goes on with the end of ledgers whose closing was cut short, in a job over all of them. One that cannot
/// end yet holds up nothing else.
fn finish_closings(work: &Work<'_>) -> Result<(), Ended> {
    if !work.job.tenant.is_system() {
        return Ok(());
    }
    let letters = work.tools.dead_letters.as_deref();
    for tenant in work.ledger.unfinished_closings() {
        match work.retention()?.close_tenant(&tenant, letters, work.control) {
            Ok(Some(_)) => {}
            Ok(None) => return Err(Ended::Interrupted),
            Err(error) => tracing::warn!(%tenant, %error, "a tenant is not closed yet"),
        }
    }
    Ok(())
}

/// What a tenant is told of runs that were open: nothing of the others'.
fn of_one(mut resumed: RetentionReport, tenant: &TenantId) -> RetentionReport {
    resumed.ledgers.retain(|outcome| outcome.tenant == *tenant);
    RetentionReport { ledgers: resumed.ledgers, ..RetentionReport::default() }
}

type Ordered = (TenantId, Option<SequenceNumber>);

fn tenants(
    work: &Work<'_>,
    audit_record: Option<SequenceNumber>,
) -> Result<Vec<Ordered>, LedgerError> {
    let tenant = &work.job.tenant;
    if !tenant.is_system() {
        return Ok(vec![(tenant.clone(), audit_record)]);
    }
    // The record that says who ordered it stands in no tenant's ledger.
    let all = work.ledger.reader().tenants()?.into_iter();
    let is_open = |tenant: &TenantId| {
        let state = work.ledger.tenant_state(tenant);
        !tenant.is_system() && state.is_none_or(|state| !state.is_ending())
    };
    Ok(all.filter(is_open).map(|tenant| (tenant, None)).collect())
}

/// The result of a job; without reports that of a look.
fn result(found: &[LedgerExpiry], did: Option<(&RetentionReport, &RetentionReport)>) -> String {
    let mut out = Vec::with_capacity(512);
    let mut object = ObjectWriter::open(&mut out);
    object.boolean("dry_run", did.is_none());
    if let Some((resumed, dropped)) = did {
        object.number("freed_bytes", resumed.store.freed_bytes + dropped.store.freed_bytes);
    }
    object.array("ledgers", found, |one, out| {
        let outcome = did.and_then(|(_, dropped)| {
            dropped.ledgers.iter().find(|outcome| outcome.tenant == one.tenant)
        });
        let is_overtaken = did.is_some_and(|(_, run)| run.overtaken.contains(&one.tenant));
        write_ledger(one, (outcome, is_overtaken), out);
    });
    if let Some((resumed, dropped)) = did {
        object.array("resumed", &resumed.ledgers, write_outcome);
        object.number(
            "rewritten",
            (resumed.store.rewritten.len() + dropped.store.rewritten.len()) as u64,
        );
    }
    object.close();
    String::from_utf8_lossy(&out).into_owned()
}

fn write_ledger(
    found: &LedgerExpiry,
    (outcome, is_overtaken): (Option<&LedgerOutcome>, bool),
    out: &mut Vec<u8>,
) {
    let mut object = ObjectWriter::open(out);
    object.array("conflicts", &found.conflicts, write_conflict);
    object.number("examined", found.examined);
    object.number("expired", found.expired.len());
    object.array("held", &found.held, write_held);
    if is_overtaken {
        object.boolean("overtaken", true);
    }
    if let Some(outcome) = outcome {
        object.optional_number("retention_record", outcome.done.map(SequenceNumber::value));
        object.text("run", &outcome.run.to_string());
    }
    object.text("tenant_id", found.tenant.as_str());
    if let Some(outcome) = outcome {
        object.number("waiting", outcome.waiting);
    }
    object.close();
}

fn write_outcome(outcome: &LedgerOutcome, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.number("covered", outcome.covered);
    object.optional_number("retention_record", outcome.done.map(SequenceNumber::value));
    object.text("run", &outcome.run.to_string());
    object.text("tenant_id", outcome.tenant.as_str());
    object.number("waiting", outcome.waiting);
    object.close();
}

fn write_conflict(conflict: &RuleConflict, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.number("contents", conflict.contents);
    object.text("maximum", &conflict.maximum);
    object.text("minimum", &conflict.minimum);
    object.close();
}

fn write_held(held: &HeldBack, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.number("contents", held.contents);
    object.text("hold", &held.hold.to_string());
    object.number("system_record", held.record.value());
    object.close();
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{SequenceNumber, TenantId};

    use super::RetentionRequest;

    #[test]
    fn a_request_is_read_as_it_is_written() {
        for audit_record in [None, SequenceNumber::new(7).ok()] {
            for is_dry_run in [true, false] {
                let request = RetentionRequest { is_dry_run, audit_record };
                let job = request.into_job(TenantId::system(), "me".to_owned());
                assert_eq!(RetentionRequest::parse(&job.request), Some(request));
            }
        }
        assert_eq!(RetentionRequest::parse("{}"), None);
    }
}
