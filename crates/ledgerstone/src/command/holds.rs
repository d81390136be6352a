//! `holds`: legal holds, set by one person and released by two.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ledgerstone_client::{Hold, NewHold};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::EventTime;
use ledgerstone_model::hold::HoldId;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::sealing::SubjectId;
use serde_json::Value;

use super::policies::document;
use super::requests::{carried_out, reason_of};
use super::subjects::{ReasonOption, note_unknown};
use super::{Command, parsed};
use crate::arguments::{ServerOptions, line_of_input};
use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::system::System;
use crate::table::Table;

pub const COMMAND: Command = Command {
    name: "holds",
    about: "List, set and release legal holds",
    details: "Works through a server: who set or released a hold, and why, is an `audit` record. What a hold \
              covers stays, whatever the retention policy or an erasure would let go, until one person \
              asks for its release and another agrees; docs/retention.md tells more.",
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
    /// List the holds, the oldest first
    List {
        /// Those alone that stand
        #[arg(long)]
        standing: bool,
        #[command(flatten)]
        options: ServerOptions,
    },
    /// Print a hold
    Show {
        #[command(flatten)]
        hold: HoldOption,
    },
    /// Set a hold on everything that fits all that is given, or on everything of the tenant; what it covers
    /// now is counted, which is waited for
    Set(Box<SetOptions>),
    /// Ask for the release of a hold, or, as another person, end it
    Release {
        #[command(flatten)]
        hold: HoldOption,
        #[command(flatten)]
        reason: ReasonOption,
    },
}

/// Which hold.
#[derive(Args, Debug)]
struct HoldOption {
    /// The hold's id
    #[arg(value_name = "ID", value_parser = hold_id)]
    id: HoldId,
    #[command(flatten)]
    options: ServerOptions,
}

#[derive(Args, Debug)]
struct SetOptions {
    /// Who answers for it, at most 500 characters; `-` is one line of standard input, before that of the
    /// reason and a filter
    #[arg(long, value_name = "TEXT")]
    owner: String,
    #[command(flatten)]
    reason: ReasonOption,
    /// When somebody is to look whether it is still needed, like 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    review_at: String,
    /// A person, as `subjects lookup` names them
    #[arg(long, value_name = "SUBJECT_ID", allow_hyphen_values = true)]
    subject: Option<String>,
    /// A file with a filter (docs/filters.md) as JSON or TOML, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    filter: Option<PathBuf>,
    /// What came in at this moment or later
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// What came in before this moment
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    options: ServerOptions,
}

fn hold_id(text: &str) -> Result<HoldId, String> {
    HoldId::parse(text).ok_or_else(|| "is no id of a hold, 32 hexadecimal digits".to_owned())
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    match &arguments.action {
        Action::List { standing, options } => list(*standing, options, console),
        Action::Show { hold: HoldOption { id, options } } => {
            let remote = options.on_server("holds", console)?;
            tell(&remote.wait(remote.client().hold(*id))?, options, console)
        }
        Action::Set(wish) => set(wish, console),
        Action::Release { hold: HoldOption { id, options }, reason } => {
            let remote = options.on_server("holds", console)?;
            let reason = given_reason(reason)?;
            let released = remote.wait(remote.client().release_hold(*id, &reason))?;
            tell(&released, options, console)
        }
    }
}

fn given_reason(reason: &ReasonOption) -> Result<String, Failure> {
    let reason = reason_of(reason)?.map(|reason| reason.as_str().to_owned());
    reason.ok_or_else(|| {
        Failure::new(
            ErrorCode::InvalidArgument,
            "a hold is neither set nor released without a reason",
        )
        .with_remedy("Add --reason TEXT.")
    })
}

