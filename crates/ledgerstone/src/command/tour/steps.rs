//! The steps of the tour. Every command is run by the program itself as a process of its own, so
//! that what is shown is what a newcomer will see.

use std::fs;
use std::path::{Path, PathBuf};

use ledgerstone_model::ErrorCode;
use serde_json::Value;

use super::shell::{Running, Shell};
use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::workload::audit_day;

/// The day that is imported is the same in every tour.
const SEED: u64 = 1;

/// The directory that the server makes when none is named.
const DATA: &str = "ledgerstone-data";

/// The event that is posted by itself, and proved.
const POSTED: &str = r#"{"id":"hello-1","event_type":"user.login","timestamp":"2026-03-02T08:00:00Z","actor":{"type":"user","id":"u-ana"},"action":{"verb":"login","status":"success"}}"#;
const POSTED_ID: &str = "hello-1";

pub fn run(console: &mut Console) -> Result<Ending, Failure> {
    let place = tempfile::Builder::new().prefix("ledgerstone-tour-").tempdir();
    let place = place
        .map_err(|error| Failure::file("making a directory in", &std::env::temp_dir(), &error))?;
    let mut tour = Tour { console, shell: Shell::new(place.path()) };
    let server = tour.serve()?;
    tour.take_in(&server)?;
    let vkey = tour.prove()?;
    tour.stop(server)?;
    tour.verify(&vkey)?;
    tour.tamper()?;
    tour.end()?;
    Ok(Ending::Done)
}

struct Tour<'c> {
    console: &'c mut Console,
    shell: Shell,
}

