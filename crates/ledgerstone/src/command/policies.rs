//! `policies`: what a tenant has decided about its own records.

pub mod document;
mod proposed;
mod reading;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ledgerstone_ledger::{PolicyDraft, PolicyOutcome, TenantCreation};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::sealing::{FieldPolicy, Preset};
use ledgerstone_model::{ErrorCode, Rejection};
use ledgerstone_proof::{Canonicalizer, SequenceNumber, TenantId};

use self::proposed::Proposed;
use self::reading::{InClear, PoliciesReading, Row};
use super::{Command, parsed};
use crate::arguments::{JsonOption, LedgerOptions};
use crate::data_dir::{self, IfMissing};
use crate::failure::{Ending, Failure};
use crate::location::Location;
use crate::output::{Console, counted};
use crate::system::operator;
use crate::table::Table;

pub const COMMAND: Command = Command {
    name: "policies",
    about: "List, show or set what a tenant decides about its own records",
    details: "There is one document of each kind, set as a whole; every version stands in the \
              tenant's ledger with who set it. `sealing` says which fields are sealed, `redaction` \
              how values are shown to those who see them redacted; docs/personal-data.md and \
              docs/redaction.md tell more. What `show` prints can be changed and given to `set`. \
              `list` also says how many contents of events lie in clear, and looks at all of them for \
              that in a data directory.",
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
    /// List the policies in force, and say how many contents lie in clear
    List {
        #[command(flatten)]
        options: LedgerOptions,
    },
    /// Print the document of a policy
    Show {
        /// What it is about
        #[arg(value_name = "KIND", value_parser = kind)]
        kind: PolicyKind,
        /// As it was in this version, in place of the one in force
        #[arg(long, value_name = "N")]
        version: Option<u64>,
        /// What waits for a second person, in place of the one in force, with who put it forward
        #[arg(long, conflicts_with = "version")]
        proposed: bool,
        #[command(flatten)]
        options: LedgerOptions,
    },
    /// Set a policy, whole, for everything that comes afterwards, or put it forward where that needs a second
    /// person
    Set {
        /// What it is about
        #[arg(value_name = "KIND", value_parser = kind)]
        kind: PolicyKind,
        /// The document as JSON or TOML, or `-` for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Only if this version is still in force; 0 where none was ever set
        #[arg(long, value_name = "N")]
        based_on: Option<u64>,
        #[command(flatten)]
        options: LedgerOptions,
    },
    /// Put in force what another person put forward: a retention policy that lets things go earlier needs two
    Approve {
        /// What it is about
        #[arg(value_name = "KIND", value_parser = kind)]
        kind: PolicyKind,
        /// The record that holds it, as `set` and `show --proposed` tell: what was not seen is not approved
        #[arg(long, value_name = "N")]
        proposal: u64,
        #[command(flatten)]
        options: LedgerOptions,
    },
    /// List every version that a policy ever had, the oldest first
    History {
        /// What it is about
        #[arg(value_name = "KIND", value_parser = kind)]
        kind: PolicyKind,
        #[command(flatten)]
        options: LedgerOptions,
    },
    /// Print the presets of `sealing`, with every rule written out
    Presets {
        /// This one alone, as a document that can be changed and set
        #[arg(value_name = "PRESET", value_parser = preset)]
        preset: Option<Preset>,
        #[command(flatten)]
        output: JsonOption,
    },
}

fn kind(name: &str) -> Result<PolicyKind, String> {
    PolicyKind::parse(name).ok_or_else(|| {
        let known: Vec<_> = PolicyKind::all().map(PolicyKind::as_str).collect();
        format!("there is no policy of that kind; there are {}", known.join(", "))
    })
}

