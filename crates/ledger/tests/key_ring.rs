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
use ledgerstone_store::embedded::files::{FileFault, FileOp, Files};
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
        self.open_with(path, &Files::new()).expect("opens")
    }

    /// The same files in another place.
    fn copy(&self) -> Self {
        let place = tempfile::tempdir().expect("a directory");
        for entry in std::fs::read_dir(self.place.path()).expect("a directory") {
            let entry = entry.expect("an entry");
            std::fs::copy(entry.path(), place.path().join(entry.file_name())).expect("copied");
        }
        let (root, clock) = (Arc::clone(&self.root), Arc::clone(&self.clock));
        Self { place, root, clock, entropy: Arc::clone(&self.entropy) }
    }

    fn open_with(&self, path: &Path, files: &Files) -> Result<KeyRing, KeyRingError> {
        let parts: (Arc<dyn Clock>, _) = (Arc::clone(&self.clock) as _, Arc::clone(&self.entropy));
        let root: Arc<dyn RootKey> = Arc::clone(&self.root) as _;
        let opened = KeyRing::open(path, files, root, parts, KeyRingSettings::default());
        opened.map(|(ring, _)| ring)
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
    assert_eq!(ring.generation().0, 2, "one change for the tenant, and one for all of them");
    ring.keys_for(&acme, &[&bo]).expect("keys");
    assert_eq!(ring.generation().0, 2, "a known subject changes nothing");
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

/// Ends at the operation of this ordinal, as a process that is killed does: it and all after it fail,
/// with or without the effect of the first.
#[derive(Debug)]
struct KillAt {
    left: AtomicUsize,
    has_effect: bool,
}

impl KillAt {
    fn step(&self) -> std::io::Result<()> {
        let counted = |left: usize| left.checked_sub(1);
        let went_on = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted);
        went_on.map(drop).map_err(|_| std::io::Error::other("killed"))
    }
}

impl FileFault for KillAt {
    fn before(&self, _: FileOp, _: &Path) -> std::io::Result<()> {
        if self.has_effect { Ok(()) } else { self.step() }
    }

    fn after(&self, _: FileOp, _: &Path) -> std::io::Result<()> {
        if self.has_effect { self.step() } else { Ok(()) }
    }
}

#[test]
fn a_rotation_that_is_killed_loses_no_key_and_is_finished_by_the_next() {
    let (acme, beta) = (tenant("acme"), tenant("beta"));
    let people: Vec<Subject> = (0..12).map(|number| person(&format!("p-{number}"))).collect();
    let people: Vec<&Subject> = people.iter().collect();
    let origin = Rig::new();
    let ring = origin.open();
    let keys = ring.keys_for(&acme, &people).expect("keys");
    let others = ring.keys_for(&beta, &people[..1]).expect("keys");
    ring.destroy(&[*keys[7].id()]).expect("destroyed");
    let old = ring.overview();
    drop(ring);
    for has_effect in [false, true] {
        for step in 0.. {
            let place = origin.copy();
            let kill = Arc::new(KillAt { left: step.into(), has_effect });
            let opened = place.open_with(place.place.path(), &Files::with_fault(kill));
            let is_done = opened.is_ok_and(|ring| ring.rotate(&acme).is_ok());

            let ring = place.open();
            for (at, key) in keys.iter().enumerate() {
                let found = ring.key(&acme, key.id()).expect("answers");
                let found = found.map(|found| *found.expose());
                assert_eq!(found, (at != 7).then(|| *key.expose()), "{step} {at}");
            }
            ring.rotate(&acme).expect("finished");
            let now = ring.overview();
            let of = |tenant: &TenantId| {
                let mut all = now.tenants.iter();
                all.find(|keys| keys.tenant == *tenant).expect("keys").clone()
            };
            assert_eq!((of(&acme).live, of(&acme).outdated, now.destroyed), (11, 0, 1), "{step}");
            assert_ne!(of(&acme).key_id, old.tenants[0].key_id);
            assert_eq!(of(&beta), old.tenants[1], "another tenant's keys stay as they are");
            assert!(ring.key(&beta, others[0].id()).expect("answers").is_some());
            let again = ring.keys_for(&acme, &people[..7]).expect("keys");
            assert!(again.iter().zip(&keys).all(|(again, key)| again.expose() == key.expose()));
            if is_done {
                break;
            }
        }
    }
}

