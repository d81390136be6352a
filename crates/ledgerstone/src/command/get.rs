//! `get`: one record.

use clap::Args;
use ledgerstone_model::ErrorCode;

use super::{Command, parsed};
use crate::arguments::{DataOption, JsonOption, TenantOption, event_id};
use crate::data_dir::ForReading;
use crate::failure::{Ending, Failure};
use crate::indent::indent;
use crate::output::Console;
use crate::record_line::write_record;

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
    /// The event's id
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    id: String,
    #[command(flatten)]
    data: DataOption,
    #[command(flatten)]
    tenant: TenantOption,
    /// Print the content's exact bytes and nothing else
    #[arg(long)]
    content: bool,
    #[command(flatten)]
    output: JsonOption,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let tenant = arguments.tenant.to_read()?;
    let id = event_id(&arguments.id)?;
    let data = ForReading::open(&arguments.data.path, console)?;
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
    if console.is_terminal() && !arguments.output.json {
        line = indent(&line);
    }
    console.line(line)?;
    Ok(Ending::Done)
}
