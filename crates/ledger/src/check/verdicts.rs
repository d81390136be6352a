//! What was signed against what was recomputed, ledger by ledger: one finding for all checkpoints and
//! anchors that say the same.

use std::collections::HashMap;

use ledgerstone_proof::{Hash, TenantId};
use ledgerstone_store::Check;

use super::report::Finding;

/// Something signed that speaks of a ledger at a size.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// What it is, such as `a kept checkpoint`.
    pub(super) what: String,
    pub(super) file: String,
}

/// What was signed about ledgers, held against them.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    ledgers: HashMap<TenantId, Verdict>,
}

#[derive(Debug, Default)]
struct Verdict {
    agreeing: Vec<u64>,
    contradicting: u64,
    /// The contradiction at the smallest size: size, what was signed, what was recomputed.
    first: Option<(u64, String, Hash, Source)>,
    /// The largest size beyond the ledger's end, and the ledger's size.
    beyond: Option<(u64, u64, Source)>,
}

impl Verdicts {
    pub(super) fn agrees(&mut self, tenant: &TenantId, size: u64) {
        self.of(tenant).agreeing.push(size);
    }

    /// The tree of that size is another.
    pub(super) fn contradicts(
        &mut self,
        tenant: &TenantId,
        size: u64,
        (signed, found): (String, Hash),
        source: Source,
    ) {
        let verdict = self.of(tenant);
        verdict.contradicting += 1;
        if verdict.first.as_ref().is_none_or(|(first, ..)| size < *first) {
            verdict.first = Some((size, signed, found, source));
        }
    }

    /// The ledger does not reach that size.
    pub(super) fn is_beyond(&mut self, tenant: &TenantId, size: u64, length: u64, source: Source) {
        let verdict = self.of(tenant);
        if verdict.beyond.as_ref().is_none_or(|(largest, ..)| size > *largest) {
            verdict.beyond = Some((size, length, source));
        }
    }

    fn of(&mut self, tenant: &TenantId) -> &mut Verdict {
        if !self.ledgers.contains_key(tenant) {
            self.ledgers.insert(tenant.clone(), Verdict::default());
        }
        self.ledgers.entry(tenant.clone()).or_default()
    }

    pub(super) fn into_findings(self) -> impl Iterator<Item = Finding> {
        self.ledgers.into_iter().flat_map(|(tenant, verdict)| verdict.into_findings(&tenant))
    }
}

impl Verdict {
    fn into_findings(self, tenant: &TenantId) -> impl Iterator<Item = Finding> + use<> {
        let Self { agreeing, contradicting, first, beyond } = self;
        let replaced = first.map(|(size, signed, found, source)| {
            // What something that agrees covers is as it was; the change comes after it.
            let sound = agreeing.into_iter().filter(|agreed| *agreed < size).max().unwrap_or(0);
            let others = match contradicting - 1 {
                0 => String::new(),
                others => format!(", nor with {others} others"),
            };
            let note = format!(
                "some of the records from here on and before {size} were replaced: they do not \
                 agree with {}{others}",
                source.what
            );
            let finding = Finding::new(Check::Checkpoint, note).at(tenant, sound);
            finding.in_file(&source.file, 0).values(signed, found)
        });
        let cut = beyond.map(|(size, length, source)| {
            let note = format!("the ledger is shorter than {} says", source.what);
            let mut finding = Finding::new(Check::Truncated, note).at(tenant, length);
            finding.following = size.saturating_sub(length).saturating_sub(1);
            finding.in_file(&source.file, 0).values(size, length)
        });
        replaced.into_iter().chain(cut)
    }
}
