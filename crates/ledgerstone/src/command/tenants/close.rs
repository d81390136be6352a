//! `tenants close`: a tenant is closed for good. One person asks, another approves, or somebody takes it back.

use std::time::Duration;

use ledgerstone_client::{ClosingAsked, Job, TenantEntry};
use ledgerstone_ledger::closing::ClosingWish;
use ledgerstone_ledger::dead_letters::RETENTION;
use ledgerstone_ledger::{DeadLetters, TenantCreation};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::system::TenantState;
use ledgerstone_model::{ErrorCode, JobState};
use ledgerstone_proof::{SequenceNumber, TenantId};
use ledgerstone_store::DeadLetterLimits;

use crate::arguments::{CommonOptions, tenant_to_write};
use crate::command::requests::reason_of;
use crate::command::subjects::ReasonOption;
use crate::data_dir::{self, ForWriting, IfMissing};
use crate::failure::{Ending, Failure};
use crate::location::Location;
use crate::output::Console;
use crate::remote::Remote;
use crate::system::{System, operator};

/// How often the work is looked at.
const PAUSE: Duration = Duration::from_millis(500);

/// What is wanted.
pub struct Wish<'a> {
    pub name: &'a str,
    pub reason: &'a ReasonOption,
    pub despite_duties: bool,
    /// The record that is approved; none where it is asked for.
    pub approve: Option<u64>,
    /// The record that is withdrawn.
    pub withdraw: Option<u64>,
}

pub fn close(
    wish: &Wish<'_>,
    common: &CommonOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let tenant = tenant_to_write(wish.name)?;
    let asked_in = record_number("--approve", wish.approve)?;
    if let Some(withdrawn) = record_number("--withdraw", wish.withdraw)? {
        let outcome = withdraw(&tenant, withdrawn, wish, common, console)?;
        return outcome.tell(&tenant, console.is_terminal() && !common.output.json, console);
    }
    let outcome = match (common.location.find(console)?, asked_in) {
        (Location::Server(remote), None) => ask_behind(&remote, &tenant, wish)?,
        (Location::Server(remote), Some(asked_in)) => approve_behind(&remote, &tenant, asked_in)?,
        (Location::Directory(path), asked_in) => {
            let (missing, creation) = (IfMissing::Refuse, TenantCreation::Explicit);
            data_dir::write_with(&path, missing, creation, console, |data, _| match asked_in {
                None => ask_here(data, &tenant, wish),
                Some(asked_in) => approve_here(data, &tenant, asked_in),
            })?
        }
    };
    outcome.tell(&tenant, console.is_terminal() && !common.output.json, console)
}

fn record_number(option: &str, given: Option<u64>) -> Result<Option<SequenceNumber>, Failure> {
    given.map(SequenceNumber::new).transpose().map_err(|_| {
        Failure::new(ErrorCode::InvalidArgument, format!("{option}: is no number of a record"))
    })
}

fn withdraw(
    tenant: &TenantId,
    asked_in: SequenceNumber,
    wish: &Wish<'_>,
    common: &CommonOptions,
    console: &mut Console,
) -> Result<Outcome, Failure> {
    let reason = reason_of(wish.reason)?;
    let reason = reason.as_ref().map(|reason| reason.as_str());
    match common.location.find(console)? {
        Location::Server(remote) => {
            let client = remote.client();
            remote.wait(client.withdraw_closing_of_tenant(tenant, asked_in, reason))?;
        }
        Location::Directory(path) => {
            let (missing, creation) = (IfMissing::Refuse, TenantCreation::Explicit);
            data_dir::write(&path, missing, creation, console, |ledger, _| {
                Ok(ledger.withdraw_closing(tenant, asked_in, reason, &operator())?)
            })?;
        }
    }
    Ok(Outcome::Withdrawn)
}

/// What came of it.
enum Outcome {
    /// Nothing waits any more, and the tenant goes on.
    Withdrawn,
    /// It waits for another person, who approves this record.
    Asked { system_record: u64, despite_duties: Vec<String> },
    /// The tenant is closed; the last record of its ledger, where it is known here.
    Closed(Option<u64>),
    /// It takes nothing any more, and its end waits for contents that cannot go yet, as this says.
    Waiting(String),
}

fn given_reason(wish: &Wish<'_>) -> Result<String, Failure> {
    let reason = reason_of(wish.reason)?;
    reason.map(|reason| reason.as_str().to_owned()).ok_or_else(|| {
        Failure::new(ErrorCode::InvalidArgument, "a tenant is not closed without a reason")
            .with_remedy("Add --reason TEXT, or --approve N for what another person asked for.")
    })
}

fn ask_behind(remote: &Remote, tenant: &TenantId, wish: &Wish<'_>) -> Result<Outcome, Failure> {
    let reason = given_reason(wish)?;
    let client = remote.client();
    let told = remote.wait(client.ask_to_close_tenant(tenant, &reason, wish.despite_duties))?;
    let TenantEntry { closing_asked: Some(asked), .. } = told else {
        return Err(Failure::new(ErrorCode::UnexpectedAnswer, "the server names no record of it"));
    };
    let ClosingAsked { system_record, despite_duties, .. } = asked;
    Ok(Outcome::Asked { system_record, despite_duties })
}

