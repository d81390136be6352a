//! `signing-keys`: which keys sign, which signed, and how one takes another's place.

use clap::{Args, Subcommand};
use ledgerstone_ledger::{KEY_OVERLAP, KeyPeriod, SystemHistory, TenantCreation};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::system::{KeyAlgorithm, KeyChange, KeyUse, SigningKeyRecord};
use ledgerstone_proof::{IngestedAt, TenantId, VerifierKey};

use super::{Command, parsed};
use crate::arguments::{CommonOptions, LedgerOptions};
use crate::data_dir::{self, ForReading, IfMissing};
use crate::failure::{Ending, Failure};
use crate::output::{Console, counted};
use crate::system::System;
use crate::table::Table;

pub const COMMAND: Command = Command {
    name: "signing-keys",
    about: "List the keys that sign checkpoints and records, or replace one",
    details: "A log key signs checkpoints, a record key signs records. A key is replaced in every \
              ledger at once, by records that the old key signs; an old log key signs beside the \
              new one for 24 hours, then it is destroyed. A record key is Ed25519, or RSA of 3072 \
              bits, which signs some fifty times slower.",
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

fn list(ledger: &LedgerOptions, console: &mut Console) -> Result<Ending, Failure> {
    let tenant = &ledger.tenant.to_read()?;
    let data = ForReading::open(&ledger.data.path, console)?;
    let history = data.reader.history()?;
    let vkeys = data.reader.log_keys(tenant, &history)?;
    let now = System::new().clock.now();
    let as_table = console.is_terminal() && !ledger.output.json;
    let mut table = Table::new(&["use", "algorithm", "state", "since", "key id", "verifier key"]);
    for period in history.keys() {
        let row = Row::new(period, &history, &vkeys, now);
        if as_table {
            table.row(row.cells());
        } else {
            console.line(row.json(tenant))?;
        }
    }
    if as_table {
        table.keep_whole(&[0, 1, 2, 3, 4, 5]);
        console.text(&table.to_string())?;
    }
    Ok(Ending::Done)
}

/// A key as it is listed.
struct Row<'a> {
    period: &'a KeyPeriod,
    is_newest: bool,
    /// Until when it signs beside the key that took its place.
    signs_until: Option<IngestedAt>,
    /// The verifier key under the ledger's name; none for keys that never signed there.
    vkey: Option<&'a VerifierKey>,
}

impl<'a> Row<'a> {
    fn new(
        period: &'a KeyPeriod,
        history: &SystemHistory,
        vkeys: &'a [VerifierKey],
        now: IngestedAt,
    ) -> Self {
        let key_id = period.key.key_id();
        let is_it =
            |vkey: &&VerifierKey| ledgerstone_proof::KeyId::ed25519(vkey.verifying_key()) == key_id;
        let newest = history.newest_key(period.usage);
        Self {
            period,
            signs_until: history
                .signs_beside_until(&key_id, KEY_OVERLAP)
                .filter(|until| now.micros() < until.micros()),
            is_newest: newest.is_some_and(|newest| newest.key.key_id() == key_id),
            vkey: vkeys.iter().find(is_it).filter(|_| period.usage == KeyUse::Log),
        }
    }

    const fn state(&self) -> &'static str {
        match (self.is_newest, self.signs_until) {
            (true, _) => "current",
            (false, Some(_)) => "outgoing",
            (false, None) => "replaced",
        }
    }

    fn state_for_people(&self) -> String {
        match self.signs_until {
            Some(until) => format!("{} until {until}", self.state()),
            None => self.state().to_owned(),
        }
    }

    fn cells(&self) -> [String; 6] {
        [
            self.period.usage.as_str().to_owned(),
            self.period.key.algorithm().as_str().to_owned(),
            self.state_for_people(),
            self.period.announced_at.to_string(),
            self.period.key.key_id().to_string(),
            self.vkey.map_or_else(String::new, VerifierKey::to_string),
        ]
    }

    fn json(&self, tenant: &TenantId) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let mut object = ObjectWriter::open(&mut out);
        object.text("algorithm", self.period.key.algorithm().as_str());
        object.text("announced_at", &self.period.announced_at.to_string());
        object.number("announced_by", self.period.announced_by.value());
        object.text("key_id", self.period.key.key_id().as_str());
        object.text("public_key", &self.period.key.to_base64());
        let announcement = self.period.announcement.as_ref();
        let reason = announcement.and_then(SigningKeyRecord::reason).map(KeyChange::as_str);
        object.optional_text("reason", reason);
        let replaces = announcement.and_then(SigningKeyRecord::replaces);
        object.optional_text("replaces", replaces.map(ledgerstone_proof::KeyId::as_str));
        let until = self.signs_until.map(|until| until.to_string());
        object.optional_text("signs_until", until.as_deref());
        object.text("state", self.state());
        object.text("tenant_id", tenant.as_str());
        object.text("use", self.period.usage.as_str());
        object.optional_text("vkey", self.vkey.map(VerifierKey::to_string).as_deref());
        object.close();
        out
    }
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
    let as_text = console.is_terminal() && !common.output.json;
    let (path, creation) = (&common.data.path, TenantCreation::Explicit);
    let report = data_dir::write(path, IfMissing::Refuse, creation, console, |ledger, _| {
        Ok(match algorithm {
            Some(algorithm) => ledger.rotate_record_key(algorithm, reason)?,
            None => ledger.rotate_key(usage, reason)?,
        })
    })?;
    if as_text {
        console.line(format!(
            "the {} key {} ({}) takes the place of {} in {}",
            report.usage.as_str(),
            report.new,
            report.algorithm.as_str(),
            report.old,
            counted(report.ledgers as u64, "ledger")
        ))?;
        return Ok(Ending::Done);
    }
    let mut line = Vec::new();
    let mut object = ObjectWriter::open(&mut line);
    object.text("algorithm", report.algorithm.as_str());
    object.number("ledgers", report.ledgers as u64);
    object.text("new", report.new.as_str());
    object.text("old", report.old.as_str());
    object.text("use", report.usage.as_str());
    object.close();
    console.line(line)?;
    Ok(Ending::Done)
}
