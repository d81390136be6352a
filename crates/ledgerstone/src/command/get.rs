//! `get`: one record.

use clap::Args;
use ledgerstone_ledger::record_line::write_record;
use ledgerstone_model::ErrorCode;

use super::{Command, parsed};
use crate::arguments::RecordOptions;
use crate::data_dir::ForReading;
use crate::failure::{Ending, Failure};
use crate::indent::indent;
use crate::output::Console;

pub const COMMAND: Command = Command {
    name: "get",
    about: "Print one record by its event's id",
    details: "With --content the exact canonical bytes are printed whose SHA-256 the record's \
              header holds: what `verify --proof FILE --content FILE` wants.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(flatten)]
    record: RecordOptions,
    /// Print the content's exact bytes and nothing else
    #[arg(long)]
    content: bool,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let tenant = arguments.record.ledger.tenant.to_read()?;
    let id = arguments.record.id()?;
    let data = ForReading::open(&arguments.record.ledger.data.path, console)?;
    let record = data.reader.get(&tenant, &id).map_err(|error| data.failure(error))?;
    if arguments.content {
        let content = record.content.as_deref().ok_or_else(|| {
            let message = format!("the content of event {id} of tenant {tenant} was dropped");
            Failure::new(ErrorCode::EventNotFound, message)
                .with_remedy("Its header is still there: leave --content out.")
        })?;
        console.bytes(content)?;
        if console.is_terminal() {
            console.line("")?;
        }
        return Ok(Ending::Done);
    }
    let mut line = Vec::with_capacity(4096);
    write_record(&record, &mut line);
    if console.is_terminal() && !arguments.record.ledger.output.json {
        line = indent(&line);
    }
    console.line(line)?;
    Ok(Ending::Done)
}
