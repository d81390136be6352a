//! `proof`: a file that proves one record to somebody who has nothing else but a key.

use std::path::Path;

use clap::Args;
use ledgerstone_ledger::{LedgerError, TenantCreation};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{EventId, TenantId, TlogProof};

use super::{Command, parsed};
use crate::arguments::RecordOptions;
use crate::data_dir::{self, ForReading, IfMissing};
use crate::failure::{Ending, Failure};
use crate::location::Location;
use crate::output::Console;

pub const COMMAND: Command = Command {
    name: "proof",
    about: "Print the proof of one record: a C2SP tlog-proof file",
    details: "The proof holds the record's header, the path from it to the root of the ledger's \
              tree, and a checkpoint over that root. `verify --proof` checks it anywhere, without \
              the ledger. Where no checkpoint covers the record yet, one is signed, which only a \
              process that may write can do.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(flatten)]
    record: RecordOptions,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let id = arguments.record.id()?;
    let ledger = &arguments.record.ledger;
    let proof = match ledger.location.find(console)? {
        Location::Directory(path) => {
            prove(&path, &ledger.tenant.to_read()?, &id, console)?.to_string()
        }
        Location::Server(remote) => {
            remote.check_tenant(ledger.tenant.named()?.as_ref())?;
            remote.wait(remote.client().proof(&id))?
        }
    };
    console.text(&proof)?;
    Ok(Ending::Done)
}

/// The proof out of a data directory.
fn prove(
    path: &Path,
    tenant: &TenantId,
    id: &EventId,
    console: &mut Console,
) -> Result<TlogProof, Failure> {
    let data = ForReading::open(path, console)?;
    match data.reader.record_proof(tenant, id) {
        Err(LedgerError::NotCovered { .. }) => {
            if let Some(damage) = data.damage() {
                return Err(behind_damage(id, damage));
            }
        }
        proof => return proof.map_err(|error| data.failure(error)),
    }
    drop(data);
    data_dir::write(path, IfMissing::Refuse, TenantCreation::Explicit, console, |ledger, _| {
        Ok(ledger.record_proof(tenant, id)?)
    })
    .map_err(|failure| not_covered(id, &failure))
}

/// In a damaged directory no checkpoint can be signed, and one that is there may be out of reach.
fn behind_damage(id: &EventId, damage: &str) -> Failure {
    let message = format!(
        "no checkpoint that can be read covers event {id}: those behind the damage are out of \
         reach, and none can be signed while the directory is damaged ({damage})"
    );
    Failure::new(ErrorCode::StoreDamaged, message).with_remedy(
        "Put the damaged file back from a copy of this directory, or prove the event there. `get` \
         still shows the record; `ledgerstone doctor` says more.",
    )
}

/// Why the checkpoint that the proof needs could not be signed.
fn not_covered(id: &EventId, failure: &Failure) -> Failure {
    let message = format!(
        "no checkpoint covers event {id} yet, and none can be signed now: {}",
        failure.message()
    );
    Failure::new(failure.code(), message).with_remedy(match failure.code() {
        ErrorCode::StoreLocked => {
            "Wait until the process that writes has signed one: a command does at its end. Or ask \
             the server, which signs one for it: `ledgerstone proof --server URL`."
        }
        ErrorCode::DiskFull => "Make room on the disk of the data directory, then ask again.",
        _ => {
            "Ask where the ledger is written: `ledgerstone checkpoint` there, then copy the \
             directory again."
        }
    })
}