#[test]
fn no_key_is_rotated_while_a_slot_is_lost() {
    let place = Rig::new();
    let (acme, ana) = (tenant("acme"), person("ana"));
    place.open().keys_for(&acme, &[&ana, &person("bo")]).expect("keys");
    for name in ["subjects.a", "subjects.b"] {
        let path = place.place.path().join(name);
        let mut bytes = std::fs::read(&path).expect("a file");
        bytes[128 + 50] ^= 1;
        std::fs::write(path, bytes).expect("written");
    }
    let ring = place.open();
    assert_eq!(ring.overview().lost, 1);
    let error = ring.rotate(&acme).expect_err("refused");
    assert!(matches!(error, KeyRingError::Lost(1)), "{error}");
    assert_eq!(error.code(), ErrorCode::StoreDamaged);
}

#[test]
fn it_is_known_how_the_service_serves_and_how_many_keys_are_in_memory() {
    let place = Rig::new();
    let (acme, ana) = (tenant("acme"), person("ana"));
    let ring = place.open();
    ring.keys_for(&acme, &[&ana, &person("bo")]).expect("keys");
    let status = ring.status();
    assert_eq!((status.calls, status.failures, status.problem), (1, 0, None));
    assert_eq!((status.tenant_keys, status.subject_keys, status.generation.0), (1, 2, 2));
    // Nobody asks for anything any more, and all of it is wiped within five minutes.
    place.pass(290);
    ring.forget_old();
    assert_eq!((ring.status().tenant_keys, ring.status().subject_keys), (0, 0));
    place.root.is_off.store(true, Ordering::SeqCst);
    ring.keys_for(&acme, &[&ana]).expect_err("no key");
    let status = ring.status();
    assert_eq!((status.calls, status.failures), (2, 1));
    assert!(matches!(status.problem, Some(RootKeyError::Unavailable(_))));
    place.root.is_off.store(false, Ordering::SeqCst);
    ring.keys_for(&acme, &[&ana]).expect("it is back");
    assert_eq!((ring.status().calls, ring.status().problem), (3, None));
}

#[test]
fn where_the_keys_of_tenants_are_missing_none_are_made() {
    let place = Rig::new();
    let (files, ana) = (["tenants.a", "tenants.b"], person("ana"));
    place.open().keys_for(&tenant("acme"), &[&ana]).expect("keys");
    let damaged = place.copy();
    for name in files {
        std::fs::remove_file(place.place.path().join(name)).expect("removed");
    }
    let ring = place.open();
    for name in ["acme", "other"] {
        let refused = ring.keys_for(&tenant(name), &[&ana]).unwrap_err();
        assert!(matches!(refused, KeyRingError::Stranded(1)), "{refused}");
        assert_eq!(refused.code(), ErrorCode::KeysBehind);
    }
    for name in files {
        let path = damaged.place.path().join(name);
        let mut bytes = std::fs::read(&path).expect("a file");
        bytes[512 + 20] ^= 1;
        std::fs::write(path, bytes).expect("written");
    }
    let refused = damaged.open().keys_for(&tenant("other"), &[&ana]).unwrap_err();
    assert!(matches!(refused, KeyRingError::LostTenants(1)), "{refused}");
    assert_eq!(refused.code(), ErrorCode::StoreDamaged);
}

/// Fails what is written to the keys of tenants, once it is told to.
#[derive(Default)]
struct FullDisk(AtomicBool);

impl FileFault for FullDisk {
    fn before(&self, op: FileOp, path: &Path) -> std::io::Result<()> {
        let is_theirs =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"tenants."));
        if is_theirs && op == FileOp::Write && self.0.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("no room"));
        }
        Ok(())
    }

    fn after(&self, _: FileOp, _: &Path) -> std::io::Result<()> {
        Ok(())
    }
}

/// The ledger goes on, and would rely on files that never were.
#[test]
fn a_change_that_failed_is_no_generation() {
    let (place, disk) = (Rig::new(), Arc::new(FullDisk::default()));
    let fault = Arc::clone(&disk) as Arc<dyn FileFault>;
    let opened = place.open_with(place.place.path(), &Files::with_fault(fault));
    let ring = opened.expect("opens");
    ring.keys_for(&tenant("acme"), &[&person("ana")]).expect("keys");
    let before = ring.generation();
    disk.0.store(true, Ordering::SeqCst);
    ring.keys_for(&tenant("other"), &[&person("ana")]).expect_err("no room");
    assert_eq!(ring.generation(), before);
    drop(ring);
    let ring = place.open();
    assert_eq!(ring.generation(), before);
    ring.keys_for(&tenant("other"), &[&person("ana")]).expect("there is room");
}
