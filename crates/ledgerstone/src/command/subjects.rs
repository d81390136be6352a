//! `subjects`: people, looked up and named by an opaque id, and what they ask as it comes in.

mod access;

use clap::{Args, Subcommand};
use ledgerstone_client::{Asked, Subject, SubjectRequest};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::sealing::SubjectId;
use ledgerstone_model::subject_request::{ErasureBasis, SubjectRight};

use super::requests::{reason_of, survey, tell};
use super::{Command, parsed};
use crate::arguments::{ServerOptions, line_of_input};
use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::remote::Remote;
use crate::table::Table;

pub const COMMAND: Command = Command {
    name: "subjects",
    about: "Look up a person whose values are sealed, and take in what the person asks",
    details: "Works through a server, which says in its records who did it. What people are called is \
              read from standard input and travels in no path; ever after an opaque id stands for \
              them. What they ask becomes a request, due in one month, whose steps are those of \
              `requests`; docs/personal-data.md tells the whole way.",
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
    /// Look a person up; whoever was never met has an id too, and no keys
    Lookup {
        /// The type of the actor or target, as events say it, like `customer`; empty where they say none
        #[arg(value_name = "TYPE")]
        kind: String,
        /// The id of the actor or target, as events say it; `-` is one line of standard input, which
        /// others who see the list of processes do not see
        #[arg(
            value_name = "ID",
            default_value = "-",
            hide_default_value = true,
            allow_hyphen_values = true
        )]
        id: String,
        #[command(flatten)]
        options: ServerOptions,
    },
    /// Say what is known of a person
    Show {
        #[command(flatten)]
        subject: SubjectOption,
        #[command(flatten)]
        options: ServerOptions,
    },
    /// Say who saw a person: the records of the access log that name a key of the person, the newest first
    Access {
        #[command(flatten)]
        subject: SubjectOption,
        /// At most so many records; by default all of them in a pipe and 20 on a terminal
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        #[command(flatten)]
        options: ServerOptions,
    },
    /// Take in that a person asks to be erased, and say what that would reach
    Erase {
        #[command(flatten)]
        subject: SubjectOption,
        /// Why it is due, in the order of Article 17(1) of Regulation (EU) 2016/679
        #[arg(long, value_name = "BASIS", value_parser = basis)]
        basis: ErasureBasis,
        /// Look for somebody who was erased again, although nothing is known to be left: events may name them
        /// in clear since
        #[arg(long)]
        again: bool,
        #[command(flatten)]
        reason: ReasonOption,
        #[command(flatten)]
        options: ServerOptions,
    },
    /// Take in that a person asks for something else: access, rectification or restriction
    Request {
        /// What the person asks for
        #[arg(value_name = "RIGHT", value_parser = ["access", "rectification", "restriction"])]
        right: String,
        #[command(flatten)]
        subject: SubjectOption,
        #[command(flatten)]
        reason: ReasonOption,
        #[command(flatten)]
        options: ServerOptions,
    },
}

/// The opaque id of a person.
#[derive(Args, Debug)]
struct SubjectOption {
    /// The opaque id, as `lookup` gives it
    // One id in 64 begins with a hyphen.
    #[arg(value_name = "SUBJECT_ID", value_parser = subject_id, allow_hyphen_values = true)]
    subject: SubjectId,
}

