//! A deployment in memory that a test opens, stops and opens again.

use std::sync::Arc;
use std::time::Duration;

use ledgerstone_ledger::check::{Finding, Level, Report, VerifyOptions, verify};
use ledgerstone_ledger::{KeyRing, Ledger, LedgerError, MemoryKeys, Outcome, Receipt, Settings};
use ledgerstone_model::system::LogName;
use ledgerstone_model::{Entropy, ParseContext, SealedEvent, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, Salt, TenantId};
use ledgerstone_store::LedgerStore;
use ledgerstone_store::memory::MemoryStore;
use ledgerstone_testkit::sealed_in_clear;
use ledgerstone_testkit::{MockClock, SeededEntropy, TestEvent};

/// A deployment and everything it works with.
pub struct Rig {
    pub store: Arc<MemoryStore>,
    pub keys: Arc<MemoryKeys>,
    pub clock: Arc<MockClock>,
    pub entropy: Arc<SeededEntropy>,
    pub settings: Settings,
}

impl Rig {
    pub fn new() -> Self {
        Self::seeded(1)
    }

    /// One whose keys and ids are others with each seed.
    pub fn seeded(seed: u64) -> Self {
        let entropy = Arc::new(SeededEntropy::new(seed));
        let step = Duration::from_micros(7);
        Self {
            store: Arc::new(MemoryStore::new()),
            keys: Arc::new(MemoryKeys::new(KeyRing::generate(&*entropy))),
            clock: Arc::new(MockClock::stepping(MockClock::START_MICROS, step)),
            entropy,
            settings: Settings::new(LogName::parse("test.example").unwrap()),
        }
    }

    /// Creates the deployment with these tenants.
    pub fn create(&self, tenants: &[&str]) -> Ledger {
        self.create_on(Arc::clone(&self.store) as Arc<dyn LedgerStore>, tenants)
    }

    pub fn create_on(&self, store: Arc<dyn LedgerStore>, tenants: &[&str]) -> Ledger {
        let (keys, clock) = (Arc::clone(&self.keys) as _, Arc::clone(&self.clock) as _);
        let entropy = Arc::clone(&self.entropy) as _;
        let ledger = Ledger::create(store, keys, self.settings.clone(), clock, entropy).unwrap();
        let tenants: Vec<TenantId> = tenants.iter().map(|name| tenant(name)).collect();
        ledger.create_tenants(&tenants).unwrap();
        ledger
    }

    /// Opens the deployment again, as a new process would.
    pub fn open(&self) -> Ledger {
        self.try_open().unwrap()
    }

    pub fn try_open(&self) -> Result<Ledger, LedgerError> {
        self.open_on(Arc::new(self.store.reopen()))
    }

    pub fn open_on(&self, store: Arc<dyn LedgerStore>) -> Result<Ledger, LedgerError> {
        let (keys, clock) = (Arc::clone(&self.keys) as _, Arc::clone(&self.clock) as _);
        Ledger::open(store, keys, self.settings.clone(), clock, Arc::clone(&self.entropy) as _)
    }

    /// A small event with that id and text.
    pub fn event(&self, tenant: &str, id: &str, text: &str) -> SealedEvent {
        let json =
            TestEvent::new("user.login").id(id).set("/action/description", text.into()).json();
        self.sealed(tenant, &json)
    }

    /// An event from its JSON text.
    pub fn sealed(&self, name: &str, json: &str) -> SealedEvent {
        let tenant = tenant(name);
        let mut new_id = [0; 16];
        self.entropy.fill(&mut new_id);
        let at = IngestedAt::from_micros(MockClock::START_MICROS).unwrap();
        let context = ParseContext::new(&tenant, at, new_id);
        let event =
            ValidEvent::parse(json.as_bytes(), &context, &mut Canonicalizer::new()).unwrap();
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        sealed_in_clear(event, &Salt::from_bytes(salt))
    }

    /// `count` events with ids that begin so.
    pub fn events(&self, tenant: &str, prefix: &str, count: usize) -> Vec<SealedEvent> {
        (0..count).map(|n| self.event(tenant, &format!("{prefix}{n}"), "an event")).collect()
    }

    /// Everything verifies.
    pub fn assert_sound(&self) -> Report {
        assert_sound(&*self.store)
    }
}

pub fn report_of(store: &dyn LedgerStore, options: &VerifyOptions) -> Report {
    verify(store, options, &|_| {}).unwrap()
}

/// Everything in a store verifies, at both levels.
pub fn assert_sound(store: &dyn LedgerStore) -> Report {
    for level in [Level::Tree, Level::Full] {
        let report = report_of(store, &VerifyOptions::new(level, 2));
        assert!(report.holds(), "{level:?}:\n{}", lines(&report));
    }
    report_of(store, &VerifyOptions::new(Level::Full, 1))
}

pub fn lines(report: &Report) -> String {
    let lines: Vec<String> = report.findings.iter().map(Finding::to_line).collect();
    lines.join("\n")
}

pub fn tenant(name: &str) -> TenantId {
    TenantId::parse_stored(name).unwrap()
}

/// The receipts of outcomes that all are recorded.
pub fn receipts(outcomes: Vec<Outcome>) -> Vec<Receipt> {
    let receipt = |outcome| match outcome {
        Outcome::Recorded(receipt) => receipt,
        Outcome::Refused(refusal) => panic!("refused: {refusal:?}"),
    };
    outcomes.into_iter().map(receipt).collect()
}
