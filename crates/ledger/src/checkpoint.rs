//! Checkpoints on demand: what a ledger's tree is now, signed, and never against what was signed
//! before.
//!
//! Before this process signs, the tree must extend the newest checkpoint that the store keeps, that
//! this process signed, and that it was shown. A directory put back to an earlier state is found
//! here, as soon as anybody shows what was signed after that state.

use std::time::Duration;

use ledgerstone_model::system::Genesis;
use ledgerstone_proof::{
    Checkpoint, Hash, IngestedAt, KeyName, Note, NoteSignature, Signer, TenantId, TreeSize,
    VerifierKey,
};
use ledgerstone_store::{Head, NewCheckpoint};

use crate::error::{LedgerError, RolledBack};
use crate::keys::{KeyRing, Retirement, is_public_of};
use crate::ledger::{Ledger, hold};
use crate::reader::{log_keys_named, log_keys_of};
use crate::settings::LEDGERS_PER_ROUND;
use crate::trees::root_at;

/// How old a checkpoint may be that is given to whoever asks for one.
pub const CHECKPOINT_AGE_MAX: Duration = Duration::from_secs(1);

const AGE_MAX_MICROS: i64 = CHECKPOINT_AGE_MAX.as_secs().cast_signed() * 1_000_000;

/// A signed checkpoint of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    pub tenant: TenantId,
    pub size: TreeSize,
    pub root: Hash,
    /// The signed note, to be shown as it is.
    pub note: String,
}

/// The newest checkpoint of a ledger that is known here.
#[derive(Clone, Debug)]
pub(crate) struct SeenCheckpoint {
    checkpoint: SignedCheckpoint,
    /// Ids of the keys that signed it, if it was signed or found here; empty if it was only shown.
    signed_by: Vec<u32>,
    /// When this process signed it; none if it did not.
    signed_at: Option<IngestedAt>,
}

impl Ledger {
    /// A checkpoint over everything that is durable in a ledger. When nothing was added since the
    /// last one, that one is given again.
    pub fn checkpoint(&self, tenant: &TenantId) -> Result<SignedCheckpoint, LedgerError> {
        let made = self.sign_checkpoints(std::slice::from_ref(tenant), Signing::AsUsual)?;
        made.into_iter().next().ok_or_else(|| LedgerError::UnknownTenant(tenant.clone()))
    }

    /// A checkpoint that is at most [`CHECKPOINT_AGE_MAX`] old, so that those who ask all the time
    /// have nothing signed each time that the ledger grew. Whoever needs one over a certain record
    /// asks for [`Self::checkpoint`].
    pub fn recent_checkpoint(&self, tenant: &TenantId) -> Result<SignedCheckpoint, LedgerError> {
        let genesis = self.reader().genesis(tenant)?;
        let signed_by = ids_of(&log_signers(&genesis, &hold(&self.ring), Signing::AsUsual));
        let newest = hold(&self.checkpoints).get(tenant).cloned();
        let oldest = self.clock.now().micros().saturating_sub(AGE_MAX_MICROS);
        match newest {
            Some(SeenCheckpoint { checkpoint, signed_by: by, signed_at: Some(at) })
                if by == signed_by
                    && (oldest..=self.clock.now().micros()).contains(&at.micros()) =>
            {
                Ok(checkpoint)
            }
            _ => self.checkpoint(tenant),
        }
    }

    /// Checkpoints of many ledgers, with one commit for many of them.
    pub fn checkpoints(&self, tenants: &[TenantId]) -> Result<Vec<SignedCheckpoint>, LedgerError> {
        self.sign_checkpoints(tenants, Signing::AsUsual)
    }

    /// The public half of the key that signs a ledger's checkpoints now, under the ledger's name; of a
    /// ledger that has ended, the key that signed the last one.
    pub fn verifier_key(&self, tenant: &TenantId) -> Result<VerifierKey, LedgerError> {
        let genesis = self.reader().genesis(tenant)?;
        if self.has_ended(tenant)
            && let Some(last) = self.seen(tenant, &genesis)?
            && let Some(key) = log_keys_of(&genesis, &self.history())
                .into_iter()
                .find(|key| last.signed_by.contains(&key.key_id()))
        {
            return Ok(key);
        }
        let key = hold(&self.ring).log.current.verifying_key();
        Ok(VerifierKey::new_ed25519(genesis.log_key().name().clone(), &key))
    }

