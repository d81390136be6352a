//! Whether a ledger that ends has ended as it should: announced by `_system`, with nothing but `system`
//! records behind `system.tenant_closing`, no content left, and nothing at all behind
//! `system.tenant_closed`.

use std::collections::HashMap;

use ledgerstone_model::NumberSet;
use ledgerstone_model::system::{
    Announcement, RetentionReason, RetentionStarted, TenantClosed, TenantClosing, TenantState,
};
use ledgerstone_proof::TenantId;
use ledgerstone_store::Check;

use super::report::Finding;
use super::walk::Walk;
use crate::history::SystemHistory;

/// How one ledger ends, as far as it does.
#[derive(Debug, Default)]
pub(super) struct Ending {
    closing: Option<(Place, Announcement)>,
    closed: Option<(Place, TenantClosed)>,
}

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) file: String,
    pub(super) offset: u64,
}

impl Place {
    fn finding(&self, tenant: &TenantId, note: &str) -> Finding {
        let finding = Finding::new(Check::Record, note).at(tenant, self.number);
        finding.in_file(&self.file, self.offset)
    }
}

/// What was read of a ledger.
pub(super) struct Read<'a> {
    pub(super) tenant: &'a TenantId,
    /// Whether that is all, from the genesis on.
    pub(super) is_whole: bool,
    /// The number behind the last record, where that was read.
    pub(super) end: Option<u64>,
    pub(super) numbers: &'a NumberSet,
    /// Those of kind `system`.
    pub(super) system: &'a NumberSet,
    /// Those without a content.
    pub(super) absent: &'a NumberSet,
}

impl Ending {
    /// Takes in what begins the end; says so where it began before.
    pub(super) fn begin(&mut self, place: Place, closing: &TenantClosing) -> Option<&'static str> {
        if self.closing.is_some() {
            return Some("the closing of the tenant begins a second time");
        }
        self.closing = Some((place, closing.announced_by));
        None
    }

    /// Takes in the last record; says what is wrong with it.
    pub(super) fn end(
        &mut self,
        place: Place,
        closed: TenantClosed,
        is_whole: bool,
    ) -> Option<&'static str> {
        let begun = self.closing.as_ref().map(|(begun, _)| begun.number);
        if self.closed.is_some() {
            return Some("the tenant is closed a second time");
        }
        let is_wrong = match begun {
            Some(begun) => begun != closed.closing_record.value(),
            // What begins it may be among what was not read.
            None => is_whole,
        };
        self.closed = Some((place, closed));
        is_wrong.then_some("a tenant is said to be closed whose closing that record does not begin")
    }

    /// What is wrong with a run that drops contents because the tenant is closed.
    pub(super) fn drops(&self, started: &RetentionStarted, is_whole: bool) -> Option<&'static str> {
        let is_closing = started.reason() == RetentionReason::TenantClosed;
        let is_faked = is_closing && self.closing.is_none() && is_whole;
        is_faked.then_some(
            "a retention run of a tenant that is not being closed, with that as its reason",
        )
    }

    /// Everything is read.
    pub(super) fn finish(&self, read: &Read<'_>, findings: &mut Vec<Finding>) {
        if self.closing.is_none() && self.closed.is_none() {
            return;
        }
        let mut others = read.numbers.clone();
        others.remove(read.system);
        if let Some((begun, _)) = &self.closing
            && let Some(behind) = others.within(begun.number + 1..u64::MAX).first()
        {
            let note = "the tenant is being closed, and another record than the server's own came behind that";
            findings.push(begun.finding(read.tenant, note).values("none", behind));
        }
        let Some((last, said)) = &self.closed else { return };
        if let Some(end) = read.end.filter(|end| *end != last.number + 1) {
            let note = "the tenant is closed, and records came behind that";
            findings.push(last.finding(read.tenant, note).values(last.number + 1, end));
        }
        let before = others.within(0..last.number);
        if read.is_whole && before.len() != said.contents {
            let note = "the tenant is said to have been closed with another number of contents";
            findings.push(last.finding(read.tenant, note).values(before.len(), said.contents));
        }
        let mut left = before;
        left.remove(read.absent);
        for numbers in left.ranges() {
            let note = "the content is there, though the tenant is closed";
            let mut finding = Finding::new(Check::Record, note).at(read.tenant, numbers.start);
            finding.following = numbers.end - numbers.start - 1;
            findings.push(finding.values("none", "a content"));
        }
    }
}

/// Compares the end of each ledger with what `_system` says of its tenant.
pub(super) fn check_endings(
    walks: &HashMap<TenantId, Walk>,
    system: &SystemHistory,
    findings: &mut Vec<Finding>,
) {
    for walk in walks.values() {
        let Some(entry) = system.tenants().get(walk.tenant()) else { continue };
        if let Some((place, named)) = &walk.ending().closing
            && entry.closing.as_ref() != Some(named)
        {
            let note = "the closing of the tenant is not the one that _system announced";
            let expected = entry.closing.as_ref().map_or_else(|| "none".to_owned(), say);
            let finding = place.finding(walk.tenant(), note);
            findings.push(finding.values(expected, say(named)));
        }
        // What comes between the two is made good by the next opening.
        if entry.state == TenantState::Closed && walk.is_sound() && walk.ending().closed.is_none() {
            let note = "_system says that the tenant is closed, and its ledger does not end so";
            let finding = Finding::new(Check::Truncated, note).at(walk.tenant(), walk.size());
            findings.push(finding.values("a system.tenant_closed record", "none"));
        }
    }
}

fn say(by: &Announcement) -> String {
    format!("record {} of _system, {}", by.sequence_number(), by.record_hash())
}
