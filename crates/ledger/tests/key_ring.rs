//! The keys of subjects over real files: made once, opened again, rotated, destroyed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use ledgerstone_ledger::sealing_keys::{
    KeyRing, KeyRingError, KeyRingSettings, RootKey, RootKeyError,
};
use ledgerstone_model::sealing::Subject;
use ledgerstone_model::{Clock, Entropy, ErrorCode};
use ledgerstone_proof::{IngestedAt, TenantId};
use ledgerstone_store::embedded::files::Files;
use ledgerstone_testkit::SeededEntropy;
use zeroize::Zeroizing;

/// A root key that can be switched off, and counts what it is asked.
#[derive(Debug, Default)]
struct SwitchedRoot {
    is_off: AtomicBool,
    unwraps: AtomicUsize,
}

impl SwitchedRoot {
    fn turned(&self, tenant: &TenantId, bytes: &[u8]) -> Result<Vec<u8>, RootKeyError> {
        if self.is_off.load(Ordering::SeqCst) {
            return Err(RootKeyError::Unavailable("switched off".to_owned()));
        }
        let pad = tenant.as_str().bytes().cycle();
        Ok(bytes.iter().zip(pad).map(|(byte, pad)| byte ^ pad ^ 0x5a).collect())
    }
}

impl RootKey for SwitchedRoot {
    fn kind(&self) -> &'static str {
        "switched"
    }

    fn wrap(&self, tenant: &TenantId, secrets: &[u8]) -> Result<Vec<u8>, RootKeyError> {
        self.turned(tenant, secrets)
    }

    fn unwrap(
        &self,
        tenant: &TenantId,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        self.unwraps.fetch_add(1, Ordering::SeqCst);
        self.turned(tenant, wrapped).map(Zeroizing::new)
    }
}

#[derive(Debug)]
struct HandClock(Mutex<i64>);

impl Clock for HandClock {
    fn now(&self) -> IngestedAt {
        IngestedAt::from_micros(*self.0.lock().expect("a clock")).expect("a time")
    }
}

struct Rig {
    place: tempfile::TempDir,
    root: Arc<SwitchedRoot>,
    clock: Arc<HandClock>,
    entropy: Arc<dyn Entropy>,
}

impl Rig {
    fn new() -> Self {
        Self {
            place: tempfile::tempdir().expect("a directory"),
            root: Arc::default(),
            clock: Arc::new(HandClock(Mutex::new(1_000_000_000))),
            entropy: Arc::new(SeededEntropy::new(7)),
        }
    }

    fn open(&self) -> KeyRing {
        self.open_at(self.place.path())
    }

    fn open_at(&self, path: &Path) -> KeyRing {
        let parts: (Arc<dyn Clock>, _) = (Arc::clone(&self.clock) as _, Arc::clone(&self.entropy));
        let root: Arc<dyn RootKey> = Arc::clone(&self.root) as _;
        let opened = KeyRing::open(path, &Files::new(), root, parts, KeyRingSettings::default());
        opened.expect("opens").0
    }

    fn pass(&self, seconds: i64) {
        *self.clock.0.lock().expect("a clock") += seconds * 1_000_000;
    }
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).expect("a name")
}

fn person(id: &str) -> Subject {
    Subject::Person { kind: "user".to_owned(), id: id.to_owned() }
}

#[test]
fn a_subject_has_one_key_for_ever_until_it_is_destroyed() {
    let place = Rig::new();
    let (acme, ana, bo) = (tenant("acme"), person("ana"), person("bo"));
    let ring = place.open();
    let keys = ring.keys_for(&acme, &[&ana, &bo, &ana, &Subject::Tenant]).expect("keys");
    assert_eq!(keys[0].id(), keys[2].id());
    assert_ne!(keys[0].id(), keys[1].id());
    assert_eq!(ring.generation().0, 1, "one change for all of them");
    ring.keys_for(&acme, &[&bo]).expect("keys");
    assert_eq!(ring.generation().0, 1, "a known subject changes nothing");
    drop(ring);

    let ring = place.open();
    let again = ring.keys_for(&acme, &[&ana]).expect("keys");
    assert_eq!(again[0].expose(), keys[0].expose());
    assert_eq!(ring.ids_of(&acme, &ana).expect("ids"), [*keys[0].id()]);

    ring.destroy(&[*keys[0].id()]).expect("destroyed");
    assert!(ring.key(&acme, keys[0].id()).expect("answers").is_none());
    assert!(ring.ids_of(&acme, &ana).expect("ids").is_empty());
    let new = ring.keys_for(&acme, &[&ana]).expect("keys");
    assert_ne!(new[0].id(), keys[0].id(), "somebody who comes back gets a new key");
}

