//! `requests`: the register of what people ask about their own data, and the steps of a request.

mod bundle;
pub mod survey;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use ledgerstone_client::{Approval, Job, JobWaiting, RequestAct, RequestJob, SubjectRequest};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::subject_request::{RefusalGround, RequestState, SubjectRequestId};
use ledgerstone_model::{ErrorCode, JobState};
use zeroize::Zeroizing;

use super::subjects::ReasonOption;
use super::taxonomy::read;
use super::{Command, parsed};
use crate::arguments::{ServerOptions, line_of_input};
use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::remote::Remote;
use crate::table::Table;

/// How often the work of an approved request is looked at.
const PAUSE: Duration = Duration::from_millis(500);

pub const COMMAND: Command = Command {
    name: "requests",
    about: "List what people ask about their own data, and take a request further",
    details: "Works through a server: who took each step, and why, is an `audit` record. A request is \
              opened by `subjects`; somebody checks who asks, and another person approves or refuses. \
              An approved erasure is carried out at once, and the number of its certificate is the \
              result. What lies in the part of the log that is being written goes later, by itself: \
              `waiting` says until when at the latest.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// List the requests, the oldest first
    List {
        /// Those alone that are neither done nor refused nor withdrawn
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        options: ServerOptions,
    },
    /// Print a request, and how the job stands that carries an erasure out
    Show {
        #[command(flatten)]
        step: RequestOption,
    },
    /// Record that whoever asks is the person
    CheckIdentity {
        #[command(flatten)]
        step: RequestOption,
        #[command(flatten)]
        reason: ReasonOption,
    },
    /// Find what an erasure would reach, and what stands against it, as things are now, and wait for that
    Survey {
        #[command(flatten)]
        step: RequestOption,
    },
    /// Approve a request that another person opened and checked; an erasure is carried out, which is waited
    /// for
    Approve {
        #[command(flatten)]
        step: RequestOption,
        #[command(flatten)]
        terms: ErasureTerms,
        #[command(flatten)]
        reason: ReasonOption,
    },
    /// Carry out an approved rectification: what is right goes into a record that is sealed for the person,
    /// and the records that it corrects name it from then on
    Rectify {
        #[command(flatten)]
        step: RequestOption,
        /// What is right, as JSON: `{"corrections":[{"event_id":"e-1","changes":{"/data/after/name":"Ana
        /// Lima"}}],"reason":"…"}`, with JSON pointers into the events; `-` is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print everything about the person of an approved request for access: their own values whole, those of
    /// others redacted. JSON has a line for each page, with the proofs that `verify --bundle` checks
    Bundle {
        #[command(flatten)]
        step: RequestOption,
        /// `csv` has a line for each value, and no proofs
        #[arg(long, value_name = "FORMAT", value_parser = ["json", "csv"], default_value = "json")]
        format: String,
    },
    /// Record that the person was given what they asked to see, which ends the request
    Deliver {
        #[command(flatten)]
        step: RequestOption,
        #[command(flatten)]
        reason: ReasonOption,
    },
    /// End a restriction that is in force
    Lift {
        #[command(flatten)]
        step: RequestOption,
        #[command(flatten)]
        reason: ReasonOption,
    },
    /// Refuse a request
    Refuse {
        #[command(flatten)]
        step: RequestOption,
        /// Why it is refused
        #[arg(long, value_name = "GROUND", value_parser = ground)]
        ground: RefusalGround,
        #[command(flatten)]
        reason: ReasonOption,
    },
    /// Give a request two more months, once
    Extend {
        #[command(flatten)]
        step: RequestOption,
        #[command(flatten)]
        reason: ReasonOption,
    },
    /// Record that the person does not ask any more
    Withdraw {
        #[command(flatten)]
        step: RequestOption,
        #[command(flatten)]
        reason: ReasonOption,
    },
}

/// Which request.
#[derive(Args, Debug)]
struct RequestOption {
    /// The request's id
    #[arg(value_name = "REQUEST_ID", value_parser = request_id)]
    id: SubjectRequestId,
    #[command(flatten)]
    options: ServerOptions,
}

/// What is approved of an erasure beside the request itself.
#[derive(Args, Debug)]
struct ErasureTerms {
    /// Let as many contents that hold the person in clear, or sealed for others, be dropped whole: the
    /// `clear_contents` of the request's survey
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    clear_contents: u64,
    /// Let what is sealed become unreadable although the retention policy names a duty to keep it
    #[arg(long)]
    despite_duties: bool,
    /// Let contents stay that hold the person sealed for others alone, and count them as still readable: the
    /// `sealed_for_others` of the request's survey, which its `clear_contents` has among them
    #[arg(long)]
    keep_sealed_for_others: bool,
}

fn request_id(text: &str) -> Result<SubjectRequestId, String> {
    SubjectRequestId::parse(text)
        .ok_or_else(|| "is no id of a request, 32 hexadecimal digits".to_owned())
}

fn ground(name: &str) -> Result<RefusalGround, String> {
    RefusalGround::parse(name).ok_or_else(|| {
        let known: Vec<_> = RefusalGround::ALL.iter().map(|ground| ground.as_str()).collect();
        format!("must be one of {}", known.join(", "))
    })
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    match &arguments.action {
        Action::List { open, options } => list(*open, options, console),
        Action::Show { step } => {
            let remote = step.options.on_server("requests", console)?;
            let request = remote.wait(remote.client().subject_request(step.id))?;
            tell(&request, &step.options, console)?;
            if console.is_terminal() && !step.options.output.json {
                request.job.iter().try_for_each(|job| console.line(words(job)))?;
            }
            Ok(Ending::Done)
        }
        Action::CheckIdentity { step, reason } => {
            take(step, RequestAct::CheckIdentity, reason, console)
        }
        Action::Survey { step } => survey::run(step, console),
        Action::Approve { step, terms, reason } => approve(step, terms, reason, console),
        Action::Rectify { step, file } => {
            let remote = step.options.on_server("requests", console)?;
            let document = Zeroizing::new(read(file)?);
            let request = remote.wait(remote.client().rectify(step.id, &document));
            let request = request.map_err(with_form)?;
            tell(&request, &step.options, console)
        }
        Action::Bundle { step, format } => bundle::run(step, format == "csv", console),
        Action::Deliver { step, reason } => take(step, RequestAct::Deliver, reason, console),
        Action::Lift { step, reason } => take(step, RequestAct::Lift, reason, console),
        Action::Refuse { step, ground, reason } => {
            take(step, RequestAct::Refuse(*ground), reason, console)
        }
        Action::Extend { step, reason } => take(step, RequestAct::Extend, reason, console),
        Action::Withdraw { step, reason } => take(step, RequestAct::Withdraw, reason, console),
    }
}

/// Says how corrections are written, to whoever wrote them otherwise.
fn with_form(failure: Failure) -> Failure {
    match failure.code() {
        ErrorCode::NotJson | ErrorCode::InvalidArgument => failure.with_remedy(
            "Give the corrections as one JSON object: \
             {\"corrections\":[{\"event_id\":\"e-1\",\"changes\":{\"/data/after/name\":\"Ana Lima\"}}],\"reason\":\"…\"}.",
        ),
        _ => failure,
    }
}

fn list(open: bool, options: &ServerOptions, console: &mut Console) -> Result<Ending, Failure> {
    let remote = options.on_server("requests", console)?;
    let mut requests = remote.wait(remote.client().subject_requests())?;
    // A state that this version does not know is left in.
    let is_final = |request: &SubjectRequest| {
        RequestState::parse(&request.state).is_some_and(RequestState::is_final)
    };
    requests.retain(|request| !open || !is_final(request));
    print(&requests, options, console)?;
    Ok(Ending::Done)
}

fn take(
    step: &RequestOption,
    act: RequestAct,
    reason: &ReasonOption,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let remote = step.options.on_server("requests", console)?;
    let reason = reason_of(reason)?;
    let reason = reason.as_ref().map(|line| line.as_str());
    let request = remote.wait(remote.client().step_subject_request(step.id, act, reason))?;
    tell(&request, &step.options, console)
}

fn approve(
    step: &RequestOption,
    terms: &ErasureTerms,
    reason: &ReasonOption,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let remote = step.options.on_server("requests", console)?;
    let reason = reason_of(reason)?;
    let approval = Approval {
        reason: reason.as_ref().map(|line| line.as_str()),
        despite_duties: terms.despite_duties,
        clear_contents: terms.clear_contents,
        keep_sealed_for_others: terms.keep_sealed_for_others,
    };
    let (approved, job) =
        remote.wait(remote.client().approve_subject_request(step.id, approval))?;
    let Some(job) = job else { return tell(&approved, &step.options, console) };
    let job = carried_out(&remote, job)?;
    let request = remote.wait(remote.client().subject_request(step.id))?;
    let result = job.result().map(serde_json::value::RawValue::get);
    if console.is_terminal() && !step.options.output.json {
        print(std::slice::from_ref(&request), &step.options, console)?;
        let said = match job.waiting() {
            Some(waiting) => format!("approved, and not done yet: {}", waiting.detail),
            None => format!("carried out: {}", result.unwrap_or("{}")),
        };
        console.line(said)?;
    } else {
        let mut line = Vec::new();
        let mut object = ObjectWriter::open(&mut line);
        object.key("request").extend_from_slice(&json(&request, None));
        object.key("result").extend_from_slice(result.unwrap_or("null").as_bytes());
        if let Some(waiting) = job.waiting() {
            write_waiting(waiting, &mut object);
        }
        object.close();
        console.line(line)?;
    }
    Ok(Ending::Done)
}

/// What a job waits for.
fn write_waiting(waiting: &JobWaiting, object: &mut ObjectWriter<'_>) {
    let mut inner = ObjectWriter::open(object.key("waiting"));
    inner.number("contents", waiting.contents);
    inner.text("detail", &waiting.detail);
    inner.optional_text("until", waiting.until.as_deref());
    inner.close();
}

/// Waits for the end of a job, and for a good one: done, or waiting for what comes by itself.
pub fn carried_out(remote: &Remote, job: Job) -> Result<Job, Failure> {
    let job = remote.wait(remote.client().follow(job, PAUSE, |_| {}))?;
    match job.error() {
        _ if matches!(job.state(), JobState::Done | JobState::Waiting) => Ok(job),
        Some(error) => {
            let code = ErrorCode::parse(error.code()).unwrap_or(ErrorCode::UnexpectedAnswer);
            Err(Failure::new(code, format!("job {}: {}", job.id(), error.detail())))
        }
        None => {
            let message = format!("job {} ended as {}", job.id(), job.state().as_str());
            Err(Failure::new(ErrorCode::NotReady, message)
                .with_remedy("Approve the request again, which begins the job again."))
        }
    }
}

/// The reason that was given, or that stands on standard input.
pub fn reason_of(reason: &ReasonOption) -> Result<Option<Zeroizing<String>>, Failure> {
    match reason.reason.as_deref() {
        Some("-") => line_of_input("the reason").map(Some),
        given => Ok(given.map(|text| Zeroizing::new(text.to_owned()))),
    }
}

/// How the job of an erasure stands.
fn words(job: &RequestJob) -> String {
    match (&job.error, &job.waiting) {
        (Some(error), _) => {
            format!("job {}: {}: {}: {}", job.id, job.state, error.code(), error.detail())
        }
        (None, Some(waiting)) => format!("job {}: {}: {}", job.id, job.state, waiting.detail),
        (None, None) => format!("job {}: {}", job.id, job.state),
    }
}

/// The state of a request, and of the job that carries it out where that is not done.
fn state(request: &SubjectRequest) -> String {
    let state = &request.state;
    match request.job.as_ref().filter(|job| job.state != JobState::Done.as_str()) {
        Some(RequestJob { state: of_job, error: Some(error), .. }) => {
            format!("{state}, {of_job} ({})", error.code())
        }
        Some(job) => format!("{state}, {}", job.state),
        None => state.clone(),
    }
}

/// Prints one request.
pub fn tell(
    request: &SubjectRequest,
    options: &ServerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    print(std::slice::from_ref(request), options, console)?;
    Ok(Ending::Done)
}

fn print(
    requests: &[SubjectRequest],
    options: &ServerOptions,
    console: &mut Console,
) -> Result<(), Failure> {
    if !console.is_terminal() || options.output.json {
        return requests.iter().try_for_each(|request| console.line(json(request, None)));
    }
    let mut table = Table::new(&["request id", "right", "state", "due", "subject id"]);
    for request in requests {
        table.row([
            &request.id,
            &request.right,
            &state(request),
            &request.due_at,
            &request.subject_id,
        ]);
    }
    table.keep_whole(&[0, 1, 2, 3]);
    console.text(&table.to_string())
}

/// The request as it is printed in a pipe, with the survey of an erasure that was opened.
fn json(request: &SubjectRequest, survey: Option<&[u8]>) -> Vec<u8> {
    let mut line = Vec::with_capacity(512);
    let mut object = ObjectWriter::open(&mut line);
    object.number("audit_record", request.audit_record);
    object.optional_text("basis", request.basis.as_deref());
    object.optional_text("decided_by", request.decided_by.as_deref());
    object.text("due_at", &request.due_at);
    object.optional_text("ground", request.ground.as_deref());
    object.text("id", &request.id);
    object.optional_text("identity_checked_at", request.identity_checked_at.as_deref());
    object.optional_text("identity_checked_by", request.identity_checked_by.as_deref());
    object.boolean("is_extended", request.is_extended);
    if let Some(job) = &request.job {
        let mut inner = ObjectWriter::open(object.key("job"));
        if let Some(error) = &job.error {
            let mut why = ObjectWriter::open(inner.key("error"));
            why.text("code", error.code());
            why.text("detail", error.detail());
            why.close();
        }
        inner.text("id", &job.id);
        inner.text("state", &job.state);
        if let Some(waiting) = &job.waiting {
            write_waiting(waiting, &mut inner);
        }
        inner.close();
    }
    object.text("opened_by", &request.opened_by);
    object.text("received_at", &request.received_at);
    if let Some(done) = &request.rectification {
        let mut inner = ObjectWriter::open(object.key("rectification"));
        inner.array("corrected", &done.corrected, |number, out| {
            out.extend_from_slice(number.to_string().as_bytes());
        });
        inner.text("event_id", &done.event_id);
        inner.number("sequence_number", done.sequence_number);
        inner.close();
    }
    object.text("right", &request.right);
    object.text("state", &request.state);
    object.text("subject_id", &request.subject_id);
    if let Some(survey) = survey {
        object.key("survey").extend_from_slice(survey);
    }
    object.number("system_record", request.system_record);
    object.close();
    line
}
