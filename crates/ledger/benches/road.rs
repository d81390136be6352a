//! What an event costs between the sealed event and the store, and a record in the verifier; the store
//! is in memory or takes everything and keeps nothing, so that no disk is in the figures.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ledgerstone_ledger::check::{Level, VerifyOptions, verify};
use ledgerstone_ledger::{KeyRing, Ledger, MemoryKeys, Settings};
use ledgerstone_model::Actor;
use ledgerstone_model::system::{LogName, SigningMode};
use ledgerstone_model::{Entropy as _, ParseContext, SealedEvent, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, Salt, TenantId};
use ledgerstone_store::memory::MemoryStore;
use ledgerstone_testkit::sealed_in_clear;
use ledgerstone_testkit::{MockClock, SeededEntropy, TestEvent};

/// Events of one submission.
const BATCH: usize = 1_000;
/// Records that are verified.
const RECORDS: usize = 50_000;

struct Bench {
    entropy: Arc<SeededEntropy>,
    store: Arc<MemoryStore>,
    ledger: Ledger,
    next: u64,
}

impl Bench {
    fn new(signing: SigningMode) -> Self {
        let entropy = Arc::new(SeededEntropy::new(1));
        let keys = Arc::new(MemoryKeys::new(KeyRing::generate(&*entropy)));
        let clock =
            Arc::new(MockClock::stepping(MockClock::START_MICROS, Duration::from_micros(1)));
        let mut settings = Settings::new(log_name());
        settings.signing = signing;
        let store = Arc::new(MemoryStore::new());
        let ledger = Ledger::create(
            Arc::clone(&store) as _,
            keys,
            settings,
            clock,
            Arc::clone(&entropy) as _,
        );
        let ledger = ledger.unwrap_or_else(|error| panic!("{error}"));
        ledger
            .create_tenant(&tenant(), &Actor::operator("uid:0"))
            .unwrap_or_else(|error| panic!("{error}"));
        Self { entropy, store, ledger, next: 0 }
    }

    /// Events of about 900 bytes, each with an id of its own.
    fn events(&mut self, count: usize) -> Vec<SealedEvent> {
        let tenant = tenant();
        let padding = "x".repeat(420);
        let mut canonicalizer = Canonicalizer::new();
        let mut event = || {
            self.next += 1;
            let json = TestEvent::full(&format!("7f3c2a10-0000-4000-8000-{:012x}", self.next))
                .set("/data/after/note", padding.as_str().into())
                .json();
            let at = IngestedAt::from_micros(MockClock::START_MICROS);
            let at = at.unwrap_or_else(|error| panic!("{error}"));
            let context = ParseContext::new(&tenant, at, [7; 16]);
            let event = ValidEvent::parse(json.as_bytes(), &context, &mut canonicalizer);
            let event = event.unwrap_or_else(|rejection| panic!("{rejection:?}"));
            let mut salt = [0; 16];
            self.entropy.fill(&mut salt);
            sealed_in_clear(event, &Salt::from_bytes(salt))
        };
        (0..count).map(|_| event()).collect()
    }
}

fn log_name() -> LogName {
    LogName::parse("bench.example").unwrap_or_else(|error| panic!("{error}"))
}

fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap_or_else(|error| panic!("{error}"))
}

fn appending(criterion: &mut Criterion) {
    for (name, signing) in
        [("checkpoint", SigningMode::Checkpoint), ("record", SigningMode::Record)]
    {
        let mut group = criterion.benchmark_group(format!("append/{name}"));
        group.sample_size(20);
        for count in [1, BATCH] {
            let mut bench = Bench::new(signing);
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(format!("{count}"), |bencher| {
                let made = std::cell::RefCell::new(&mut bench);
                bencher.iter_batched(
                    || made.borrow_mut().events(count),
                    |events| black_box(made.borrow().ledger.append(events).map(|all| all.len())),
                    BatchSize::LargeInput,
                );
            });
        }
        group.finish();
    }
}

fn verifying(criterion: &mut Criterion) {
    let mut bench = Bench::new(SigningMode::Record);
    for _ in 0..RECORDS / BATCH {
        let events = bench.events(BATCH);
        bench.ledger.append(events).unwrap_or_else(|error| panic!("{error}"));
    }
    let mut group = criterion.benchmark_group("verify, one thread");
    group.sample_size(10).throughput(Throughput::Elements(RECORDS as u64));
    for level in [Level::Tree, Level::Full] {
        group.bench_function(level.as_str(), |bencher| {
            bencher.iter(|| verify(&*bench.store, &VerifyOptions::new(level, 1), &|_| {}));
        });
    }
    group.finish();
}

criterion_group!(benches, appending, verifying);
criterion_main!(benches);
