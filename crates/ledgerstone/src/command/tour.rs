//! `tour`: the main things in a minute, on a server in a temporary directory: each command as a newcomer would
//! type it, and what it really prints.

mod shell;
mod steps;

use clap::Args;

use super::{Command, parsed};

pub const COMMAND: Command = Command {
    name: "tour",
    about: "Show the main things on a temporary server: post, import, prove, verify, tamper",
    details: "Takes a few seconds and leaves nothing behind. Every command is shown as it would be \
              typed.",
    arguments: Arguments::augment_args,
    run: |matches, console| {
        let Arguments {} = parsed(matches)?;
        steps::run(console)
    },
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {}
