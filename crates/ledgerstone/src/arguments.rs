//! Options that several commands have, with one meaning everywhere.

use std::path::{Path, PathBuf};

use clap::Args;
use ledgerstone_ledger::check::KnownCheckpoint;
use ledgerstone_ledger::{Ledger, TenantCreation};
use ledgerstone_model::{ErrorCode, Numbers};
use ledgerstone_proof::{EventId, NameError, TenantId, VerifierKey};
use zeroize::Zeroizing;

use crate::data_dir::FIRST_TENANT;
use crate::failure::Failure;
use crate::ingest::TenantChoice;
use crate::location::{LocationOption, ServerOption, only_with_data};
use crate::output::Console;
use crate::remote::Remote;

/// `--data DIR`.
#[derive(Args, Debug)]
pub struct DataOption {
    /// The data directory
    #[arg(id = "data", long = "data", value_name = "DIR", default_value = "./ledgerstone-data")]
    pub path: PathBuf,
}

/// `--tenant T`.
#[derive(Args, Debug)]
pub struct TenantOption {
    /// The tenant whose ledger is meant; `_system` is the deployment's own; unless given, `default`,
    /// or with --server the credential's own
    #[arg(long, value_name = "T")]
    tenant: Option<String>,
}

impl TenantOption {
    /// A tenant whose ledger is read in a data directory.
    pub fn to_read(&self) -> Result<TenantId, Failure> {
        tenant_to_read(self.tenant.as_deref().unwrap_or(FIRST_TENANT))
    }

    /// The tenant that was named.
    pub fn named(&self) -> Result<Option<TenantId>, Failure> {
        self.tenant.as_deref().map(tenant_to_read).transpose()
    }
}

/// Where events go, for the commands that take them in.
#[derive(Args, Debug)]
pub struct IntoOption {
    /// The tenant whose ledger takes the events; one that names another tenant is refused; unless
    /// given, `default`, or with --server the credential's own
    #[arg(long, value_name = "T")]
    tenant: Option<String>,
    /// Take each event's tenant from this field of it: a JSON pointer, or names with dots between
    #[arg(long, value_name = "FIELD", conflicts_with = "tenant")]
    tenant_from: Option<String>,
    /// Create tenants on their first event; events for others are refused
    #[arg(long)]
    create_tenants: bool,
    /// What becomes of numbers that canonical JSON cannot hold exactly: the event is refused, or the
    /// number becomes a string, and `intake` names it
    #[arg(long, value_name = "WHAT", value_parser = Numbers::NAMES.to_vec(), default_value = "refuse")]
    numbers: String,
}

impl IntoOption {
    pub fn choice(&self) -> Result<TenantChoice, Failure> {
        match &self.tenant_from {
            Some(field) => Ok(TenantChoice::from_field(field)),
            None => {
                let name = self.tenant.as_deref().unwrap_or(FIRST_TENANT);
                Ok(TenantChoice::Fixed(tenant_to_write(name)?))
            }
        }
    }

    /// Refuses what a server does not let a client choose, the credential's tenant included.
    pub fn check_for(&self, remote: &Remote) -> Result<(), Failure> {
        only_with_data("--tenant-from", self.tenant_from.is_some())?;
        only_with_data("--create-tenants", self.create_tenants)?;
        let named = self.tenant.as_deref().map(tenant_to_write).transpose()?;
        remote.check_tenant(named.as_ref())
    }

    pub fn numbers(&self) -> Numbers {
        Numbers::parse(&self.numbers).unwrap_or_default()
    }

    pub const fn creation(&self) -> TenantCreation {
        if self.create_tenants { TenantCreation::OnFirstEvent } else { TenantCreation::Explicit }
    }

