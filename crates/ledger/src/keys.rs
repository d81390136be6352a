//! The private keys of a deployment and where they are in their lives.
//!
//! Which key signed what is history, and history stands in `system.signing_key` records. What stands
//! here is only which private keys still exist.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ledgerstone_model::system::{KeyUse, PublicKey};
use ledgerstone_model::{Entropy, ErrorCode};
use ledgerstone_proof::{KeyId, RsaError, SigningKey, VerifyingKey};
use ledgerstone_store::key_file::{self, FileKey, KeyFileError};
use ledgerstone_store::{RecordKey, RecordSignature};
use thiserror::Error;

use crate::sealing_keys::KeyRing as SealingKeyRing;

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
pub struct OutgoingKey<K> {
    pub key: K,
    pub retirement: Retirement,
}

/// The private keys for one use.
#[derive(Clone)]
pub struct KeySlots<K> {
    /// The key that signs.
    pub current: K,
    /// A key that is about to be announced.
    pub incoming: Option<K>,
    /// The key before, while it still exists.
    pub outgoing: Option<OutgoingKey<K>>,
}

impl<K: FileKey> KeySlots<K> {
    /// One key, and no change under way.
    pub const fn of(current: K) -> Self {
        Self { current, incoming: None, outgoing: None }
    }

    pub(crate) fn retirement(&self) -> Option<Retirement> {
        self.outgoing.as_ref().map(|old| old.retirement)
    }

    fn begin(&mut self, incoming: K) {
        self.outgoing = None;
        self.incoming = Some(incoming);
    }

    /// The incoming key takes its place; the current one is on its way out.
    pub(crate) fn promote(&mut self) {
        if let Some(incoming) = self.incoming.take() {
            let key = std::mem::replace(&mut self.current, incoming);
            self.outgoing = Some(OutgoingKey { key, retirement: Retirement::Announcing });
        }
    }
}

impl<K: FileKey> fmt::Debug for KeySlots<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySlots")
            .field("current", &key_id(&self.current))
            .field("incoming", &self.incoming.as_ref().map(key_id))
            .field("outgoing", &self.outgoing.as_ref().map(|key| key_id(&key.key)))
            .finish()
    }
}

/// A fresh key on its way into the ring.
#[derive(Clone, Debug)]
pub(crate) enum NewKey {
    Log(SigningKey),
    Record(RecordKey),
}

impl NewKey {
    pub(crate) const fn usage(&self) -> KeyUse {
        match self {
            Self::Log(_) => KeyUse::Log,
            Self::Record(_) => KeyUse::Record,
        }
    }

    pub(crate) fn public(&self) -> PublicKey {
        match self {
            Self::Log(key) => key.public(),
            Self::Record(key) => key.public(),
        }
    }
}

/// The private keys of a deployment: the log key signs checkpoints, the record key signs headers,
/// and neither signs anything else. A log key is always Ed25519, as notes are.
#[derive(Clone, Debug)]
pub struct KeyRing {
    pub log: KeySlots<SigningKey>,
    pub record: KeySlots<RecordKey>,
}

impl KeyRing {
    /// Fresh keys for a new deployment, both Ed25519.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let log = KeySlots::of(key_file::draw(entropy));
        Self { log, record: KeySlots::of(RecordKey::Ed25519(key_file::draw(entropy))) }
    }

    /// The public half of the key that signs.
    pub fn public(&self, usage: KeyUse) -> PublicKey {
        match usage {
            KeyUse::Log => self.log.current.public(),
            KeyUse::Record => self.record.current.public(),
        }
    }

    /// How far the key before has come on its way out.
    pub fn retirement(&self, usage: KeyUse) -> Option<Retirement> {
        match usage {
            KeyUse::Log => self.log.retirement(),
            KeyUse::Record => self.record.retirement(),
        }
    }

    /// The new key is incoming; one that was on its way out is forgotten.
    pub(crate) fn begin(&mut self, new: NewKey) {
        match new {
            NewKey::Log(key) => self.log.begin(key),
            NewKey::Record(key) => self.record.begin(key),
        }
    }

    pub(crate) fn promote(&mut self, usage: KeyUse) {
        match usage {
            KeyUse::Log => self.log.promote(),
            KeyUse::Record => self.record.promote(),
        }
    }

    pub(crate) fn drop_incoming(&mut self, usage: KeyUse) {
        match usage {
            KeyUse::Log => self.log.incoming = None,
            KeyUse::Record => self.record.incoming = None,
        }
    }

    pub(crate) fn drop_outgoing(&mut self, usage: KeyUse) {
        match usage {
            KeyUse::Log => self.log.outgoing = None,
            KeyUse::Record => self.record.outgoing = None,
        }
    }
}

/// Where private keys are kept.
///
/// [`save`](Self::save) makes the given keys durable before it returns, and destroys those that are
/// no longer among them. A crash in the middle leaves keys from which [`load`](Self::load) restores
/// either the state before or the one after.
pub trait KeyHome: Send + Sync {
    /// The keys that fields are sealed under; `None` where nothing is ever sealed.
    fn sealing_keys(&self) -> Option<Arc<SealingKeyRing>> {
        None
    }

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
    sealing: Option<Arc<SealingKeyRing>>,
}

impl MemoryKeys {
    pub const fn new(ring: KeyRing) -> Self {
        Self { ring: Mutex::new(ring), sealing: None }
    }

    /// The same with keys to seal under.
    #[must_use]
    pub fn with_sealing(self, keys: Arc<SealingKeyRing>) -> Self {
        Self { sealing: Some(keys), ..self }
    }
}

impl KeyHome for MemoryKeys {
    fn sealing_keys(&self) -> Option<Arc<SealingKeyRing>> {
        self.sealing.clone()
    }

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
    key: RecordKey,
    key_id: KeyId,
}

impl RecordSigner {
    pub(crate) fn new(key: RecordKey) -> Arc<Self> {
        let key_id = key_id(&key);
        Arc::new(Self { key, key_id })
    }

    /// How many signatures cost as much as handing them to another thread.
    pub(crate) const fn signatures_per_task(&self) -> usize {
        match self.key {
            RecordKey::Ed25519(_) => 32,
            RecordKey::Rsa(_) => 1,
        }
    }

    pub(crate) fn sign(&self, header: &[u8]) -> Result<RecordSignature, RsaError> {
        Ok(RecordSignature { key_id: self.key_id.clone(), bytes: self.key.sign(header)? })
    }
}

impl fmt::Debug for RecordSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordSigner({})", self.key_id)
    }
}

pub(crate) fn key_id(key: &impl FileKey) -> KeyId {
    key.public().key_id()
}

/// Whether a public key belongs to this private key.
pub(crate) fn is_public_of(public: &VerifyingKey, key: &SigningKey) -> bool {
    *public == key.verifying_key()
}
