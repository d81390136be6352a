//! Has a server verify its own bytes, follows the job, and tells its result as a verification here
//! would be told.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ledgerstone_client::{Job, VerifyRequest};
use ledgerstone_ledger::check::Finding;
use ledgerstone_model::{ErrorCode, JobState};
use ledgerstone_proof::TenantId;
use ledgerstone_store::Check;
use serde_json::Value;

use super::directory::verdict;
use super::{Arguments, DirectoryOptions};
use crate::failure::{Ending, Failure};
use crate::location::only_with_data;
use crate::output::{Console, counted};
use crate::remote::Remote;

/// How often the job is looked at.
const PAUSE: Duration = Duration::from_millis(500);

pub fn run(
    remote: &Remote,
    arguments: &Arguments,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let options = &arguments.directory;
    only_with_data("--key", !arguments.keys.is_empty())?;
    only_with_data("--known", !options.known.is_empty())?;
    only_with_data("--since", !options.since.is_empty())?;
    only_with_data("--verbose", options.verbose)?;
    let request = request(remote, options)?;
    let job = remote.wait(async {
        let job = remote.client().verify(&request).await?;
        follow(remote, job).await
    })?;
    let result = job.result().filter(|_| job.state() == JobState::Done);
    let Some(result) = result else { return Err(not_done(&job)) };
    let told: Told = serde_json::from_str(result.get()).map_err(|error| {
        let message = format!("the server's report cannot be read: {error}");
        Failure::new(ErrorCode::UnexpectedAnswer, message)
    })?;
    if arguments.output.json {
        console.line(result.get())?;
    } else {
        told.print(console)?;
    }
    Ok(Ending::findings_if(!told.holds))
}

fn request(remote: &Remote, options: &DirectoryOptions) -> Result<VerifyRequest, Failure> {
    let mut request = VerifyRequest::new();
    if options.level.as_deref() == Some("tree") {
        request = request.tree_only();
    }
    if let Some(name) = &options.tenant {
        let tenant = TenantId::parse_stored(name).map_err(|error| {
            Failure::new(ErrorCode::InvalidTenant, format!("tenant {name:?}: {error}"))
        })?;
        remote.check_tenant(Some(&tenant))?;
        request = request.tenant(tenant.as_str());
    }
    if let Some(from) = options.from {
        request = request.from(from);
    }
    Ok(match options.to {
        Some(to) => request.to(to),
        None => request,
    })
}

/// Waits for the job's end. Draws on standard error, and only on a terminal.
async fn follow(remote: &Remote, job: Job) -> Result<Job, ledgerstone_client::ClientError> {
    let bar = ProgressBar::new(100);
    if let Ok(style) = ProgressStyle::with_template("{elapsed} {wide_bar} {pos} %") {
        bar.set_style(style);
    }
    let client = remote.client();
    let ended = client.follow(job, PAUSE, |job| bar.set_position(job.percent().into())).await;
    bar.finish_and_clear();
    ended
}

fn not_done(job: &Job) -> Failure {
    match job.error() {
        Some(error) => {
            let code = ErrorCode::parse(error.code()).unwrap_or(ErrorCode::UnexpectedAnswer);
            Failure::new(code, format!("job {}: {}", job.id(), error.detail()))
        }
        None => {
            let message = format!("job {} ended as {}", job.id(), job.state().as_str());
            Failure::new(ErrorCode::NotReady, message)
                .with_remedy("Somebody cancelled it; ask again.")
        }
    }
}

/// A report as a server writes it: of the credential's own ledger, or of all of them.
#[derive(serde::Deserialize)]
struct Told {
    holds: bool,
    level: String,
    records_checked: Option<u64>,
    findings: Vec<Value>,
    findings_left_out: u64,
    /// What failed of what the ledger rests on, without details.
    #[serde(default)]
    foundation: Vec<Foundation>,
}

#[derive(serde::Deserialize)]
struct Foundation {
    check: String,
    note: String,
}

impl Told {
    fn print(&self, console: &mut Console) -> Result<(), Failure> {
        for finding in &self.findings {
            let line = read_finding(finding).map(|finding| finding.to_line());
            console.line(line.unwrap_or_else(|| finding.to_string()))?;
        }
        for Foundation { check, note } in &self.foundation {
            console.line(format!("{check}: beneath the ledger: {note}"))?;
        }
        if self.findings_left_out > 0 {
            console.line(format!("and {} more findings", self.findings_left_out))?;
        }
        let listed = self.findings.len() + self.foundation.len();
        console.line(verdict(listed as u64 + self.findings_left_out))?;
        let records = counted(self.records_checked.unwrap_or_default(), "record");
        console.line(format!("checked by the server at level {}: {records}", self.level))
    }
}

/// A finding as the server wrote it; none where a later version has other checks.
fn read_finding(json: &Value) -> Option<Finding> {
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    let number = |name: &str| json.get(name).and_then(Value::as_u64);
    let owned = |name: &str| text(name).map(ToOwned::to_owned);
    Some(Finding {
        check: Check::parse(text("check")?)?,
        code: text("code").and_then(ErrorCode::parse),
        tenant: text("tenant").and_then(|name| TenantId::parse_stored(name).ok()),
        sequence_number: number("sequence_number"),
        file: owned("file")?,
        offset: number("offset")?,
        expected: owned("expected")?,
        found: owned("found")?,
        following: number("following")?,
        note: owned("note")?,
    })
}
