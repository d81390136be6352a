//! `sealing-keys`: the keys that fields are sealed under, as far as they can be told, and how those of a
//! tenant are wrapped anew.

use std::path::Path;

use clap::{Args, Subcommand};
use ledgerstone_client::{SealingKeyEntry, SealingKeyFiles, SealingKeyRotation};
use ledgerstone_ledger::sealing_keys::SealingKeysOverview;
use ledgerstone_ledger::{TenantCreation, subject_requests};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::TenantId;

use super::{Command, parsed};
use crate::arguments::{CommonOptions, LedgerOptions};
use crate::data_dir::{self, ForReading, IfMissing, Means};
use crate::failure::{Ending, Failure};
use crate::location::Location;
use crate::output::{Console, counted};
use crate::remote::Remote;
use crate::system::operator;
use crate::table::Table;

pub const COMMAND: Command = Command {
    name: "sealing-keys",
    about: "List the keys that fields are sealed under, or replace the key of a tenant",
    details: "The root key wraps one key for each tenant, and that the keys of its people; \
              docs/sealing-keys.md tells more. A key itself is never shown. Rotating wraps the keys of a \
              tenant's people by a new key and destroys the old one: no record changes, what was sealed \
              opens as before, and an `audit` record says who did it. An interrupted rotation is finished by the next one. With \
              --server, credentials of `_system` see and rotate the keys of all tenants.",
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
    /// List the tenants' keys, with how many keys of people each of them wraps
    List {
        #[command(flatten)]
        common: CommonOptions,
    },
    /// Replace the key of a tenant
    Rotate {
        /// The keys of every tenant that has one, one after the other
        #[arg(long, conflicts_with = "tenant")]
        all: bool,
        #[command(flatten)]
        options: LedgerOptions,
    },
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    match &arguments.action {
        Action::List { common } => list(common, console),
        Action::Rotate { all, options } => match options.location.find(console)? {
            Location::Directory(path) => rotate_here(&path, *all, options, console),
            Location::Server(remote) => rotate_behind(&remote, *all, options, console),
        },
    }
}

fn list(common: &CommonOptions, console: &mut Console) -> Result<Ending, Failure> {
    let (keys, files) = match common.location.find(console)? {
        Location::Directory(path) => in_directory(&path, console)?,
        Location::Server(remote) => {
            let told = remote.wait(remote.client().sealing_keys())?;
            (
                told.sealing_keys.into_iter().map(Row::from).collect(),
                told.deployment.map(Files::from),
            )
        }
    };
    if !console.is_terminal() || common.output.json {
        keys.iter().try_for_each(|row: &Row| console.line(row.json()))?;
    } else {
        let heading = ["tenant", "root service", "root key", "live keys", "erased keys", "key id"];
        let mut table = Table::new(&heading);
        keys.iter().for_each(|row| table.row(row.cells()));
        table.keep_whole(&[0, 1, 2, 3, 4, 5]);
        console.text(&table.to_string())?;
    }
    if let Some(files) = &files {
        console.note(files.sentence());
    }
    for row in keys.iter().filter(|row| row.outdated > 0) {
        console.note(format!("a rotation of {} did not end; rotate its key again", row.tenant));
    }
    Ok(Ending::findings_if(files.is_some_and(|files| files.lost > 0)))
}

fn in_directory(path: &Path, console: &mut Console) -> Result<(Vec<Row>, Option<Files>), Failure> {
    let data = ForReading::open(path, console)?;
    let keys = Means::of_environment()?.look_at_sealing_keys(path, console)?;
    let Some(keys) = keys else { return Ok((Vec::new(), None)) };
    let erased = subject_requests::erased_keys(data.reader.store())?;
    let SealingKeysOverview { generation, tenants, destroyed, lost } = keys.overview();
    let row = |keys: ledgerstone_ledger::sealing_keys::TenantKeys| Row {
        erased: erased.get(&keys.tenant).map_or(0, |keys| keys.len() as u64),
        tenant: keys.tenant.to_string(),
        key_id: keys.key_id.to_string(),
        root_service: keys.wrapped_by.service,
        root_key: keys.wrapped_by.key,
        live: keys.live,
        outdated: keys.outdated,
    };
    let files = Files { generation: generation.0, destroyed, lost };
    Ok((tenants.into_iter().map(row).collect(), Some(files)))
}

