//! `checkpoint`: the signed head of a ledger.

use std::path::Path;

use clap::Args;
use ledgerstone_ledger::{SignedCheckpoint, TenantCreation};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{Hash, TenantId, TreeSize, VerifierKey};

use super::{Command, parsed};
use crate::arguments::{KnownOption, LedgerOptions};
use crate::data_dir::{self, IfMissing};
use crate::failure::{Ending, Failure};
use crate::location::{Location, only_with_data};
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
    let signed = match arguments.ledger.location.find(console)? {
        Location::Directory(path) => sign(&path, arguments, console)?,
        Location::Server(remote) => {
            only_with_data("--known", arguments.known.is_given())?;
            remote.check_tenant(arguments.ledger.tenant.named()?.as_ref())?;
            let checkpoint = remote.wait(remote.client().checkpoint())?;
            Signed {
                note: checkpoint.note().to_owned(),
                root: *checkpoint.root(),
                size: checkpoint.size(),
                tenant: remote.tenant()?,
                key: checkpoint.vkey().clone(),
            }
        }
    };
    if arguments.ledger.output.json {
        console.line(signed.to_json())?;
    } else {
        console.text(&signed.note)?;
    }
    Ok(Ending::Done)
}

/// A checkpoint, and the key that it is checked with.
struct Signed {
    note: String,
    root: Hash,
    size: TreeSize,
    tenant: TenantId,
    key: VerifierKey,
}

fn sign(path: &Path, arguments: &Arguments, console: &mut Console) -> Result<Signed, Failure> {
    let tenant = arguments.ledger.tenant.to_read()?;
    let known = arguments.known.notes()?;
    let creation = TenantCreation::Explicit;
    data_dir::write_extending(path, known, IfMissing::Refuse, creation, console, |ledger, _| {
        let SignedCheckpoint { tenant, size, root, note, .. } = if tenant.is_system() {
            ledger.anchor()?.checkpoint
        } else {
            ledger.checkpoint(&tenant)?
        };
        Ok(Signed { key: ledger.verifier_key(&tenant)?, note, root, size, tenant })
    })
}

impl Signed {
    fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let mut object = ObjectWriter::open(&mut out);
        object.text("note", &self.note);
        object.text("origin", self.key.name().as_str());
        object.text("root", &self.root.to_base64());
        object.number("size", self.size.value());
        object.text("tenant_id", self.tenant.as_str());
        object.text("vkey", &self.key.to_string());
        object.close();
        out
    }
}
