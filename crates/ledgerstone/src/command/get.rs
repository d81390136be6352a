//! `get`: one record.

use clap::Args;

use super::{Command, parsed};
use crate::arguments::RecordOptions;
use crate::failure::{Ending, Failure};
use crate::indent::indent;
use crate::ledger_reading::{LedgerReading, OpenOption};
use crate::output::Console;

pub const COMMAND: Command = Command {
    name: "get",
    about: "Print one record by its event's id",
    details: "Of a data directory the event is printed as it is stored, sealed values sealed; with \
              --open they are opened, and nothing is written. A server shows what the credential's \
              roles may see, lists under `hidden` what they do not, and under `corrected_by` the \
              records that correct it, which takes the whole ledger and so is told by servers alone. With --content the exact \
              canonical bytes are printed whose SHA-256 the record's header holds: what `verify \
              --proof FILE --content FILE` wants.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(flatten)]
    record: RecordOptions,
    /// Print the content's exact bytes and nothing else
    #[arg(long, conflicts_with = "open")]
    content: bool,
    #[command(flatten)]
    open: OpenOption,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let id = arguments.record.id()?;
    let ledger = LedgerReading::open(&arguments.record.ledger, &arguments.open, console)?;
    if arguments.content {
        console.bytes(&ledger.content(&id)?)?;
        if console.is_terminal() {
            console.line("")?;
        }
        return Ok(Ending::Done);
    }
    let mut line = ledger.record(&id)?;
    if console.is_terminal() && !arguments.record.ledger.output.json {
        line = indent(&line);
    }
    console.line(line)?;
    Ok(Ending::Done)
}
