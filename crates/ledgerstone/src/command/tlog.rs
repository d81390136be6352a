//! `tlog`: a ledger's tree as a static C2SP tlog-tiles log, which foreign tools verify.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ledgerstone_ledger::{Reader, TenantCreation};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{Checkpoint, TenantId, TreeSize, tiles_for_size};

use super::{Command, parsed};
use crate::arguments::{DataOption, JsonOption, TenantOption};
use crate::data_dir::{self, ForReading, IfMissing};
use crate::failure::{Ending, Failure};
use crate::output::Console;

/// The file that says which tree the tiles are of.
const CHECKPOINT: &str = "checkpoint";

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
    /// earlier export of the same ledger is brought up to date.
    Export {
        /// Where to: a new or empty directory, or an earlier export of the same ledger
        #[arg(value_name = "DIR")]
        to: PathBuf,
        #[command(flatten)]
        data: DataOption,
        #[command(flatten)]
        tenant: TenantOption,
        #[command(flatten)]
        output: JsonOption,
    },
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let Action::Export { to, data, tenant, output } = &arguments.action;
    let tenant = tenant.to_read()?;
    sign_if_possible(&data.path, &tenant, console)?;
    let data = ForReading::open(&data.path, console)?;
    let kept = data.reader.newest_checkpoint(&tenant)?.ok_or_else(|| {
        let message = format!("no checkpoint of ledger {tenant} is kept, and none can be signed now");
        Failure::new(ErrorCode::InvalidProof, message)
            .with_remedy("Run `ledgerstone checkpoint` where the ledger is written.")
    })?;
    let origin = data.reader.genesis(&tenant)?.origin();
    refuse_foreign(to, &origin)?;
    let size = TreeSize::new(kept.size);
    let tiles = export(&data.reader, &tenant, size, to)?;
    replace(&to.join(CHECKPOINT), kept.note.as_bytes())?;
    let vkey = data.reader.log_keys(&tenant, &data.reader.history()?)?.pop();
    let vkey = vkey.map(|key| key.to_string()).unwrap_or_default();
    if console.is_terminal() && !output.json {
        let to = to.display();
        console.line(format!("{size} records of {origin} in {tiles} new tiles under {to}"))?;
        console.line(format!("verifier key: {vkey}"))?;
        return Ok(Ending::Done);
    }
    let mut line = Vec::new();
    let mut object = ObjectWriter::open(&mut line);
    object.text("origin", &origin);
    object.number("size", size.value());
    object.text("tenant_id", tenant.as_str());
    object.number("tiles_written", tiles);
    object.text("vkey", &vkey);
    object.close();
    console.line(line)?;
    Ok(Ending::Done)
}

/// Signs a checkpoint over everything, unless the newest one is that already.
fn sign_if_possible(
    path: &Path,
    tenant: &TenantId,
    console: &mut Console,
) -> Result<(), Failure> {
    let data = ForReading::open(path, console)?;
    let size = data.reader.size(tenant)?;
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

/// Only an empty place or an earlier export of the same log is written to.
fn refuse_foreign(to: &Path, origin: &str) -> Result<(), Failure> {
    let refuse = |what: &str| {
        let message = format!("{} {what}", to.display());
        Failure::new(ErrorCode::DataDirectoryNotEmpty, message)
            .with_remedy("Export into a new directory, or into an earlier export of this ledger.")
    };
    match fs::read(to.join(CHECKPOINT)) {
        Ok(note) => match Checkpoint::parse_note(&note) {
            Ok((checkpoint, _)) if checkpoint.origin() == origin => Ok(()),
            _ => Err(refuse("holds another log")),
        },
        Err(_) => match fs::read_dir(to).map(|mut entries| entries.next().is_some()) {
            Ok(true) => Err(refuse("is not empty")),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::file("opening", to, &error))
            }
            _ => Ok(()),
        },
    }
}

/// Writes what is not there yet, and answers how many files that were. Tiles never change.
fn export(reader: &Reader, tenant: &TenantId, size: TreeSize, to: &Path) -> Result<u64, Failure> {
    let mut written = 0;
    for tile in tiles_for_size(size) {
        let path = to.join(tile.to_string());
        if path.exists() {
            continue;
        }
        let bytes = reader.tile(tenant, size, &tile)?;
        let folder = path.parent().unwrap_or(to);
        fs::create_dir_all(folder).map_err(|error| Failure::file("making", folder, &error))?;
        replace(&path, &bytes)?;
        written += 1;
    }
    Ok(written)
}

/// Writes a file beside its place and renames it, so that no reader meets half of it.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let beside = PathBuf::from(name);
    let write = || {
        let mut file = fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| Failure::file("writing", path, &error))
}
