//! How fast events become canonical: the step of the ingest road that reads every byte.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ledgerstone_proof::Canonicalizer;

/// An event of about 900 bytes as a client sends it: compact, members in the client's own order.
fn event(number: u32) -> Vec<u8> {
    format!(
        r#"{{"event_type":"document.updated","timestamp":"2026-03-14T09:26:53.{number:06}Z","severity":"info","actor":{{"type":"user","id":"usr_{number:08}","name":"Ada Lovelace","email":"ada.{number}@example.com","ip_address":"203.0.113.{ip}","user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)","session_id":"ses_7f3e9a{number:08}"}},"target":{{"type":"document","id":"doc_{number:08}","name":"Quarterly report – final \"v2\"","metadata":{{"folder":"finance/2026","pages":42,"confidential":true}}}},"action":{{"verb":"update","description":"changed the forecast","status":"success","error":null}},"context":{{"request_id":"req_5c1d{number:08}","project_id":"prj_0042"}},"data":{{"before":{{"total":1234.5,"currency":"EUR"}},"after":{{"total":1299.95,"currency":"EUR"}},"changes":["total"]}},"performance":{{"response_time_ms":23,"database_query_time_ms":7}}}}"#,
        ip = number % 256,
    )
    .into_bytes()
}

fn benches(c: &mut Criterion) {
    let events: Vec<_> = (0..1_000).map(event).collect();
    let mut canonicalizer = Canonicalizer::new();
    let mut sorted = Vec::new();
    let mut pretty = Vec::new();
    for event in &events {
        let mut out = Vec::new();
        canonicalizer.strict(event, &mut out).expect("an event");
        let value: serde_json::Value = serde_json::from_slice(event).expect("an event");
        pretty.push(serde_json::to_vec_pretty(&value).expect("a value"));
        sorted.push(out);
    }
    let mut group = c.benchmark_group("canonical");
    group.throughput(Throughput::Elements(1_000));
    for (name, events) in [("as sent", &events), ("canonical", &sorted), ("pretty", &pretty)] {
        let bytes: usize = events.iter().map(Vec::len).sum();
        let mut out = Vec::new();
        group.bench_function(format!("{name}, {} B", bytes / events.len()), |bencher| {
            bencher.iter(|| {
                for event in events {
                    out.clear();
                    canonicalizer.strict(black_box(event), &mut out).expect("an event");
                    black_box(&out);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(canonical, benches);
criterion_main!(canonical);
