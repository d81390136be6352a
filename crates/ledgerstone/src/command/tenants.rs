//! `tenants`: whose ledgers there are.

mod close;

use clap::{Args, Subcommand};
use ledgerstone_client::TenantEntry;
use ledgerstone_ledger::{FirstAdminKey, Reader, TenantCreation};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::TenantId;
use zeroize::Zeroizing;

use super::subjects::ReasonOption;
use super::{Command, parsed};
use crate::arguments::{CommonOptions, tenant_to_write, verifier_key};
use crate::data_dir::{self, ForReading, ForWriting, IfMissing};
use crate::failure::{Ending, Failure};
use crate::location::Location;
use crate::output::Console;
use crate::remote::Remote;
use crate::system::operator;
use crate::table::Table;

pub const COMMAND: Command = Command {
    name: "tenants",
    about: "List, create or close tenants, each of which has a ledger of its own",
    details: "A tenant exists for ever once it was created, also when it is closed. With --server this needs a \
              credential of `_system`; keys of the tenant are then made by its own credentials, the first by \
              --first-key.",
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
        /// Make an admin key of each tenant too, and print it: the only time that it is shown, and with
        /// --server the only time that it can be made
        #[arg(long)]
        first_key: bool,
        #[command(flatten)]
        common: CommonOptions,
    },
    /// Close a tenant for good: one person asks, another approves. Then it takes nothing any more, its
    /// contents are dropped and its keys destroyed, and what is left of its ledger is verified for ever
    Close {
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        reason: ReasonOption,
        /// Let contents go that the tenant's retention policy has to keep by law
        #[arg(long, conflicts_with = "approve")]
        despite_duties: bool,
        /// Approve what another person asked for, in this record of `_system`
        #[arg(long, value_name = "N", conflicts_with = "reason")]
        approve: Option<u64>,
        /// Take back what somebody asked for in this record of `_system`, before it is approved
        #[arg(long, value_name = "N", conflicts_with_all = ["approve", "despite_duties"])]
        withdraw: Option<u64>,
        #[command(flatten)]
        common: CommonOptions,
    },
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    match &arguments.action {
        Action::List { common } => list(common, console),
        Action::Create { names, first_key, common } => create(names, *first_key, common, console),
        Action::Close { name, reason, despite_duties, approve, withdraw, common } => {
            let (despite_duties, approve, withdraw) = (*despite_duties, *approve, *withdraw);
            let wish = close::Wish { name, reason, despite_duties, approve, withdraw };
            close::close(&wish, common, console)
        }
    }
}

fn list(common: &CommonOptions, console: &mut Console) -> Result<Ending, Failure> {
    let as_table = console.is_terminal() && !common.output.json;
    let (rows, is_whole) = match common.location.find(console)? {
        Location::Directory(path) => {
            let data = ForReading::open(&path, console)?;
            (rows_of(&data.reader)?, data.is_whole())
        }
        Location::Server(remote) => (rows_behind(&remote)?, true),
    };
    let mut table = Table::new(&["tenant", "records", "created", "ledger"]);
    for row in rows {
        if as_table {
            table.row(row.cells());
        } else {
            console.line(row.json())?;
        }
    }
    if as_table {
        table.keep_whole(&[0, 1, 2, 3]);
        console.text(&table.to_string())?;
    }
    Ok(Ending::findings_if(!is_whole))
}

/// A tenant with its ledger.
struct Row {
    tenant: String,
    records: u64,
    /// Origin of the ledger's checkpoints.
    origin: String,
    /// What `_system` says; of itself it says nothing.
    created_at: Option<String>,
    state: Option<String>,
}

fn rows_of(reader: &Reader) -> Result<Vec<Row>, Failure> {
    let history = reader.history()?;
    let row = |tenant: TenantId| {
        let entry = history.tenants().get(&tenant);
        Ok(Row {
            records: reader.size(&tenant)?,
            origin: reader.genesis(&tenant)?.origin(),
            created_at: entry.map(|entry| entry.created_at.to_string()),
            state: entry.map(|entry| entry.state.as_str().to_owned()),
            tenant: tenant.to_string(),
        })
    };
    reader.tenants()?.into_iter().map(row).collect()
}