    /// Shows this process a checkpoint that was seen elsewhere. One that a key of this deployment
    /// signed binds it: if the ledger does not extend it, that is `LEDGER_ROLLED_BACK`, and nothing
    /// is signed until it does. Answers the ledger it speaks of.
    pub fn show_checkpoint(&self, note: &str) -> Result<TenantId, LedgerError> {
        let invalid = |reason: String| LedgerError::InvalidProof { what: "checkpoint", reason };
        let parsed = Note::parse(note.as_bytes()).map_err(|error| invalid(error.to_string()))?;
        let body =
            Checkpoint::parse_body(parsed.text()).map_err(|error| invalid(error.to_string()))?;
        let Some((tenant, genesis)) = self.ledger_of_origin(body.origin())? else {
            return Err(self.unknown_origin(note, &body));
        };
        let keys = log_keys_of(&genesis, &self.history());
        let shown =
            Checkpoint::open(note.as_bytes(), &keys).map_err(|error| invalid(error.to_string()))?;
        let seen = SeenCheckpoint {
            checkpoint: SignedCheckpoint {
                tenant: tenant.clone(),
                size: shown.size(),
                root: *shown.root(),
                note: note.to_owned(),
            },
            signed_by: Vec::new(),
            signed_at: None,
        };
        let head = self.store.head(&tenant)?.unwrap_or_else(Head::empty);
        let newest = self.seen(&tenant, &genesis)?;
        if newest.is_none_or(|newest| newest.checkpoint.size < seen.checkpoint.size) {
            hold(&self.checkpoints).insert(tenant.clone(), seen.clone());
        }
        self.refuse_contradiction(&head, &seen)?;
        Ok(tenant)
    }

    fn ledger_of_origin(
        &self,
        origin: &str,
    ) -> Result<Option<(TenantId, std::sync::Arc<Genesis>)>, LedgerError> {
        for tenant in self.reader().tenants()? {
            let genesis = self.reader().genesis(&tenant)?;
            if genesis.log_key().name().as_str() == origin {
                return Ok(Some((tenant, genesis)));
            }
        }
        Ok(None)
    }

    /// What is said to a checkpoint of a ledger that is not here. One that a log key of this
    /// deployment signed shows that the ledger was here once.
    fn unknown_origin(&self, note: &str, body: &Checkpoint) -> LedgerError {
        let (origin, history) = (body.origin().to_owned(), self.history());
        let log_name = format!("{}/", history.genesis().log_name().as_str());
        let keys: Vec<_> = match KeyName::parse(&origin) {
            Ok(name) if origin.starts_with(&log_name) => log_keys_named(&name, &history).collect(),
            _ => Vec::new(),
        };
        if Checkpoint::open(note.as_bytes(), &keys).is_ok() {
            return LedgerError::RolledBack(RolledBack::Missing { origin, seen: body.size() });
        }
        let reason = format!("its origin {origin} is no ledger of this deployment");
        LedgerError::InvalidProof { what: "checkpoint", reason }
    }

    pub(crate) fn sign_checkpoints(
        &self,
        tenants: &[TenantId],
        signing: Signing,
    ) -> Result<Vec<SignedCheckpoint>, LedgerError> {
        let mut all = Vec::with_capacity(tenants.len());
        for chunk in tenants.chunks(LEDGERS_PER_ROUND) {
            let mut fresh = Vec::new();
            for tenant in chunk {
                let (checkpoint, is_fresh) = self.sign_checkpoint(tenant, signing)?;
                if is_fresh {
                    fresh.push(checkpoint.clone());
                }
                all.push(checkpoint.checkpoint);
            }
            self.keep(fresh, signing)?;
        }
        Ok(all)
    }

    /// Signs a ledger's tree as it is, or gives the newest checkpoint if that says the same.
    fn sign_checkpoint(
        &self,
        tenant: &TenantId,
        signing: Signing,
    ) -> Result<(SeenCheckpoint, bool), LedgerError> {
        let genesis = self.reader().genesis(tenant)?;
        let seen = self.seen(tenant, &genesis)?;
        // The head is read after the checkpoint that it must extend.
        let head =
            self.store.head(tenant)?.ok_or_else(|| LedgerError::UnknownTenant(tenant.clone()))?;
        if let Some(seen) = &seen {
            self.refuse_contradiction(&head, seen)?;
        }
        let signers = log_signers(&genesis, &hold(&self.ring), signing);
        let signed_by = ids_of(&signers);
        // The last checkpoint of a ledger that has ended is given for ever, whichever key signs now.
        if signing == Signing::AsUsual
            && let Some(seen) = seen
            && seen.checkpoint.size.value() == head.size()
            && (seen.signed_by == signed_by || self.has_ended(tenant))
        {
            return Ok((seen, false));
        }
        let (size, root) = (head.range.tree_size(), head.range.root());
        let body =
            Checkpoint::new(genesis.log_key().name().as_str(), size, root).map_err(|error| {
                LedgerError::InvalidProof { what: "the log name", reason: error.to_string() }
            })?;
        let note = body.sign_all(&signers.iter().collect::<Vec<_>>());
        let checkpoint = SignedCheckpoint { tenant: tenant.clone(), size, root, note };
        let signed_at = Some(self.clock.now());
        Ok((SeenCheckpoint { checkpoint, signed_by, signed_at }, true))
    }