fn preset(name: &str) -> Result<Preset, String> {
    Preset::parse(name).ok_or_else(|| format!("there are the presets {}", Preset::names()))
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    match &arguments.action {
        Action::List { options } => list(options, console),
        Action::Show { kind, proposed: true, options, .. } => {
            let policies = PoliciesReading::open(options, console)?;
            console.line(policies.proposed(*kind)?.json())?;
            Ok(Ending::Done)
        }
        Action::Show { kind, version, options, .. } => {
            let policies = PoliciesReading::open(options, console)?;
            let row = match version {
                Some(version) => policies.at(*kind, *version)?,
                None => policies.in_force(*kind)?,
            };
            console.line(row.document)?;
            Ok(Ending::Done)
        }
        Action::Set { kind, file, based_on, options } => {
            let document = document::read(file, ErrorCode::InvalidPolicy)?;
            set(*kind, &document, *based_on, options, console)
        }
        Action::Approve { kind, proposal, options } => approve(*kind, *proposal, options, console),
        Action::History { kind, options } => history(*kind, options, console),
        Action::Presets { preset, output } => presets(*preset, output, console),
    }
}

fn list(options: &LedgerOptions, console: &mut Console) -> Result<Ending, Failure> {
    let policies = PoliciesReading::open(options, console)?;
    let (rows, in_clear) = policies.all()?;
    if console.is_terminal() && !options.output.json {
        print_table(&rows, console)?;
        console.line(in_clear.sentence())?;
    } else {
        for row in &rows {
            let is_sealing = row.policy == PolicyKind::Sealing.as_str();
            console.line(row.json(is_sealing.then_some(in_clear)))?;
        }
    }
    Ok(Ending::findings_if(!policies.is_whole()))
}

fn history(
    kind: PolicyKind,
    options: &LedgerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let rows = PoliciesReading::open(options, console)?.versions(kind)?;
    if console.is_terminal() && !options.output.json {
        print_table(&rows, console)?;
    } else {
        rows.iter().try_for_each(|row| console.line(row.json(None)))?;
    }
    Ok(Ending::Done)
}

fn print_table(rows: &[Row], console: &mut Console) -> Result<(), Failure> {
    let mut table = Table::new(&["policy", "version", "set at", "record", "document"]);
    rows.iter().for_each(|row| table.row(row.cells()));
    table.keep_whole(&[0, 1, 2, 3]);
    console.text(&table.to_string())
}

fn set(
    kind: PolicyKind,
    text: &[u8],
    based_on: Option<u64>,
    options: &LedgerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let document =
        PolicyDocument::parse(kind, text, &mut Canonicalizer::new()).map_err(not_taken)?;
    let path = match options.location.find(console)? {
        Location::Directory(path) => path,
        Location::Server(remote) => {
            remote.check_tenant(options.tenant.named()?.as_ref())?;
            let set = remote.wait(remote.client().set_policy(kind, text, based_on))?;
            let tenant = remote.tenant()?;
            return match Proposed::told(&set) {
                Some(proposed) => tell_proposed(&tenant, &proposed, options, console),
                None => tell_set(&tenant, &Row::told(set), options, console),
            };
        }
    };
    let tenant = options.tenant.to_read()?;
    let (missing, creation) = (IfMissing::Refuse, TenantCreation::Explicit);
    data_dir::write(&path, missing, creation, console, |ledger, console| {
        let draft = PolicyDraft { document, based_on };
        match ledger.set_or_propose_policy(&tenant, draft, &operator())? {
            PolicyOutcome::InForce(set) => {
                tell_set(&tenant, &Row::in_force(&set), options, console)
            }
            PolicyOutcome::Proposed(proposal) => {
                tell_proposed(&tenant, &Proposed::of(&proposal), options, console)
            }
        }
    })
}

fn not_taken(rejection: Rejection) -> Failure {
    let is_text = rejection.code() == ErrorCode::NotJson;
    let failure = Failure::from(rejection);
    if !is_text {
        return failure;
    }
    failure.with_remedy(
        "Give the whole policy as one JSON object or as TOML; `ledgerstone policies show` prints the one in force.",
    )
}

