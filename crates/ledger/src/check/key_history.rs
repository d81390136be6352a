//! Which keys a ledger names, from which record on, and whether its records are signed accordingly.

use ledgerstone_model::SystemRecord;
use ledgerstone_model::system::{
    Genesis, KeyUse, PublicKey, RecordSigning, SigningKeyRecord, SigningMode,
};
use ledgerstone_proof::{KeyId, KeyName, TenantId, VerifierKey, VerifyingKey};
use ledgerstone_store::Check;

use super::report::Finding;
use super::stretch::{Statement, Stretch};

/// A key that signs checkpoints.
#[derive(Clone, Debug)]
pub(super) struct LogKey {
    pub(super) key: VerifierKey,
    /// Number of the record that names it: only trees that hold this record may be signed by it.
    pub(super) announced_by: u64,
}

/// The keys of one ledger as its own records tell them.
#[derive(Debug, Default)]
pub(super) struct KeyHistory {
    genesis: Option<Box<Genesis>>,
    log_keys: Vec<LogKey>,
    /// The record key in use; `None` where records before the scope were not read.
    record_key: Option<KeyId>,
    mode: Option<SigningMode>,
    /// The log keys are those of the whole ledger, and not only those that were read of.
    knows_all_log_keys: bool,
}

impl KeyHistory {
    /// The keys as they are where a walk begins in the middle of a ledger. Which record key was in
    /// use there is not known; signatures must still be of announced keys.
    pub(super) fn in_the_middle(genesis: Genesis, log_keys: Vec<VerifierKey>) -> Self {
        let log_keys = log_keys.into_iter().map(|key| LogKey { key, announced_by: 0 }).collect();
        Self {
            genesis: Some(Box::new(genesis)),
            log_keys,
            record_key: None,
            mode: None,
            knows_all_log_keys: true,
        }
    }

    /// Adds the keys that come into use after the last record that was read, where reading ends before
    /// the ledger does: checkpoints are compared that they signed. Where each was announced is not looked
    /// at, as in the middle.
    pub(super) fn go_on(&mut self, all: Vec<VerifierKey>) {
        let is_new = |key: &VerifierKey| self.log_keys.iter().all(|known| known.key != *key);
        let later = all.into_iter().filter(is_new);
        let later: Vec<_> = later.map(|key| LogKey { key, announced_by: 0 }).collect();
        self.log_keys.extend(later);
        self.knows_all_log_keys = true;
    }

    pub(super) fn genesis(&self) -> Option<&Genesis> {
        self.genesis.as_deref()
    }

    /// Whether keys are known that no record said which was read: nothing that was read vouches for them.
    pub(super) const fn knows_all_log_keys(&self) -> bool {
        self.knows_all_log_keys
    }

    /// The name that the ledger's checkpoints bear.
    pub(super) fn origin(&self) -> Option<&KeyName> {
        self.genesis().map(|genesis| genesis.log_key().name())
    }

    /// The log keys in the order in which they came into use.
    pub(super) fn log_keys(&self) -> &[LogKey] {
        &self.log_keys
    }

    /// Goes through a stretch that begins where the history stands.
    pub(super) fn take(&mut self, stretch: &Stretch, findings: &mut Vec<Finding>) {
        let mut from = stretch.first;
        for statement in &stretch.statements {
            self.check_signers(stretch, from, statement.number, findings);
            from = statement.number;
            if statement.is_about_keys() {
                self.take_always_signed(stretch, statement, findings);
                from += 1;
            }
        }
        self.check_signers(stretch, from, stretch.end, findings);
    }

    /// Records about keys and signatures are signed in any case; the genesis by the key it names.
    fn take_always_signed(
        &mut self,
        stretch: &Stretch,
        statement: &Statement,
        findings: &mut Vec<Finding>,
    ) {
        let Statement { number, said, .. } = statement;
        let result = match said {
            SystemRecord::Genesis(genesis) => self.take_genesis(genesis, &stretch.tenant, *number),
            _ => Ok(()),
        };
        let signer = signer_at(stretch, *number);
        if signer != self.record_key.as_ref() && self.record_key.is_some() {
            let finding = place(stretch, statement, Check::Signature, WRONG_SIGNER);
            findings.push(finding.values(name(self.record_key.as_ref()), name(signer)));
        }
        let result = result.and_then(|()| match said {
            SystemRecord::SigningKey(record) => self.take_key(record, *number),
            SystemRecord::RecordSigning(record) => self.take_mode(*record, *number),
            _ => Ok(()),
        });
        if let Err((expected, found)) = result {
            let note = "the record contradicts the ledger's keys so far";
            findings.push(place(stretch, statement, Check::Record, note).values(expected, found));
        }
    }