#[test]
fn a_key_of_another_tenant_is_none() {
    let place = Rig::new();
    let ring = place.open();
    let keys = ring.keys_for(&tenant("acme"), &[&person("ana")]).expect("keys");
    let others = ring.keys_for(&tenant("other"), &[&person("ana")]).expect("keys");
    assert_ne!(keys[0].id(), others[0].id());
    assert!(ring.key(&tenant("other"), keys[0].id()).expect("answers").is_none());
}

#[test]
fn rotation_wraps_anew_and_changes_no_key() {
    let place = Rig::new();
    let (acme, ana) = (tenant("acme"), person("ana"));
    let ring = place.open();
    let keys = ring.keys_for(&acme, &[&ana, &person("bo")]).expect("keys");
    let before = std::fs::read(place.place.path().join("subjects.a")).expect("a file");
    let first = ring.rotate(&acme).expect("rotated");
    assert_ne!(ring.rotate(&acme).expect("rotated again"), first);
    drop(ring);
    let after = std::fs::read(place.place.path().join("subjects.a")).expect("a file");
    assert_ne!(before, after);
    let ring = place.open();
    let again = ring.keys_for(&acme, &[&ana, &person("bo")]).expect("keys");
    assert_eq!(again[0].expose(), keys[0].expose());
    assert_eq!(again[1].expose(), keys[1].expose());
}

#[test]
fn while_the_service_is_away_cached_keys_serve_and_no_longer() {
    let place = Rig::new();
    let (acme, ana) = (tenant("acme"), person("ana"));
    let ring = place.open();
    ring.keys_for(&acme, &[&ana]).expect("keys");
    place.root.is_off.store(true, Ordering::SeqCst);
    ring.keys_for(&acme, &[&ana]).expect("a cached key");
    ring.keys_for(&acme, &[&person("new")]).expect("a new person, under the cached tenant key");
    place.pass(301);
    ring.forget_old();
    let error = ring.keys_for(&acme, &[&ana]).expect_err("no key");
    assert!(matches!(error, KeyRingError::Root(RootKeyError::Unavailable(_))));
    assert_eq!(error.code(), ErrorCode::KeyServiceUnavailable);
    place.root.is_off.store(false, Ordering::SeqCst);
    ring.keys_for(&acme, &[&ana]).expect("it is back");
}

#[test]
fn the_service_is_asked_once_for_many_keys() {
    let place = Rig::new();
    let acme = tenant("acme");
    let people: Vec<Subject> = (0..500).map(|id| person(&format!("u-{id}"))).collect();
    let subjects: Vec<&Subject> = people.iter().collect();
    place.open().keys_for(&acme, &subjects).expect("keys");
    let ring = place.open();
    let asked = place.root.unwraps.load(Ordering::SeqCst);
    ring.keys_for(&acme, &subjects).expect("keys");
    assert_eq!(place.root.unwraps.load(Ordering::SeqCst), asked + 1);
}

/// A root key that answers for one tenant only when it is told to.
#[derive(Debug, Default)]
struct StuckRoot {
    inner: SwitchedRoot,
    is_stuck: Mutex<bool>,
    changed: Condvar,
    calls: AtomicUsize,
}

impl StuckRoot {
    fn stick(&self, is_stuck: bool) {
        *self.is_stuck.lock().expect("a switch") = is_stuck;
        self.changed.notify_all();
    }

    fn pass(&self, tenant: &TenantId) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if tenant.as_str() == "slow" {
            let stuck = self.is_stuck.lock().expect("a switch");
            drop(self.changed.wait_while(stuck, |stuck| *stuck).expect("a switch"));
        }
    }
}

impl RootKey for StuckRoot {
    fn kind(&self) -> &'static str {
        "stuck"
    }

    fn wrap(&self, tenant: &TenantId, secrets: &[u8]) -> Result<Vec<u8>, RootKeyError> {
        self.pass(tenant);
        self.inner.wrap(tenant, secrets)
    }

    fn unwrap(
        &self,
        tenant: &TenantId,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        self.pass(tenant);
        self.inner.unwrap(tenant, wrapped)
    }
}

/// A ring over a root that can be stuck, with one person of each tenant known.
fn stuck_ring(place: &Rig) -> (KeyRing, Arc<StuckRoot>) {
    let root = Arc::new(StuckRoot::default());
    let parts: (Arc<dyn Clock>, _) = (Arc::clone(&place.clock) as _, Arc::clone(&place.entropy));
    let path = place.place.path();
    let opened = KeyRing::open(
        path,
        &Files::new(),
        Arc::clone(&root) as _,
        parts,
        KeyRingSettings::default(),
    );
    let ring = opened.expect("opens").0;
    for name in ["quick", "slow"] {
        ring.keys_for(&tenant(name), &[&person("ana")]).expect("keys");
    }
    (ring, root)
}

