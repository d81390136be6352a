//! `append`: events on standard input, receipts on standard output.

use std::sync::Arc;
use std::thread;

use clap::Args;
use ledgerstone_edge::importer::ndjson::Ndjson;
use ledgerstone_edge::importer::{self, InputLimits};
use ledgerstone_model::ErrorCode;

use super::{Command, parsed};
use crate::arguments::{IntoOption, JsonOption, KnownOption};
use crate::failure::{Ending, Failure, InputPlace};
use crate::ingest::{
    Item, NO_ANSWER, Queue, Reading, Recorded, Sink, ending, ingest, interruptible_queue,
    with_destination,
};
use crate::location::LocationOption;
use crate::output::Console;

pub const COMMAND: Command = Command {
    name: "append",
    about: "Append events from standard input, one JSON object a line",
    details: "For every event that is recorded its receipt is printed, one JSON object a line, as \
              soon as the event is durable. Receipts come in the order of the events. An event that \
              is refused is named on standard error with everything that is wrong with it, and the \
              others go on. Sending an event again under the same id adds nothing and gives the \
              first receipt again, with status `duplicate`. SIGINT and SIGTERM end it in order: what \
              is being written is finished and its receipts are printed; a second one kills.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(flatten)]
    location: LocationOption,
    #[command(flatten)]
    into: IntoOption,
    #[command(flatten)]
    output: JsonOption,
    #[command(flatten)]
    known: KnownOption,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let Arguments { location, into, known, .. } = arguments;
    let reading = Reading { importer: &Ndjson, numbers: into.numbers() };
    let queue = interruptible_queue()?;
    with_destination(location, into, known, console, |destination, console| {
        read_standard_input(Arc::clone(&queue));
        let mut receipts = Receipts { console, refused: 0, is_unread: false, line: Vec::new() };
        let outcome = ingest(destination, reading, &queue, &mut receipts);
        if receipts.is_unread {
            console.note(
                "nobody reads the receipts any more: what was handed over is recorded, and nothing \
                 else was taken; sending all of it again adds only what is missing",
            );
            return Ok(Ending::Findings);
        }
        outcome?;
        let any_refused = receipts.refused > 0;
        Ok(ending(&queue, any_refused, console))
    })
}

/// Fills the queue from standard input, on a thread that may wait there for ever.
fn read_standard_input(queue: Arc<Queue>) {
    thread::spawn(move || {
        let input = "standard input";
        let place = |position| InputPlace { input: input.to_owned(), position };
        let refuse = |error| {
            queue.push(Item { place: place(None), read: Err(Failure::from(error)) });
        };
        match importer::read(&Ndjson, std::io::stdin(), InputLimits::default()) {
            Err(error) => refuse(error),
            Ok(submissions) => {
                for read in submissions {
                    match read {
                        Ok(submission) => {
                            let place = place(Some(submission.position()));
                            if !queue.push(Item { place, read: Ok(submission) }) {
                                return;
                            }
                        }
                        Err(error) => refuse(error),
                    }
                }
            }
        }
        queue.close();
    });
}

/// Prints receipts.
struct Receipts<'c> {
    console: &'c mut Console,
    refused: u64,
    /// Whether it ended because nobody reads them.
    is_unread: bool,
    line: Vec<u8>,
}

impl Sink for Receipts<'_> {
    fn recorded(&mut self, receipt: Recorded<'_>) -> Result<(), Failure> {
        self.line.clear();
        receipt.write_json(&mut self.line);
        self.console.line(&self.line)
    }

    fn refused(&mut self, failure: Failure) -> Result<(), Failure> {
        self.refused += 1;
        self.console.failure(&failure);
        Ok(())
    }

    /// Events whose receipts nobody would read are not taken.
    fn pause(&mut self) -> Result<(), Failure> {
        self.console.flush()?;
        if self.console.reader_left() {
            self.is_unread = true;
            let message = "nobody reads the receipts any more";
            return Err(Failure::new(ErrorCode::StorageFailed, message));
        }
        Ok(())
    }

    fn waits(&mut self) {
        self.console.note(NO_ANSWER);
    }
}