fn rotate_here(
    path: &Path,
    all: bool,
    options: &LedgerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let named = options.tenant.to_read()?;
    let (missing, creation) = (IfMissing::Refuse, TenantCreation::Explicit);
    data_dir::write(path, missing, creation, console, |ledger, console| {
        let tenants = if all {
            let overview = ledger.sealing_keys_overview();
            overview.into_iter().flat_map(|keys| keys.tenants).map(|keys| keys.tenant).collect()
        } else {
            vec![named]
        };
        for tenant in tenants {
            let done = ledger.rotate_sealing_key(&tenant, &operator())?;
            let key_id = done.key_id.to_string();
            tell(
                &Rotated { tenant: tenant.to_string(), key_id, rewrapped: done.rewrapped },
                options,
                console,
            )?;
        }
        Ok(Ending::Done)
    })
}

fn rotate_behind(
    remote: &Remote,
    all: bool,
    options: &LedgerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let named = options.tenant.named()?;
    let client = remote.client();
    if all {
        for entry in remote.wait(client.sealing_keys())?.sealing_keys {
            let tenant = TenantId::parse_stored(&entry.tenant_id).ok();
            let done = remote.wait(client.rotate_sealing_key(tenant.as_ref()))?;
            tell(&done.into(), options, console)?;
        }
        return Ok(Ending::Done);
    }
    if !remote.tenant()?.is_system() {
        remote.check_tenant(named.as_ref())?;
    }
    tell(&remote.wait(client.rotate_sealing_key(named.as_ref()))?.into(), options, console)?;
    Ok(Ending::Done)
}

fn tell(done: &Rotated, options: &LedgerOptions, console: &mut Console) -> Result<(), Failure> {
    let Rotated { tenant, key_id, rewrapped } = done;
    if console.is_terminal() && !options.output.json {
        let keys = counted(*rewrapped, "key");
        return console.line(format!("{tenant}: the new key {key_id} wraps {keys}"));
    }
    let mut line = Vec::new();
    let mut object = ObjectWriter::open(&mut line);
    object.text("key_id", key_id);
    object.number("rewrapped_keys", *rewrapped);
    object.text("tenant_id", tenant);
    object.close();
    console.line(line)
}

/// A rotation that was done.
struct Rotated {
    tenant: String,
    key_id: String,
    rewrapped: u64,
}

impl From<SealingKeyRotation> for Rotated {
    fn from(told: SealingKeyRotation) -> Self {
        let SealingKeyRotation { tenant_id, key_id, rewrapped_keys, .. } = told;
        Self { tenant: tenant_id, key_id, rewrapped: rewrapped_keys }
    }
}

/// The keys of one tenant.
struct Row {
    tenant: String,
    key_id: String,
    root_service: String,
    root_key: Option<String>,
    live: u64,
    erased: u64,
    outdated: u64,
}

impl From<SealingKeyEntry> for Row {
    fn from(told: SealingKeyEntry) -> Self {
        Self {
            tenant: told.tenant_id,
            key_id: told.key_id,
            root_service: told.root_service,
            root_key: told.root_key_id,
            live: told.live_keys,
            erased: told.erased_keys,
            outdated: told.outdated_keys,
        }
    }
}

impl Row {
    fn cells(&self) -> [String; 6] {
        [
            self.tenant.clone(),
            self.root_service.clone(),
            self.root_key.clone().unwrap_or_default(),
            self.live.to_string(),
            self.erased.to_string(),
            self.key_id.clone(),
        ]
    }

    fn json(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut line);
        object.number("erased_keys", self.erased);
        object.text("key_id", &self.key_id);
        object.number("live_keys", self.live);
        object.number("outdated_keys", self.outdated);
        object.optional_text("root_key_id", self.root_key.as_deref());
        object.text("root_service", &self.root_service);
        object.text("tenant_id", &self.tenant);
        object.close();
        line
    }
}

/// The key files as a whole.
#[derive(Clone, Copy)]
struct Files {
    generation: u64,
    destroyed: u64,
    lost: u64,
}

impl From<SealingKeyFiles> for Files {
    fn from(told: SealingKeyFiles) -> Self {
        let SealingKeyFiles { generation, destroyed_keys, lost_slots, .. } = told;
        Self { generation, destroyed: destroyed_keys, lost: lost_slots }
    }
}

impl Files {
    fn sentence(self) -> String {
        let Self { generation, destroyed, lost } = self;
        let lost = match lost {
            0 => String::new(),
            lost => format!(", {} damaged in both files", counted(lost, "slot")),
        };
        let destroyed = counted(destroyed, "key");
        format!("the key files have generation {generation}, {destroyed} destroyed{lost}")
    }
}
