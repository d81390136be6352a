//! `init`: makes a data directory.

use clap::Args;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::system::{KeyAlgorithm, LogName, SigningMode};
use ledgerstone_proof::TenantId;

use super::{Command, parsed};
use crate::arguments::{DataOption, JsonOption, tenant_to_write};
use crate::data_dir::{self, Birth, FIRST_TENANT, ForReading};
use crate::failure::{Ending, Failure};
use crate::output::Console;
use ledgerstone_model::ErrorCode;

pub const COMMAND: Command = Command {
    name: "init",
    about: "Make a data directory: its keys, its own ledger and the tenant `default`",
    details: "The directory must not exist, or be empty, or hold what an `init` left that was \
              stopped half-way. Keep a copy of the printed keys somewhere else: they are what a verifier needs, and a key from the directory itself says little \
              about the directory.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(flatten)]
    data: DataOption,
    /// Name under which checkpoints are signed, for ever: 1 to 128 letters, digits and . _ / -
    #[arg(long, value_name = "NAME", default_value = LogName::DEFAULT)]
    log_name: String,
    /// What is signed: every record, or checkpoints alone
    #[arg(long, value_name = "WHAT", value_parser = ["record", "checkpoint"], default_value = "record")]
    signing: String,
    /// Algorithm of the key that signs records
    #[arg(long, value_name = "ALGORITHM", value_parser = KeyAlgorithm::NAMES, default_value = KeyAlgorithm::Ed25519.as_str())]
    record_key_algorithm: String,
    #[command(flatten)]
    output: JsonOption,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let birth = Birth {
        log_name: LogName::parse(&arguments.log_name)
            .map_err(|error| Failure::new(error.code(), error.to_string()))?,
        signing: SigningMode::parse(&arguments.signing).unwrap_or(SigningMode::Record),
        record_key: KeyAlgorithm::parse(&arguments.record_key_algorithm)
            .unwrap_or(KeyAlgorithm::Ed25519),
    };
    let path = &arguments.data.path;
    data_dir::create(path, &birth, console)?;
    let made = ForReading::open(path, console)?;
    let history = made.reader.history()?;
    let mut keys = Vec::new();
    for tenant in [TenantId::system(), tenant_to_write(FIRST_TENANT)?] {
        let key = made.reader.log_keys(&tenant, &history)?.pop();
        let key =
            key.ok_or_else(|| Failure::new(ErrorCode::Internal, "a new ledger has no key"))?;
        keys.push((tenant, key.to_string()));
    }
    let shown = data_dir::shown(path).display().to_string();
    if console.is_terminal() && !arguments.output.json {
        console.line(format!("made the data directory {shown}"))?;
        console.line("verifier keys, to be kept elsewhere:")?;
        for (tenant, key) in &keys {
            console.line(format!("  {tenant}  {key}"))?;
        }
        return Ok(Ending::Done);
    }
    let mut line = Vec::new();
    let mut object = ObjectWriter::open(&mut line);
    object.text("data", &shown);
    let mut vkeys = ObjectWriter::open(object.key("vkeys"));
    for (tenant, key) in &keys {
        vkeys.text(tenant.as_str(), key);
    }
    vkeys.close();
    object.close();
    console.line(line)?;
    Ok(Ending::Done)
}
