//! `api-keys`: who may, on the machine itself.

use clap::{Args, Subcommand};
use ledgerstone_client::ApiKeyEntry;
use ledgerstone_ledger::{ApiKeys, NewApiKey, Reader, TenantCreation};
use ledgerstone_model::access::{ApiKey, ApiKeyId, Role, RoleSet};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::{ErrorCode, EventTime};
use ledgerstone_proof::IngestedAt;
use ledgerstone_store::admin::ApiKeyRow;

use super::{Command, parsed};
use crate::arguments::LedgerOptions;
use crate::data_dir::{self, ForReading, IfMissing};
use crate::failure::{Ending, Failure};
use crate::location::Location;
use crate::output::Console;
use crate::system::{System, operator};
use crate::table::Table;

pub const COMMAND: Command = Command {
    name: "api-keys",
    about: "List, create or revoke the API keys of a tenant, or generate one for a configuration",
    details: "A key is shown when it is made and never again: only a hash of it is kept. Keys of \
              `_system` administer the deployment and read no tenant's records. While a server runs \
              on the data directory, give --server.",
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
        ledger: LedgerOptions,
    },
    /// Create a key and print it: the only time that it is shown
    Create {
        /// What people call it
        #[arg(long, value_name = "TEXT")]
        label: String,
        /// A role of the key, like writer (docs/roles.md has all of them); may be given several times
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
        /// The first moment at which it is no longer good, like 2030-01-31T00:00:00.000000Z
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        #[command(flatten)]
        ledger: LedgerOptions,
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
        ledger: LedgerOptions,
    },
    /// Print a fresh key, for `LEDGERSTONE_BOOTSTRAP_KEY` or `LEDGERSTONE_OPERATOR_KEY`; nothing is granted
    Generate,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    match &arguments.action {
        Action::List { ledger } => list(ledger, console),
        Action::Create { label, roles, expires_at, ledger } => {
            let wanted = Wanted {
                roles: roles.iter().map(|name| role(name)).collect::<Result<RoleSet, _>>()?,
                label,
                expires_at: expires_at.as_deref().map(time).transpose()?,
            };
            create(&wanted, ledger, console)
        }
        Action::Revoke { id, reason, ledger } => {
            let id = key_id(id)?;
            revoke(&id, reason.as_deref(), ledger, console)
        }
        Action::Generate => {
            let key = ApiKey::generate(&*System::new().entropy);
            console.line(key.to_text().as_bytes())?;
            Ok(Ending::Done)
        }
    }
}

fn list(options: &LedgerOptions, console: &mut Console) -> Result<Ending, Failure> {
    let (keys, is_whole) = match options.location.find(console)? {
        Location::Directory(path) => {
            let tenant = options.tenant.to_read()?;
            let data = ForReading::open(&path, console)?;
            data.reader.size(&tenant).map_err(|error| data.failure(error))?;
            let rows = ApiKeys::read(data.reader.store())?.of_tenant(&tenant);
            let now = System::new().clock.now();
            let keys = rows.iter().map(|row| Shown::of_row(row, &data.reader, now));
            (keys.collect::<Result<Vec<_>, _>>()?, data.is_whole())
        }
        Location::Server(remote) => {
            remote.check_tenant(options.tenant.named()?.as_ref())?;
            let keys = remote.wait(remote.client().api_keys())?;
            (keys.into_iter().map(Shown::of_entry).collect(), true)
        }
    };
    let as_table = console.is_terminal() && !options.output.json;
    let mut table = Table::new(&["key id", "state", "roles", "granted", "label"]);
    for key in keys {
        if as_table {
            table.row(key.cells());
        } else {
            console.line(key.json(None))?;
        }
    }
    if as_table {
        table.keep_whole(&[0, 1, 2, 3]);
        console.text(&table.to_string())?;
    }
    Ok(Ending::findings_if(!is_whole))
}

/// A key that is to be made.
struct Wanted<'a> {
    roles: RoleSet,
    label: &'a str,
    expires_at: Option<IngestedAt>,
}

fn create(
    wanted: &Wanted<'_>,
    options: &LedgerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let Wanted { roles, label, expires_at } = *wanted;
    match options.location.find(console)? {
        Location::Directory(path) => {
            let tenant = options.tenant.to_read()?;
            let creation = TenantCreation::Explicit;
            // Shown before the directory is closed: whatever happens then, the key is granted.
            data_dir::write_with(&path, IfMissing::Refuse, creation, console, |data, console| {
                let (ledger, keys) = (data.ledger(), data.api_keys()?);
                let wanted = NewApiKey { roles, label, expires_at };
                let issued = ledger.grant_api_key(&keys, &tenant, &wanted, &operator())?;
                let entry = issued.entry();
                let shown = Shown::of_row(entry, ledger.reader(), entry.granted_at)?;
                tell_created(&issued.text(), &shown, options, console)
            })?;
        }
        Location::Server(remote) => {
            remote.check_tenant(options.tenant.named()?.as_ref())?;
            let wanted = ledgerstone_client::NewApiKey { roles, label, expires_at };
            let issued = remote.wait(remote.client().create_api_key(&wanted))?;
            let shown = Shown::of_entry(issued.entry().clone());
            tell_created(issued.text(), &shown, options, console)?;
        }
    }
    Ok(Ending::Done)
}