fn approve_behind(
    remote: &Remote,
    tenant: &TenantId,
    asked_in: SequenceNumber,
) -> Result<Outcome, Failure> {
    let client = remote.client();
    let (_, job) = remote.wait(client.approve_closing_of_tenant(tenant, asked_in))?;
    let job = remote.wait(client.follow(job, PAUSE, |_| {}))?;
    if job.state() == JobState::Done {
        return Ok(Outcome::Closed(closed_record(&job)));
    }
    if let Some(waiting) = job.waiting() {
        return Ok(Outcome::Waiting(waiting.detail.clone()));
    }
    let code = job.error().and_then(|error| ErrorCode::parse(error.code()));
    let detail = job.error().map_or_else(String::new, |error| error.detail().to_owned());
    let message = format!("job {} ended as {}: {detail}", job.id(), job.state().as_str());
    Err(Failure::new(code.unwrap_or(ErrorCode::NotReady), message).with_remedy(
        "The tenant takes nothing any more; the next run of retention goes on with its end.",
    ))
}

fn closed_record(job: &Job) -> Option<u64> {
    let result: serde_json::Value = serde_json::from_str(job.result()?.get()).ok()?;
    result.get("closed_record")?.as_u64()
}

fn ask_here(data: &ForWriting, tenant: &TenantId, wish: &Wish<'_>) -> Result<Outcome, Failure> {
    let ledger = data.ledger();
    if ledger.tenant_state(tenant) == Some(TenantState::Closing) {
        return finish_here(data, tenant);
    }
    let reason = given_reason(wish)?;
    let said = ClosingWish { reason: &reason, despite_duties: wish.despite_duties };
    let asked = ledger.ask_closing(tenant, said, &operator())?;
    Ok(Outcome::Asked {
        system_record: asked.recorded_as.value(),
        despite_duties: asked.record.despite_duties.clone(),
    })
}

fn approve_here(
    data: &ForWriting,
    tenant: &TenantId,
    asked_in: SequenceNumber,
) -> Result<Outcome, Failure> {
    data.ledger().approve_closing(tenant, asked_in, &operator())?;
    finish_here(data, tenant)
}

/// Brings the ledger to its end, also one of which a crash has left something.
fn finish_here(data: &ForWriting, tenant: &TenantId) -> Result<Outcome, Failure> {
    let system = System::new();
    let store = data.dead_letters(DeadLetterLimits::default(), &system)?;
    let letters = DeadLetters::new(
        std::sync::Arc::new(store),
        system.clock.clone(),
        system.entropy.clone(),
        RETENTION,
    );
    let contents = data.contents();
    let retention = data.ledger().retention(&*contents);
    let last = retention.close_tenant(tenant, Some(&letters), &())?;
    Ok(Outcome::Closed(last.map(SequenceNumber::value)))
}

impl Outcome {
    fn tell(
        &self,
        tenant: &TenantId,
        as_text: bool,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        if as_text {
            self.say(tenant, console)?;
        } else {
            console.line(self.json(tenant))?;
        }
        Ok(Ending::Done)
    }

    fn say(&self, tenant: &TenantId, console: &mut Console) -> Result<(), Failure> {
        match self {
            Self::Withdrawn => {
                console.line(format!("{tenant}: is not closed; what was asked for is withdrawn"))
            }
            Self::Asked { system_record, despite_duties } => {
                if !despite_duties.is_empty() {
                    let duties = despite_duties.join(", ");
                    console
                        .line(format!("{tenant}: goes although {duties} would keep contents"))?;
                }
                console.line(format!(
                    "{tenant}: asked for in record {system_record} of _system; another person closes it \
                     with `ledgerstone tenants close {tenant} --approve {system_record}`"
                ))
            }
            Self::Closed(last) => {
                let last = last.map(|last| format!(", its last record is {last}"));
                console.line(format!("{tenant}: closed{}", last.unwrap_or_default()))
            }
            Self::Waiting(what) => {
                console.line(format!("{tenant}: takes nothing any more: {what}"))
            }
        }
    }

    fn json(&self, tenant: &TenantId) -> Vec<u8> {
        let mut line = Vec::with_capacity(128);
        let mut object = ObjectWriter::open(&mut line);
        match self {
            Self::Withdrawn => object.text("state", "withdrawn"),
            Self::Asked { system_record, despite_duties } => {
                object.texts("despite_duties", despite_duties);
                object.text("state", "asked");
                object.number("system_record", *system_record);
            }
            Self::Closed(last) => {
                object.optional_number("closed_record", *last);
                object.text("state", TenantState::Closed.as_str());
            }
            Self::Waiting(what) => {
                object.text("detail", what);
                object.text("state", TenantState::Closing.as_str());
            }
        }
        object.text("tenant_id", tenant.as_str());
        object.close();
        line
    }
}
