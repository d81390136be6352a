//! Gives out the keys of subjects, and is the only one who changes them.
//!
//! The root key service is asked while nothing is locked, so that one that is slow or away holds up
//! nobody whose keys are in memory: an operation that lacks a tenant's secrets lets go of the lock,
//! asks, and begins again.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use ledgerstone_model::sealing::{SealingKeyId, Subject, SubjectId, SubjectKey};
use ledgerstone_model::{Clock, Entropy, ErrorCode};
use ledgerstone_proof::TenantId;
use ledgerstone_store::KeyGeneration;
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::subject_keys::{
    SlotsReport, StrandedKeys, SubjectKeySlots, SubjectKeysError, SubjectTag, TenantKeySlots,
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::root_calls::RootCalls;
use super::root_key::{RootKey, RootKeyError};
use super::shared_calls::SharedCalls;
use super::state::{Held, State, Stop, Wanted};
use super::tenant_secrets::TenantSecrets;
use crate::ledger::hold;

/// How long and how many keys are kept unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRingSettings {
    /// Microseconds that an unwrapped key stays in memory.
    pub lifetime_micros: i64,
    /// Unwrapped keys of subjects in memory.
    pub subject_keys_max: usize,
    /// Unwrapped secrets of tenants in memory.
    pub tenant_keys_max: usize,
}

impl Default for KeyRingSettings {
    fn default() -> Self {
        Self {
            // Less than five minutes by more than it takes until they are wiped.
            lifetime_micros: (5 * 60 - 15) * 1_000_000,
            subject_keys_max: 65_536,
            tenant_keys_max: 4_096,
        }
    }
}

/// The keys of all subjects of a deployment.
pub struct KeyRing {
    root: RootCalls,
    /// Slots that are damaged in both files.
    lost: u64,
    /// Those of tenants among them.
    lost_tenants: u64,
    pub(super) clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    state: Mutex<State>,
    calls: SharedCalls<Question, Result<Arc<Asked>, RootKeyError>>,
    /// Held by who rotates: one at a time.
    rotating: Mutex<()>,
    /// How often keys of subjects were destroyed since the files were opened.
    destructions: AtomicU64,
}

/// What the root key service is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Question {
    /// To wrap the first secrets of a tenant.
    Make(TenantId),
    /// To unwrap these secrets.
    Open(SealingKeyId),
}

/// What it answered: secrets, and their wrapped form where they are new.
struct Asked {
    secrets: Option<Arc<TenantSecrets>>,
    wrapped: Option<Vec<u8>>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("root", &self.root().kind()).finish_non_exhaustive()
    }
}

/// Why a key was not given out or changed.
#[derive(Debug, Error)]
pub enum KeyRingError {
    #[error(transparent)]
    Root(#[from] RootKeyError),
    #[error("the key files: {0}")]
    Files(#[from] SubjectKeysError),
    /// The wrapped key does not open under the key that is said to have wrapped it.
    #[error("key {0} does not unwrap; the key files hold something else than was written")]
    Damaged(SealingKeyId),
    #[error(
        "{0} slots of the key files are damaged in both files, and nothing could read what they hold \
         once the key that wrapped them is destroyed: put the newest copy of the key files back first"
    )]
    Lost(u64),
    #[error(
        "{0} slots of `keys/tenants.*` are damaged in both files, and the tenant's keys may have stood \
         there: none are made anew; put the newest copy of `keys/` back"
    )]
    LostTenants(u64),
    #[error(
        "{0} keys of people are wrapped by keys of tenants that `keys/tenants.*` does not hold: none are \
         made anew; put the newest copy of `keys/` back"
    )]
    Stranded(u64),
    #[error("the cryptographic library refused")]
    Refused,
}

/// A rotation that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The tenant's new key.
    pub key_id: SealingKeyId,
    /// Keys of people that it wraps now.
    pub rewrapped: u64,
}

/// How the root key service and the keys in memory are doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRingStatus {
    /// The root key service's name.
    pub service: &'static str,
    /// Questions to it since the files were opened, and how many of them failed.
    pub calls: u64,
    pub failures: u64,
    /// Why the newest question failed; `None` where it did not.
    pub problem: Option<RootKeyError>,
    /// Keys that are unwrapped in memory.
    pub tenant_keys: usize,
    pub subject_keys: usize,
    pub generation: KeyGeneration,
}

impl KeyRingError {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Root(error) => error.code(),
            Self::Files(_) => ErrorCode::StorageFailed,
            Self::Damaged(_) | Self::Lost(_) | Self::LostTenants(_) => ErrorCode::StoreDamaged,
            Self::Stranded(_) => ErrorCode::KeysBehind,
            Self::Refused => ErrorCode::Internal,
        }
    }
}

