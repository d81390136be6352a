//! What a record costs in hashes: the header's bytes, its hashes, its place in the tree, its
//! signature, and reading it all back.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ledgerstone_proof::{
    BorrowedHeader, CompactRange, Hash, HeaderFields, IngestedAt, Kind, SequenceNumber, SigningKey,
    leaf_hash, record_hash, sha256, verify_batch,
};

fn header(number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    HeaderFields {
        content_hash: &sha256(&number.to_le_bytes()),
        event_id: "0195f3a2-7c1e-7b63-9d2a-1f0e5c4b3a29",
        ingested_at: IngestedAt::from_micros(1_773_480_413_123_456).expect("a time"),
        kind: Kind::Event,
        previous_hash: &Hash::ZERO,
        sequence_number: SequenceNumber::new(number).expect("a number"),
        tenant_id: "acme",
    }
    .write_canonical(&mut out);
    out
}

fn tree(c: &mut Criterion) {
    let headers: Vec<_> = (0..1_000).map(header).collect();
    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("leaf hash and tree", |bencher| {
        bencher.iter(|| {
            let mut range = CompactRange::new();
            range.extend(headers.iter().map(|header| leaf_hash(header)));
            black_box(range.root())
        });
    });
    group.bench_function("record hash", |bencher| {
        bencher.iter(|| {
            for header in &headers {
                black_box(record_hash(header));
            }
        });
    });
    group.bench_function("write header", |bencher| {
        let read = BorrowedHeader::parse(&headers[7]).expect("a header");
        let mut out = Vec::new();
        bencher.iter(|| {
            for _ in 0..1_000 {
                out.clear();
                black_box(read.fields()).write_canonical(&mut out);
                black_box(&out);
            }
        });
    });
    group.bench_function("read header", |bencher| {
        bencher.iter(|| {
            for header in &headers {
                black_box(BorrowedHeader::parse(black_box(header)).expect("a header"));
            }
        });
    });
    group.finish();
}

fn signatures(c: &mut Criterion) {
    let key = SigningKey::from_seed([7; 32]);
    let public = key.verifying_key();
    let headers: Vec<_> = (0..256).map(header).collect();
    let items: Vec<_> =
        headers.iter().map(|header| (header.as_slice(), key.sign(header), public)).collect();
    let mut group = c.benchmark_group("signature");
    group.throughput(Throughput::Elements(256));
    group.bench_function("sign", |bencher| {
        bencher.iter(|| {
            for header in &headers {
                black_box(key.sign(header));
            }
        });
    });
    group.bench_function("verify", |bencher| {
        bencher.iter(|| {
            for (message, signature, key) in &items {
                key.verify(message, signature).expect("it holds");
            }
        });
    });
    group.bench_function("verify batch of 256", |bencher| {
        bencher.iter(|| verify_batch(black_box(&items)).expect("it holds"));
    });
    group.finish();
}

criterion_group!(merkle, tree, signatures);
criterion_main!(merkle);
