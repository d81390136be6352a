//! `verify`: a whole directory, a server's ledger, one proof file, or a bundle of records.

mod bundle_file;
mod directory;
mod proof_file;
mod server;
mod since;

use std::path::PathBuf;

use clap::Args;

use super::{Command, parsed};
use crate::arguments::JsonOption;
use crate::failure::{Ending, Failure};
use crate::location::{Location, LocationOption};
use crate::output::Console;

pub const COMMAND: Command = Command {
    name: "verify",
    about: "Verify a data directory, a server's ledger, or records by their proofs",
    details: "A directory: every byte is read, every hash, chain, tree, checkpoint, anchor and \
              signature recomputed, and whatever is wrong is named, one finding a line. Without \
              --key the keys are those that the directory names itself, which finds every damage \
              but not somebody who wrote everything anew with keys of his own. Nothing is locked \
              and nothing changed; private keys are not needed. With --since the records that the \
              earlier verification covered are not read again; that they are still the same is \
              checked by the root of their tree. With --from and --to only the runs are read that \
              these records were written in, and no other ledger. A server: verifies its own bytes \
              and tells what it found, which is worth as much as whoever runs it; of _system's \
              credential all ledgers. A proof file, or the bundle that a person was given: needs nothing but the key. Exit status 0: it holds; 1: it does not; 2: it could not be checked.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(flatten)]
    location: LocationOption,
    /// Verify this proof file instead of a directory; `-` is standard input
    #[arg(long, value_name = "FILE", requires = "keys", conflicts_with_all = ["data", "server", "directory"])]
    proof: Option<PathBuf>,
    /// Verify the records of this bundle, as `requests bundle` wrote it, instead of a directory; `-` is standard
    /// input
    #[arg(long, value_name = "FILE", requires = "keys", conflicts_with_all = ["proof", "data", "server", "directory"])]
    bundle: Option<PathBuf>,
    /// With --proof: the content that the record must have
    #[arg(long, value_name = "FILE", requires = "proof")]
    content: Option<PathBuf>,
    /// A verifier key that was kept elsewhere; may be given several times
    #[arg(id = "keys", long = "key", value_name = "VKEY")]
    keys: Vec<String>,
    #[command(flatten)]
    directory: DirectoryOptions,
    #[command(flatten)]
    output: JsonOption,
}

#[derive(Args, Debug)]
#[group(id = "directory", multiple = true)]
struct DirectoryOptions {
    /// A checkpoint that was kept elsewhere, which the ledger must extend; may be given several
    /// times
    #[arg(long, value_name = "FILE")]
    known: Vec<PathBuf>,
    /// What is recomputed: `tree` leaves the signatures of single records out
    #[arg(long, value_name = "LEVEL", value_parser = ["tree", "full"])]
    level: Option<String>,
    /// Only this tenant's ledger, and `_system`, which anchors it
    #[arg(long, value_name = "T")]
    tenant: Option<String>,
    /// Only the records from this number on; needs --tenant
    #[arg(long, value_name = "N", requires = "tenant")]
    from: Option<u64>,
    /// Only the records below this number; needs --tenant
    #[arg(long, value_name = "N", requires = "tenant")]
    to: Option<u64>,
    /// Only what came after an earlier verification: the report that its `verify --json` wrote, or
    /// a checkpoint over what was verified then; may be given several times
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to"])]
    since: Vec<PathBuf>,
    /// Also print size and root of every ledger
    #[arg(long)]
    verbose: bool,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    if let Some(proof) = &arguments.proof {
        return proof_file::run(proof, arguments, console);
    }
    if let Some(bundle) = &arguments.bundle {
        return bundle_file::run(bundle, arguments, console);
    }
    match arguments.location.find(console)? {
        Location::Directory(path) => directory::run(&path, arguments, console),
        Location::Server(remote) => server::run(&remote, arguments, console),
    }
}
