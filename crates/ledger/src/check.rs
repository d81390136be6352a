//! The verifier: everything a store holds, recomputed from its bytes and held against everything that
//! was ever signed.
//!
//! There is one verifier, for the command, for the server, and at the end of every test that writes.
//! Parts of the store are read in parallel; what they hold of each ledger is joined in order; trees
//! are compared with checkpoints and anchors at the end. It believes nothing that the store derives.

mod anchors;
mod announcements;
mod checkpoints;
mod context;
mod ending;
mod event_ids;
mod in_order;
mod interval;
mod kept_part;
mod key_history;
mod live;
mod options;
mod part;
mod report;
mod retention;
mod run;
mod signatures;
mod stretch;
mod verdicts;
mod walk;

use std::collections::HashMap;

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::TenantId;
use ledgerstone_store::{Check, LedgerStore, Part, ReadError};

use anchors::Anchors;
use announcements::check_announcements;
use checkpoints::{Kept, Known, check_kept, check_known};
use context::Context;
use ending::check_endings;
use event_ids::Kept as KeptIds;
use in_order::in_order;
use kept_part::NoMemory;
use part::{PartCheck, PartResult};
use retention::Strays;
use signatures::RecordKeys;
use walk::Walk;

use crate::history::{SystemHistory, read_genesis};

pub use kept_part::PartMemory;
pub use live::{Watch, verify_live, verify_live_remembering};
pub use options::{
    KnownCheckpoint, Level, Progress, Scope, TrustedKeys, VerifiedHead, VerifyOptions,
};
pub use report::{Finding, KeySource, LedgerReport, Report};

