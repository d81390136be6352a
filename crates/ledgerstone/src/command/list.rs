//! `list`: the records of a ledger.

use clap::Args;
use ledgerstone_ledger::Order;
use ledgerstone_model::json::Value;

use super::{Command, parsed};
use crate::arguments::LedgerOptions;
use crate::failure::{Ending, Failure};
use crate::ledger_reading::{LedgerReading, Lines, OpenOption};
use crate::output::Console;
use crate::table::{Table, terminal_width};

/// Records that a terminal shows unless asked for another number.
const TERMINAL_LIMIT: usize = 20;

pub const COMMAND: Command = Command {
    name: "list",
    about: "List the records of a ledger, the newest first",
    details: "In a pipe, each line is {\"event\":…,\"record\":…}: the event, and the header fields with \
              record_hash, signature and key_id. Of a data directory the event is shown as it is \
              stored, or opened with --open; of a server as the credential's roles see it, with what \
              they do not see under `hidden`, and the records that correct an event under \
              `corrected_by`, which takes the whole ledger and so is told by servers alone. Nothing is locked or written: beside a \
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
    #[command(flatten)]
    open: OpenOption,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let ledger = LedgerReading::open(&arguments.ledger, &arguments.open, console)?;
    let order = if arguments.order == "sequence" { Order::Sequence } else { Order::NewestFirst };
    let as_table = console.is_terminal() && !arguments.ledger.output.json;
    let limit = arguments.limit.unwrap_or(if as_table { TERMINAL_LIMIT } else { usize::MAX });
    if as_table {
        // Reading is recorded, and so the ledger may grow by it.
        let size = ledger.size()?;
        let shown = print_table(ledger.records(order, limit)?, console)?;
        if size > shown {
            console.note(format!("{shown} of {size} records; --limit N shows more"));
        }
    } else {
        print_lines(ledger.records(order, limit)?, console)?;
    }
    Ok(Ending::findings_if(!ledger.is_whole()))
}

fn print_lines(records: Lines<'_>, console: &mut Console) -> Result<(), Failure> {
    for record in records {
        console.line(record?)?;
        if console.reader_left() {
            break;
        }
    }
    Ok(())
}

fn print_table(records: Lines<'_>, console: &mut Console) -> Result<u64, Failure> {
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
    /// What stands there of a record's line.
    cell: fn(&[u8]) -> String,
}

const NUMBER: Column = Column { heading: "number", cell: number };
const TIME: Column = Column { heading: "time", cell: time };
const TYPE: Column = Column { heading: "type", cell: |line| text(line, &["event", "event_type"]) };
const ACTOR: Column = Column { heading: "actor", cell: |line| name_in(line, "actor") };
const TARGET: Column = Column { heading: "target", cell: |line| name_in(line, "target") };
const ID: Column = Column { heading: "id", cell: |line| text(line, &["record", "event_id"]) };

const WIDE_COLUMNS: &[Column] = &[NUMBER, TIME, TYPE, ACTOR, TARGET, ID];

/// The id is not cut, because other commands want it; so there is room for little else.
const NARROW_COLUMNS: &[Column] = &[NUMBER, TIME, TYPE, ID];

/// Terminals of so many columns show everything.
const WIDE: u16 = 110;

fn number(line: &[u8]) -> String {
    let number = at(line, &["record", "sequence_number"]).and_then(Value::unsigned);
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// When it happened, or when it was ingested where the event does not say; to the second.
fn time(line: &[u8]) -> String {
    let said = text(line, &["event", "timestamp"]);
    let time = if said.is_empty() { text(line, &["record", "ingested_at"]) } else { said };
    match time.split_once('.') {
        Some((seconds, rest)) => {
            format!("{seconds}{}", rest.trim_start_matches(|letter: char| letter.is_ascii_digit()))
        }
        None => time,
    }
}

fn name_in(line: &[u8], group: &str) -> String {
    let name = text(line, &["event", group, "name"]);
    if name.is_empty() { text(line, &["event", group, "id"]) } else { name }
}

/// The text at a path through objects.
fn text(line: &[u8], path: &[&str]) -> String {
    let found = at(line, path).and_then(Value::text);
    found.map(std::borrow::Cow::into_owned).unwrap_or_default()
}

fn at<'a>(line: &'a [u8], path: &[&str]) -> Option<Value<'a>> {
    path.iter().try_fold(Value::new(line), |value, step| value.member(step).ok()?)
}
