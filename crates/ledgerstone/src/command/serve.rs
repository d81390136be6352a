//! `serve`: the ledger over HTTP.

use clap::{ArgMatches, Args as _};
use ledgerstone_edge::trace;
use ledgerstone_model::ErrorCode;

use super::{Command, parsed};
use crate::arguments::KnownOption;
use crate::config::{Configuration, variables};
use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::{logging, serve};

pub const COMMAND: Command = Command {
    name: "serve",
    about: "Serve the ledgers of a data directory over HTTP",
    details: "Needs no configuration: makes the data directory if there is none, prints the first \
              admin API key of the tenant `default` once, and then where it listens, one JSON object \
              a line unless on a terminal. Without TLS it listens on loopback addresses alone. \
              SIGTERM or SIGINT stops it in order, a second one at once; SIGHUP reads certificate and \
              key again. The log goes to standard error. docs/operator.md tells more, \
              docs/configuration.md lists every setting.",
    arguments: |command| KnownOption::augment_args(Configuration::add_flags(command)),
    run,
    is_hidden: false,
};

fn run(matches: &ArgMatches, console: &mut Console) -> Result<Ending, Failure> {
    let configuration = Configuration::gather(matches, &variables())?;
    let collector = configuration.traces()?.map(trace::begin).transpose();
    let collector = collector.map_err(|error| {
        Failure::new(ErrorCode::InvalidSettings, format!("otlp.endpoint: {error}"))
    })?;
    let known = parsed::<KnownOption>(matches)?.notes()?;
    let (tracer, sender) = collector.unzip();
    logging::start(configuration.log(), tracer);
    console.notes_to_log();
    for note in configuration.notes() {
        console.note(note);
    }
    serve::run(&configuration, (known, sender), console)?;
    Ok(Ending::Done)
}
