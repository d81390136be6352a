//! `config`: what is in force, and who said so.

use clap::{Arg, ArgAction, ArgMatches};

use super::Command;
use crate::config::{Configuration, InForce, page, variables};
use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::table::Table;

pub const COMMAND: Command = Command {
    name: "config",
    about: "Print the settings that `serve` would have, and where each comes from",
    details: "Secrets are never printed. Takes the same options as `serve`. With --check nothing is \
              printed but what is wrong; exit status 0: a server could start with it; 2: it could \
              not. Files of certificates and keys that it names are read. What stands in the data \
              directory and whether the address is free is not looked at.",
    arguments: |command| {
        let switch = |name| Arg::new(name).long(name).action(ArgAction::SetTrue);
        Configuration::add_flags(command)
            .arg(switch("check").help("Only check that the settings can be used"))
            .arg(switch("json").help("Write JSON, also on a terminal"))
    },
    run,
    is_hidden: false,
};

/// The page of all settings, for docs/configuration.md.
pub const PAGE_COMMAND: Command = Command {
    name: "configuration-page",
    about: "Print this program's settings as a Markdown page",
    details: "For the project's own documents.",
    arguments: |command| command,
    run: |_, console| console.text(&page()).map(|()| Ending::Done),
    is_hidden: true,
};

fn run(matches: &ArgMatches, console: &mut Console) -> Result<Ending, Failure> {
    let configuration = Configuration::gather(matches, &variables())?;
    for note in configuration.notes() {
        console.note(note);
    }
    if matches.get_flag("check") {
        configuration.check()?;
        return Ok(Ending::Done);
    }
    if console.is_terminal() && !matches.get_flag("json") {
        let mut table = Table::new(&["key", "value", "from"]);
        configuration.all().for_each(|line| table.row(cells(&line)));
        table.keep_whole(&[0, 2]);
        console.text(&table.to_string())?;
        return Ok(Ending::Done);
    }
    for line in configuration.all() {
        let value = match line.value {
            Some(_) if line.setting.is_secret => serde_json::Value::from("(secret)"),
            Some(value) => value.to_json(),
            None => serde_json::Value::Null,
        };
        let source = line.source.map(ToString::to_string);
        let object = serde_json::json!({"key": line.setting.key, "value": value, "from": source});
        console.line(object.to_string())?;
    }
    Ok(Ending::Done)
}

fn cells(line: &InForce<'_>) -> [String; 3] {
    let value = match line.value {
        Some(_) if line.setting.is_secret => "(secret)".to_owned(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let source = line.source.map_or_else(String::new, ToString::to_string);
    [line.setting.key.to_owned(), value, source]
}