impl Tour<'_> {
    fn serve(&mut self) -> Result<Running, Failure> {
        self.say("A server needs no configuration. It makes a directory, shows its first key once, and says where it listens.")?;
        self.prompt("ledgerstone serve --listen 127.0.0.1:0 2> server.log &")?;
        let server = self.shell.serve()?;
        for line in server.printed() {
            self.console.line(line)?;
        }
        self.say("The other commands ask it once they know where it is. Written out: --server URL --api-key KEY.")?;
        let (url, key) = (server.url(), server.key());
        self.prompt(&format!("export LEDGERSTONE_SERVER={url} LEDGERSTONE_API_KEY={key}"))?;
        self.shell.set("LEDGERSTONE_SERVER", url);
        self.shell.set("LEDGERSTONE_API_KEY", key);
        Ok(server)
    }

    fn take_in(&mut self, server: &Running) -> Result<(), Failure> {
        self.say(
            "An application posts an event, and has its receipt once the event is on the disk.",
        )?;
        self.post(server)?;
        let day = audit_day(SEED);
        self.say("A day of a small company: logins, approvals, exports, and somebody who tries passwords at night.")?;
        let mut text = day.join("\n");
        text.push('\n');
        self.shell.write("day.ndjson", text.as_bytes())?;
        self.show(&["import", "--format", "ndjson", "day.ndjson"])?;
        self.say("Importing it again adds nothing: an event is known by its id, for ever.")?;
        self.show(&["import", "--format", "ndjson", "day.ndjson"])?;
        self.show(&["list", "--limit", "5"])
    }

    /// Posts the event with curl. Where there is none, the same goes in by a command.
    fn post(&mut self, server: &Running) -> Result<(), Failure> {
        let json = "Content-Type: application/json";
        self.prompt(&format!(
            "curl -s $LEDGERSTONE_SERVER/v1/events -H \"Authorization: Bearer $LEDGERSTONE_API_KEY\" \\\n    \
             -H '{json}' -d '{POSTED}'"
        ))?;
        let url = format!("{}/v1/events", server.url());
        let authorization = format!("Authorization: Bearer {}", server.key());
        let curl = ["-s", &url, "-H", &authorization, "-H", json, "-d", POSTED];
        let answer = match self.shell.output("curl", &curl) {
            Ok(answer) => answer,
            Err(_) => {
                self.say("There is no curl here, so the event goes in by `ledgerstone append`.")?;
                self.shell.write("event.json", POSTED.as_bytes())?;
                self.shell.capture(&["append"], Some("event.json"))?
            }
        };
        self.console.line(answer.trim_ascii_end())
    }

    fn prove(&mut self) -> Result<String, Failure> {
        self.say("A checkpoint is the ledger's signed head. Whoever keeps one elsewhere, and the key, needs to trust nobody.")?;
        self.show(&["checkpoint"])?;
        let checkpoint = self.shell.capture(&["checkpoint", "--json"], None)?;
        let checkpoint: Value = serde_json::from_slice(&checkpoint).unwrap_or_default();
        let vkey = checkpoint.get("vkey").and_then(Value::as_str);
        let vkey = vkey.ok_or_else(|| unexpected("checkpoint"))?.to_owned();
        self.say("The proof of one event fits into a mail, and its exact content beside it.")?;
        self.show_into("event.proof", &["proof", POSTED_ID])?;
        self.show_into("event.content", &["get", POSTED_ID, "--content"])?;
        Ok(vkey)
    }

    fn stop(&mut self, server: Running) -> Result<(), Failure> {
        self.say("The server ends. What follows needs none.")?;
        self.prompt("kill %1")?;
        server.stop()
    }

    fn verify(&mut self, key: &str) -> Result<(), Failure> {
        self.say(
            "Whoever has the proof checks it anywhere, with the ledger's public key and nothing else:",
        )?;
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
        self.show(&["verify", "--data", DATA])
    }

    /// Changes one bit of the posted event where it is stored.
    fn tamper(&mut self) -> Result<(), Failure> {
        let place = self.shell.place().to_owned();
        let (file, offset) = find_in_logs(&place.join(DATA), POSTED_ID.as_bytes())?;
        let mut bytes = fs::read(&file).map_err(|error| Failure::file("reading", &file, &error))?;
        let byte = bytes.get_mut(offset).ok_or_else(|| unexpected("the log"))?;
        *byte ^= 1;
        fs::write(&file, bytes).map_err(|error| Failure::file("writing", &file, &error))?;
        let name = file.strip_prefix(&place).unwrap_or(&file).display().to_string();
        self.say(&format!(
            "Now somebody changes one bit of a stored event: byte {offset} of {name}."
        ))?;
        self.show(&["verify", "--data", DATA])?;
        self.say("What to do then:")?;
        self.show(&["doctor", "--data", DATA])
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.say(
            "That was all in a temporary directory, which is gone now. Read on: README.md to begin, \
             docs/cli.md for every command, docs/trust.md for what is found and what is not.",
        )
    }

    fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.console.line(format!("\n# {text}"))
    }

    fn prompt(&mut self, command: &str) -> Result<(), Failure> {
        self.console.line(format!("\n$ {command}"))?;
        self.console.flush()
    }

    /// Prints a command and runs it where its output goes to the same place as ours.
    fn show(&mut self, arguments: &[&str]) -> Result<(), Failure> {
        self.prompt(&format!("ledgerstone {}", typed(arguments)))?;
        self.shell.run(arguments)
    }

    /// Prints a command whose output goes to a file, and runs it.
    fn show_into(&mut self, name: &str, arguments: &[&str]) -> Result<(), Failure> {
        self.prompt(&format!("ledgerstone {} > {name}", typed(arguments)))?;
        let output = self.shell.capture(arguments, None)?;
        self.shell.write(name, &output)
    }
}

fn typed(arguments: &[&str]) -> String {
    let words: Vec<String> = arguments
        .iter()
        .map(|word| if word.contains('+') { format!("'{word}'") } else { (*word).to_owned() })
        .collect();
    words.join(" ")
}

pub(super) fn unexpected(what: &str) -> Failure {
    Failure::new(ErrorCode::Internal, format!("{what} did not hold what the tour looks for"))
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
