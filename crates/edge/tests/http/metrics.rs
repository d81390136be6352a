//! What Prometheus is told.

use ledgerstone_model::access::Role;
use ledgerstone_testkit::TestEvent;
use reqwest::Method;

use crate::rig::Rig;

/// The value of a sample, by its name and labels as they are written.
fn sample(text: &str, name: &str) -> Option<f64> {
    let line =
        text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(key, _)| key == name))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_counted_by_type_and_outcome() {
    let rig = Rig::start().await;
    let event = |id: &str| TestEvent::new("user.login").id(id).json();
    rig.append("", event("a")).send().await.unwrap();
    rig.append("", event("a")).send().await.unwrap();
    rig.append("", format!("[{},{},{{}}]", event("b"), event("c"))).send().await.unwrap();
    rig.append("", TestEvent::new("user.logout").id("a").json()).send().await.unwrap();
    let request = rig.request(Method::GET, "/metrics", "_system", Role::Admin);
    let response = request.send().await.unwrap();
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let text = response.text().await.unwrap();
    for (name, value) in [
        ("events_processed_total", 3.0),
        (r#"audit_events_total{event_type="user.login",status="created"}"#, 3.0),
        (r#"audit_events_total{event_type="user.login",status="duplicate"}"#, 1.0),
        (r#"audit_events_total{event_type="user.logout",status="rejected"}"#, 1.0),
        (r#"audit_events_total{event_type="unreadable",status="rejected"}"#, 1.0),
        ("audit_event_duration_seconds_count", 4.0),
        ("chain_integrity_status", 1.0),
        ("audit_buffer_size", 0.0),
        (r#"ledgerstone_http_requests_total{method="POST",route="/v1/events",status="201"}"#, 1.0),
    ] {
        assert_eq!(sample(&text, name), Some(value), "{name} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}