fn tell_created(
    text: &str,
    shown: &Shown,
    options: &LedgerOptions,
    console: &mut Console,
) -> Result<(), Failure> {
    if console.is_terminal() && !options.output.json {
        let tenant = &shown.0.tenant_id;
        return console.line(format!("API key of {tenant}, shown only now:\n  {text}"));
    }
    console.line(shown.json(Some(text)))
}

fn revoke(
    id: &ApiKeyId,
    reason: Option<&str>,
    options: &LedgerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let shown = match options.location.find(console)? {
        Location::Directory(path) => {
            let tenant = options.tenant.to_read()?;
            let creation = TenantCreation::Explicit;
            data_dir::write_with(&path, IfMissing::Refuse, creation, console, |data, _| {
                let (ledger, keys) = (data.ledger(), data.api_keys()?);
                let row = ledger.revoke_api_key(&keys, &tenant, id, reason, &operator())?;
                Shown::of_row(&row, ledger.reader(), row.granted_at)
            })?
        }
        Location::Server(remote) => {
            remote.check_tenant(options.tenant.named()?.as_ref())?;
            Shown::of_entry(remote.wait(remote.client().revoke_api_key(id, reason))?)
        }
    };
    if console.is_terminal() && !options.output.json {
        console.line(format!("revoked API key {id} of {}", shown.0.tenant_id))?;
    } else {
        console.line(shown.json(None))?;
    }
    Ok(Ending::Done)
}

fn role(name: &str) -> Result<Role, Failure> {
    Role::parse(name).ok_or_else(|| {
        let all: RoleSet = Role::ALL.iter().copied().collect();
        let message = format!("there is no role {name:?}; the roles are {all}");
        Failure::new(ErrorCode::InvalidArgument, message)
    })
}

fn time(text: &str) -> Result<IngestedAt, Failure> {
    let refused = |error: String| {
        Failure::new(ErrorCode::InvalidTimestamp, format!("--expires-at {text:?}: {error}"))
            .with_remedy("Write it like 2030-01-31T00:00:00Z.")
    };
    let time = EventTime::parse(text).map_err(|error| refused(error.to_string()))?;
    IngestedAt::from_micros(time.micros()).map_err(|error| refused(error.to_string()))
}

fn key_id(text: &str) -> Result<ApiKeyId, Failure> {
    ApiKeyId::parse(text).ok_or_else(|| {
        Failure::new(ErrorCode::UnknownApiKey, "this is no id of an API key").with_remedy(
            "Give the 16 characters after `lsk_`; `ledgerstone api-keys list` shows them.",
        )
    })
}

/// What stands between the names of roles.
const ROLE_SEPARATOR: &str = ", ";

/// A key as it is listed.
struct Shown(ApiKeyEntry);

impl Shown {
    fn of_row(row: &ApiKeyRow, reader: &Reader, now: IngestedAt) -> Result<Self, Failure> {
        let state = match (&row.revoked, row.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(end)) if end <= now => "expired",
            (None, _) => "active",
        };
        Ok(Self(ApiKeyEntry {
            key_id: row.key_id.to_string(),
            tenant_id: row.tenant.to_string(),
            label: reader.api_key_label(row)?,
            roles: row.roles.names().into_iter().map(ToOwned::to_owned).collect(),
            state: state.to_owned(),
            granted_at: row.granted_at.to_string(),
            expires_at: row.expires_at.map(|at| at.to_string()),
            revoked_at: row.revoked.map(|revoked| revoked.at.to_string()),
        }))
    }

    const fn of_entry(entry: ApiKeyEntry) -> Self {
        Self(entry)
    }

    fn cells(&self) -> [String; 5] {
        let ApiKeyEntry { key_id, state, granted_at, label, .. } = self.0.clone();
        [key_id, state, self.roles(), granted_at, label.unwrap_or_default()]
    }

    fn roles(&self) -> String {
        self.0.roles.join(ROLE_SEPARATOR)
    }

    fn json(&self, key: Option<&str>) -> Vec<u8> {
        let entry = &self.0;
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        object.optional_text("api_key", key);
        object.optional_text("expires_at", entry.expires_at.as_deref());
        object.text("granted_at", &entry.granted_at);
        object.text("key_id", &entry.key_id);
        object.optional_text("label", entry.label.as_deref());
        object.optional_text("revoked_at", entry.revoked_at.as_deref());
        object.texts("roles", &entry.roles);
        object.text("state", &entry.state);
        object.text("tenant_id", &entry.tenant_id);
        object.close();
        out
    }
}
