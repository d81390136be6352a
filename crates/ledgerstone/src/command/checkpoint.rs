//! `checkpoint`: the signed head of a ledger.

use clap::Args;
use ledgerstone_ledger::{Ledger, SignedCheckpoint, TenantCreation};
use ledgerstone_model::json_write::ObjectWriter;

use super::{Command, parsed};
use crate::arguments::{KnownOption, LedgerOptions};
use crate::data_dir::{self, IfMissing};
use crate::failure::{Ending, Failure};
use crate::output::Console;

pub const COMMAND: Command = Command {
    name: "checkpoint",
    about: "Sign and print a checkpoint over everything that a ledger holds now",
    details: "Keep checkpoints somewhere else: `verify --known FILE` finds whether the ledger still \
              extends them. `--tenant _system` anchors every other ledger first, so that this one \
              checkpoint stands for all of them.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(flatten)]
    ledger: LedgerOptions,
    #[command(flatten)]
    known: KnownOption,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let tenant = arguments.ledger.tenant.to_read()?;
    let known = arguments.known.notes()?;
    let path = &arguments.ledger.data.path;
    let creation = TenantCreation::Explicit;
    let text = data_dir::write_extending(
        path,
        known,
        IfMissing::Refuse,
        creation,
        console,
        |ledger, _| {
            let checkpoint = if tenant.is_system() {
                ledger.anchor()?.checkpoint
            } else {
                ledger.checkpoint(&tenant)?
            };
            if arguments.ledger.output.json {
                json(ledger, &checkpoint)
            } else {
                Ok(checkpoint.note)
            }
        },
    )?;
    console.text(&text)?;
    Ok(Ending::Done)
}

fn json(ledger: &Ledger, checkpoint: &SignedCheckpoint) -> Result<String, Failure> {
    let key = ledger.verifier_key(&checkpoint.tenant)?;
    let mut out = Vec::with_capacity(512);
    let mut object = ObjectWriter::open(&mut out);
    object.text("note", &checkpoint.note);
    object.text("origin", key.name().as_str());
    object.text("root", &checkpoint.root.to_base64());
    object.number("size", checkpoint.size.value());
    object.text("tenant_id", checkpoint.tenant.as_str());
    object.text("vkey", &key.to_string());
    object.close();
    out.push(b'\n');
    Ok(String::from_utf8_lossy(&out).into_owned())
}
