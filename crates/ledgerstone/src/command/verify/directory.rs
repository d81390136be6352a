//! Verifies a data directory, also one that is too damaged to be opened.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};
use ledgerstone_ledger::check::{
    Finding, KeySource, Level, Report, Scope, TrustedKeys, VerifyOptions, verify,
};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::TenantId;
use ledgerstone_store::embedded::{EmbeddedStore, Mode, OpenError};
use ledgerstone_store::{Check, LedgerStore as _};

use super::since::add_since;
use super::{Arguments, DirectoryOptions};
use crate::arguments::{known_checkpoint, verifier_key};
use crate::data_dir::{LIVING_WRITER, damaged_file, in_directory_to_read, open_store};
use crate::failure::{Ending, Failure};
use crate::output::{Console, counted};
use crate::system::System;

pub fn run(path: &Path, arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let mut options = options(arguments)?;
    let report = match open_store(path, Mode::Read, &System::new()) {
        Ok(store) => {
            let store = Arc::new(store);
            tell_circumstances(&store, console);
            refuse_nothing(&store, &arguments.directory, &mut options)?;
            add_since(&arguments.directory.since, &store, &mut options)?;
            verify_store(&store, &options)?
        }
        Err(error) => unopened(path, &error, &options)?,
    };
    print(&report, arguments, console)?;
    Ok(Ending::findings_if(!report.holds()))
}

fn options(arguments: &Arguments) -> Result<VerifyOptions, Failure> {
    let level = match arguments.directory.level.as_deref() {
        Some("tree") => Level::Tree,
        _ => Level::Full,
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut options = VerifyOptions::new(level, threads);
    if let Some(tenant) = &arguments.directory.tenant {
        let tenant = TenantId::parse_stored(tenant).map_err(|error| {
            Failure::new(ErrorCode::InvalidTenant, format!("tenant {tenant:?}: {error}"))
        })?;
        options.scope = Scope::Tenant(tenant);
    }
    if !arguments.keys.is_empty() {
        let keys = arguments.keys.iter().map(|key| verifier_key(key));
        options.keys = TrustedKeys::Given(keys.collect::<Result<_, _>>()?);
    }
    for path in &arguments.directory.known {
        options.known.push(known_checkpoint(path)?);
    }
    Ok(options)
}

/// What is no finding, but explains what is seen.
fn tell_circumstances(store: &EmbeddedStore, console: &mut Console) {
    let report = store.report();
    if report.living_writer {
        console.note(LIVING_WRITER);
    }
    for torn in &report.torn {
        console.note(format!(
            "{} ends in {} torn bytes at byte {}: a write that was never acknowledged was cut \
             short; the next process that writes cuts them off",
            torn.file.display(),
            torn.bytes,
            torn.offset
        ));
    }
}

/// Refuses a tenant that is not there and a range that holds no record, so that nothing passes for
/// verified by a mistake; where the directory is damaged nobody knows how far it went.
fn refuse_nothing(
    store: &EmbeddedStore,
    wanted: &DirectoryOptions,
    options: &mut VerifyOptions,
) -> Result<(), Failure> {
    let Scope::Tenant(tenant) = &options.scope else {
        return Ok(());
    };
    let is_sound = store.report().findings.is_empty();
    let size = store.head(tenant)?.map(|head| head.range.size());
    if size.is_none() && is_sound {
        let message = format!("there is no tenant {tenant}");
        return Err(Failure::new(ErrorCode::UnknownTenant, message));
    }
    if wanted.from.is_none() && wanted.to.is_none() {
        return Ok(());
    }
    let size = size.unwrap_or(0);
    let (from, to) = (wanted.from.unwrap_or(0), wanted.to.unwrap_or(size));
    if from >= to || (to > size && is_sound) {
        let message = format!(
            "--from {from} --to {to} names no records of this ledger, which has {size}; --from is \
             below --to, and --to is the first number that is left out"
        );
        return Err(Failure::new(ErrorCode::InvalidArgument, message));
    }
    options.scope = Scope::Range { tenant: tenant.clone(), from, to };
    Ok(())
}

fn verify_store(store: &EmbeddedStore, options: &VerifyOptions) -> Result<Report, Failure> {
    // Draws on standard error, and only on a terminal.
    let bar = ProgressBar::new(0);
    let template = "{elapsed} {wide_bar} {pos}/{len} records";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let report = verify(store, options, &|progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.records);
    });
    bar.finish_and_clear();
    Ok(report?)
}

/// A directory that cannot be opened because it is not what was written is a finding; one that
/// cannot be read, or is none, could not be checked.
fn unopened(path: &Path, error: &OpenError, options: &VerifyOptions) -> Result<Report, Failure> {
    let Some(file) = damaged_file(path, error) else {
        return Err(in_directory_to_read(path, error));
    };
    let finding = Finding {
        check: Check::Format,
        code: Some(ErrorCode::StoreDamaged),
        tenant: None,
        sequence_number: None,
        file: file.to_owned(),
        offset: 0,
        expected: "the file that was written when the directory was made".to_owned(),
        found: error.to_string(),
        following: 0,
        note: "the directory cannot be opened, so nothing else was checked".to_owned(),
    };
    Ok(Report {
        findings: vec![finding],
        findings_left_out: 0,
        level: options.level,
        keys: match options.keys {
            TrustedKeys::FromDirectory => KeySource::FromDirectory,
            TrustedKeys::Given(_) => KeySource::Given,
        },
        whole: false,
        records_checked: 0,
        signatures_checked: 0,
        checkpoints_checked: 0,
        anchors_checked: 0,
        ledgers: Vec::new(),
    })
}

fn print(report: &Report, arguments: &Arguments, console: &mut Console) -> Result<(), Failure> {
    if arguments.output.json {
        return console.line(report.to_json());
    }
    for finding in &report.findings {
        console.line(finding.to_line())?;
    }
    if report.findings_left_out > 0 {
        console.line(format!("and {} more findings", report.findings_left_out))?;
    }
    if arguments.directory.verbose {
        print_ledgers(report, console)?;
    }
    console.line(verdict(report.findings.len() as u64 + report.findings_left_out))?;
    console.line(format!(
        "checked at level {}: {}, {}, {}, {}, {}",
        report.level.as_str(),
        counted(report.ledgers.len() as u64, "ledger"),
        counted(report.records_checked, "record"),
        counted(report.signatures_checked, "signature"),
        counted(report.checkpoints_checked, "checkpoint"),
        counted(report.anchors_checked, "anchor"),
    ))?;
    console.line(match report.keys {
        KeySource::FromDirectory => {
            "keys: those that the directory names; give --key with one that was kept elsewhere"
        }
        KeySource::Given => "keys: those that were given",
    })
}

/// What a number of findings comes to.
pub(super) fn verdict(findings: u64) -> String {
    match findings {
        0 => "holds".to_owned(),
        1 => "DOES NOT HOLD: 1 finding".to_owned(),
        count => format!("DOES NOT HOLD: {count} findings"),
    }
}

fn print_ledgers(report: &Report, console: &mut Console) -> Result<(), Failure> {
    for ledger in &report.ledgers {
        let root = ledger.root.map_or_else(|| "unknown".to_owned(), |root| root.to_base64());
        console.line(format!(
            "ledger {}: {} records, root {root}, {} of them under a trusted key",
            ledger.tenant, ledger.size, ledger.vouched
        ))?;
    }
    Ok(())
}
