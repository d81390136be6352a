//! `doctor`: what is wrong with a data directory or a server, and what to do about it.

mod ask;
mod examine;
mod sealing_keys;

use clap::Args;
use ledgerstone_model::json_write::ObjectWriter;

use super::{Command, parsed};
use crate::arguments::CommonOptions;
use crate::failure::{Ending, Failure};
use crate::location::Location;
use crate::output::Console;

pub const COMMAND: Command = Command {
    name: "doctor",
    about: "Say what is wrong with a data directory or a server, and what to do about it",
    details: "Looks at what opening the directory shows, at its keys and at the room on its disk. \
              It changes nothing and does not read everything: `verify` does. A server is asked \
              how it is, with reasons where the credential is of `_system`. Exit status 1 when \
              something is to be done.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(flatten)]
    common: CommonOptions,
}

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// Good to know; nothing is to be done.
    Note,
    /// Something is to be done.
    Problem,
}

/// One thing that was seen.
#[derive(Debug)]
struct Observation {
    weight: Weight,
    /// What it is about, in one word.
    subject: &'static str,
    what: String,
    remedy: String,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let seen = match arguments.common.location.find(console)? {
        Location::Directory(path) => examine::examine(&path, console)?,
        Location::Server(remote) => ask::ask(&remote)?,
    };
    let problems = seen.iter().filter(|one| one.weight == Weight::Problem).count();
    let as_text = console.is_terminal() && !arguments.common.output.json;
    for one in &seen {
        if as_text {
            console.line(one.to_text())?;
        } else {
            console.line(one.to_json())?;
        }
    }
    if as_text && problems == 0 {
        console.line("nothing is to be done; `ledgerstone verify` checks every record")?;
    }
    Ok(Ending::findings_if(problems > 0))
}

impl Observation {
    fn note(subject: &'static str, what: impl Into<String>) -> Self {
        Self { weight: Weight::Note, subject, what: what.into(), remedy: String::new() }
    }

    fn problem(subject: &'static str, what: String, remedy: impl Into<String>) -> Self {
        Self { weight: Weight::Problem, subject, what, remedy: remedy.into() }
    }

    fn to_text(&self) -> String {
        let mark = match self.weight {
            Weight::Note => "  ",
            Weight::Problem => "! ",
        };
        let remedy = match self.remedy.as_str() {
            "" => String::new(),
            remedy => format!("\n    {remedy}"),
        };
        format!("{mark}{}: {}{remedy}", self.subject, self.what)
    }

    fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        object.boolean("problem", self.weight == Weight::Problem);
        object.text("remedy", &self.remedy);
        object.text("subject", self.subject);
        object.text("what", &self.what);
        object.close();
        out
    }
}
