//! Anchors against the recomputed trees: what `_system` said of the other ledgers still holds.

use std::collections::{BTreeMap, HashMap};

use ledgerstone_model::system::Anchor;
use ledgerstone_proof::TenantId;
use ledgerstone_store::Check;

use super::options::Scope;
use super::report::Finding;
use super::verdicts::{Source, Verdicts};
use super::walk::Walk;
use crate::anchor::checkpoint_hash;

/// The (ledger, size) pairs behind every anchor, and what became of them.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    rounds: BTreeMap<u64, Round>,
    /// Anchors whose trees are not all known yet.
    waiting: Vec<(u64, Anchor)>,
    pub(super) verdicts: Verdicts,
    pub(super) checked: u64,
}

#[derive(Debug)]
struct Round {
    sizes: Vec<(TenantId, u64)>,
    file: String,
    holds: bool,
    /// Whether its anchor was read.
    is_anchored: bool,
}

impl Anchors {
    /// Takes in the pairs that a part keeps for an anchor.
    pub(super) fn add_round(&mut self, anchor: u64, sizes: Vec<(TenantId, u64)>, file: &str) {
        let round = Round { sizes, file: file.to_owned(), holds: false, is_anchored: false };
        self.rounds.insert(anchor, round);
    }

    /// Checks the anchors that can be checked with what is known; the others wait.
    pub(super) fn check(
        &mut self,
        read: Vec<(u64, Anchor)>,
        walks: &HashMap<TenantId, Walk>,
        scope: &Scope,
        findings: &mut Vec<Finding>,
    ) {
        for (number, anchor) in read {
            let round = self.rounds.get(&number);
            let is_known = |(tenant, size): &(TenantId, u64)| {
                walks.get(tenant).is_some_and(|walk| walk.root_at(*size).is_some())
            };
            if round.is_some_and(|round| round.sizes.iter().all(is_known)) {
                self.check_one(number, &anchor, walks, scope, findings);
            } else {
                self.waiting.push((number, anchor));
            }
        }
    }

    /// All ledgers are read: checks the anchors that waited, and finds pairs without an anchor.
    pub(super) fn finish(
        &mut self,
        walks: &HashMap<TenantId, Walk>,
        scope: &Scope,
        findings: &mut Vec<Finding>,
    ) {
        for (number, anchor) in std::mem::take(&mut self.waiting) {
            self.check_one(number, &anchor, walks, scope, findings);
        }
        let system = TenantId::system();
        if !walks.get(&system).is_some_and(Walk::is_sound) {
            return;
        }
        for (number, round) in self.rounds.iter().filter(|(_, round)| !round.is_anchored) {
            let note = "sizes are kept for an anchor that is not there";
            let finding = Finding::new(Check::Checkpoint, note).at(&system, *number);
            findings.push(finding.in_file(&round.file, 0));
        }
    }

    fn check_one(
        &mut self,
        number: u64,
        anchor: &Anchor,
        walks: &HashMap<TenantId, Walk>,
        scope: &Scope,
        findings: &mut Vec<Finding>,
    ) {
        self.checked += 1;
        let system = TenantId::system();
        let Some(round) = self.rounds.get_mut(&number) else {
            let note = "the sizes behind an anchor are gone";
            let finding = Finding::new(Check::Checkpoint, note).at(&system, number);
            findings.push(finding.values(anchor.checkpoints().len(), 0));
            return;
        };
        round.is_anchored = true;
        round.holds = true;
        let before = findings.len();
        if round.sizes.len() != anchor.checkpoints().len() {
            let note = "there are not as many sizes as the anchor has checkpoints";
            let finding = Finding::new(Check::Checkpoint, note).at(&system, number);
            let finding = finding.in_file(&round.file, 0);
            findings.push(finding.values(anchor.checkpoints().len(), round.sizes.len()));
        }
        for (tenant, size) in &round.sizes {
            // What was not read is not compared.
            if let Scope::Tenant(only) | Scope::Range { tenant: only, .. } = scope
                && only != tenant
            {
                continue;
            }
            let source = Source {
                what: format!("the anchor in record {number} of _system"),
                file: round.file.clone(),
            };
            round.holds &=
                check_pair(anchor, (tenant, *size), walks.get(tenant), source, &mut self.verdicts);
        }
        round.holds &= findings.len() == before;
    }

    /// For how many records of each ledger the anchors among the first `vouched` records of
    /// `_system` vouch.
    pub(super) fn vouched(&self, vouched: u64) -> HashMap<TenantId, u64> {
        let mut sizes = HashMap::new();
        for round in
            self.rounds.range(..vouched).map(|(_, round)| round).filter(|round| round.holds)
        {
            for (tenant, size) in &round.sizes {
                let newest = sizes.entry(tenant.clone()).or_insert(0);
                *newest = (*newest).max(*size);
            }
        }
        sizes
    }
}

/// Whether the anchor lists the checkpoint that the ledger had at that size.
fn check_pair(
    anchor: &Anchor,
    (tenant, size): (&TenantId, u64),
    walk: Option<&Walk>,
    source: Source,
    verdicts: &mut Verdicts,
) -> bool {
    let length = walk.map_or(0, Walk::size);
    if size > length {
        verdicts.is_beyond(tenant, size, length, source);
        return false;
    }
    let root = walk.and_then(|walk| walk.root_at(size));
    let origin = walk.and_then(|walk| walk.keys().origin());
    // Where damage, which other findings name, hides the tree, the anchor vouches for nothing.
    let (Some(root), Some(origin)) = (root, origin) else {
        return false;
    };
    let Ok(hash) = checkpoint_hash(origin.as_str(), size, root) else {
        return false;
    };
    if anchor.contains(&hash) {
        verdicts.agrees(tenant, size);
        return true;
    }
    let signed = "a root that the anchor lists the checkpoint of".to_owned();
    verdicts.contradicts(tenant, size, (signed, root), source);
    false
}
