//! Record signatures: those of Ed25519 checked many at a time, those of RSA one by one.

use std::collections::HashMap;

use ledgerstone_model::system::{KeyUse, PublicKey};
use ledgerstone_proof::{KeyId, RsaVerifyingKey, Signature, TenantId, VerifyingKey, verify_batch};
use ledgerstone_store::{Check, LedgerStore};

use super::report::Finding;
use crate::history::{SystemHistory, read_genesis};

/// Signatures checked together: more gain little.
const BATCH: usize = 1_024;

const DOES_NOT_HOLD: &str =
    "the signature does not hold: the record is not the one that was signed";

/// The public record keys by their ids.
#[derive(Debug, Default)]
pub(super) struct RecordKeys {
    keys: HashMap<KeyId, PublicKey>,
    /// Whether no announced key is missing.
    is_complete: bool,
}

impl RecordKeys {
    /// Every record key that `_system` names.
    pub(super) fn of(system: Option<&SystemHistory>, is_complete: bool) -> Self {
        let mut keys = Self { keys: HashMap::new(), is_complete };
        for period in system.map_or(&[][..], SystemHistory::keys) {
            if period.usage == KeyUse::Record {
                keys.add(&period.key);
            }
        }
        keys
    }

    /// Adds the keys that ledgers began with, where `_system` is damaged.
    pub(super) fn add_geneses(&mut self, store: &dyn LedgerStore, ledgers: &[TenantId]) {
        for tenant in ledgers {
            if let Ok(Some((genesis, _))) = read_genesis(store, tenant) {
                self.add(genesis.record_key());
            }
        }
    }

    fn add(&mut self, key: &PublicKey) {
        self.keys.insert(key.key_id(), key.clone());
    }
}

/// Signatures that wait to be checked.
#[derive(Debug)]
pub(super) struct SignatureQueue {
    file: String,
    headers: Vec<u8>,
    waiting: Vec<Waiting>,
    pub(super) checked: u64,
}

/// An Ed25519 signature that waits for others, so that all are checked together.
#[derive(Debug)]
struct Waiting {
    tenant: TenantId,
    number: u64,
    offset: u64,
    header: std::ops::Range<usize>,
    signature: Signature,
    key: VerifyingKey,
}

impl SignatureQueue {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), headers: Vec::new(), waiting: Vec::new(), checked: 0 }
    }

    /// Takes in a record's signature, and checks those that wait when there are enough.
    pub(super) fn push(
        &mut self,
        place: (&TenantId, u64, u64),
        header: &[u8],
        (key_id, signature): (&KeyId, &[u8]),
        keys: &RecordKeys,
        findings: &mut Vec<Finding>,
    ) {
        match keys.keys.get(key_id) {
            Some(PublicKey::Ed25519(key)) => match Signature::try_from(signature) {
                Ok(signature) => self.wait(place, header, signature, *key, findings),
                Err(_) => {
                    self.wrong_length(place, signature.len(), Signature::LENGTH, findings);
                }
            },
            Some(PublicKey::Rsa(key)) => self.check_rsa(place, header, signature, key, findings),
            // The announcement may be among the records that are damaged.
            None if !keys.is_complete => {}
            None => {
                let finding = self.finding(place, "signed by a key that was never announced");
                merge(findings, finding.values("an announced record key", key_id));
            }
        }
    }

    fn finding(&self, (tenant, number, offset): (&TenantId, u64, u64), note: &str) -> Finding {
        Finding::new(Check::Signature, note).at(tenant, number).in_file(&self.file, offset)
    }

    fn wrong_length(
        &self,
        place: (&TenantId, u64, u64),
        found: usize,
        expected: usize,
        findings: &mut Vec<Finding>,
    ) {
        let note = format!("the signature is not {expected} bytes long");
        merge(findings, self.finding(place, &note).values(format!("{expected} bytes"), found));
    }

    fn check_rsa(
        &mut self,
        place: (&TenantId, u64, u64),
        header: &[u8],
        signature: &[u8],
        key: &RsaVerifyingKey,
        findings: &mut Vec<Finding>,
    ) {
        if signature.len() != key.signature_bytes() {
            self.wrong_length(place, signature.len(), key.signature_bytes(), findings);
            return;
        }
        self.checked += 1;
        if key.verify(header, signature).is_err() {
            let wanted = format!("a signature of {}", key.key_id());
            merge(findings, self.finding(place, DOES_NOT_HOLD).values(wanted, "another"));
        }
    }

    fn wait(
        &mut self,
        (tenant, number, offset): (&TenantId, u64, u64),
        header: &[u8],
        signature: Signature,
        key: VerifyingKey,
        findings: &mut Vec<Finding>,
    ) {
        self.checked += 1;
        let start = self.headers.len();
        self.headers.extend_from_slice(header);
        let header = start..self.headers.len();
        let tenant = tenant.clone();
        self.waiting.push(Waiting { tenant, number, offset, header, signature, key });
        if self.waiting.len() >= BATCH {
            self.flush(findings);
        }
    }

    /// Checks what waits: together, and one by one only if one of them fails.
    pub(super) fn flush(&mut self, findings: &mut Vec<Finding>) {
        let header = |one: &Waiting| self.headers.get(one.header.clone()).unwrap_or_default();
        let items: Vec<_> =
            self.waiting.iter().map(|one| (header(one), one.signature, one.key)).collect();
        if verify_batch(&items).is_err() {
            for one in &self.waiting {
                if one.key.verify(header(one), &one.signature).is_err() {
                    let place = (&one.tenant, one.number, one.offset);
                    let wanted = format!("a signature of {}", KeyId::ed25519(&one.key));
                    merge(findings, self.finding(place, DOES_NOT_HOLD).values(wanted, "another"));
                }
            }
        }
        self.waiting.clear();
        self.headers.clear();
    }
}

/// Adds a finding about a record, or counts it to the last one if it says the same of the record
/// before: thousands of signatures under a lost key are one finding.
fn merge(findings: &mut Vec<Finding>, finding: Finding) {
    if let Some(last) = findings.last_mut()
        && last.check == finding.check
        && last.tenant == finding.tenant
        && last.note == finding.note
        && last.found == finding.found
        && last.sequence_number.map(|number| number + last.following + 1) == finding.sequence_number
    {
        last.following += 1;
        return;
    }
    findings.push(finding);
}
