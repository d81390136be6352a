//! Where the background verification stands, as `/v1/status` tells a tenant and the operator.

use ledgerstone_ledger::check::Finding;
use ledgerstone_ledger::jobs::{BackgroundStatus, Pass};
use ledgerstone_proof::TenantId;
use serde::Serialize;
use utoipa::ToSchema;

/// What the background verification says of one ledger. A damaged file can hold records of several
/// ledgers; whether anything is wrong at all stands in `/health/audit`.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerVerification {
    /// When the newest pass over all ledgers ended; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_pass_at: Option<String>,
    /// Findings that name this ledger, of the last pass and so far of the one that runs; of more
    /// than 100 findings in all ledgers, only the first 100 are looked at.
    findings: usize,
}

/// Where the background verification stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verification {
    /// Passes over all ledgers that ended since the process began.
    passes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_pass: Option<VerificationPass>,
    /// When the pass that runs began; absent between two.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    /// Records that this pass has checked, or the newest one where none runs.
    records_checked: u64,
    /// Records that it checks in all.
    records: u64,
    /// What is known to be wrong, one line each, at most 100.
    findings: Vec<String>,
    /// Findings beyond those listed.
    findings_left_out: u64,
    /// Why the last pass could not be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// A pass over all ledgers.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerificationPass {
    started_at: String,
    ended_at: String,
    records: u64,
    findings: u64,
}

impl LedgerVerification {
    pub(super) fn of(status: &BackgroundStatus, tenant: &TenantId) -> Self {
        let is_own = |finding: &&Finding| finding.tenant.as_ref() == Some(tenant);
        Self {
            last_pass_at: status.last_pass.map(|pass| pass.ended_at.to_string()),
            findings: status.findings.iter().filter(is_own).count(),
        }
    }
}

impl From<BackgroundStatus> for Verification {
    fn from(status: BackgroundStatus) -> Self {
        Self {
            passes: status.passes,
            last_pass: status.last_pass.map(VerificationPass::from),
            started_at: status.started_at.map(|time| time.to_string()),
            records_checked: status.position,
            records: status.total,
            findings: status.findings.iter().map(Finding::to_line).collect(),
            findings_left_out: status.findings_left_out,
            problem: status.problem,
        }
    }
}

impl From<Pass> for VerificationPass {
    fn from(pass: Pass) -> Self {
        Self {
            started_at: pass.started_at.to_string(),
            ended_at: pass.ended_at.to_string(),
            records: pass.records,
            findings: pass.findings,
        }
    }
}
