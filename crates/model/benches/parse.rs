//! What taking in one event costs, beside canonical JSON alone: the hot path of ingest.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ledgerstone_model::sealing::{EnvelopeError, FieldPolicy, Preset, Subject};
use ledgerstone_model::{ParseContext, PlannedEvent, Taxonomy, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, Salt, TenantId};

const EVENT: &[u8] = include_bytes!("event.json");

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("event");
    group.throughput(Throughput::Elements(1));
    let mut scratch = Canonicalizer::new();

    let mut out = Vec::new();
    group.bench_function("canonicalise", |bencher| {
        bencher.iter(|| {
            out.clear();
            scratch.strict(black_box(EVENT), &mut out)
        });
    });

    let tenant = TenantId::parse("default").expect("a good name");
    let now = IngestedAt::from_micros(1_714_564_800_000_000).expect("a good time");
    let context = ParseContext::new(&tenant, now, [7; 16]);
    group.bench_function("parse", |bencher| {
        bencher.iter(|| ValidEvent::parse(black_box(EVENT), &context, &mut scratch));
    });

    let event = ValidEvent::parse(EVENT, &context, &mut scratch).expect("a good event");
    let event = Taxonomy::none().admit(event).expect("nothing is looked at");
    let salt = Salt::from_bytes([9; 16]);
    group.bench_function("seal", |bencher| {
        let policy = FieldPolicy::of_preset(Preset::None);
        bencher.iter(|| {
            let planned = PlannedEvent::new(event.clone(), &policy).expect("a good event");
            let keys = |_: &Subject| Err(EnvelopeError::Refused);
            planned.seal(keys, || None, &salt)
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
