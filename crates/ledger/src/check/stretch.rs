//! What one part of the store holds of one ledger without a break, recomputed.

use ledgerstone_model::NumberSet;
use ledgerstone_model::system::SystemRecord;
use ledgerstone_proof::{Hash, IngestedAt, KeyId, TenantId};
use ledgerstone_store::RunClaims;

use super::interval::Interval;

/// Consecutive records of one ledger in one part, whose hashes, chain and tree were recomputed.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) tenant: TenantId,
    pub(super) file: String,
    /// Where the claims about the first record stand.
    pub(super) offset: u64,
    pub(super) first: u64,
    pub(super) end: u64,
    /// What the part claims to precede the first record.
    pub(super) previous_hash: Hash,
    /// Frontier that the part claims before the first record, where it does.
    pub(super) frontier_before: Option<Interval>,
    /// Record hash of the last record.
    pub(super) last_hash: Hash,
    /// The tree: from leaf 0 where the part claims what came before, else from the first record.
    pub(super) tree: Interval,
    /// The first record that a finding is about.
    pub(super) damaged_at: Option<u64>,
    /// Damage, which a finding names, has left it open which leaves belong into the tree.
    pub(super) tree_is_doubtful: bool,
    /// The tree at the sizes that checkpoints and anchors speak of.
    pub(super) snapshots: Vec<Interval>,
    pub(super) first_at: Option<IngestedAt>,
    pub(super) last_at: Option<IngestedAt>,
    /// From which number on records carry a signature of which key, or none.
    pub(super) signers: Vec<(u64, Option<KeyId>)>,
    pub(super) statements: Vec<Statement>,
    /// Records of kind `system`.
    pub(super) system: NumberSet,
    /// Records of other kinds whose content is not there.
    pub(super) absent: NumberSet,
}

/// A `system` record.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) number: u64,
    pub(super) offset: u64,
    pub(super) said: SystemRecord,
}

impl Statement {
    /// Whether it says which keys and signatures to expect: such a record is signed in any case.
    pub(super) const fn is_about_keys(&self) -> bool {
        matches!(
            self.said,
            SystemRecord::Genesis(_) | SystemRecord::SigningKey(_) | SystemRecord::RecordSigning(_)
        )
    }

    /// Whether it concerns the ledger that it stands in, and so may stand in any.
    pub(super) const fn is_about_its_ledger(&self) -> bool {
        self.is_about_keys()
            || matches!(
                self.said,
                SystemRecord::ApiKey(_)
                    | SystemRecord::Taxonomy(_)
                    | SystemRecord::RetentionStarted(_)
                    | SystemRecord::RetentionDone(_)
                    | SystemRecord::Policy(_)
                    | SystemRecord::PolicyProposal(_)
                    | SystemRecord::HoldSet(_)
                    | SystemRecord::HoldReleaseAsked(_)
                    | SystemRecord::HoldReleased(_)
                    | SystemRecord::SubjectRequest(_)
                    | SystemRecord::ErasureKept(_)
                    | SystemRecord::ErasureStarted(_)
                    | SystemRecord::Erasure(_)
                    | SystemRecord::TenantClosing(_)
                    | SystemRecord::TenantClosed(_)
            )
    }
}

impl Stretch {
    pub(super) fn begin(claims: &RunClaims<'_>, file: &str) -> Self {
        let first = claims.first.value();
        let frontier_before =
            claims.range_before.and_then(|hashes| Interval::frontier(first, hashes));
        Self {
            tenant: claims.tenant.clone(),
            file: file.to_owned(),
            offset: claims.offset,
            first,
            end: first,
            previous_hash: claims.previous_hash,
            last_hash: claims.previous_hash,
            tree: frontier_before.clone().unwrap_or_else(|| Interval::empty(first)),
            frontier_before,
            damaged_at: None,
            tree_is_doubtful: false,
            snapshots: Vec::new(),
            first_at: None,
            last_at: None,
            signers: Vec::new(),
            statements: Vec::new(),
            system: NumberSet::new(),
            absent: NumberSet::new(),
        }
    }

    /// Whether a run goes on where this stretch ends, and says so.
    pub(super) fn is_continued_by(&self, claims: &RunClaims<'_>) -> bool {
        !self.tree_is_doubtful
            && self.end == claims.first.value()
            && self.last_hash == claims.previous_hash
            && claims
                .range_before
                .is_none_or(|hashes| self.tree.is_frontier() && self.tree.hashes_equal(hashes))
    }

    /// Notes that a finding is about the record with that number.
    pub(super) fn note_damage(&mut self, number: u64) {
        self.damaged_at.get_or_insert(number);
    }

    /// Takes in the time of a record whose header holds.
    pub(super) fn note_time(&mut self, at: IngestedAt) {
        self.first_at.get_or_insert(at);
        self.last_at = Some(at);
    }

    /// Notes whose signature the record with that number carries.
    pub(super) fn note_signer(&mut self, number: u64, signer: Option<&KeyId>) {
        let last = self.signers.last().map(|(_, signer)| signer.as_ref());
        if last != Some(signer) {
            self.signers.push((number, signer.cloned()));
        }
    }
}