    /// Checkpoints are kept before they are shown.
    fn keep(&self, fresh: Vec<SeenCheckpoint>, signing: Signing) -> Result<(), LedgerError> {
        if fresh.is_empty() {
            return Ok(());
        }
        self.sequencer.administer(&[], |round| {
            for seen in &fresh {
                round.keep_checkpoint(NewCheckpoint {
                    tenant: seen.checkpoint.tenant.clone(),
                    size: seen.checkpoint.size.value(),
                    note: seen.checkpoint.note.clone(),
                    kept_for_good: signing != Signing::AsUsual,
                });
            }
        })?;
        let mut checkpoints = hold(&self.checkpoints);
        for seen in fresh {
            let tenant = seen.checkpoint.tenant.clone();
            let newer = |held: &SeenCheckpoint| held.checkpoint.size > seen.checkpoint.size;
            if !checkpoints.get(&tenant).is_some_and(newer) {
                checkpoints.insert(tenant, seen);
            }
        }
        Ok(())
    }

    /// The newest checkpoint known of a ledger: from memory, or else from the store.
    fn seen(
        &self,
        tenant: &TenantId,
        genesis: &Genesis,
    ) -> Result<Option<SeenCheckpoint>, LedgerError> {
        if let Some(seen) = hold(&self.checkpoints).get(tenant) {
            return Ok(Some(seen.clone()));
        }
        let Some(stored) = self.reader().newest_checkpoint(tenant)? else {
            return Ok(None);
        };
        let seen = open_kept(tenant, &stored.note, &log_keys_of(genesis, &self.history()))?;
        let mut checkpoints = hold(&self.checkpoints);
        Ok(Some(checkpoints.entry(tenant.clone()).or_insert(seen).clone()))
    }

    /// Fails when the ledger is not an extension of a checkpoint.
    fn refuse_contradiction(&self, head: &Head, seen: &SeenCheckpoint) -> Result<(), LedgerError> {
        let SignedCheckpoint { tenant, size, root, .. } = &seen.checkpoint;
        let tenant = tenant.clone();
        if size.value() > head.size() {
            let (seen, found) = (*size, head.size());
            return Err(LedgerError::RolledBack(RolledBack::Shorter { tenant, seen, found }));
        }
        if root_at(&*self.store, &tenant, size.value())? != *root {
            return Err(LedgerError::RolledBack(RolledBack::Different { tenant, size: *size }));
        }
        Ok(())
    }

    /// Fails when a ledger is not an extension of the newest checkpoint known of it.
    pub(crate) fn refuse_rollback(
        &self,
        tenant: &TenantId,
        head: &Head,
    ) -> Result<(), LedgerError> {
        let genesis = self.reader().genesis(tenant)?;
        match self.seen(tenant, &genesis)? {
            Some(seen) => self.refuse_contradiction(head, &seen),
            None => Ok(()),
        }
    }
}

/// Which log keys sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    /// The keys that are in use.
    AsUsual,
    /// The old key alone, over the record that announces the new one; kept for good.
    LastOfOldKey,
    /// The keys that are in use, over the last record of a ledger that has ended; kept for good.
    Last,
}

fn ids_of(signers: &[Signer]) -> Vec<u32> {
    signers.iter().map(|key| key.verifier_key().key_id()).collect()
}

/// The keys that sign a ledger's checkpoints. Until a new key is announced in every ledger the old
/// one goes on alone; then both sign; a ledger that began with the new key never knew the old one.
fn log_signers(genesis: &Genesis, ring: &KeyRing, signing: Signing) -> Vec<Signer> {
    let name = genesis.log_key().name();
    let current = &ring.log.current;
    let began_with_current = is_public_of(genesis.log_key().verifying_key(), current);
    let signer = |key: &ledgerstone_proof::SigningKey| Signer::new(name.clone(), key.clone());
    match &ring.log.outgoing {
        Some(old) if !began_with_current => match (signing, old.retirement) {
            (Signing::LastOfOldKey, _) | (_, Retirement::Announcing) => {
                vec![signer(&old.key)]
            }
            (Signing::AsUsual | Signing::Last, Retirement::Overlapping) => {
                vec![signer(current), signer(&old.key)]
            }
        },
        _ => vec![signer(current)],
    }
}

/// Reads a checkpoint that the store keeps.
fn open_kept(
    tenant: &TenantId,
    note: &str,
    keys: &[VerifierKey],
) -> Result<SeenCheckpoint, LedgerError> {
    let invalid = |reason: String| LedgerError::InvalidProof {
        what: "the newest checkpoint that the store keeps",
        reason: format!("ledger {tenant}: {reason}"),
    };
    let opened =
        Checkpoint::open(note.as_bytes(), keys).map_err(|error| invalid(error.to_string()))?;
    let parsed = Note::parse(note.as_bytes()).map_err(|error| invalid(error.to_string()))?;
    Ok(SeenCheckpoint {
        checkpoint: SignedCheckpoint {
            tenant: tenant.clone(),
            size: opened.size(),
            root: *opened.root(),
            note: note.to_owned(),
        },
        signed_by: parsed.signatures().iter().map(NoteSignature::key_id).collect(),
        signed_at: None,
    })
}
