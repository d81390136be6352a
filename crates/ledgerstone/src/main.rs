//! The program `ledgerstone`: reads the command line, runs one command, and says how it ended.

#![forbid(unsafe_code)]

mod arguments;
mod bench;
mod command;
mod config;
mod data_dir;
mod failure;
mod indent;
mod ingest;
mod interruption;
mod ledger_reading;
mod location;
mod logging;
mod output;
mod projection;
mod remote;
mod serve;
mod system;
mod table;
mod workload;

use std::process::ExitCode;

use ledgerstone_model::ErrorCode;

use crate::command::COMMANDS;
use crate::failure::{Ending, Failure};
use crate::output::Console;

fn main() -> ExitCode {
    let mut console = Console::new();
    let code = match run(&mut console) {
        Ok(ending) => ending.exit_code(),
        Err(failure) => {
            console.failure(&failure);
            failure.exit_code()
        }
    };
    logging::flush();
    code
}

fn run(console: &mut Console) -> Result<Ending, Failure> {
    let matches = match command::command_line().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage(&error, console),
    };
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Failure::new(ErrorCode::InvalidArgument, "no command was given"));
    };
    let command = COMMANDS.iter().find(|command| command.name == name);
    let command = command
        .ok_or_else(|| Failure::new(ErrorCode::Internal, format!("{name} stands in no table")))?;
    let ending = (command.run)(matches, console)?;
    console.flush()?;
    Ok(ending)
}

/// What clap answers itself: help and version, or what is wrong with the command line.
fn usage(error: &clap::Error, console: &mut Console) -> Result<Ending, Failure> {
    if !error.use_stderr() {
        console.text(&error.to_string())?;
        console.flush()?;
        return Ok(Ending::Done);
    }
    let text = error.to_string();
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Err(Failure::new(ErrorCode::InvalidArgument, "no command was given")
            .with_remedy(text.trim_end().replace('\n', "\n  ")));
    }
    let mut paragraphs = text
        .split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
    // Suggestions come first, then how the command is used.
    let help: Vec<String> = paragraphs
        .filter(|paragraph| !paragraph.starts_with("For more information"))
        .chain(["`ledgerstone COMMAND --help` explains every option.".to_owned()])
        .collect();
    Err(Failure::new(ErrorCode::InvalidArgument, message).with_remedy(help.join("\n  ")))
}
