//! Verification on demand as a job: all of a tenant's ledger, some of its records, or, for the
//! deployment itself, everything.

use std::ops::ControlFlow;

use ledgerstone_model::ErrorCode;
use ledgerstone_model::json::Value;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::TenantId;

use super::settings::RESULT_FINDINGS_MAX;
use super::work::{Control, Ended, Work};
use crate::check::{
    Finding, LedgerReport, Level, Report, Scope, VerifyOptions, Watch, verify_live,
};
use crate::jobs::pool::NewJob;

/// The name of this kind.
pub(super) const NAME: &str = "verification";

/// What is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerificationScope {
    /// Every ledger of the deployment; for `_system` alone.
    Deployment,
    /// The tenant's ledger, against its own checkpoints and those that `_system` anchors.
    Ledger,
    /// The records `from..to` of the tenant's ledger.
    Range { from: u64, to: u64 },
}

/// What a verification is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerificationRequest {
    pub level: Level,
    pub scope: VerificationScope,
}

impl VerificationRequest {
    /// The job that does it.
    pub fn into_job(self, tenant: TenantId, created_by: String) -> NewJob {
        NewJob { tenant, kind: NAME, request: self.to_json(), created_by }
    }

    fn to_json(self) -> String {
        let mut out = Vec::with_capacity(64);
        let mut object = ObjectWriter::open(&mut out);
        if let VerificationScope::Range { from, .. } = self.scope {
            object.number("from", from);
        }
        object.text("level", self.level.as_str());
        object.text(
            "scope",
            match self.scope {
                VerificationScope::Deployment => "deployment",
                VerificationScope::Ledger => "ledger",
                VerificationScope::Range { .. } => "range",
            },
        );
        if let VerificationScope::Range { to, .. } = self.scope {
            object.number("to", to);
        }
        object.close();
        String::from_utf8_lossy(&out).into_owned()
    }

    fn parse(json: &str) -> Option<Self> {
        let object = Value::new(json.as_bytes());
        let text = |name| object.member(name).ok()??.text();
        let number = |name| object.member(name).ok()??.unsigned();
        let level = [Level::Tree, Level::Full]
            .into_iter()
            .find(|level| text("level").as_deref() == Some(level.as_str()))?;
        let scope = match text("scope")?.as_ref() {
            "deployment" => VerificationScope::Deployment,
            "ledger" => VerificationScope::Ledger,
            "range" => VerificationScope::Range { from: number("from")?, to: number("to")? },
            _ => return None,
        };
        Some(Self { level, scope })
    }

    fn options(self, tenant: &TenantId, threads: usize) -> VerifyOptions {
        let mut options = VerifyOptions::new(self.level, threads);
        options.scope = match self.scope {
            VerificationScope::Deployment => Scope::All,
            VerificationScope::Ledger => Scope::Tenant(tenant.clone()),
            VerificationScope::Range { from, to } => {
                Scope::Range { tenant: tenant.clone(), from, to }
            }
        };
        options
    }
}

/// Counts a job's progress.
struct Counting<'a>(&'a Control);

impl Watch for Counting<'_> {
    fn records(&self, records: u64, total: u64) -> ControlFlow<()> {
        self.0.advance(records, total)
    }

    fn finding(&self, _: &Finding) {}
}

pub(super) fn run(work: &Work<'_>) -> Result<String, Ended> {
    let tenant = &work.job.tenant;
    let unreadable = || Ended::failed(ErrorCode::Internal, "the job's request cannot be read");
    let request = VerificationRequest::parse(&work.job.request).ok_or_else(unreadable)?;
    if request.scope == VerificationScope::Deployment && !tenant.is_system() {
        return Err(Ended::failed(ErrorCode::Forbidden, "only _system has all ledgers verified"));
    }
    let options = request.options(tenant, work.settings.verification_threads);
    let report = verify_live(work.ledger.store(), &options, &Counting(work.control))
        .map_err(|error| Ended::failed(error.code(), error.to_string()))?;
    let report = report.ok_or(Ended::Interrupted)?;
    tell_the_log(&report, &work.job.id.to_string());
    Ok(match request.scope {
        VerificationScope::Deployment => cut_short(report).to_json(),
        VerificationScope::Ledger | VerificationScope::Range { .. } => {
            result_for_tenant(&report, tenant, request)
        }
    })
}