impl KeyRing {
    /// Opens the key files of a data directory, or makes them.
    pub fn open(
        directory: &Path,
        files: &Files,
        root: Arc<dyn RootKey>,
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
        settings: KeyRingSettings,
    ) -> Result<(Self, SlotsReport), KeyRingError> {
        let (tenants, tenants_report) = TenantKeySlots::open(directory, files)?;
        let (subjects, mut report) = SubjectKeySlots::open(directory, files)?;
        let lost_tenants = tenants_report.faults.len() as u64;
        report.healed += tenants_report.healed;
        report.unfinished += tenants_report.unfinished;
        report.faults.extend(tenants_report.faults);
        let state = Mutex::new(State::new(tenants, subjects, settings));
        let (calls, rotating) = (SharedCalls::new(), Mutex::new(()));
        let (root, lost) = (RootCalls::new(root), report.faults.len() as u64);
        let destructions = AtomicU64::new(0);
        let ring =
            Self { root, lost, lost_tenants, clock, entropy, state, calls, rotating, destructions };
        Ok((ring, report))
    }

    pub(super) fn root(&self) -> &dyn RootKey {
        self.root.root()
    }

    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    /// How the root key service and the keys in memory are doing.
    pub fn status(&self) -> KeyRingStatus {
        let (calls, failures) = self.root.counts();
        let state = self.state();
        let (tenant_keys, subject_keys) = state.opened_counts();
        KeyRingStatus {
            service: self.root().kind(),
            calls,
            failures,
            problem: self.root.problem(),
            tenant_keys,
            subject_keys,
            generation: state.generation(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        hold(&self.state)
    }

    /// Keys of people that no key of a tenant opens: the key files are not of one time.
    pub fn stranded(&self) -> StrandedKeys {
        self.state().stranded()
    }

    /// The generation of the key files, which frames carry.
    pub fn generation(&self) -> KeyGeneration {
        self.state().generation()
    }

    /// Asks the root key service to unwrap the secrets of one tenant, if there is one: whether it is
    /// there, and holds the key that wrapped them, is better told at the start than with an event.
    pub fn check_root(&self) -> Result<(), KeyRingError> {
        let Some((tenant, id)) = self.state().any_tenant() else {
            return Ok(());
        };
        self.ask(&tenant, &Wanted::Opened(id)).map(drop)
    }

    /// The keys to seal under of those subjects who have one.
    pub fn known_keys(
        &self,
        tenant: &TenantId,
        subjects: &[&Subject],
    ) -> Result<HashMap<Subject, SubjectKey>, KeyRingError> {
        self.run(tenant, |state, held| {
            let now = self.clock.now();
            let secrets = state.current_secrets(tenant, held, now)?;
            let namer = secrets.namer();
            let mut known = HashMap::with_capacity(subjects.len());
            for subject in subjects {
                if let Some(key) = state.opened_by_tag(tenant, &namer.tag(subject), held, now)? {
                    known.insert((*subject).clone(), key);
                }
            }
            Ok(known)
        })
    }

    /// A key that nobody keeps: what is sealed under it can never be read.
    pub fn unkept_key(&self) -> SubjectKey {
        self.new_key()
    }

    /// The keys to seal under, one for each subject and in their order. Keys that did not exist
    /// are made and durable when this returns: one pair of syncs for all of them, none where all
    /// were known.
    pub fn keys_for(
        &self,
        tenant: &TenantId,
        subjects: &[&Subject],
    ) -> Result<Vec<SubjectKey>, KeyRingError> {
        self.run(tenant, |state, held| {
            let now = self.clock.now();
            let secrets = state.current_secrets(tenant, held, now)?;
            let namer = secrets.namer();
            let tags: Vec<_> = subjects.iter().map(|subject| namer.tag(subject)).collect();
            let known = tags.iter().map(|tag| state.opened_by_tag(tenant, tag, held, now));
            let known = known.collect::<Result<Vec<_>, _>>()?;
            let mut made: HashMap<SubjectTag, SubjectKey> = HashMap::new();
            let mut new = Vec::new();
            for (tag, key) in tags.iter().zip(&known) {
                if key.is_none() && !made.contains_key(tag) {
                    let key = self.new_key();
                    let wrapped = secrets.wrap(&key).ok_or(KeyRingError::Refused)?;
                    new.push((*key.id(), *tag, wrapped));
                    made.insert(*tag, key);
                }
            }
            state.add_subjects(&new, made.values(), now)?;
            let all = tags.iter().zip(known);
            let all = all.map(|(tag, key)| key.or_else(|| made.get(tag).cloned()));
            all.collect::<Option<_>>().ok_or_else(|| KeyRingError::Refused.into())
        })
    }

    /// The key that opens an envelope of this tenant; `None` once it is destroyed, and for a key
    /// that is not this tenant's.
    pub fn key(
        &self,
        tenant: &TenantId,
        id: &SealingKeyId,
    ) -> Result<Option<SubjectKey>, KeyRingError> {
        self.run(tenant, |state, held| state.opened(tenant, id, held, self.clock.now()))
    }

    /// The ids of all keys that a subject ever had and that are not destroyed.
    pub fn ids_of(
        &self,
        tenant: &TenantId,
        subject: &Subject,
    ) -> Result<Vec<SealingKeyId>, KeyRingError> {
        self.run(tenant, |state, held| {
            let secrets = state.current_secrets(tenant, held, self.clock.now())?;
            let tag = secrets.tag(subject);
            let own = state.subjects.iter().filter(|slot| slot.tag == tag && slot.key.is_some());
            Ok(own.map(|slot| slot.key_id).collect())
        })
    }

    /// The live key of each of these subjects, in their order; none is made.
    pub(crate) fn live_keys_of(
        &self,
        tenant: &TenantId,
        subjects: &[Subject],
    ) -> Result<Vec<Option<SealingKeyId>>, KeyRingError> {
        if self.state().tenants.newest(tenant).is_none() {
            return Ok(vec![None; subjects.len()]);
        }
        self.run(tenant, |state, held| {
            let secrets = state.current_secrets(tenant, held, self.clock.now())?;
            let live = |subject| state.subjects.of_subject(&secrets.tag(subject));
            Ok(subjects.iter().map(|subject| live(subject).map(|slot| slot.key_id)).collect())
        })
    }

    /// The opaque id of a subject.
    pub fn subject_id(
        &self,
        tenant: &TenantId,
        subject: &Subject,
    ) -> Result<SubjectId, KeyRingError> {
        let secrets =
            self.run(tenant, |state, held| state.current_secrets(tenant, held, self.clock.now()))?;
        Ok(SubjectId::from_bytes(secrets.tag(subject).0))
    }

    /// The ids of a subject's keys, those that are live and those that are destroyed. None where the
    /// subject is another tenant's.
    pub fn keys_of(
        &self,
        tenant: &TenantId,
        subject: &SubjectId,
    ) -> (Vec<SealingKeyId>, Vec<SealingKeyId>) {
        self.state().keys_of(tenant, &SubjectTag(*subject.as_bytes()))
    }

    /// Whether a key is there and not destroyed.
    pub fn is_live(&self, id: &SealingKeyId) -> bool {
        self.state().is_live(id)
    }

    /// Destroys keys: when this returns, they are in no file and not in memory.
    pub fn destroy(&self, ids: &[SealingKeyId]) -> Result<KeyGeneration, KeyRingError> {
        let mut state = self.state();
        let done = state.destroy(ids);
        self.destructions.fetch_add(1, Ordering::Release);
        Ok(done?)
    }

    /// How often keys of subjects were destroyed since the files were opened. Whoever takes the number,
    /// then keys, and later finds the same number, holds keys that live.
    pub(crate) fn destructions(&self) -> u64 {
        self.destructions.load(Ordering::Acquire)
    }

    /// Destroys all keys of a tenant, those of its people and its own: when this returns, they are in no
    /// file and not in memory. Answers whether there was one.
    pub fn destroy_all_of(&self, tenant: &TenantId) -> Result<bool, KeyRingError> {
        let mut state = self.state();
        let done = state.destroy_all_of(tenant);
        self.destructions.fetch_add(1, Ordering::Release);
        Ok(done?)
    }

    /// Whether anything was ever sealed for a tenant.
    pub fn has_keys_of(&self, tenant: &TenantId) -> bool {
        self.state().tenants.newest(tenant).is_some()
    }

    /// Gives a tenant a new wrapping key and wraps all keys of its subjects by it. The keys
    /// themselves, and so the ledger, stay as they are. The old wrapping key is destroyed. What is
    /// left of an interrupted rotation is finished by the next one.
    pub fn rotate(&self, tenant: &TenantId) -> Result<Rotated, KeyRingError> {
        let _turn = hold(&self.rotating);
        if self.lost > 0 {
            return Err(KeyRingError::Lost(self.lost));
        }
        let old =
            self.run(tenant, |state, held| state.current_secrets(tenant, held, self.clock.now()))?;
        let mut bytes = self.random_secrets();
        let naming = old.naming_key();
        bytes.truncate(TenantSecrets::BYTES - naming.len());
        bytes.extend_from_slice(naming);
        let wrapped = self.root.ask(|root| root.wrap(tenant, &bytes))?;
        let new = TenantSecrets::new(self.new_id(), bytes).ok_or(KeyRingError::Refused)?;
        let new = Arc::new(new);
        let rewrapped = self.run(tenant, |state, held| {
            let now = self.clock.now();
            // All that may be wanting is asked for before anything changes.
            let rewrapped = state.rewrapped(tenant, &new, held, now)?;
            state.add_secrets(tenant, &new, wrapped.clone(), now)?;
            state.subjects.rewrap(&rewrapped)?;
            state.destroy_outdated(tenant, &new.id())?;
            Ok(rewrapped.len() as u64)
        })?;
        Ok(Rotated { key_id: new.id(), rewrapped })
    }

    /// Wipes unwrapped keys whose time is over. To be called now and then.
    pub fn forget_old(&self) {
        let now = self.clock.now();
        self.state().forget_old(now);
    }

    /// Does something under the lock. Where secrets are wanting, the lock is let go, the service is
    /// asked, and it is done from the beginning: `work` must look for what it needs before it
    /// changes anything.
    fn run<T>(
        &self,
        tenant: &TenantId,
        work: impl Fn(&mut State, &Held) -> Result<T, Stop>,
    ) -> Result<T, KeyRingError> {
        let mut held = Held::default();
        loop {
            let ended = work(&mut self.state(), &held);
            match ended {
                Ok(done) => return Ok(done),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Wants(wanted)) => {
                    if let Some(secrets) = self.ask(tenant, &wanted)? {
                        held.keep(secrets);
                    }
                }
            }
        }
    }

    /// Gets secrets from the service and keeps them for a while; `None` where they were destroyed in
    /// between, or others were made.
    fn ask(
        &self,
        tenant: &TenantId,
        wanted: &Wanted,
    ) -> Result<Option<Arc<TenantSecrets>>, KeyRingError> {
        match wanted {
            Wanted::First => self.ask_for_first(tenant),
            Wanted::Opened(id) => self.ask_for(tenant, id),
        }
    }

    pub(super) fn ask_for(
        &self,
        tenant: &TenantId,
        id: &SealingKeyId,
    ) -> Result<Option<Arc<TenantSecrets>>, KeyRingError> {
        let Some(wrapped) = self.state().wrapped_secrets(id) else {
            return Ok(None);
        };
        let asked = self.calls.ask(&Question::Open(*id), || {
            let bytes = self.root.ask(|root| root.unwrap(tenant, &wrapped))?;
            let secrets = TenantSecrets::new(*id, bytes).map(Arc::new);
            Ok(Arc::new(Asked { secrets, wrapped: None }))
        });
        let secrets = asked?.secrets.clone().ok_or(KeyRingError::Damaged(*id))?;
        self.state().keep_secrets(&secrets, self.clock.now());
        Ok(Some(secrets))
    }

    fn ask_for_first(&self, tenant: &TenantId) -> Result<Option<Arc<TenantSecrets>>, KeyRingError> {
        let asked = self.calls.ask(&Question::Make(tenant.clone()), || {
            let bytes = self.random_secrets();
            let wrapped = Some(self.root.ask(|root| root.wrap(tenant, &bytes))?);
            let secrets = TenantSecrets::new(self.new_id(), bytes).map(Arc::new);
            Ok(Arc::new(Asked { secrets, wrapped }))
        })?;
        let (Some(secrets), Some(wrapped)) = (&asked.secrets, &asked.wrapped) else {
            return Err(KeyRingError::Refused);
        };
        let mut state = self.state();
        if state.tenants.newest(tenant).is_some() {
            return Ok(None);
        }
        self.refuse_first(&state)?;
        state.add_secrets(tenant, secrets, wrapped.clone(), self.clock.now())?;
        Ok(Some(Arc::clone(secrets)))
    }

    /// Secrets of a tenant that only seem never to have been made must not be made anew: the tenant's people
    /// would get other ids, and what is sealed for them would open no more once the right files are back.
    fn refuse_first(&self, state: &State) -> Result<(), KeyRingError> {
        if self.lost_tenants > 0 {
            return Err(KeyRingError::LostTenants(self.lost_tenants));
        }
        match state.stranded().unknown.len() as u64 {
            0 => Ok(()),
            stranded => Err(KeyRingError::Stranded(stranded)),
        }
    }

    fn random_secrets(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(vec![0; TenantSecrets::BYTES]);
        self.entropy.fill(&mut bytes);
        bytes
    }

    fn new_id(&self) -> SealingKeyId {
        let mut id = [0; 16];
        self.entropy.fill(&mut id);
        SealingKeyId::new(id)
    }

    fn new_key(&self) -> SubjectKey {
        let mut bytes = Zeroizing::new([0; 32]);
        self.entropy.fill(bytes.as_mut_slice());
        SubjectKey::new(self.new_id(), bytes)
    }
}
