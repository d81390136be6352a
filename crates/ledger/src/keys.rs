//! The private keys of a deployment and where they are in their lives.
//!
//! Which key signed what is history, and history stands in `system.signing_key` records. What stands
//! here is only which private keys still exist.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ledgerstone_model::system::KeyUse;
use ledgerstone_model::{Entropy, ErrorCode};
use ledgerstone_proof::{KeyId, Signature, SigningKey, VerifyingKey};
use ledgerstone_store::key_file::{self, KeyFileError};
use thiserror::Error;

/// How far the replacement of a key has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retirement {
    /// The new key is announced in `_system`, but perhaps not yet in every ledger.
    Announcing,
    /// The new key is announced everywhere; both sign until the overlap ends.
    Overlapping,
}

/// A key that another one replaces.
#[derive(Clone)]
pub struct OutgoingKey {
    pub key: SigningKey,
    pub retirement: Retirement,
}

/// The private keys for one use.
#[derive(Clone)]
pub struct KeySlots {
    /// The key that signs.
    pub current: SigningKey,
    /// A key that is about to be announced.
    pub incoming: Option<SigningKey>,
    /// The key before, while it still exists.
    pub outgoing: Option<OutgoingKey>,
}

impl KeySlots {
    /// One key, and no change under way.
    pub const fn of(current: SigningKey) -> Self {
        Self { current, incoming: None, outgoing: None }
    }

    /// A fresh key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self::of(key_file::draw(entropy))
    }

    /// The incoming key takes its place; the current one is on its way out.
    pub(crate) fn promote(&mut self) {
        if let Some(incoming) = self.incoming.take() {
            let key = std::mem::replace(&mut self.current, incoming);
            self.outgoing = Some(OutgoingKey { key, retirement: Retirement::Announcing });
        }
    }
}

impl fmt::Debug for KeySlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySlots")
            .field("current", &key_id(&self.current))
            .field("incoming", &self.incoming.as_ref().map(key_id))
            .field("outgoing", &self.outgoing.as_ref().map(|key| key_id(&key.key)))
            .finish()
    }
}

/// The private keys of a deployment: the log key signs checkpoints, the record key signs headers,
/// and neither signs anything else.
#[derive(Clone, Debug)]
pub struct KeyRing {
    pub log: KeySlots,
    pub record: KeySlots,
}

impl KeyRing {
    /// Fresh keys for a new deployment.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self { log: KeySlots::generate(entropy), record: KeySlots::generate(entropy) }
    }

    pub const fn slots(&self, usage: KeyUse) -> &KeySlots {
        match usage {
            KeyUse::Log => &self.log,
            KeyUse::Record => &self.record,
        }
    }

    pub(crate) const fn slots_mut(&mut self, usage: KeyUse) -> &mut KeySlots {
        match usage {
            KeyUse::Log => &mut self.log,
            KeyUse::Record => &mut self.record,
        }
    }
}

/// Where private keys are kept.
///
/// [`save`](Self::save) makes the given keys durable before it returns, and destroys those that are
/// no longer among them. A crash in the middle leaves keys from which [`load`](Self::load) restores
/// either the state before or the one after.
pub trait KeyHome: Send + Sync {
    fn load(&self) -> Result<KeyRing, KeyHomeError>;
    fn save(&self, keys: &KeyRing) -> Result<(), KeyHomeError>;
}

/// Keys could not be loaded or kept.
#[derive(Debug, Error)]
#[error("{place}: {source}")]
pub struct KeyHomeError {
    pub place: String,
    #[source]
    pub source: KeyFileError,
}

impl KeyHomeError {
    pub const fn code(&self) -> ErrorCode {
        self.source.code()
    }
}

/// Keys kept in memory, for ledgers that need not outlive the process.
#[derive(Debug)]
pub struct MemoryKeys {
    ring: Mutex<KeyRing>,
}

impl MemoryKeys {
    pub const fn new(ring: KeyRing) -> Self {
        Self { ring: Mutex::new(ring) }
    }
}

impl KeyHome for MemoryKeys {
    fn load(&self) -> Result<KeyRing, KeyHomeError> {
        Ok(self.ring.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn save(&self, keys: &KeyRing) -> Result<(), KeyHomeError> {
        *self.ring.lock().unwrap_or_else(PoisonError::into_inner) = keys.clone();
        Ok(())
    }
}

/// The record key as the committer uses it, with its id computed once.
pub(crate) struct RecordSigner {
    key: SigningKey,
    key_id: KeyId,
}

impl RecordSigner {
    pub(crate) fn new(key: SigningKey) -> Arc<Self> {
        let key_id = key_id(&key);
        Arc::new(Self { key, key_id })
    }

    pub(crate) const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    pub(crate) fn sign(&self, header: &[u8]) -> Signature {
        self.key.sign(header)
    }
}

impl fmt::Debug for RecordSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordSigner({})", self.key_id)
    }
}

pub(crate) fn key_id(key: &SigningKey) -> KeyId {
    KeyId::ed25519(&key.verifying_key())
}

/// Whether a public key belongs to this private key.
pub(crate) fn is_public_of(public: &VerifyingKey, key: &SigningKey) -> bool {
    *public == key.verifying_key()
}