fn rows_behind(remote: &Remote) -> Result<Vec<Row>, Failure> {
    let tenants = remote.wait(remote.client().tenants())?;
    // Whoever sees the tenants has a credential of `_system`, which comes first.
    let system = &remote.status()?.ledger;
    let first = Row {
        tenant: system.tenant_id.clone(),
        records: system.records,
        origin: system.origin.clone(),
        created_at: None,
        state: None,
    };
    let row = |entry: TenantEntry| {
        Ok(Row {
            origin: verifier_key(&entry.vkey)?.name().as_str().to_owned(),
            tenant: entry.tenant_id,
            records: entry.records,
            created_at: Some(entry.created_at),
            state: Some(entry.state),
        })
    };
    std::iter::once(Ok(first)).chain(tenants.into_iter().map(row)).collect()
}

impl Row {
    fn cells(&self) -> [String; 4] {
        let created = self.created_at.clone().unwrap_or_default();
        [self.tenant.clone(), self.records.to_string(), created, self.origin.clone()]
    }

    fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        object.optional_text("created_at", self.created_at.as_deref());
        object.text("origin", &self.origin);
        object.number("records", self.records);
        object.optional_text("state", self.state.as_deref());
        object.text("tenant_id", &self.tenant);
        object.close();
        out
    }
}

fn create(
    names: &[String],
    first_key: bool,
    common: &CommonOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let tenants = names.iter().map(|name| tenant_to_write(name)).collect::<Result<Vec<_>, _>>()?;
    let as_text = console.is_terminal() && !common.output.json;
    match common.location.find(console)? {
        Location::Directory(path) => {
            let (missing, creation) = (IfMissing::Create, TenantCreation::Explicit);
            data_dir::write_with(&path, missing, creation, console, |data, console| {
                tenants.iter().try_for_each(|tenant| {
                    create_here(data, tenant, first_key)?.tell(tenant, as_text, console)
                })
            })?;
        }
        Location::Server(remote) => {
            for tenant in &tenants {
                create_behind(&remote, tenant, first_key)?.tell(tenant, as_text, console)?;
            }
        }
    }
    Ok(Ending::Done)
}

/// A tenant that was just created.
struct Created {
    vkey: String,
    /// Its first admin key and the id of that.
    key: Option<(Zeroizing<String>, String)>,
}

fn create_here(data: &ForWriting, tenant: &TenantId, first_key: bool) -> Result<Created, Failure> {
    let ledger = data.ledger();
    let key = if first_key {
        let first = FirstAdminKey { label: FirstAdminKey::LABEL, expires_at: None };
        let keys = data.api_keys()?;
        let issued = ledger.create_tenant_with_key(&keys, tenant, &first, &operator())?;
        Some((issued.text(), issued.entry().key_id.to_string()))
    } else {
        ledger.create_tenant(tenant, &operator())?;
        None
    };
    Ok(Created { vkey: ledger.verifier_key(tenant)?.to_string(), key })
}

fn create_behind(remote: &Remote, tenant: &TenantId, first_key: bool) -> Result<Created, Failure> {
    let client = remote.client();
    if !first_key {
        let created = remote.wait(client.create_tenant(tenant))?;
        return Ok(Created { vkey: created.vkey, key: None });
    }
    let first = ledgerstone_client::FirstAdminKey::default();
    let (created, issued) = remote.wait(client.create_tenant_with_key(tenant, &first))?;
    let text = Zeroizing::new(issued.text().to_owned());
    Ok(Created { vkey: created.vkey, key: Some((text, issued.entry().key_id.clone())) })
}

impl Created {
    fn tell(&self, tenant: &TenantId, as_text: bool, console: &mut Console) -> Result<(), Failure> {
        if as_text {
            console.line(format!("created tenant {tenant}, verifier key {}", self.vkey))?;
            return self.key.iter().try_for_each(|(text, _)| {
                let text = text.as_str();
                console.line(format!("first admin key of {tenant}, shown only now:\n  {text}"))
            });
        }
        let mut line = Vec::new();
        let mut object = ObjectWriter::open(&mut line);
        if let Some((text, id)) = &self.key {
            let mut key = ObjectWriter::open(object.key("first_admin_key"));
            key.text("api_key", text);
            key.text("key_id", id);
            key.close();
        }
        object.text("tenant_id", tenant.as_str());
        object.text("vkey", &self.vkey);
        object.close();
        console.line(line)
    }
}
