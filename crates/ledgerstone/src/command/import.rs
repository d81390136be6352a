//! `import`: files of foreign logs become events.

mod advice;
mod inputs;
mod summary;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use clap::Args;
use ledgerstone_edge::importer::{self, IMPORTERS, Importer};

use super::{Command, parsed};
use crate::arguments::{IntoOption, JsonOption, KnownOption};
use crate::failure::{Ending, Failure};
use crate::ingest::{Queue, Reading, ending, ingest, interruptible_queue, with_destination};
use crate::location::LocationOption;
use crate::output::Console;
use inputs::Inputs;
use summary::Summary;

pub const COMMAND: Command = Command {
    name: "import",
    about: "Import files of logs: AWS CloudTrail, or events as JSON lines; .gz too",
    details: "A directory is searched with everything below it for files of the format. Importing \
              the same files again adds nothing. What cannot be taken is named on standard error \
              with file, place and everything that is wrong with it; all else is imported. A file \
              that was cut short is taken up to there. SIGINT and SIGTERM end it in order: what is \
              being written is finished and counted; a second one kills.",
    arguments: |command| format_names(Arguments::augment_args(command)),
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    /// What the files hold
    #[arg(long, value_name = "FORMAT")]
    format: String,
    /// Files, directories, or `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    location: LocationOption,
    #[command(flatten)]
    into: IntoOption,
    #[command(flatten)]
    output: JsonOption,
    #[command(flatten)]
    known: KnownOption,
}

/// Puts the table of formats into the help.
fn format_names(command: clap::Command) -> clap::Command {
    let formats: Vec<String> =
        IMPORTERS.iter().map(|one| format!("{}: {}", one.name(), one.doc())).collect();
    command.mut_arg("format", |argument| {
        argument.help(format!("What the files hold ({})", formats.join("; ")))
    })
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let Arguments { location, into, known, .. } = arguments;
    let importer = importer::find(&arguments.format)?;
    let inputs = Inputs::find(importer, &arguments.paths)?;
    let as_json = arguments.output.json || !console.is_terminal();
    let reading = Reading { importer, numbers: into.numbers() };
    let queue = interruptible_queue()?;
    with_destination(location, into, known, console, |destination, console| {
        advice::advise(importer, destination, console);
        let mut summary = Summary::begin(console, inputs.len());
        read(inputs, importer, Arc::clone(&queue));
        let outcome = ingest(destination, reading, &queue, &mut summary);
        summary.finish(as_json, outcome.is_ok())?;
        let any_refused = summary.has_refusals();
        outcome.map(|()| ending(&queue, any_refused, console))
    })
}

/// Fills the queue, on a thread that may wait for its input for ever.
fn read(inputs: Inputs, importer: &'static dyn Importer, queue: Arc<Queue>) {
    thread::spawn(move || {
        inputs.read(importer, &queue);
        queue.close();
    });
}
