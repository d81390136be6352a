//! `tenants`: whose ledgers there are.

use clap::{Args, Subcommand};
use ledgerstone_ledger::{TenantCreation, TenantEntry};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::TenantId;

use super::{Command, parsed};
use crate::arguments::{CommonOptions, tenant_to_write};
use crate::data_dir::{self, ForReading, IfMissing};
use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::table::Table;

pub const COMMAND: Command = Command {
    name: "tenants",
    about: "List or create tenants, each of which has a ledger of its own",
    details: "A tenant exists for ever once it was created.",
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
    /// List the tenants, the deployment's own ledger `_system` first
    List {
        #[command(flatten)]
        common: CommonOptions,
    },
    /// Create tenants
    Create {
        /// 1 to 63 characters of a-z, 0-9, _ and -, the first a letter or digit
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        #[command(flatten)]
        common: CommonOptions,
    },
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    match &arguments.action {
        Action::List { common } => list(common, console),
        Action::Create { names, common } => create(names, common, console),
    }
}

fn list(common: &CommonOptions, console: &mut Console) -> Result<Ending, Failure> {
    let as_table = console.is_terminal() && !common.output.json;
    let data = ForReading::open(&common.data.path, console)?;
    let history = data.reader.history()?;
    let mut table = Table::new(&["tenant", "records", "created", "ledger"]);
    for tenant in data.reader.tenants()? {
        let genesis = data.reader.genesis(&tenant)?;
        let line = Row {
            records: data.reader.size(&tenant)?,
            origin: genesis.origin(),
            entry: history.tenants().get(&tenant),
            tenant: &tenant,
        };
        if as_table {
            table.row(line.cells());
        } else {
            console.line(line.json())?;
        }
    }
    if as_table {
        table.keep_whole(&[0, 1, 2, 3]);
        console.text(&table.to_string())?;
    }
    Ok(Ending::findings_if(!data.is_whole()))
}

/// A tenant with its ledger.
struct Row<'a> {
    tenant: &'a TenantId,
    records: u64,
    /// Origin of the ledger's checkpoints.
    origin: String,
    /// What `_system` says; of itself it says nothing.
    entry: Option<&'a TenantEntry>,
}

impl Row<'_> {
    fn cells(&self) -> [String; 4] {
        let created = self.entry.map_or_else(String::new, |entry| entry.created_at.to_string());
        [self.tenant.to_string(), self.records.to_string(), created, self.origin.clone()]
    }

    fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        let created = self.entry.map(|entry| entry.created_at.to_string());
        object.optional_text("created_at", created.as_deref());
        object.text("origin", &self.origin);
        object.number("records", self.records);
        object.optional_text("state", self.entry.map(|entry| entry.state.as_str()));
        object.text("tenant_id", self.tenant.as_str());
        object.close();
        out
    }
}

fn create(
    names: &[String],
    common: &CommonOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let tenants = names.iter().map(|name| tenant_to_write(name)).collect::<Result<Vec<_>, _>>()?;
    let as_text = console.is_terminal() && !common.output.json;
    let creation = TenantCreation::Explicit;
    data_dir::write(&common.data.path, IfMissing::Create, creation, console, |ledger, console| {
        for tenant in &tenants {
            ledger.create_tenant(tenant)?;
            let key = ledger.verifier_key(tenant)?.to_string();
            if as_text {
                console.line(format!("created tenant {tenant}, verifier key {key}"))?;
                continue;
            }
            let mut line = Vec::new();
            let mut object = ObjectWriter::open(&mut line);
            object.text("tenant_id", tenant.as_str());
            object.text("vkey", &key);
            object.close();
            console.line(line)?;
        }
        Ok(Ending::Done)
    })
}
