//! The steps of the tour. Every command is run by the program itself as a process of its own, so
//! that what is shown is what a newcomer will see.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ledgerstone_model::ErrorCode;
use ledgerstone_model::json::Value;

use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::workload::audit_day;

/// The day that is imported is the same in every tour.
const SEED: u64 = 1;

/// The directory that the commands use when none is named.
const DATA: &str = "ledgerstone-data";

pub fn run(console: &mut Console) -> Result<Ending, Failure> {
    let place = tempfile::Builder::new().prefix("ledgerstone-tour-").tempdir();
    let place = place
        .map_err(|error| Failure::file("making a directory in", &std::env::temp_dir(), &error))?;
    let mut tour = Tour { console, place: place.path().to_owned() };
    tour.take_in()?;
    let proved = tour.prove()?;
    tour.verify(&proved)?;
    tour.tamper(&proved)?;
    tour.end()?;
    Ok(Ending::Done)
}

struct Tour<'c> {
    console: &'c mut Console,
    place: PathBuf,
}

/// The event that the tour proves.
struct Proved {
    id: String,
    vkey: String,
}

impl Tour<'_> {
    fn take_in(&mut self) -> Result<(), Failure> {
        let day = audit_day(SEED);
        self.say("A day of a small company: logins, approvals, exports, and somebody who tries passwords at night.")?;
        let mut text = day.join("\n");
        text.push('\n');
        let file = self.place.join("day.ndjson");
        fs::write(&file, text).map_err(|error| Failure::file("writing", &file, &error))?;
        self.show(&["init"])?;
        self.show(&["import", "--format", "ndjson", "day.ndjson"])?;
        self.say("Importing it again adds nothing: an event is known by its id, for ever.")?;
        self.show(&["import", "--format", "ndjson", "day.ndjson"])?;
        self.show(&["list", "--limit", "5"])
    }

    fn prove(&mut self) -> Result<Proved, Failure> {
        let listed = self.capture(&["list", "--order", "sequence", "--limit", "9", "--json"])?;
        let id = last_line(&listed).and_then(|line| text_in(line, &["record", "event_id"]));
        let id = id.ok_or_else(|| unexpected("list"))?;
        self.say("A checkpoint is the ledger's signed head. Whoever keeps one elsewhere, and the key, needs to trust nobody.")?;
        self.show(&["checkpoint"])?;
        let checkpoint = self.capture(&["checkpoint", "--json"])?;
        let vkey = last_line(&checkpoint).and_then(|line| text_in(line, &["vkey"]));
        let vkey = vkey.ok_or_else(|| unexpected("checkpoint"))?;
        self.say("The proof of one event fits into a mail, and its exact content beside it.")?;
        self.show_into("event.proof", &["proof", &id])?;
        self.show_into("event.content", &["get", &id, "--content"])?;
        Ok(Proved { id, vkey })
    }

    fn verify(&mut self, proved: &Proved) -> Result<(), Failure> {
        self.say("The receiver checks it without the ledger, with the key alone:")?;
        let key = &proved.vkey;
        self.show(&[
            "verify",
            "--proof",
            "event.proof",
            "--content",
            "event.content",
            "--key",
            key,
        ])?;
        self.say("And the whole directory: every hash, chain, tree, checkpoint and signature.")?;
        self.show(&["verify"])
    }

    /// Changes one byte of the proved event where it is stored.
    fn tamper(&mut self, proved: &Proved) -> Result<(), Failure> {
        let (file, offset) = find_in_logs(&self.place.join(DATA), proved.id.as_bytes())?;
        let mut bytes = fs::read(&file).map_err(|error| Failure::file("reading", &file, &error))?;
        let byte = bytes.get_mut(offset).ok_or_else(|| unexpected("the log"))?;
        *byte ^= 1;
        fs::write(&file, bytes).map_err(|error| Failure::file("writing", &file, &error))?;
        let name = file.strip_prefix(&self.place).unwrap_or(&file).display().to_string();
        self.say(&format!(
            "Now somebody changes one bit of a stored event: byte {offset} of {name}."
        ))?;
        self.show(&["verify"])?;
        self.say("What to do then:")?;
        self.show(&["doctor"])
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.say(
            "That was all on a temporary directory, which is gone now. Read on: README.md to begin, \
             docs/cli.md for every command, docs/trust.md for what is found and what is not.",
        )
    }

    fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.console.line(format!("\n# {text}"))
    }

    /// Prints a command and runs it where its output goes to the same place as ours.
    fn show(&mut self, arguments: &[&str]) -> Result<(), Failure> {
        self.console.line(format!("\n$ ledgerstone {}", typed(arguments)))?;
        self.console.flush()?;
        let status = self.command(arguments)?.status();
        status.map(drop).map_err(|error| not_run(&error))
    }

    /// Prints a command whose output goes to a file, and runs it.
    fn show_into(&mut self, name: &str, arguments: &[&str]) -> Result<(), Failure> {
        self.console.line(format!("\n$ ledgerstone {} > {name}", typed(arguments)))?;
        self.console.flush()?;
        let path = self.place.join(name);
        let file = fs::File::create(&path);
        let file = file.map_err(|error| Failure::file("making", &path, &error))?;
        let status = self.command(arguments)?.stdout(file).status();
        status.map(drop).map_err(|error| not_run(&error))
    }

    /// Runs a command for what it prints.
    fn capture(&mut self, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
        let output = self.command(arguments)?.stdout(Stdio::piped()).output();
        output.map(|output| output.stdout).map_err(|error| not_run(&error))
    }

    fn command(&self, arguments: &[&str]) -> Result<Command, Failure> {
        let program = std::env::current_exe().map_err(|error| not_run(&error))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.place).stdin(Stdio::null());
        Ok(command)
    }
}

fn typed(arguments: &[&str]) -> String {
    let words: Vec<String> = arguments
        .iter()
        .map(|word| if word.contains('+') { format!("'{word}'") } else { (*word).to_owned() })
        .collect();
    words.join(" ")
}

fn not_run(error: &std::io::Error) -> Failure {
    Failure::new(ErrorCode::Internal, format!("the program could not run itself: {error}"))
}

fn unexpected(what: &str) -> Failure {
    Failure::new(ErrorCode::Internal, format!("{what} did not hold what the tour looks for"))
}

fn last_line(output: &[u8]) -> Option<&[u8]> {
    output.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()
}

fn text_in(line: &[u8], path: &[&str]) -> Option<String> {
    let mut at = Value::new(line);
    for step in path {
        at = at.member(step).ok()??;
    }
    at.text().map(std::borrow::Cow::into_owned)
}

/// Where the text stands in a log file.
fn find_in_logs(data: &Path, text: &[u8]) -> Result<(PathBuf, usize), Failure> {
    let logs = data.join("log");
    let entries = fs::read_dir(&logs).map_err(|error| Failure::file("listing", &logs, &error))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        let bytes = fs::read(&file).map_err(|error| Failure::file("reading", &file, &error))?;
        if let Some(offset) = bytes.windows(text.len()).position(|window| window == text) {
            return Ok((file, offset));
        }
    }
    Err(unexpected("the log"))
}
