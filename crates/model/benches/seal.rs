//! What sealing one event costs, and its parts: deciding, one envelope, and opening it again.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ledgerstone_model::sealing::{
    Envelope, EnvelopeError, EnvelopePlace, FieldClass, FieldPolicy, Preset, SealingKeyId,
    SealingPlan, Subject, SubjectKey, open_event,
};
use ledgerstone_model::{AdmittedEvent, ParseContext, PlannedEvent, Taxonomy, ValidEvent};
use ledgerstone_proof::{Canonicalizer, EventId, IngestedAt, Salt, TenantId, split_content};
use zeroize::Zeroizing;

const EVENT: &[u8] = include_bytes!("event.json");

/// What of the event above one envelope holds, or nearly.
const PLAINTEXT: &[u8] = br#"{"/actor/email":"ada@example.com","/actor/ip_address":"192.0.2.71","/actor/name":"Ada Example","/actor/session_id":"s-6f1c0b2a9d","/actor/user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0","/data":{"after":{"revision":7,"state":"approved"},"before":{"revision":7,"state":"in_review"},"changes":["state"]}}"#;

const NONCE: [u8; 24] = [3; 24];

fn admitted(tenant: &TenantId) -> AdmittedEvent {
    let now = IngestedAt::from_micros(1_714_564_800_000_000).expect("a good time");
    let context = ParseContext::new(tenant, now, [7; 16]);
    let event = ValidEvent::parse(EVENT, &context, &mut Canonicalizer::new());
    Taxonomy::none().admit(event.expect("a good event")).expect("nothing is looked at")
}

fn key() -> SubjectKey {
    SubjectKey::new(SealingKeyId::new([1; 16]), Zeroizing::new([2; 32]))
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sealing");
    group.throughput(Throughput::Elements(1));
    let tenant = TenantId::parse("default").expect("a good name");
    let policy = FieldPolicy::of_preset(Preset::Standard);
    let (event, key) = (admitted(&tenant), key());
    let key_of = |_: &Subject| Ok::<_, EnvelopeError>(key.clone());

    group.bench_function("plan", |bencher| {
        bencher.iter(|| SealingPlan::make(black_box(event.event().text()), &policy));
    });
    group.bench_function("plan and seal", |bencher| {
        let salt = Salt::from_bytes([9; 16]);
        bencher.iter_batched(
            || event.clone(),
            |event| {
                let planned = PlannedEvent::new(event, &policy).expect("a good event");
                planned.seal(key_of, || Some(NONCE), &salt)
            },
            BatchSize::SmallInput,
        );
    });

    let event_id = EventId::parse("e-1").expect("a good id");
    let place = EnvelopePlace { tenant: &tenant, event_id: &event_id };
    let seal = |text: &[u8]| Envelope::seal(&key, FieldClass::Personal, place, NONCE, text);
    group.bench_function("seal an envelope", |bencher| bencher.iter(|| seal(black_box(PLAINTEXT))));
    let envelope = seal(PLAINTEXT).expect("a good key");
    group.bench_function("open an envelope", |bencher| bencher.iter(|| envelope.open(&key, place)));

    let event_id = event.event().id().clone();
    let planned = PlannedEvent::new(event, &policy).expect("a good event");
    let sealed = planned.seal(key_of, || Some(NONCE), &Salt::from_bytes([9; 16]));
    let sealed = sealed.expect("a good key");
    let (text, _) = split_content(sealed.content()).expect("just written");
    let place = EnvelopePlace { tenant: &tenant, event_id: &event_id };
    group.bench_function("open an event", |bencher| {
        bencher.iter(|| open_event(black_box(text), place, |_| Some(key.clone())));
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