fn tell_the_log(report: &Report, job: &str) {
    for finding in &report.findings {
        tracing::error!(job, finding = finding.to_line(), "verification found damage");
    }
}

fn cut_short(mut report: Report) -> Report {
    let over = report.findings.len().saturating_sub(RESULT_FINDINGS_MAX);
    report.findings.truncate(RESULT_FINDINGS_MAX);
    report.findings_left_out += over as u64;
    report
}

/// What a tenant is told: everything of its own ledger, and of what its ledger rests on (containers,
/// `_system`) only which check failed, as the rest would speak of others.
fn result_for_tenant(report: &Report, tenant: &TenantId, request: VerificationRequest) -> String {
    let own = |finding: &&Finding| finding.tenant.as_ref() == Some(tenant);
    let beneath = |finding: &&Finding| match &finding.tenant {
        None => true,
        Some(other) => other.is_system() && other != tenant,
    };
    let findings: Vec<&Finding> = report.findings.iter().filter(own).collect();
    let foundation: Vec<&Finding> = report.findings.iter().filter(beneath).collect();
    let listed = findings.iter().take(RESULT_FINDINGS_MAX);
    let left_out = findings.len().saturating_sub(RESULT_FINDINGS_MAX);
    let ledger = report.ledger(tenant);
    let mut out = Vec::with_capacity(512);
    let mut object = ObjectWriter::open(&mut out);
    object.array("findings", listed, |finding, out| finding.write_json(out));
    object.number("findings_left_out", report.findings_left_out + left_out as u64);
    object.array("foundation", foundation.iter().take(RESULT_FINDINGS_MAX), |finding, out| {
        let mut object = ObjectWriter::open(out);
        object.text("check", finding.check.as_str());
        object.text("note", &finding.note);
        object.close();
    });
    let holds = findings.is_empty() && foundation.is_empty() && report.findings_left_out == 0;
    object.boolean("holds", holds);
    object.text("level", report.level.as_str());
    if let Some(ledger) = ledger {
        write_ledger(&mut object, ledger, request.scope);
    }
    object.close();
    String::from_utf8_lossy(&out).into_owned()
}

fn write_ledger(object: &mut ObjectWriter<'_>, ledger: &LedgerReport, scope: VerificationScope) {
    if let Some(hash) = ledger.record_hash {
        object.text("record_hash", &hash.to_hex());
    }
    object.number(
        "records_checked",
        match scope {
            VerificationScope::Range { from, to } => to.min(ledger.size).saturating_sub(from),
            VerificationScope::Deployment | VerificationScope::Ledger => ledger.size,
        },
    );
    if let Some(root) = ledger.root {
        object.text("root", &root.to_base64());
    }
    object.number("size", ledger.size);
    object.text("tenant_id", ledger.tenant.as_str());
    object.number("vouched", ledger.vouched);
}

#[cfg(test)]
mod tests {
    use super::{VerificationRequest, VerificationScope};
    use crate::check::Level;

    #[test]
    fn a_request_is_read_as_it_is_written() {
        for scope in [
            VerificationScope::Deployment,
            VerificationScope::Ledger,
            VerificationScope::Range { from: 3, to: 9 },
        ] {
            for level in [Level::Tree, Level::Full] {
                let request = VerificationRequest { level, scope };
                assert_eq!(VerificationRequest::parse(&request.to_json()), Some(request));
            }
        }
        for broken in ["", "{}", "[]", r#"{"level":"full","scope":"range"}"#] {
            assert_eq!(VerificationRequest::parse(broken), None, "{broken}");
        }
    }
}