/// Verifies a store. The error is that it could not be read at all; everything that is wrong with it
/// is in the report.
pub fn verify(
    store: &dyn LedgerStore,
    options: &VerifyOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, ReadError> {
    verify_remembering(store, options, progress, &NoMemory)
}

/// The same, where parts may be known from before.
fn verify_remembering(
    store: &dyn LedgerStore,
    options: &VerifyOptions,
    progress: &(dyn Fn(Progress) + Sync),
    memory: &dyn PartMemory,
) -> Result<Report, ReadError> {
    let (parts, containers) = store.parts()?;
    let total = parts.iter().map(|part| part.records).sum();
    let mut report = Report::begin(options);
    report.add_all(containers.into_iter().map(Finding::of_container));
    let ledgers = store.ledgers()?;
    let (system, is_whole) = match SystemHistory::read_what_can_be_read(store) {
        Some((system, is_whole)) => (Some(system), is_whole),
        None => (None, false),
    };
    // What stands behind damage was not read for the history.
    let is_whole = is_whole && !parts.iter().any(|part| part.behind_damage);
    let mut context = Context::new(store, options, progress, total);
    let mut evidence = Evidence::collect(&parts, &ledgers, &context);
    context.want(evidence.sizes());
    let mut record_keys = RecordKeys::of(system.as_ref(), is_whole);
    if !is_whole {
        record_keys.add_geneses(store, &ledgers);
    }
    context.set_record_keys(record_keys);
    let mut walks = begin_walks(ledgers, &context);
    let mut ids = KeptIds::new();
    let mut strays = Strays::default();
    let read = |part: &Part| read_part(&context, memory, part);
    in_order(options.threads, &parts, read, |result| {
        ids.add(&result.ids);
        report.records_checked += result.records;
        report.signatures_checked += result.signatures;
        let mut findings = result.findings;
        strays.take(result.superseded, &result.stretches);
        for stretch in result.stretches {
            let walk = walks
                .entry(stretch.tenant.clone())
                .or_insert_with_key(|tenant| Walk::begin(tenant.clone(), options));
            walk.take(stretch, &mut findings);
        }
        evidence.check_anchors(&mut walks, &context, &mut findings);
        report.add_all(findings);
    });
    let mut findings = event_ids::check(&context, &parts, ids);
    for walk in walks.values_mut() {
        walk.finish(&context, system.as_ref(), &mut findings);
        walk.compare_since(&context, &mut findings);
    }
    strays.check(&context, &walks, &mut findings);
    find_lost(&walks, options, &mut findings);
    if let Some(system) = system.as_ref().filter(|_| is_whole) {
        check_announcements(&walks, system, &mut findings);
        check_endings(&walks, system, &mut findings);
    }
    evidence.check_anchors(&mut walks, &context, &mut findings);
    evidence.conclude(&walks, &context, &mut report, &mut findings);
    if store.status().read_only {
        report.drop_losses_of_frames(&mut findings);
        findings.extend(lost_ledgers(&walks, options));
    }
    report.add_all(findings);
    report.findings.sort_by(|left, right| {
        (&left.tenant, left.sequence_number).cmp(&(&right.tenant, right.sequence_number))
    });
    report.ledgers.sort_by(|left, right| left.tenant.cmp(&right.tenant));
    Ok(report)
}

/// Ledgers that an earlier verification found and that are not there any more.
fn find_lost(
    walks: &HashMap<TenantId, Walk>,
    options: &VerifyOptions,
    findings: &mut Vec<Finding>,
) {
    let is_lost =
        |since: &&VerifiedHead| options.wants(&since.tenant) && !walks.contains_key(&since.tenant);
    for since in options.since.iter().filter(is_lost) {
        let note = "a ledger that was verified earlier is not there any more";
        let finding = Finding::new(Check::Truncated, note).of(&since.tenant);
        findings.push(finding.values(since.size, 0).with_code(ErrorCode::LedgerRolledBack));
    }
}

/// In a damaged store: tenants that `_system` names, of whose ledgers no record can be read.
fn lost_ledgers(walks: &HashMap<TenantId, Walk>, options: &VerifyOptions) -> Vec<Finding> {
    let system = walks.get(&TenantId::system()).filter(|_| options.scope == Scope::All);
    let named = system.into_iter().flat_map(|system| system.tenants.keys());
    let lost = named.filter(|tenant| walks.get(tenant).is_none_or(|walk| walk.size() == 0));
    let note = "_system names this tenant, but no record of its ledger can be read";
    lost.map(|tenant| Finding::new(Check::Truncated, note).at(tenant, 0)).collect()
}

fn begin_walks(ledgers: Vec<TenantId>, context: &Context<'_>) -> HashMap<TenantId, Walk> {
    let wanted = ledgers.into_iter().filter(|tenant| context.wants(tenant));
    wanted.map(|tenant| (tenant.clone(), Walk::begin(tenant, context.options()))).collect()
}

fn read_part(context: &Context<'_>, memory: &dyn PartMemory, part: &Part) -> PartResult {
    if let Some(known) = kept_part::recall(context, memory, part) {
        return known;
    }
    let mut check = PartCheck::new(context, part);
    if let Err(error) = context.store().inspect(part, &mut check) {
        let file = part.location.file.to_string_lossy();
        let finding = Finding::new(Check::Frame, "the part could not be read");
        check.add(finding.in_file(&file, part.location.offset).values("its records", error));
    }
    let result = check.finish();
    kept_part::keep(memory, part, &result);
    result
}

/// What was signed, and is to be held against the ledgers.
struct Evidence {
    kept: HashMap<TenantId, Vec<Kept>>,
    anchors: Anchors,
    known: Vec<Known>,
    unreadable: Vec<Finding>,
    sizes: Vec<(TenantId, u64)>,
}

impl Evidence {
    fn collect(parts: &[Part], ledgers: &[TenantId], context: &Context<'_>) -> Self {
        let mut evidence = Self {
            kept: HashMap::new(),
            anchors: Anchors::default(),
            known: Vec::new(),
            unreadable: Vec::new(),
            sizes: Vec::new(),
        };
        for part in parts {
            let file = part.location.file.to_string_lossy();
            for stored in &part.contents.checkpoints {
                evidence.sizes.push((stored.tenant.clone(), stored.size));
                let kept = Kept { stored: stored.clone(), file: file.clone().into_owned() };
                evidence.kept.entry(stored.tenant.clone()).or_default().push(kept);
            }
            for round in &part.contents.anchored {
                evidence.sizes.extend(round.sizes.iter().cloned());
                evidence.anchors.add_round(round.anchor, round.sizes.clone(), &file);
            }
        }
        let since = &context.options().since;
        evidence.sizes.extend(since.iter().map(|since| (since.tenant.clone(), since.size)));
        evidence.collect_known(ledgers, context);
        evidence
    }

    fn collect_known(&mut self, ledgers: &[TenantId], context: &Context<'_>) {
        let notes = &context.options().known;
        if notes.is_empty() {
            return;
        }
        let origin = |tenant: &TenantId| {
            let (genesis, _) = read_genesis(context.store(), tenant).ok()??;
            Some((genesis.origin(), tenant.clone()))
        };
        let origins: HashMap<String, TenantId> = ledgers.iter().filter_map(origin).collect();
        for note in notes {
            match note.parse() {
                Ok(body) => {
                    let tenant = origins.get(body.origin()).cloned();
                    let size = body.size().value();
                    self.sizes.extend(tenant.clone().map(|tenant| (tenant, size)));
                    self.known.push(Known { seen: note.clone(), body, tenant });
                }
                Err(error) => {
                    let what = "a checkpoint seen elsewhere cannot be read";
                    let finding = Finding::new(Check::Checkpoint, what).seen_in(&note.name);
                    self.unreadable.push(finding.values("a signed checkpoint", error));
                }
            }
        }
    }

    /// The sizes at which trees are to be compared.
    fn sizes(&mut self) -> Vec<(TenantId, u64)> {
        std::mem::take(&mut self.sizes)
    }

    fn check_anchors(
        &mut self,
        walks: &mut HashMap<TenantId, Walk>,
        context: &Context<'_>,
        findings: &mut Vec<Finding>,
    ) {
        let system = walks.get_mut(&TenantId::system());
        let read = system.map(|system| std::mem::take(&mut system.anchors)).unwrap_or_default();
        self.anchors.check(read, walks, &context.options().scope, findings);
    }

    /// Everything is read: compares, and says for what the trusted keys vouch.
    fn conclude(
        mut self,
        walks: &HashMap<TenantId, Walk>,
        context: &Context<'_>,
        report: &mut Report,
        findings: &mut Vec<Finding>,
    ) {
        let options = context.options();
        findings.append(&mut self.unreadable);
        self.anchors.finish(walks, &options.scope, findings);
        report.anchors_checked = self.anchors.checked;
        let mut vouched = HashMap::new();
        for (tenant, walk) in walks {
            let kept = self.kept.remove(tenant).unwrap_or_default();
            report.checkpoints_checked += kept.len() as u64;
            let verdicts = &mut self.anchors.verdicts;
            vouched.insert(tenant, check_kept(walk, &kept, &options.keys, verdicts, findings));
        }
        self.find_strays(context, findings);
        findings.extend(std::mem::take(&mut self.anchors.verdicts).into_findings());
        self.compare_known(walks, context, report, findings);
        let system_vouched = vouched.get(&TenantId::system()).copied().unwrap_or(0);
        let anchored = self.anchors.vouched(system_vouched);
        for (tenant, walk) in walks {
            let own = vouched.get(tenant).copied().unwrap_or(0);
            let vouched = own.max(anchored.get(tenant).copied().unwrap_or(0)).min(walk.size());
            report.ledgers.push(ledger_report(walk, vouched, &options.scope));
        }
        check_tenants(walks, &options.scope, findings);
        check_given_keys(walks, report, options, findings);
    }

    /// Checkpoints of ledgers that are not there.
    fn find_strays(&self, context: &Context<'_>, findings: &mut Vec<Finding>) {
        for (tenant, kept) in self.kept.iter().filter(|(tenant, _)| context.wants(tenant)) {
            let size = kept.iter().map(|kept| kept.stored.size).max().unwrap_or(0);
            let note = "a checkpoint of a ledger that has no records";
            let mut finding = Finding::new(Check::Truncated, note).at(tenant, 0);
            finding.following = size.saturating_sub(1);
            findings.push(finding.values(size, 0));
        }
    }

    fn compare_known(
        &self,
        walks: &HashMap<TenantId, Walk>,
        context: &Context<'_>,
        report: &mut Report,
        findings: &mut Vec<Finding>,
    ) {
        for known in &self.known {
            report.checkpoints_checked += 1;
            match known.tenant.as_ref().and_then(|tenant| walks.get(tenant)) {
                Some(walk) => check_known(walk, known, &context.options().keys, findings),
                None if known.tenant.is_some() => {}
                None => {
                    let note = "a checkpoint seen elsewhere is of a ledger that is not here";
                    let finding = Finding::new(Check::Checkpoint, note);
                    let finding = finding.values(known.body.origin(), "no such ledger");
                    let finding = finding.seen_in(&known.seen.name);
                    findings.push(finding.with_code(ErrorCode::LedgerRolledBack));
                }
            }
        }
    }
}

fn ledger_report(walk: &Walk, vouched: u64, scope: &Scope) -> LedgerReport {
    let reaches_end = !matches!(scope, Scope::Range { .. });
    LedgerReport {
        tenant: walk.tenant().clone(),
        size: walk.size(),
        root: walk.root().filter(|_| reaches_end),
        record_hash: reaches_end.then(|| walk.last_hash()),
        vouched,
    }
}

/// Every ledger is one of a tenant that `_system` names.
fn check_tenants(walks: &HashMap<TenantId, Walk>, scope: &Scope, findings: &mut Vec<Finding>) {
    let system = walks.get(&TenantId::system());
    let is_known = |system: &&Walk| *scope == Scope::All && system.is_sound();
    let Some(system) = system.filter(is_known) else {
        return;
    };
    for tenant in walks.keys().filter(|tenant| !tenant.is_system()) {
        if !system.tenants.contains_key(tenant) {
            let note = "a ledger of a tenant that _system does not name";
            findings.push(Finding::new(Check::Record, note).at(tenant, 0));
        }
    }
}

/// Keys that were given must vouch for something.
fn check_given_keys(
    walks: &HashMap<TenantId, Walk>,
    report: &Report,
    options: &VerifyOptions,
    findings: &mut Vec<Finding>,
) {
    let TrustedKeys::Given(given) = &options.keys else {
        return;
    };
    let is_here = |walk: &Walk| given.iter().any(|key| walk.keys().origin() == Some(key.name()));
    if !walks.values().any(is_here) {
        let note = "the given key is of a ledger that is not here";
        let names: Vec<&str> = given.iter().map(|key| key.name().as_str()).collect();
        findings
            .push(Finding::new(Check::Checkpoint, note).values(names.join(" "), "no such ledger"));
    }
    for ledger in report.ledgers.iter().filter(|ledger| ledger.vouched == 0 && ledger.size > 0) {
        let note = "nothing in this ledger is under the given key; a checkpoint or an anchor is \
                    needed, which every clean stop writes";
        let finding = Finding::new(Check::Checkpoint, note).at(&ledger.tenant, 0);
        findings.push(finding.values("a checkpoint under the given key", "none"));
    }
}
