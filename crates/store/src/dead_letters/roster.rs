//! What is kept, in memory: enough to know without the disk how much there is and what comes next.

use std::collections::BTreeMap;

use ledgerstone_model::SubmissionId;
use ledgerstone_proof::TenantId;

use super::{DeadLetterCounts, DeadLetterLimits};

/// The submissions of all tenants.
#[derive(Debug, Default)]
pub(super) struct Roster {
    tenants: BTreeMap<TenantId, Kept>,
    total: DeadLetterCounts,
}

/// The submissions of one tenant.
#[derive(Debug, Default)]
struct Kept {
    submissions: BTreeMap<SubmissionId, DeadLetterCounts>,
    total: DeadLetterCounts,
}

impl Roster {
    /// Notes a submission, over what was noted of it before.
    pub(super) fn put(
        &mut self,
        tenant: &TenantId,
        submission: SubmissionId,
        counts: DeadLetterCounts,
    ) {
        self.take(tenant, submission);
        let kept = self.tenants.entry(tenant.clone()).or_default();
        kept.submissions.insert(submission, counts);
        add(&mut kept.total, counts);
        add(&mut self.total, counts);
    }

    /// Forgets a submission.
    pub(super) fn take(
        &mut self,
        tenant: &TenantId,
        submission: SubmissionId,
    ) -> Option<DeadLetterCounts> {
        let kept = self.tenants.get_mut(tenant)?;
        let counts = kept.submissions.remove(&submission)?;
        subtract(&mut kept.total, counts);
        subtract(&mut self.total, counts);
        if kept.submissions.is_empty() {
            self.tenants.remove(tenant);
        }
        Some(counts)
    }

    /// How many of the next letters, whose bytes these are, there is room for.
    pub(super) fn room(
        &self,
        tenant: &TenantId,
        limits: &DeadLetterLimits,
        head_bytes: u64,
        sizes: impl Iterator<Item = usize>,
    ) -> usize {
        let own = self.counts(Some(tenant));
        let left = |limit: u64, used: u64| limit.saturating_sub(used);
        let letters = left(limits.letters, self.total.letters)
            .min(left(limits.letters_per_tenant, own.letters));
        let mut bytes = left(limits.bytes, self.total.bytes)
            .min(left(limits.bytes_per_tenant, own.bytes))
            .saturating_sub(head_bytes);
        let fits = |size: &usize| {
            let rest = bytes.checked_sub(*size as u64);
            bytes = rest.unwrap_or(0);
            rest.is_some()
        };
        sizes.take(usize::try_from(letters).unwrap_or(usize::MAX)).take_while(fits).count()
    }

    pub(super) fn counts(&self, tenant: Option<&TenantId>) -> DeadLetterCounts {
        match tenant {
            None => self.total,
            Some(tenant) => self.tenants.get(tenant).map(|kept| kept.total).unwrap_or_default(),
        }
    }

    /// The newest submission of a tenant up to this one.
    pub(super) fn newest(
        &self,
        tenant: &TenantId,
        up_to: Option<SubmissionId>,
    ) -> Option<SubmissionId> {
        let submissions = &self.tenants.get(tenant)?.submissions;
        let found = match up_to {
            None => submissions.last_key_value(),
            Some(up_to) => submissions.range(..=up_to).next_back(),
        };
        found.map(|(submission, _)| *submission)
    }

    /// The submission of a tenant that comes before this one.
    pub(super) fn older(
        &self,
        tenant: &TenantId,
        submission: SubmissionId,
    ) -> Option<SubmissionId> {
        let submissions = &self.tenants.get(tenant)?.submissions;
        submissions.range(..submission).next_back().map(|(older, _)| *older)
    }

    pub(super) fn has(&self, tenant: &TenantId, submission: SubmissionId) -> bool {
        self.tenants.get(tenant).is_some_and(|kept| kept.submissions.contains_key(&submission))
    }

    /// Submissions made before a time, in microseconds since 1970.
    pub(super) fn made_before(&self, micros: i64) -> Vec<(TenantId, SubmissionId)> {
        let mut found = Vec::new();
        for (tenant, kept) in &self.tenants {
            let old = kept.submissions.keys();
            let old = old.take_while(|submission| submission.made_at_micros() < micros);
            found.extend(old.map(|submission| (tenant.clone(), *submission)));
        }
        found
    }
}

fn add(total: &mut DeadLetterCounts, counts: DeadLetterCounts) {
    total.letters += counts.letters;
    total.open += counts.open;
    total.bytes += counts.bytes;
}

fn subtract(total: &mut DeadLetterCounts, counts: DeadLetterCounts) {
    total.letters = total.letters.saturating_sub(counts.letters);
    total.open = total.open.saturating_sub(counts.open);
    total.bytes = total.bytes.saturating_sub(counts.bytes);
}