    /// Says at once, and not for every event, that a tenant does not exist.
    pub fn refuse_unknown(&self, choice: &TenantChoice, ledger: &Ledger) -> Result<(), Failure> {
        match choice {
            TenantChoice::Fixed(tenant) if !self.create_tenants => {
                ledger.reader().size(tenant)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// `--json`.
#[derive(Args, Debug)]
pub struct JsonOption {
    /// Write JSON, also on a terminal
    #[arg(long)]
    pub json: bool,
}

/// What every command about a deployment has.
#[derive(Args, Debug)]
pub struct CommonOptions {
    #[command(flatten)]
    pub location: LocationOption,
    #[command(flatten)]
    pub output: JsonOption,
}

/// The same for a command about one ledger.
#[derive(Args, Debug)]
pub struct LedgerOptions {
    #[command(flatten)]
    pub location: LocationOption,
    #[command(flatten)]
    pub tenant: TenantOption,
    #[command(flatten)]
    pub output: JsonOption,
}

/// The same where a server alone will do.
#[derive(Args, Debug)]
pub struct ServerOptions {
    #[command(flatten)]
    server: ServerOption,
    /// Do nothing unless the credential is of this tenant
    #[arg(long, value_name = "T")]
    tenant: Option<String>,
    #[command(flatten)]
    pub output: JsonOption,
}

impl ServerOptions {
    /// The server that the command works through.
    pub fn on_server(&self, command: &str, console: &mut Console) -> Result<Box<Remote>, Failure> {
        let remote = self.server.find(command, console)?;
        let tenant = self.tenant.as_deref().map(tenant_to_read).transpose()?;
        remote.check_tenant(tenant.as_ref())?;
        Ok(remote)
    }
}

/// One line of standard input, without its end: a text that must not be an argument, which others
/// see in the list of processes.
pub fn line_of_input(what: &str) -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().read_line(&mut line).map_err(|error| {
        Failure::new(ErrorCode::InvalidArgument, format!("{what} on standard input: {error}"))
    })?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The same for a command about one record.
#[derive(Args, Debug)]
pub struct RecordOptions {
    /// The event's id
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    id: String,
    #[command(flatten)]
    pub ledger: LedgerOptions,
}

impl RecordOptions {
    /// The id of the record; the server's own ids are fine.
    pub fn id(&self) -> Result<EventId, Failure> {
        EventId::parse_stored(&self.id).map_err(|error| {
            Failure::new(ErrorCode::InvalidId, format!("id {:?}: {error}", self.id))
        })
    }
}

/// `--known FILE`, for the commands that sign.
#[derive(Args, Debug)]
pub struct KnownOption {
    /// A checkpoint that was kept elsewhere: unless its ledger extends it, nothing is signed or
    /// recorded; may be given several times
    #[arg(long, value_name = "FILE")]
    known: Vec<PathBuf>,
}

impl KnownOption {
    /// Whether any was given.
    pub const fn is_given(&self) -> bool {
        !self.known.is_empty()
    }

    /// The signed notes in the files.
    pub fn notes(&self) -> Result<Vec<String>, Failure> {
        self.known.iter().map(|path| Ok(known_checkpoint(path)?.note)).collect()
    }
}

/// A checkpoint that was kept elsewhere.
pub fn known_checkpoint(path: &Path) -> Result<KnownCheckpoint, Failure> {
    let refused = |reason: String| {
        let message = format!("--known {}: {reason}", path.display());
        Failure::new(ErrorCode::InvalidProof, message)
            .with_remedy("Give a signed checkpoint, as `ledgerstone checkpoint` prints it.")
    };
    let bytes = std::fs::read(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    let note = String::from_utf8(bytes)
        .map_err(|_| refused("is not text, so no checkpoint".to_owned()))?;
    let known = KnownCheckpoint { name: path.display().to_string(), note };
    known.parse().map_err(|reason| refused(format!("is no signed checkpoint: {reason}")))?;
    Ok(known)
}

/// Reads a file that was given as an argument.
pub fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorCode::InvalidArgument,
            _ => ErrorCode::StorageFailed,
        };
        Failure::new(code, format!("{} cannot be read: {error}", path.display()))
            .with_remedy("Check the path.")
    })
}

/// A tenant whose ledger is read.
fn tenant_to_read(name: &str) -> Result<TenantId, Failure> {
    TenantId::parse_stored(name).map_err(|error| bad_tenant(name, error))
}

/// A tenant whose ledger events go into.
pub fn tenant_to_write(name: &str) -> Result<TenantId, Failure> {
    TenantId::parse(name).map_err(|error| bad_tenant(name, error))
}

fn bad_tenant(name: &str, error: NameError) -> Failure {
    let code = match error {
        NameError::Reserved => ErrorCode::ReservedName,
        _ => ErrorCode::InvalidTenant,
    };
    let failure = Failure::new(code, format!("tenant {name:?}: {error}"));
    match error {
        NameError::Reserved => failure.with_remedy(
            "Choose another name. The ledger _system is written by the server alone; it can be read.",
        ),
        _ => failure,
    }
}

/// The public key that a verifier was given.
pub fn verifier_key(text: &str) -> Result<VerifierKey, Failure> {
    VerifierKey::parse(text.trim()).map_err(|error| {
        Failure::new(ErrorCode::InvalidKey, format!("key {text:?}: {error}")).with_remedy(
            "Give the whole key as `ledgerstone signing-keys list` or `ledgerstone checkpoint \
             --json` prints it, in quotes.",
        )
    })
}