/// Waits until that many calls were made to the root key.
fn until_asked(root: &StuckRoot, calls: usize) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while root.calls.load(Ordering::SeqCst) < calls {
        assert!(std::time::Instant::now() < end, "the root key was not asked");
        std::thread::yield_now();
    }
}

#[test]
fn a_root_key_that_is_slow_for_one_tenant_holds_up_no_other() {
    let place = Rig::new();
    let (ring, root) = stuck_ring(&place);
    place.pass(301);
    ring.keys_for(&tenant("quick"), &[&person("ana")]).expect("quick is in memory again");
    let known = root.calls.load(Ordering::SeqCst);
    root.stick(true);
    std::thread::scope(|scope| {
        let seal = || ring.keys_for(&tenant("slow"), &[&person("ana")]).expect("keys");
        let slow: Vec<_> = (0..4).map(|_| scope.spawn(seal)).collect();
        until_asked(&root, known + 1);
        let (done, wait) = std::sync::mpsc::channel();
        let (ring, quick) = (&ring, tenant("quick"));
        scope.spawn(move || {
            let key = ring.keys_for(&quick, &[&person("new")]).expect("a new person");
            ring.key(&quick, key[0].id()).expect("answers").expect("a key");
            ring.destroy(&[*key[0].id()]).expect("destroyed");
            done.send(()).expect("somebody waits");
        });
        let ended = wait.recv_timeout(std::time::Duration::from_secs(20));
        // Let go before judging, so that a failure ends the test and does not hang it.
        let asked = root.calls.load(Ordering::SeqCst);
        root.stick(false);
        ended.expect("quick is not held up");
        assert_eq!(asked, known + 1, "those who wait for the same secrets share a call");
        let keys: Vec<_> = slow.into_iter().map(|one| one.join().expect("keys")).collect();
        assert!(keys.iter().all(|key| key[0].id() == keys[0][0].id()));
    });
}

#[test]
fn a_new_tenant_gets_one_key_however_many_ask_at_once() {
    let place = Rig::new();
    let (ring, root) = stuck_ring(&place);
    let before = root.calls.load(Ordering::SeqCst);
    let keys = std::thread::scope(|scope| {
        let seal = || ring.keys_for(&tenant("third"), &[&person("ana")]).expect("keys");
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(seal)).collect();
        threads.into_iter().map(|one| one.join().expect("keys")).collect::<Vec<_>>()
    });
    assert!(keys.iter().all(|key| key[0].expose() == keys[0][0].expose()));
    assert!(root.calls.load(Ordering::SeqCst) > before);
    drop(ring);
    let slots = place.open();
    assert_eq!(slots.ids_of(&tenant("third"), &person("ana")).expect("ids"), [*keys[0][0].id()]);
}

/// A key that was wrapped by secrets which a rotation destroyed meanwhile would be lost.
#[test]
fn keys_made_during_a_rotation_stay_readable() {
    let place = Rig::new();
    let ring = place.open();
    let acme = tenant("acme");
    ring.keys_for(&acme, &[&person("ana")]).expect("keys");
    let is_over = AtomicBool::new(false);
    let seal = |who: usize| {
        let mut made = Vec::new();
        while !is_over.load(Ordering::SeqCst) {
            let id = format!("{who}-{}", made.len());
            made.push(ring.keys_for(&acme, &[&person(&id)]).expect("keys").remove(0));
        }
        made
    };
    let made: Vec<_> = std::thread::scope(|scope| {
        let seal = &seal;
        let threads: Vec<_> = (0..4).map(|who| scope.spawn(move || seal(who))).collect();
        let rotations: Result<Vec<_>, _> = (0..40).map(|_| ring.rotate(&acme)).collect();
        is_over.store(true, Ordering::SeqCst);
        rotations.expect("rotated");
        threads.into_iter().flat_map(|one| one.join().expect("keys")).collect()
    });
    drop(ring);
    let ring = place.open();
    for key in made {
        let found = ring.key(&acme, key.id()).expect("answers").expect("a key");
        assert_eq!(found.expose(), key.expose());
    }
}

#[test]
fn a_root_key_is_checked_before_it_is_needed() {
    let place = Rig::new();
    let ring = place.open();
    place.root.is_off.store(true, Ordering::SeqCst);
    ring.check_root().expect("nothing is wrapped yet");
    place.root.is_off.store(false, Ordering::SeqCst);
    ring.keys_for(&tenant("acme"), &[&person("ana")]).expect("keys");
    ring.check_root().expect("it opens");
    place.root.is_off.store(true, Ordering::SeqCst);
    ring.keys_for(&tenant("acme"), &[&person("ana")]).expect("cached");
    let error = ring.check_root().expect_err("asked all the same");
    assert_eq!(error.code(), ErrorCode::KeyServiceUnavailable);
}