fn approve(
    kind: PolicyKind,
    proposal: u64,
    options: &LedgerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let proposed_in = SequenceNumber::new(proposal).map_err(|error| {
        Failure::new(ErrorCode::InvalidArgument, format!("--proposal: {error}"))
    })?;
    let path = match options.location.find(console)? {
        Location::Directory(path) => path,
        Location::Server(remote) => {
            remote.check_tenant(options.tenant.named()?.as_ref())?;
            let set = remote.wait(remote.client().approve_policy(kind, proposed_in))?;
            return tell_set(&remote.tenant()?, &Row::told(set), options, console);
        }
    };
    let tenant = options.tenant.to_read()?;
    let (missing, creation) = (IfMissing::Refuse, TenantCreation::Explicit);
    data_dir::write(&path, missing, creation, console, |ledger, console| {
        let set = ledger.approve_policy(&tenant, kind, proposed_in, &operator())?;
        tell_set(&tenant, &Row::in_force(&set), options, console)
    })
}

/// Says that a second person is needed, and how they agree.
fn tell_proposed(
    tenant: &TenantId,
    proposed: &Proposed,
    options: &LedgerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    if !console.is_terminal() || options.output.json {
        console.line(proposed.json())?;
        return Ok(Ending::Done);
    }
    let Proposed { policy, version, system_record, .. } = proposed;
    console.line(format!(
        "{tenant}: version {version} of the policy {policy} waits for another person, who puts it in force \
         with `ledgerstone policies approve {policy} --proposal {system_record}`"
    ))?;
    Ok(Ending::Done)
}

fn tell_set(
    tenant: &TenantId,
    row: &Row,
    options: &LedgerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    if console.is_terminal() && !options.output.json {
        let (kind, version) = (&row.policy, row.version);
        console.line(format!("{tenant}: version {version} of the policy {kind} is in force"))?;
    } else {
        console.line(row.json(None))?;
    }
    Ok(Ending::Done)
}

fn presets(
    only: Option<Preset>,
    output: &JsonOption,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let document = |preset: Preset| {
        PolicyDocument::Sealing(FieldPolicy::of_preset(preset).written_out()).to_json()
    };
    if let Some(preset) = only {
        console.line(document(preset))?;
        return Ok(Ending::Done);
    }
    if !console.is_terminal() || output.json {
        for preset in Preset::all() {
            let mut line = Vec::new();
            let mut object = ObjectWriter::open(&mut line);
            object.key("document").extend_from_slice(&document(preset));
            object.text("preset", preset.as_str());
            object.close();
            console.line(line)?;
        }
        return Ok(Ending::Done);
    }
    let mut table = Table::new(&["preset", "field", "class", "searchable", "of"]);
    for preset in Preset::all() {
        for rule in FieldPolicy::of_preset(preset).rules() {
            let searchable = if rule.is_searchable() { "yes" } else { "no" };
            let path = rule.path().to_string();
            let of = if rule.people_only() { "people" } else { "all" };
            table.row([preset.as_str(), &path, rule.class().as_str(), searchable, of]);
        }
    }
    table.keep_whole(&[0, 1, 2, 3, 4]);
    console.text(&table.to_string())?;
    Ok(Ending::Done)
}

impl InClear {
    fn sentence(self) -> String {
        let Self { contents, looked_at, records } = self;
        let some = if contents == 1 {
            "1 content of an event lies"
        } else {
            &format!("{contents} contents of events lie")
        };
        if looked_at < records {
            let records = counted(records, "record");
            return format!("{some} in clear among the first {looked_at} of {records}; ask again");
        }
        format!("{some} in clear")
    }
}

/// What is wrong with a version that nobody ever set.
fn no_version(kind: PolicyKind, version: u64) -> Failure {
    let message = format!("the policy {} never had a version {version}", kind.as_str());
    Failure::new(ErrorCode::NotFound, message)
        .with_remedy("`ledgerstone policies history` lists those there were.")
}
