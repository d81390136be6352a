//! `api-keys`: who may, on the machine itself.

use clap::{Args, Subcommand};
use ledgerstone_ledger::{ApiKeys, NewApiKey, Reader, TenantCreation};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::{ApiKey, ApiKeyId, Role, RoleSet};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::IngestedAt;
use ledgerstone_store::admin::ApiKeyRow;

use super::{Command, parsed};
use crate::arguments::{DataOption, JsonOption, TenantOption};
use crate::data_dir::{self, ForReading, IfMissing};
use crate::failure::{Ending, Failure};
use crate::output::Console;
use crate::system::{System, operator};
use crate::table::Table;

pub const COMMAND: Command = Command {
    name: "api-keys",
    about: "List, create or revoke the API keys of a tenant, or generate one for a configuration",
    details: "A key is shown when it is made and never again: only a hash of it is kept. Keys of \
              `_system` administer the deployment and read no tenant's records. While a server runs \
              on the data directory, use its /v1/api-keys.",
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
    /// List the keys of a tenant, the oldest first, whatever their state
    List {
        #[command(flatten)]
        data: DataOption,
        #[command(flatten)]
        tenant: TenantOption,
        #[command(flatten)]
        output: JsonOption,
    },
    /// Create a key and print it: the only time that it is shown
    Create {
        /// What people call it
        #[arg(long, value_name = "TEXT")]
        label: String,
        /// A role of the key: admin, auditor, writer or viewer; may be given several times
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
        /// The first moment at which it is no longer good, like 2030-01-31T00:00:00.000000Z
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        #[command(flatten)]
        data: DataOption,
        #[command(flatten)]
        tenant: TenantOption,
        #[command(flatten)]
        output: JsonOption,
    },
    /// Revoke a key, at once and for ever
    Revoke {
        /// The id of the key: the 16 characters after `lsk_`
        #[arg(value_name = "KEY_ID")]
        id: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        data: DataOption,
        #[command(flatten)]
        tenant: TenantOption,
        #[command(flatten)]
        output: JsonOption,
    },
    /// Print a fresh key, for `LEDGERSTONE_BOOTSTRAP_KEY` or `LEDGERSTONE_OPERATOR_KEY`; nothing is granted
    Generate,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    match &arguments.action {
        Action::List { data, tenant, output } => list(data, tenant, output.json, console),
        Action::Create { label, roles, expires_at, data, tenant, output } => {
            let wanted = NewApiKey {
                roles: roles.iter().map(|name| role(name)).collect::<Result<RoleSet, _>>()?,
                label,
                expires_at: expires_at.as_deref().map(time).transpose()?,
            };
            create(&wanted, data, tenant, output.json, console)
        }
        Action::Revoke { id, reason, data, tenant, output } => {
            let id = key_id(id)?;
            revoke(&id, reason.as_deref(), data, tenant, output.json, console)
        }
        Action::Generate => {
            let key = ApiKey::generate(&*System::new().entropy);
            console.line(key.to_text().as_bytes())?;
            Ok(Ending::Done)
        }
    }
}

fn list(
    data: &DataOption,
    tenant: &TenantOption,
    json: bool,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let tenant = tenant.to_read()?;
    let data = ForReading::open(&data.path, console)?;
    data.reader.size(&tenant).map_err(|error| data.failure(error))?;
    let rows = ApiKeys::read(data.reader.store())?.of_tenant(&tenant);
    let now = System::new().clock.now();
    let as_table = console.is_terminal() && !json;
    let mut table = Table::new(&["key id", "state", "roles", "granted", "label"]);
    for row in rows {
        let shown = Shown::new(&row, &data.reader, now)?;
        if as_table {
            table.row(shown.cells());
        } else {
            console.line(shown.json(None))?;
        }
    }
    if as_table {
        table.keep_whole(&[0, 1, 2, 3]);
        console.text(&table.to_string())?;
    }
    Ok(Ending::findings_if(!data.is_whole()))
}

