//! `tlog`: a ledger's tree as a static C2SP tlog-tiles log, which foreign tools verify.

mod export;
mod folder;
mod headers;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ledgerstone_ledger::TenantCreation;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{Checkpoint, TenantId};

use super::{Command, parsed};
use crate::arguments::LedgerOptions;
use crate::data_dir::{self, ForReading, IfMissing};
use crate::failure::{Ending, Failure};
use crate::location::Location;
use crate::output::Console;
use folder::Folder;
use headers::Headers;

pub const COMMAND: Command = Command {
    name: "tlog",
    about: "Export a ledger's tree as a static transparency log (C2SP tlog-tiles)",
    details: "An entry is a record's header: contents are not exported.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Write tiles, entry bundles and the newest checkpoint into a directory
    ///
    /// A checkpoint over everything is signed first; where that is not possible (a copy without
    /// keys, or another process is writing) the newest that is kept is exported with its tree. An
    /// earlier export of the same ledger is brought up to date. A server is asked for the entries
    /// alone: the tree is computed from them, and must have the root that the checkpoint signs.
    Export {
        /// Where to: a new or empty directory, or an earlier export of the same ledger
        #[arg(value_name = "DIR")]
        to: PathBuf,
        #[command(flatten)]
        ledger: LedgerOptions,
    },
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let Action::Export { to, ledger } = &arguments.action;
    let exported = match ledger.location.find(console)? {
        Location::Directory(path) => export_directory(&path, ledger, to, console)?,
        Location::Server(remote) => {
            remote.check_tenant(ledger.tenant.named()?.as_ref())?;
            let tenant = remote.tenant()?;
            let signed = remote.wait(remote.client().checkpoint())?;
            let headers = Headers::Server { remote: &remote, tenant: &tenant };
            let vkey = signed.vkey().to_string();
            write(&tenant, signed.note(), vkey, headers, to)?
        }
    };
    let Exported { origin, size, tenant, tiles, vkey } = exported;
    if console.is_terminal() && !ledger.output.json {
        let to = to.display();
        console.line(format!("{size} records of {origin} under {to}, {tiles} tiles written"))?;
        console.line(format!("verifier key: {vkey}"))?;
        return Ok(Ending::Done);
    }
    let mut line = Vec::new();
    let mut object = ObjectWriter::open(&mut line);
    object.text("origin", &origin);
    object.number("size", size);
    object.text("tenant_id", tenant.as_str());
    object.number("tiles_written", tiles);
    object.text("vkey", &vkey);
    object.close();
    console.line(line)?;
    Ok(Ending::Done)
}

/// What was exported.
struct Exported {
    origin: String,
    size: u64,
    tenant: TenantId,
    tiles: u64,
    vkey: String,
}

fn export_directory(
    path: &Path,
    ledger: &LedgerOptions,
    to: &Path,
    console: &mut Console,
) -> Result<Exported, Failure> {
    let tenant = ledger.tenant.to_read()?;
    sign_if_possible(path, &tenant, console)?;
    let data = ForReading::open(path, console)?;
    let kept = data.reader.newest_checkpoint(&tenant)?.ok_or_else(|| {
        let message =
            format!("no checkpoint of ledger {tenant} is kept, and none can be signed now");
        Failure::new(ErrorCode::InvalidProof, message)
            .with_remedy("Run `ledgerstone checkpoint` where the ledger is written.")
    })?;
    let vkey = data.reader.log_keys(&tenant, &data.reader.history()?)?.pop();
    let vkey = vkey.map(|key| key.to_string()).unwrap_or_default();
    write(&tenant, &kept.note, vkey, Headers::of_directory(&data.reader, &tenant), to)
}

/// Writes the tree that a checkpoint signs.
fn write(
    tenant: &TenantId,
    note: &str,
    vkey: String,
    headers: Headers<'_>,
    to: &Path,
) -> Result<Exported, Failure> {
    let (checkpoint, _) = Checkpoint::parse_note(note.as_bytes())
        .map_err(|error| Failure::new(ErrorCode::InvalidProof, error.to_string()))?;
    let folder = Folder::open(to, checkpoint.origin())?;
    let tiles = export::export(headers, tenant, &checkpoint, &folder)?;
    folder.finish(note)?;
    Ok(Exported {
        origin: checkpoint.origin().to_owned(),
        size: checkpoint.size().value(),
        tenant: tenant.clone(),
        tiles,
        vkey,
    })
}

/// Signs a checkpoint over everything, unless the newest one is that already.
fn sign_if_possible(path: &Path, tenant: &TenantId, console: &mut Console) -> Result<(), Failure> {
    let data = ForReading::open(path, console)?;
    let size = data.reader.size(tenant).map_err(|error| data.failure(error))?;
    let kept = data.reader.newest_checkpoint(tenant)?.map(|kept| kept.size);
    drop(data);
    if kept == Some(size) {
        return Ok(());
    }
    let creation = TenantCreation::Explicit;
    let signed = data_dir::write(path, IfMissing::Refuse, creation, console, |ledger, _| {
        Ok(ledger.checkpoint(tenant)?)
    });
    match (signed, kept) {
        (Ok(_), _) => Ok(()),
        (Err(failure), Some(kept)) if !failure.is_fatal() => {
            let reason = failure.message();
            console.note(format!("exporting the first {kept} of {size} records: {reason}"));
            Ok(())
        }
        (Err(failure), _) => Err(failure),
    }
}
