//! `commands-page`: the page of all commands, for `docs/cli.md`, out of the same table as the help.

use clap::Args;

use super::{COMMANDS, Command, command_line};
use crate::failure::{Ending, Failure};
use crate::output::Console;

pub const COMMAND: Command = Command {
    name: "commands-page",
    about: "Print this program's commands as a Markdown page",
    details: "For the project's own documents.",
    arguments: Arguments::augment_args,
    run: |_, console| run(console),
    is_hidden: true,
};

#[derive(Args, Debug)]
struct Arguments {}

const BEGINNING: &str = "\
# Commands

This page is written by `cargo xtask gen` from the program's own help.

Results go to standard output: a table on a terminal, one JSON object a line in a pipe or with `--json`. Everything
else goes to standard error: notes, and failures as `error[CODE]: what, where` with what to do on the line below, or
with `--json` as one object `{\"error\":{\"code\",\"message\",\"remedy\",…}}` a line. [errors.md](errors.md) lists the codes.

| exit status | meaning |
|---|---|
| 0 | done, or holds |
| 1 | something was found, or some items were refused; each has been named |
| 2 | could not: wrong arguments, no such directory, locked, damaged, no room |
| 70 | the disk failed while writing, and what is on it is not known; open the ledger again and repeat what got no receipt |
| 130, 143 | ended in order by SIGINT or SIGTERM; what was acknowledged is recorded |
";

fn run(console: &mut Console) -> Result<Ending, Failure> {
    console.text(BEGINNING)?;
    let mut root = command_line().term_width(100);
    root.build();
    for command in COMMANDS.iter().filter(|command| !command.is_hidden) {
        if let Some(clap_command) = root.find_subcommand_mut(command.name) {
            section(clap_command, 2, console)?;
        }
    }
    Ok(Ending::Done)
}

fn section(
    command: &mut clap::Command,
    level: usize,
    console: &mut Console,
) -> Result<(), Failure> {
    let name = command.get_bin_name().unwrap_or_default().to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    console.line(format!(
        "\n{} `{name}`\n\n```text\n{}\n```",
        "#".repeat(level),
        lines.join("\n")
    ))?;
    let names: Vec<String> =
        command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    for inner in names {
        if let Some(inner) = command.find_subcommand_mut(&inner) {
            section(inner, level + 1, console)?;
        }
    }
    Ok(())
}
