//! `list`: the records of a ledger.

use clap::Args;
use ledgerstone_ledger::Order;
use ledgerstone_model::json::Value;
use ledgerstone_store::StoredRecord;

use super::{Command, parsed};
use crate::arguments::{DataOption, JsonOption, TenantOption};
use crate::data_dir::ForReading;
use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::record_line::{event_of, write_record};
use crate::table::Table;

/// Records that a terminal shows unless asked for another number.
const TERMINAL_LIMIT: usize = 20;

pub const COMMAND: Command = Command {
    name: "list",
    about: "List the records of a ledger, the newest first",
    details: "In a pipe, each line is {\"event\":…,\"record\":…}: the event as it is stored, and the \
              header fields with record_hash, signature and key_id. Nothing is locked: beside a \
              process that writes, records are shown that it has completed within the last second \
              or before.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(flatten)]
    data: DataOption,
    #[command(flatten)]
    tenant: TenantOption,
    /// Which record comes first
    #[arg(long, value_name = "ORDER", value_parser = ["newest", "sequence"], default_value = "newest")]
    order: String,
    /// At most so many records; by default all of them in a pipe and 20 on a terminal
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    output: JsonOption,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let tenant = arguments.tenant.to_read()?;
    let data = ForReading::open(&arguments.data.path, console)?;
    let order = if arguments.order == "sequence" { Order::Sequence } else { Order::NewestFirst };
    let records =
        data.reader.list(&tenant, order, None).map_err(|error| data.failure(error))?;
    let as_table = console.is_terminal() && !arguments.output.json;
    let limit = arguments.limit.unwrap_or(if as_table { TERMINAL_LIMIT } else { usize::MAX });
    let records = records.take(limit).map(|record| record.map_err(Failure::from));
    if as_table {
        let shown = print_table(records, console)?;
        let size = data.reader.size(&tenant)?;
        if size > shown {
            console.note(format!("{shown} of {size} records; --limit N shows more"));
        }
    } else {
        print_lines(records, console)?;
    }
    Ok(Ending::findings_if(!data.is_whole()))
}

fn print_lines(
    records: impl Iterator<Item = Result<StoredRecord, Failure>>,
    console: &mut Console,
) -> Result<(), Failure> {
    let mut line = Vec::with_capacity(4096);
    for record in records {
        line.clear();
        write_record(&record?, &mut line);
        console.line(&line)?;
        if console.reader_left() {
            break;
        }
    }
    Ok(())
}

fn print_table(
    records: impl Iterator<Item = Result<StoredRecord, Failure>>,
    console: &mut Console,
) -> Result<u64, Failure> {
    let mut table = Table::new(&["number", "time", "type", "actor", "target", "id"]);
    let mut shown = 0;
    for record in records {
        table.row(row(&record?));
        shown += 1;
    }
    table.keep_whole(&[0, 1, 5]);
    console.text(&table.to_string())?;
    Ok(shown)
}

fn row(record: &StoredRecord) -> [String; 6] {
    let event = event_of(record);
    let field = |path: &[&str]| event.and_then(|event| text_at(event, path)).unwrap_or_default();
    let either = |group: &str| {
        let name = field(&[group, "name"]);
        if name.is_empty() { field(&[group, "id"]) } else { name }
    };
    let time = field(&["timestamp"]);
    let time = if time.is_empty() { record.ingested_at.to_string() } else { time };
    [
        record.sequence_number.to_string(),
        time,
        field(&["event_type"]),
        either("actor"),
        either("target"),
        record.event_id.as_str().to_owned(),
    ]
}

/// The text at a path through objects.
fn text_at(event: &[u8], path: &[&str]) -> Option<String> {
    let mut at = Value::new(event);
    for step in path {
        at = at.member(step).ok()??;
    }
    at.text().map(std::borrow::Cow::into_owned)
}
