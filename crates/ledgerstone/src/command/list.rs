//! `list`: the records of a ledger.

use clap::Args;
use ledgerstone_ledger::Order;
use ledgerstone_ledger::record_line::{event_of, write_record};
use ledgerstone_model::json::Value;
use ledgerstone_store::StoredRecord;

use super::{Command, parsed};
use crate::arguments::LedgerOptions;
use crate::data_dir::ForReading;
use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::table::{Table, terminal_width};

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
    ledger: LedgerOptions,
    /// Which record comes first
    #[arg(long, value_name = "ORDER", value_parser = ["newest", "sequence"], default_value = "newest")]
    order: String,
    /// At most so many records; by default all of them in a pipe and 20 on a terminal
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let tenant = arguments.ledger.tenant.to_read()?;
    let data = ForReading::open(&arguments.ledger.data.path, console)?;
    let order = if arguments.order == "sequence" { Order::Sequence } else { Order::NewestFirst };
    let records = data.reader.list(&tenant, order, None).map_err(|error| data.failure(error))?;
    let as_table = console.is_terminal() && !arguments.ledger.output.json;
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
    let columns = if terminal_width() < WIDE { NARROW_COLUMNS } else { WIDE_COLUMNS };
    let headings: Vec<&str> = columns.iter().map(|column| column.heading).collect();
    let mut table = Table::new(&headings);
    let mut shown = 0;
    for record in records {
        let record = record?;
        table.row(columns.iter().map(|column| (column.cell)(&record)));
        shown += 1;
    }
    table.keep_whole(&[0, 1, columns.len() - 1]);
    console.text(&table.to_string())?;
    Ok(shown)
}

/// One column of the table.
struct Column {
    heading: &'static str,
    cell: fn(&StoredRecord) -> String,
}

const NUMBER: Column =
    Column { heading: "number", cell: |record| record.sequence_number.to_string() };
const TIME: Column = Column { heading: "time", cell: time };
const TYPE: Column = Column { heading: "type", cell: |record| field(record, &["event_type"]) };
const ACTOR: Column = Column { heading: "actor", cell: |record| name_in(record, "actor") };
const TARGET: Column = Column { heading: "target", cell: |record| name_in(record, "target") };
const ID: Column = Column { heading: "id", cell: |record| record.event_id.as_str().to_owned() };

const WIDE_COLUMNS: &[Column] = &[NUMBER, TIME, TYPE, ACTOR, TARGET, ID];

/// The id is not cut, because other commands want it; so there is room for little else.
const NARROW_COLUMNS: &[Column] = &[NUMBER, TIME, TYPE, ID];

/// Terminals of so many columns show everything.
const WIDE: u16 = 110;

/// When it happened, or when it was ingested where the event does not say; to the second.
fn time(record: &StoredRecord) -> String {
    let said = field(record, &["timestamp"]);
    let time = if said.is_empty() { record.ingested_at.to_string() } else { said };
    match time.split_once('.') {
        Some((seconds, rest)) => {
            format!("{seconds}{}", rest.trim_start_matches(|letter: char| letter.is_ascii_digit()))
        }
        None => time,
    }
}

fn name_in(record: &StoredRecord, group: &str) -> String {
    let name = field(record, &[group, "name"]);
    if name.is_empty() { field(record, &[group, "id"]) } else { name }
}

fn field(record: &StoredRecord, path: &[&str]) -> String {
    event_of(record).and_then(|event| text_at(event, path)).unwrap_or_default()
}

/// The text at a path through objects.
fn text_at(event: &[u8], path: &[&str]) -> Option<String> {
    let mut at = Value::new(event);
    for step in path {
        at = at.member(step).ok()??;
    }
    at.text().map(std::borrow::Cow::into_owned)
}
