//! `signing-keys`: which keys sign, which signed, and how one takes another's place.

use clap::{Args, Subcommand};
use ledgerstone_client::{Rotation, SigningKeyEntry};
use ledgerstone_ledger::{KEY_OVERLAP, KeyPeriod, SystemHistory, TenantCreation};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::system::{KeyAlgorithm, KeyChange, KeyUse, SigningKeyRecord};
use ledgerstone_proof::{IngestedAt, TenantId, VerifierKey};

use super::{Command, parsed};
use crate::arguments::{CommonOptions, LedgerOptions};
use crate::data_dir::{self, ForReading, IfMissing};
use crate::failure::{Ending, Failure};
use crate::location::Location;
use crate::output::{Console, counted};
use crate::system::{System, operator};
use crate::table::Table;

pub const COMMAND: Command = Command {
    name: "signing-keys",
    about: "List the keys that sign checkpoints and records, or replace one",
    details: "A log key signs checkpoints, a record key signs records. A key is replaced in every \
              ledger at once, by records that the old key signs; an old log key signs beside the \
              new one for 24 hours, then it is destroyed. A record key is Ed25519, or RSA of 3072 \
              bits, which signs some fifty times slower. With --server this needs a credential of \
              `_system`.",
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
    /// List every key that was ever in use, the oldest first, with the verifier keys of a ledger
    List {
        #[command(flatten)]
        ledger: LedgerOptions,
    },
    /// Replace a key by a fresh one
    Rotate {
        /// The key's use
        #[arg(long = "use", value_name = "USE", value_parser = ["log", "record"])]
        usage: String,
        /// Why: after a compromise the old log key does not sign beside the new one
        #[arg(long, value_name = "WHY", value_parser = ["rotation", "compromise"], default_value = "rotation")]
        reason: String,
        /// Algorithm of the new record key; without it, that of the old one
        #[arg(long, value_name = "ALGORITHM", value_parser = KeyAlgorithm::NAMES)]
        record_key_algorithm: Option<String>,
        #[command(flatten)]
        common: CommonOptions,
    },
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    match &arguments.action {
        Action::List { ledger } => list(ledger, console),
        Action::Rotate { usage, reason, record_key_algorithm, common } => {
            let usage = KeyUse::parse(usage).unwrap_or(KeyUse::Record);
            let reason = KeyChange::parse(reason).unwrap_or(KeyChange::Rotation);
            let algorithm = record_key_algorithm.as_deref().and_then(KeyAlgorithm::parse);
            rotate((usage, algorithm), reason, common, console)
        }
    }
}

fn list(options: &LedgerOptions, console: &mut Console) -> Result<Ending, Failure> {
    let (tenant, keys) = match options.location.find(console)? {
        Location::Directory(path) => {
            let tenant = options.tenant.to_read()?;
            let data = ForReading::open(&path, console)?;
            let history = data.reader.history()?;
            let vkeys = data.reader.log_keys(&tenant, &history)?;
            let now = System::new().clock.now();
            let keys = history.keys().iter();
            let keys = keys.map(|period| entry(period, &history, &vkeys, now)).collect();
            (tenant, keys)
        }
        Location::Server(remote) => {
            remote.check_tenant(options.tenant.named()?.as_ref())?;
            (remote.tenant()?, remote.wait(remote.client().signing_keys())?)
        }
    };
    let as_table = console.is_terminal() && !options.output.json;
    let mut table = Table::new(&["use", "algorithm", "state", "since", "key id", "verifier key"]);
    for key in &keys {
        if as_table {
            table.row(cells(key));
        } else {
            console.line(json(key, &tenant))?;
        }
    }
    if as_table {
        table.keep_whole(&[0, 1, 2, 3, 4, 5]);
        console.text(&table.to_string())?;
    }
    Ok(Ending::Done)
}

