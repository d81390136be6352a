//! `subjects access`: who saw a person.

use ledgerstone_model::json::Value;
use ledgerstone_model::json_pointer::value_at;
use ledgerstone_model::sealing::SubjectId;

use crate::arguments::ServerOptions;
use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::remote::Remote;
use crate::table::Table;

/// Records that a terminal shows unless asked for another number.
const TERMINAL_LIMIT: usize = 20;

/// What a terminal shows of a record.
const COLUMNS: [(&str, &str); 5] = [
    ("number", "/record/sequence_number"),
    ("time", "/record/ingested_at"),
    ("who", "/event/actor/id"),
    ("view", "/view"),
    ("route", "/event/target/id"),
];

pub fn run(
    subject: &SubjectId,
    limit: Option<usize>,
    options: &ServerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let remote = options.on_server("subjects", console)?;
    let as_table = console.is_terminal() && !options.output.json;
    let limit = limit.unwrap_or(if as_table { TERMINAL_LIMIT } else { usize::MAX });
    if !as_table {
        each(&remote, subject, limit, |record| console.line(record))?;
        return Ok(Ending::Done);
    }
    let mut table = Table::new(&COLUMNS.map(|(heading, _)| heading));
    each(&remote, subject, limit, |record| {
        table.row(COLUMNS.map(|(_, pointer)| text(record.as_bytes(), pointer)));
        Ok(())
    })?;
    table.keep_whole(&[0, 1, 3]);
    console.text(&table.to_string())?;
    Ok(Ending::Done)
}

/// Hands on so many records, page by page.
fn each(
    remote: &Remote,
    subject: &SubjectId,
    limit: usize,
    mut take: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (mut cursor, mut left) = (None::<String>, limit);
    while left > 0 {
        let page = remote.wait(remote.client().subject_access(subject, cursor.as_deref()))?;
        page.accesses.iter().take(left).try_for_each(|record| take(record.get()))?;
        left = left.saturating_sub(page.accesses.len());
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(())
}

/// The text or number at a pointer into a record as the server wrote it.
fn text(record: &[u8], pointer: &str) -> String {
    let found = value_at(Value::new(record), pointer).ok().flatten();
    found.map_or_else(String::new, |value| {
        let raw = || String::from_utf8_lossy(value.raw()).into_owned();
        value.text().map_or_else(raw, std::borrow::Cow::into_owned)
    })
}