    fn take_genesis(
        &mut self,
        genesis: &Genesis,
        tenant: &TenantId,
        number: u64,
    ) -> Result<(), (String, String)> {
        if number != 0 {
            return Err(("a genesis as the first record only".to_owned(), "another".to_owned()));
        }
        if genesis.tenant() != tenant {
            let found = format!("that of {}", genesis.tenant());
            return Err((format!("the genesis of {tenant}"), found));
        }
        self.log_keys = vec![LogKey { key: genesis.log_key().clone(), announced_by: 0 }];
        self.record_key = Some(genesis.record_key().key_id());
        self.mode = Some(genesis.record_signing());
        self.genesis = Some(Box::new(genesis.clone()));
        Ok(())
    }

    fn take_key(&mut self, record: &SigningKeyRecord, number: u64) -> Result<(), (String, String)> {
        let new = public_key(record.key());
        let current = match record.usage() {
            KeyUse::Log => self.log_keys.last().map(|last| id_of(last.key.verifying_key())),
            KeyUse::Record => self.record_key.clone(),
        };
        if record.usage() == KeyUse::Log && self.knows_all_log_keys {
            return Ok(());
        }
        if current.is_some() && record.replaces() != current.as_ref() {
            let expected = format!("a key that replaces {}", name(current.as_ref()));
            return Err((expected, format!("one that replaces {}", name(record.replaces()))));
        }
        match record.usage() {
            KeyUse::Log => {
                if let (Some(origin), Some(new)) = (self.origin().cloned(), new) {
                    let key = VerifierKey::new_ed25519(origin, &new);
                    self.log_keys.push(LogKey { key, announced_by: number });
                }
            }
            KeyUse::Record => self.record_key = Some(record.key().key_id()),
        }
        Ok(())
    }

    fn take_mode(&mut self, record: RecordSigning, number: u64) -> Result<(), (String, String)> {
        let from = record.from().value();
        if from != number + 1 {
            return Err((format!("a change from record {} on", number + 1), from.to_string()));
        }
        self.mode = Some(record.mode());
        Ok(())
    }

    /// Ordinary records `from..to` are signed by the key in use, or, where checkpoints vouch for
    /// them, by that key or not at all.
    fn check_signers(&self, stretch: &Stretch, from: u64, to: u64, findings: &mut Vec<Finding>) {
        if from >= to {
            return;
        }
        for (at, (start, signer)) in stretch.signers.iter().enumerate() {
            let end = stretch.signers.get(at + 1).map_or(stretch.end, |(next, _)| *next);
            let (start, end) = ((*start).max(from), end.min(to));
            if start >= end || self.allows(signer.as_ref()) {
                continue;
            }
            let note = match signer {
                None => "a record without the signature that it has to have",
                Some(_) => WRONG_SIGNER,
            };
            let mut finding = Finding::new(Check::Signature, note)
                .at(&stretch.tenant, start)
                .in_file(&stretch.file, stretch.offset)
                .values(name(self.record_key.as_ref()), name(signer.as_ref()));
            finding.following = end - start - 1;
            findings.push(finding);
        }
    }

    fn allows(&self, signer: Option<&KeyId>) -> bool {
        match (signer, &self.record_key) {
            (None, _) => self.mode != Some(SigningMode::Record),
            (Some(_), None) => true,
            (Some(signer), Some(current)) => signer == current,
        }
    }
}

const WRONG_SIGNER: &str = "a record that is not signed by the key in use at its number";

fn place(stretch: &Stretch, statement: &Statement, check: Check, note: &str) -> Finding {
    Finding::new(check, note)
        .at(&stretch.tenant, statement.number)
        .in_file(&stretch.file, statement.offset)
}

fn signer_at(stretch: &Stretch, number: u64) -> Option<&KeyId> {
    let after = stretch.signers.partition_point(|(start, _)| *start <= number);
    let (_, signer) = stretch.signers.get(after.checked_sub(1)?)?;
    signer.as_ref()
}

fn name(key: Option<&KeyId>) -> String {
    key.map_or_else(|| "no signature".to_owned(), |key| format!("key {key}"))
}

fn id_of(key: &VerifyingKey) -> KeyId {
    KeyId::ed25519(key)
}

fn public_key(key: &PublicKey) -> Option<VerifyingKey> {
    match key {
        PublicKey::Ed25519(key) => Some(*key),
        PublicKey::Rsa(_) => None,
    }
}