fn create(
    wanted: &NewApiKey<'_>,
    data: &DataOption,
    tenant: &TenantOption,
    json: bool,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let tenant = tenant.to_read()?;
    let as_text = console.is_terminal() && !json;
    let creation = TenantCreation::Explicit;
    data_dir::write_with(&data.path, IfMissing::Refuse, creation, console, |data, console| {
        let ledger = data.ledger();
        let issued = ledger.grant_api_key(&data.api_keys()?, &tenant, wanted, &operator())?;
        let text = issued.text();
        if as_text {
            console.line(format!("API key of {tenant}, shown only now:\n  {}", *text))?;
        } else {
            let shown = Shown::new(issued.entry(), ledger.reader(), issued.entry().granted_at)?;
            console.line(shown.json(Some(&text)))?;
        }
        Ok(Ending::Done)
    })
}

fn revoke(
    id: &ApiKeyId,
    reason: Option<&str>,
    data: &DataOption,
    tenant: &TenantOption,
    json: bool,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let tenant = tenant.to_read()?;
    let as_text = console.is_terminal() && !json;
    let creation = TenantCreation::Explicit;
    data_dir::write_with(&data.path, IfMissing::Refuse, creation, console, |data, console| {
        let ledger = data.ledger();
        let row = ledger.revoke_api_key(&data.api_keys()?, &tenant, id, reason, &operator())?;
        if as_text {
            console.line(format!("revoked API key {id} of {tenant}"))?;
        } else {
            let shown = Shown::new(&row, ledger.reader(), row.granted_at)?;
            console.line(shown.json(None))?;
        }
        Ok(Ending::Done)
    })
}

fn role(name: &str) -> Result<Role, Failure> {
    Role::parse(name).ok_or_else(|| {
        let message =
            format!("there is no role {name:?}; the roles are admin, auditor, writer, viewer");
        Failure::new(ErrorCode::InvalidArgument, message)
    })
}

fn time(text: &str) -> Result<IngestedAt, Failure> {
    IngestedAt::parse(text).map_err(|error| {
        Failure::new(ErrorCode::InvalidTimestamp, format!("--expires-at {text:?}: {error}"))
            .with_remedy("Write it in UTC with microseconds, like 2030-01-31T00:00:00.000000Z.")
    })
}

fn key_id(text: &str) -> Result<ApiKeyId, Failure> {
    ApiKeyId::parse(text).ok_or_else(|| {
        Failure::new(ErrorCode::UnknownApiKey, "this is no id of an API key").with_remedy(
            "Give the 16 characters after `lsk_`; `ledgerstone api-keys list` shows them.",
        )
    })
}

/// A key as it is listed.
struct Shown<'a> {
    row: &'a ApiKeyRow,
    label: Option<String>,
    state: &'static str,
}

impl<'a> Shown<'a> {
    fn new(row: &'a ApiKeyRow, reader: &Reader, now: IngestedAt) -> Result<Self, Failure> {
        let state = match (&row.revoked, row.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(end)) if end <= now => "expired",
            (None, _) => "active",
        };
        Ok(Self { row, label: reader.api_key_label(row)?, state })
    }

    fn cells(&self) -> [String; 5] {
        [
            self.row.key_id.to_string(),
            self.state.to_owned(),
            self.row.roles.to_string(),
            self.row.granted_at.to_string(),
            self.label.clone().unwrap_or_default(),
        ]
    }

    fn json(&self, key: Option<&str>) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        object.optional_text("api_key", key);
        let expires_at = self.row.expires_at.map(|at| at.to_string());
        object.optional_text("expires_at", expires_at.as_deref());
        object.text("granted_at", &self.row.granted_at.to_string());
        object.text("key_id", self.row.key_id.as_str());
        object.optional_text("label", self.label.as_deref());
        let revoked_at = self.row.revoked.map(|revoked| revoked.at.to_string());
        object.optional_text("revoked_at", revoked_at.as_deref());
        object.text("roles", &self.row.roles.to_string());
        object.text("state", self.state);
        object.text("tenant_id", self.row.tenant.as_str());
        object.close();
        out
    }
}