/// A key of the history as it is listed.
fn entry(
    period: &KeyPeriod,
    history: &SystemHistory,
    vkeys: &[VerifierKey],
    now: IngestedAt,
) -> SigningKeyEntry {
    let key_id = period.key.key_id();
    let is_it =
        |vkey: &&VerifierKey| ledgerstone_proof::KeyId::ed25519(vkey.verifying_key()) == key_id;
    let signs_until = history
        .signs_beside_until(&key_id, KEY_OVERLAP)
        .filter(|until| now.micros() < until.micros());
    let announcement = period.announcement.as_ref();
    let vkey = vkeys.iter().find(is_it).filter(|_| period.usage == KeyUse::Log);
    SigningKeyEntry {
        usage: period.usage.as_str().to_owned(),
        algorithm: period.key.algorithm().as_str().to_owned(),
        public_key: period.key.to_base64(),
        state: history.state_of(period, now).as_str().to_owned(),
        announced_at: period.announced_at.to_string(),
        announced_by: period.announced_by.value(),
        replaces: announcement.and_then(SigningKeyRecord::replaces).map(ToString::to_string),
        reason: announcement
            .and_then(SigningKeyRecord::reason)
            .map(|reason| reason.as_str().to_owned()),
        signs_until: signs_until.map(|until| until.to_string()),
        vkey: vkey.map(ToString::to_string),
        key_id: key_id.to_string(),
    }
}

fn cells(key: &SigningKeyEntry) -> [String; 6] {
    let state = match &key.signs_until {
        Some(until) => format!("{} until {until}", key.state),
        None => key.state.clone(),
    };
    let vkey = key.vkey.clone().unwrap_or_default();
    [
        key.usage.clone(),
        key.algorithm.clone(),
        state,
        key.announced_at.clone(),
        key.key_id.clone(),
        vkey,
    ]
}

fn json(key: &SigningKeyEntry, tenant: &TenantId) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let mut object = ObjectWriter::open(&mut out);
    object.text("algorithm", &key.algorithm);
    object.text("announced_at", &key.announced_at);
    object.number("announced_by", key.announced_by);
    object.text("key_id", &key.key_id);
    object.text("public_key", &key.public_key);
    object.optional_text("reason", key.reason.as_deref());
    object.optional_text("replaces", key.replaces.as_deref());
    object.optional_text("signs_until", key.signs_until.as_deref());
    object.text("state", &key.state);
    object.text("tenant_id", tenant.as_str());
    object.text("use", &key.usage);
    object.optional_text("vkey", key.vkey.as_deref());
    object.close();
    out
}

fn rotate(
    (usage, algorithm): (KeyUse, Option<KeyAlgorithm>),
    reason: KeyChange,
    common: &CommonOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    if usage == KeyUse::Log && algorithm.is_some() {
        let message = "--record-key-algorithm goes with --use record: a log key is always ed25519";
        return Err(Failure::new(ErrorCode::InvalidArgument, message));
    }
    let Rotation { usage, algorithm, old, new, ledgers } = match common.location.find(console)? {
        Location::Directory(path) => {
            let (missing, creation) = (IfMissing::Refuse, TenantCreation::Explicit);
            let report = data_dir::write(&path, missing, creation, console, |ledger, _| {
                Ok(match algorithm {
                    Some(algorithm) => ledger.rotate_record_key(algorithm, reason, &operator())?,
                    None => ledger.rotate_key(usage, reason, &operator())?,
                })
            })?;
            Rotation {
                usage: report.usage.as_str().to_owned(),
                algorithm: report.algorithm.as_str().to_owned(),
                old: report.old.to_string(),
                new: report.new.to_string(),
                ledgers: report.ledgers as u64,
            }
        }
        Location::Server(remote) => {
            let client = remote.client();
            remote.wait(client.rotate_signing_key(usage, algorithm, reason))?
        }
    };
    if console.is_terminal() && !common.output.json {
        console.line(format!(
            "the {usage} key {new} ({algorithm}) takes the place of {old} in {}",
            counted(ledgers, "ledger")
        ))?;
        return Ok(Ending::Done);
    }
    let mut line = Vec::new();
    let mut object = ObjectWriter::open(&mut line);
    object.text("algorithm", &algorithm);
    object.number("ledgers", ledgers);
    object.text("new", &new);
    object.text("old", &old);
    object.text("use", &usage);
    object.close();
    console.line(line)?;
    Ok(Ending::Done)
}
