//! `taxonomy`: the event types that a tenant knows, and what becomes of others.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ledgerstone_edge::importer::{self, InputLimits};
use ledgerstone_ledger::{TenantCreation, taxonomies};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::{
    ErrorCode, Numbers, ParseContext, Rejection, Taxonomy, TaxonomyDocument, TaxonomyDraft,
    TaxonomyMode, ValidEvent,
};
use ledgerstone_proof::{Canonicalizer, TenantId};

use super::{Command, parsed};
use crate::arguments::{LedgerOptions, read_file};
use crate::data_dir::{self, ForReading, IfMissing};
use crate::failure::{Ending, Failure};
use crate::location::Location;
use crate::output::Console;
use crate::system::{System, operator};

pub const COMMAND: Command = Command {
    name: "taxonomy",
    about: "Show or set the event types that a tenant knows, or check events against them",
    details: "A taxonomy is one JSON document: event types and families of them, each with a JSON \
              Schema if wanted, and a mode, which is `off`, `warn` or `enforce`; docs/taxonomy.md \
              tells more. Every version that was ever set stands in the tenant's ledger. What \
              `show` prints can be changed and given to `set`, which refuses it if another version \
              was set meanwhile. `check` writes nothing.",
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
    /// Print the taxonomy in force
    Show {
        #[command(flatten)]
        options: LedgerOptions,
    },
    /// Set the taxonomy, whole
    Set {
        /// The document, or `-` for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        options: LedgerOptions,
    },
    /// Say of events, one a line, what would become of them
    Check {
        /// The events, or `-` for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        options: LedgerOptions,
    },
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    match &arguments.action {
        Action::Show { options } => {
            let (_, taxonomy) = in_force(options, console)?;
            console.line(taxonomy.document().to_json())?;
            Ok(Ending::Done)
        }
        Action::Set { file, options } => set(&read(file)?, options, console),
        Action::Check { file, options } => {
            let events = read(file)?;
            let (tenant, taxonomy) = in_force(options, console)?;
            check(&events, &taxonomy, &tenant, console)
        }
    }
}

/// The taxonomy in force, as the ledger or the server says.
fn in_force(
    options: &LedgerOptions,
    console: &mut Console,
) -> Result<(TenantId, Taxonomy), Failure> {
    let path = match options.location.find(console)? {
        Location::Directory(path) => path,
        Location::Server(remote) => {
            remote.check_tenant(options.tenant.named()?.as_ref())?;
            let document = remote.wait(remote.client().taxonomy())?;
            return Ok((remote.tenant()?, told(document.as_bytes())?));
        }
    };
    let tenant = options.tenant.to_read()?;
    let data = ForReading::open(&path, console)?;
    data.reader.size(&tenant).map_err(|error| data.failure(error))?;
    let row = taxonomies::read(data.reader.store())?.remove(&tenant);
    let taxonomy = row.map_or_else(Taxonomy::none, |row| Taxonomy::new(row.document));
    Ok((tenant, taxonomy))
}

/// The taxonomy that a server told. Version 0 is that of a tenant that never set one.
fn told(document: &[u8]) -> Result<Taxonomy, Failure> {
    let draft = TaxonomyDraft::parse(document)?;
    let version = draft.based_on().unwrap_or_default();
    Ok(match draft.at_version(version) {
        Some(document) => Taxonomy::compile(document)?,
        None => Taxonomy::none(),
    })
}

fn set(text: &[u8], options: &LedgerOptions, console: &mut Console) -> Result<Ending, Failure> {
    let draft = TaxonomyDraft::parse(text)?;
    let path = match options.location.find(console)? {
        Location::Directory(path) => path,
        Location::Server(remote) => {
            remote.check_tenant(options.tenant.named()?.as_ref())?;
            let document = remote.wait(remote.client().set_taxonomy(text))?;
            let (tenant, in_force) = (remote.tenant()?, told(document.as_bytes())?);
            return tell_set(&tenant, in_force.document(), options, console);
        }
    };
    let tenant = options.tenant.to_read()?;
    let (missing, creation) = (IfMissing::Refuse, TenantCreation::Explicit);
    data_dir::write(&path, missing, creation, console, |ledger, console| {
        let in_force = ledger.set_taxonomy(&tenant, draft, &operator())?;
        tell_set(&tenant, in_force.taxonomy().document(), options, console)
    })
}

fn tell_set(
    tenant: &TenantId,
    document: &TaxonomyDocument,
    options: &LedgerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    if console.is_terminal() && !options.output.json {
        let (version, mode) = (document.version(), document.mode().as_str());
        console.line(format!("{tenant}: version {version} is in force, mode {mode}"))?;
    } else {
        console.line(document.to_json())?;
    }
    Ok(Ending::Done)
}

/// A document out of a file, or of standard input where that is `-`.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    if file != Path::new("-") {
        return read_file(file);
    }
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text).map_err(|error| {
        Failure::new(ErrorCode::StorageFailed, format!("standard input: {error}"))
    })?;
    Ok(text)
}

/// Prints one line for each event.
fn check(
    events: &[u8],
    taxonomy: &Taxonomy,
    tenant: &TenantId,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let format = &importer::ndjson::Ndjson;
    let system = System::new();
    let mut scratch = Canonicalizer::new();
    let mut any_refused = false;
    for submission in importer::read(format, events, InputLimits::default())? {
        let submission = submission?;
        let context =
            ParseContext::new(tenant, system.clock.now(), [0; 16]).with_numbers(Numbers::Refuse);
        let event = ValidEvent::parse(submission.text(), &context, &mut scratch);
        let (outcome, found) = match event {
            Err(rejection) => ("refused", Some(rejection)),
            Ok(event) => outcome(taxonomy, &event)?,
        };
        any_refused |= outcome == "refused";
        console.line(line(&submission.position().to_string(), outcome, found.as_ref()))?;
    }
    Ok(Ending::findings_if(any_refused))
}

fn outcome(
    taxonomy: &Taxonomy,
    event: &ValidEvent,
) -> Result<(&'static str, Option<Rejection>), Failure> {
    let found = taxonomy.findings(event)?;
    let outcome = match (taxonomy.document().mode(), &found) {
        (_, None) | (TaxonomyMode::Off, _) => "accepted",
        (TaxonomyMode::Warn, Some(_)) => "flagged",
        (TaxonomyMode::Enforce, Some(_)) => "refused",
    };
    Ok((outcome, found))
}

fn line(place: &str, outcome: &str, found: Option<&Rejection>) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let mut object = ObjectWriter::open(&mut out);
    if let Some(found) = found {
        object.array("errors", found.faults(), |fault, out| {
            let mut error = ObjectWriter::open(out);
            error.text("code", fault.code().as_str());
            error.text("detail", fault.reason());
            error.text("pointer", fault.pointer());
            error.close();
        });
    }
    object.text("outcome", outcome);
    object.text("place", place);
    object.close();
    out
}