/// `--reason TEXT`.
#[derive(Args, Debug)]
pub struct ReasonOption {
    /// Why, for the record, in at most 500 characters; `-` is one line of standard input
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

fn subject_id(text: &str) -> Result<SubjectId, String> {
    SubjectId::parse(text).ok_or_else(|| "is no id as `subjects lookup` gives it".to_owned())
}

fn basis(name: &str) -> Result<ErasureBasis, String> {
    ErasureBasis::parse(name).ok_or_else(|| {
        let known: Vec<_> = ErasureBasis::ALL.iter().map(|basis| basis.as_str()).collect();
        format!("must be one of {}", known.join(", "))
    })
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    match &arguments.action {
        Action::Lookup { kind, id, options } => {
            let remote = options.on_server("subjects", console)?;
            let read = (id == "-").then(|| line_of_input("the id")).transpose()?;
            let id = read.as_ref().map_or(id.as_str(), |line| line.as_str());
            if id.is_empty() {
                return Err(Failure::new(ErrorCode::InvalidArgument, "the id is empty"));
            }
            let subject = remote.wait(remote.client().look_up_subject(kind, id))?;
            if let Some(note) = &subject.note {
                console.note(note);
            }
            show(&subject, options, console)
        }
        Action::Show { subject, options } => {
            let remote = options.on_server("subjects", console)?;
            let subject = remote.wait(remote.client().subject(&subject.subject))?;
            show(&subject, options, console)
        }
        Action::Access { subject, limit, options } => {
            access::run(&subject.subject, *limit, options, console)
        }
        Action::Erase { subject, basis, again, reason, options } => {
            let asked = Asked::Erasure { basis: *basis, again: *again };
            let (remote, request) = open(subject, asked, reason, options, console)?;
            survey::tell_opened(&request, &remote, options, console)
        }
        Action::Request { right, subject, reason, options } => {
            let right = SubjectRight::parse(right).unwrap_or(SubjectRight::Access);
            let (_, request) = open(subject, Asked::Other(right), reason, options, console)?;
            tell(&request, options, console)
        }
    }
}

fn open(
    subject: &SubjectOption,
    asked: Asked,
    reason: &ReasonOption,
    options: &ServerOptions,
    console: &mut Console,
) -> Result<(Box<Remote>, SubjectRequest), Failure> {
    let remote = options.on_server("subjects", console)?;
    let reason = reason_of(reason)?;
    let (client, reason) = (remote.client(), reason.as_ref().map(|line| line.as_str()));
    let request = remote.wait(client.open_subject_request(&subject.subject, asked, reason))?;
    note_unknown(&remote, &subject.subject, console);
    Ok((remote, request))
}

/// Says of an id under which nothing was ever sealed that it is one: a mistyped person is one too. Whoever
/// cannot be asked after is not noted.
pub fn note_unknown(remote: &Remote, subject: &SubjectId, console: &mut Console) {
    let is_met = match remote.wait(remote.client().subject(subject)) {
        Ok(known) => !known.live_keys.is_empty() || !known.destroyed_keys.is_empty(),
        Err(failure) => failure.code() != ErrorCode::UnknownSubject,
    };
    if !is_met {
        console.note(format!(
            "nothing was ever sealed for {subject}: either contents hold the person in clear alone, or type or id \
             was mistyped at the lookup"
        ));
    }
}

fn show(
    subject: &Subject,
    options: &ServerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    if console.is_terminal() && !options.output.json {
        let numbers = subject.certificates.iter().map(u64::to_string);
        let mut table = Table::new(&["subject id", "live keys", "destroyed keys", "certificates"]);
        table.row([
            subject.subject_id.clone(),
            subject.live_keys.len().to_string(),
            subject.destroyed_keys.len().to_string(),
            numbers.collect::<Vec<_>>().join(" "),
        ]);
        table.keep_whole(&[0, 1, 2]);
        console.text(&table.to_string())?;
        return Ok(Ending::Done);
    }
    let mut line = Vec::new();
    let mut object = ObjectWriter::open(&mut line);
    object.array("certificates", &subject.certificates, |number, out| {
        out.extend_from_slice(number.to_string().as_bytes());
    });
    object.texts("destroyed_keys", &subject.destroyed_keys);
    object.texts("live_keys", &subject.live_keys);
    object.optional_text("note", subject.note.as_deref());
    object.text("subject_id", &subject.subject_id);
    object.close();
    console.line(line)?;
    Ok(Ending::Done)
}
