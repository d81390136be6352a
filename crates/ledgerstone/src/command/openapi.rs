//! `openapi`: the interface of `serve` as an `OpenAPI` document, for `docs/openapi.json` and for
//! generators of clients.

use clap::Args;
use ledgerstone_edge::rest::document;
use ledgerstone_model::ErrorCode;

use super::Command;
use crate::failure::{Ending, Failure};
use crate::output::Console;

pub const COMMAND: Command = Command {
    name: "openapi",
    about: "Print the HTTP interface as an OpenAPI 3.1 document",
    details: "The same that a server gives under /openapi.json.",
    arguments: Arguments::augment_args,
    run: |_, console| run(console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {}

fn run(console: &mut Console) -> Result<Ending, Failure> {
    let text = serde_json::to_string_pretty(&document())
        .map_err(|error| Failure::new(ErrorCode::Internal, error.to_string()))?;
    console.line(text)?;
    Ok(Ending::Done)
}
