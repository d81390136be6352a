//! Verification of a store that is written while it is read.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ledgerstone_ledger::Ledger;
use ledgerstone_ledger::check::{
    Finding, Level, Report, Scope, VerifyOptions, Watch, verify, verify_live,
};
use ledgerstone_store::LedgerStore;
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{EmbeddedStore, Options};
use ledgerstone_testkit::TestDirectory;

use crate::rig::{Rig, lines, tenant};

/// A deployment in files, whose log files become segments after few records.
fn in_files(rig: &Rig, directory: &TestDirectory) -> (Arc<EmbeddedStore>, Ledger) {
    let options = Options { segment_records: 64, ..Options::default() };
    let (clock, entropy) = (Arc::clone(&rig.clock) as _, Arc::clone(&rig.entropy) as _);
    let path = directory.join("data");
    let store = EmbeddedStore::create(&path, options, Files::new(), clock, entropy).unwrap();
    let store = Arc::new(store);
    let ledger = rig.create_on(Arc::clone(&store) as Arc<dyn LedgerStore>, &["acme", "beta"]);
    (store, ledger)
}

fn options(scope: Scope) -> VerifyOptions {
    let mut options = VerifyOptions::new(Level::Full, 1);
    options.scope = scope;
    options
}

/// Writes at the first word of the verifier: after it has looked where the ledgers end, and before it
/// has read the last of them.
struct Meddler<'a> {
    ledger: &'a Ledger,
    rig: &'a Rig,
    store: &'a EmbeddedStore,
    has_written: AtomicBool,
    seen: AtomicU64,
}

impl Watch for Meddler<'_> {
    fn records(&self, records: u64, total: u64) -> ControlFlow<()> {
        self.seen.fetch_add(records, Ordering::Relaxed);
        if !self.has_written.swap(true, Ordering::Relaxed) {
            for round in 0..10 {
                let prefix = format!("meddled-{total}-{round}-");
                self.ledger.append(self.rig.events("acme", &prefix, 10)).unwrap();
            }
            self.ledger.anchor().unwrap();
            self.ledger.create_tenants(&[tenant(&format!("new-{total}"))]).unwrap();
            self.ledger.checkpoint(&tenant("acme")).unwrap();
            self.store.wait_until_sealed();
        }
        ControlFlow::Continue(())
    }

    fn finding(&self, finding: &Finding) {
        panic!("{}", finding.to_line());
    }
}

fn verify_while_writing(rig: &Rig, store: &EmbeddedStore, ledger: &Ledger, scope: Scope) -> Report {
    let (has_written, seen) = (AtomicBool::new(false), AtomicU64::new(0));
    let meddler = Meddler { ledger, rig, store, has_written, seen };
    let is_range = matches!(scope, Scope::Range { .. });
    let report = verify_live(store, &options(scope), &meddler).unwrap().unwrap();
    assert!(meddler.has_written.load(Ordering::Relaxed));
    assert!(is_range || meddler.seen.load(Ordering::Relaxed) == report.records_checked);
    report
}

#[test]
fn what_is_written_meanwhile_is_no_finding_and_is_not_counted() {
    let (rig, directory) = (Rig::new(), TestDirectory::new("live"));
    let (store, ledger) = in_files(&rig, &directory);
    for round in 0..9 {
        ledger.append(rig.events("acme", &format!("a{round}-"), 10)).unwrap();
        ledger.append(rig.events("beta", &format!("b{round}-"), 10)).unwrap();
        ledger.anchor().unwrap();
    }
    let everything = verify_while_writing(&rig, &store, &ledger, Scope::All);
    assert!(everything.holds(), "{}", lines(&everything));
    assert_eq!(everything.ledger(&tenant("acme")).unwrap().size, 91);
    assert_eq!(everything.ledger(&tenant("acme")).unwrap().vouched, 91);

    let acme = verify_while_writing(&rig, &store, &ledger, Scope::Tenant(tenant("acme")));
    assert!(acme.holds(), "{}", lines(&acme));
    assert_eq!(acme.ledger(&tenant("acme")).unwrap().size, 191);

    let range = Scope::Range { tenant: tenant("beta"), from: 20, to: 70 };
    let range = verify_while_writing(&rig, &store, &ledger, range);
    assert!(range.holds(), "{}", lines(&range));

    ledger.close().unwrap();
    let at_rest = verify(&*store, &options(Scope::All), &|_| {}).unwrap();
    assert!(at_rest.holds(), "{}", lines(&at_rest));
    store.close().unwrap();
}

/// Ends the verification when it has seen so many records.
struct EndAfter(u64, AtomicU64);

impl Watch for EndAfter {
    fn records(&self, records: u64, _: u64) -> ControlFlow<()> {
        let seen = self.1.fetch_add(records, Ordering::Relaxed) + records;
        if seen > self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn finding(&self, _: &Finding) {}
}

#[test]
fn a_verification_that_is_ended_says_nothing() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    for round in 0..20 {
        ledger.append(rig.events("acme", &format!("r{round}-"), 10)).unwrap();
    }
    let watch = |records| EndAfter(records, AtomicU64::new(0));
    let all = options(Scope::All);
    assert!(verify_live(&*rig.store, &all, &watch(1_000)).unwrap().unwrap().holds());
    let stopped = watch(30);
    assert_eq!(verify_live(&*rig.store, &all, &stopped).unwrap(), None);
    assert!(stopped.1.load(Ordering::Relaxed) < 100, "it ended soon");
}