fn set(wish: &SetOptions, console: &mut Console) -> Result<Ending, Failure> {
    let remote = wish.options.on_server("holds", console)?;
    let owner = (wish.owner == "-").then(|| line_of_input("the owner")).transpose()?;
    let reason = given_reason(&wish.reason)?;
    let read = |file: &Path| document::read(file, ErrorCode::InvalidFilter);
    let filter = wish.filter.as_deref().map(read).transpose()?;
    let filter: Option<Value> =
        filter.map(|json| serde_json::from_slice(&json)).transpose().map_err(|error| {
            Failure::new(ErrorCode::InvalidFilter, format!("the filter is no JSON: {error}"))
        })?;
    let new = NewHold {
        owner: owner.as_ref().map_or(wish.owner.as_str(), |line| line.as_str()),
        reason: &reason,
        review_at: &wish.review_at,
        subject_id: wish.subject.as_deref(),
        filter: filter.as_ref(),
        from: wish.from.as_deref(),
        until: wish.until.as_deref(),
    };
    if let Some(subject) = wish.subject.as_deref().and_then(SubjectId::parse) {
        note_unknown(&remote, &subject, console);
    }
    let review = EventTime::parse(&wish.review_at);
    if review.is_ok_and(|time| time.micros() <= System::new().clock.now().micros()) {
        console.note("--review-at is past already: the hold stands, and is due for review at once");
    }
    let (hold, job) = remote.wait(remote.client().set_hold(&new))?;
    let job = carried_out(&remote, job)?;
    let result = job.result().map(|result| result.get().to_owned());
    if console.is_terminal() && !wish.options.output.json {
        let counted: Option<Value> = result.and_then(|text| serde_json::from_str(&text).ok());
        let contents = counted.and_then(|found| found.get("contents").and_then(Value::as_u64));
        let contents =
            contents.map_or_else(String::new, |count| format!(", covers {count} contents now"));
        console.line(format!("hold {}: {}{contents}", hold.id, hold.state))?;
        return Ok(Ending::Done);
    }
    let mut line = Vec::with_capacity(512);
    let mut object = ObjectWriter::open(&mut line);
    object.key("hold").extend_from_slice(&json(&hold));
    if let Some(result) = result {
        object.key("result").extend_from_slice(result.as_bytes());
    }
    object.close();
    console.line(line)?;
    Ok(Ending::Done)
}

fn list(standing: bool, options: &ServerOptions, console: &mut Console) -> Result<Ending, Failure> {
    let remote = options.on_server("holds", console)?;
    let mut holds = remote.wait(remote.client().holds())?;
    holds.retain(|hold| !standing || hold.state != "released");
    if !console.is_terminal() || options.output.json {
        holds.iter().try_for_each(|hold| console.line(json(hold)))?;
        return Ok(Ending::Done);
    }
    let mut table = Table::new(&["hold", "state", "set at", "review at", "owner"]);
    for hold in &holds {
        let owner = hold.owner.as_deref().unwrap_or_default();
        table.row([&hold.id, &hold.state, &hold.set_at, &hold.review_at, owner]);
    }
    table.keep_whole(&[0, 1, 2, 3]);
    console.text(&table.to_string())?;
    Ok(Ending::Done)
}

fn tell(hold: &Hold, options: &ServerOptions, console: &mut Console) -> Result<Ending, Failure> {
    if console.is_terminal() && !options.output.json {
        console.line(format!("hold {}: {}", hold.id, hold.state))?;
    } else {
        console.line(json(hold))?;
    }
    Ok(Ending::Done)
}

/// The hold as it is printed in a pipe.
fn json(hold: &Hold) -> Vec<u8> {
    let mut line = Vec::with_capacity(512);
    let mut object = ObjectWriter::open(&mut line);
    object.number("audit_record", hold.audit_record);
    if let Some(filter) = &hold.filter {
        object.key("filter").extend_from_slice(filter.get().as_bytes());
    }
    object.optional_text("from", hold.from.as_deref());
    object.text("id", &hold.id);
    object.optional_text("owner", hold.owner.as_deref());
    object.optional_text("reason", hold.reason.as_deref());
    object.optional_text("release_asked_by", hold.release_asked_by.as_deref());
    object.optional_text("released_by", hold.released_by.as_deref());
    object.text("review_at", &hold.review_at);
    object.text("set_at", &hold.set_at);
    object.text("set_by", &hold.set_by);
    object.text("state", &hold.state);
    object.optional_text("subject_id", hold.subject_id.as_deref());
    object.number("system_record", hold.system_record);
    object.optional_text("until", hold.until.as_deref());
    object.close();
    line
}
