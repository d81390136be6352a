//! The commands. A new one is a file and a line in [`COMMANDS`].

mod api_keys;
mod append;
mod bench;
mod checkpoint;
mod commands_page;
mod config;
mod doctor;
mod get;
mod holds;
mod import;
mod init;
mod list;
mod openapi;
mod policies;
mod proof;
mod requests;
mod retention;
mod sealing_keys;
mod serve;
mod signing_keys;
mod subjects;
mod taxonomy;
mod tenants;
mod tlog;
mod tour;
mod verify;

use clap::ArgMatches;
use clap::FromArgMatches;

use crate::failure::{Ending, Failure};
use crate::output::Console;
use ledgerstone_model::ErrorCode;

/// One command.
pub struct Command {
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// What else there is to know, in whole sentences.
    pub details: &'static str,
    /// Adds its options.
    pub arguments: fn(clap::Command) -> clap::Command,
    pub run: fn(&ArgMatches, &mut Console) -> Result<Ending, Failure>,
    /// Left out of the help.
    pub is_hidden: bool,
}

/// Every command, in the order of the help.
pub const COMMANDS: &[Command] = &[
    serve::COMMAND,
    tour::COMMAND,
    init::COMMAND,
    import::COMMAND,
    append::COMMAND,
    list::COMMAND,
    get::COMMAND,
    proof::COMMAND,
    checkpoint::COMMAND,
    verify::COMMAND,
    tlog::COMMAND,
    doctor::COMMAND,
    bench::COMMAND,
    tenants::COMMAND,
    taxonomy::COMMAND,
    policies::COMMAND,
    subjects::COMMAND,
    requests::COMMAND,
    holds::COMMAND,
    retention::COMMAND,
    api_keys::COMMAND,
    signing_keys::COMMAND,
    sealing_keys::COMMAND,
    config::COMMAND,
    openapi::COMMAND,
    commands_page::COMMAND,
    config::PAGE_COMMAND,
];

const ABOUT: &str =
    "An audit log whose records anybody can verify, and nobody can change unnoticed";

const EXIT_STATUS: &str = "Exit status: 0 done, or holds; 1 something was found or refused, and has been named; \
                           2 could not; 70 the disk failed while writing, and what is on it is not known; \
                           130 or 143 ended in order by SIGINT or SIGTERM.";

/// The whole command line.
pub fn command_line() -> clap::Command {
    let root = clap::Command::new("ledgerstone")
        .about(ABOUT)
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(EXIT_STATUS)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true);
    root.subcommands(COMMANDS.iter().map(Command::to_clap))
}

impl Command {
    fn to_clap(&self) -> clap::Command {
        let command = (self.arguments)(clap::Command::new(self.name));
        command
            .about(self.about)
            .long_about(format!("{}\n\n{}", self.about, self.details))
            .hide(self.is_hidden)
    }
}

/// The options of a command, as its own type.
fn parsed<A: FromArgMatches>(matches: &ArgMatches) -> Result<A, Failure> {
    A::from_arg_matches(matches)
        .map_err(|error| Failure::new(ErrorCode::InvalidArgument, error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{COMMANDS, command_line};

    #[test]
    fn the_table_is_in_order() {
        let mut names = HashSet::new();
        for command in COMMANDS {
            assert!(names.insert(command.name), "{} stands twice", command.name);
            assert!(!command.about.ends_with('.') && command.about.len() > 10, "{}", command.name);
            assert!(command.details.ends_with('.'), "{}", command.name);
        }
        command_line().debug_assert();
    }
}
