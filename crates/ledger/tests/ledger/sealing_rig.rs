//! A deployment with sealing keys, and events about people.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ledgerstone_ledger::sealing_keys::{
    KeyRing as SealingKeyRing, KeyRingSettings, RootKey, RootKeyError,
};
use ledgerstone_ledger::{KeyHome as _, Ledger, MemoryKeys, Outcome, ReceiptStatus};
use ledgerstone_model::sealing::{Preset, Subject};
use ledgerstone_model::{AdmittedEvent, ErrorCode, ParseContext, Taxonomy, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::embedded::files::Files;
use ledgerstone_testkit::{MockClock, TestEvent};
use zeroize::Zeroizing;

use crate::rig::{Rig, tenant};

/// A root key that can be switched off, and how often it was asked.
#[derive(Debug, Default)]
pub struct SwitchedRoot(pub AtomicBool, pub AtomicUsize);

impl SwitchedRoot {
    fn turned(&self, bytes: &[u8]) -> Result<Vec<u8>, RootKeyError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        if self.0.load(Ordering::SeqCst) {
            return Err(RootKeyError::Unavailable("switched off".to_owned()));
        }
        Ok(bytes.iter().map(|byte| byte ^ 0x5a).collect())
    }
}

impl RootKey for SwitchedRoot {
    fn kind(&self) -> &'static str {
        "switched"
    }

    fn wrap(&self, _: &TenantId, secrets: &[u8]) -> Result<Vec<u8>, RootKeyError> {
        self.turned(secrets)
    }

    fn unwrap(&self, _: &TenantId, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        self.turned(wrapped).map(Zeroizing::new)
    }
}

/// A deployment with sealing keys in a directory of its own.
pub struct SealingRig {
    pub rig: Rig,
    pub place: tempfile::TempDir,
    pub root: Arc<SwitchedRoot>,
    pub sealing: Arc<SealingKeyRing>,
}

impl SealingRig {
    pub fn new(default: Preset) -> Self {
        let mut rig = Rig::new();
        rig.settings.default_sealing = default;
        let place = tempfile::tempdir().unwrap();
        let root = Arc::new(SwitchedRoot::default());
        let sealing = ring(&rig, &root, place.path());
        let mut own = Self { rig, place, root, sealing };
        own.use_keys();
        own
    }

    fn use_keys(&mut self) {
        let signing = self.rig.keys.load().unwrap();
        let keys = MemoryKeys::new(signing).with_sealing(Arc::clone(&self.sealing));
        self.rig.keys = Arc::new(keys);
    }

    /// The key files are opened again, as a new process would.
    pub fn reopen_keys(&mut self) {
        self.sealing = ring(&self.rig, &self.root, self.place.path());
        self.use_keys();
    }

    pub fn event(name: &str, json: &str) -> AdmittedEvent {
        let tenant = tenant(name);
        let at = IngestedAt::from_micros(MockClock::START_MICROS).unwrap();
        let context = ParseContext::new(&tenant, at, [7; 16]);
        let event = ValidEvent::parse(json.as_bytes(), &context, &mut Canonicalizer::new());
        Taxonomy::none().admit(event.unwrap()).unwrap()
    }

    pub fn append(ledger: &Ledger, name: &str, json: &str) -> Outcome {
        let sealed = ledger.seal(vec![Self::event(name, json)]).unwrap();
        ledger.append(sealed).unwrap().remove(0)
    }

    /// The stored text of the newest record.
    pub fn newest(ledger: &Ledger, name: &str) -> String {
        let head = ledger.store().head(&tenant(name)).unwrap().unwrap();
        let last = SequenceNumber::new(head.size() - 1).unwrap();
        let record = ledger.store().read(&tenant(name), last, 1).unwrap().remove(0);
        String::from_utf8(record.content.unwrap()).unwrap()
    }
}

fn ring(rig: &Rig, root: &Arc<SwitchedRoot>, place: &Path) -> Arc<SealingKeyRing> {
    let tools = (Arc::clone(&rig.clock) as _, Arc::clone(&rig.entropy) as _);
    let root = Arc::clone(root) as _;
    let opened =
        SealingKeyRing::open(place, &Files::new(), root, tools, KeyRingSettings::default());
    Arc::new(opened.unwrap().0)
}

pub fn login(id: &str, actor: &str, name: &str) -> String {
    TestEvent::new("user.login")
        .id(id)
        .set("/actor/id", actor.into())
        .set("/actor/type", "user".into())
        .set("/actor/name", name.into())
        .set("/metadata/shift", "night".into())
        .json()
}

pub fn status(outcome: &Outcome) -> ReceiptStatus {
    match outcome {
        Outcome::Recorded(receipt) => receipt.status,
        Outcome::Refused(refusal) => panic!("{refusal:?}"),
    }
}

pub fn code(outcome: &Outcome) -> ErrorCode {
    match outcome {
        Outcome::Recorded(receipt) => panic!("{receipt:?}"),
        Outcome::Refused(refusal) => refusal.code,
    }
}

pub fn ana() -> Subject {
    Subject::Person { kind: "user".to_owned(), id: "ana".to_owned() }
}
