//! What Prometheus is told.

use std::io::Write as _;
use std::process::{Command, Stdio};

use ledgerstone_model::access::Role;
use ledgerstone_testkit::TestEvent;
use reqwest::Method;

use crate::rig::Rig;

/// The value of a sample, by its name and labels as they are written.
pub fn sample(text: &str, name: &str) -> Option<f64> {
    let line =
        text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(key, _)| key == name))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

/// Everything, as `OpenMetrics`.
pub async fn metrics(rig: &Rig) -> String {
    let request = rig.request(Method::GET, "/metrics", "_system", Role::Admin);
    let request = request.header("accept", "application/openmetrics-text;version=1.0.0,*/*;q=0.1");
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_counted_by_type_and_outcome() {
    let rig = Rig::start().await;
    let event = |id: &str| TestEvent::new("user.login").id(id).json();
    rig.append("", event("a")).send().await.unwrap();
    rig.append("", event("a")).send().await.unwrap();
    rig.append("", format!("[{},{},{{}}]", event("b"), event("c"))).send().await.unwrap();
    rig.append("", TestEvent::new("user.logout").id("a").json()).send().await.unwrap();
    rig.append("", r#"{"event_type":"user.renamed","severity":"none"}"#).send().await.unwrap();
    let flat = r#"{"event_type":"user.moved","user_id":"u","timestamp":"never"}"#;
    rig.append("?shape=user", flat).send().await.unwrap();
    let request = rig.request(Method::GET, "/metrics", "_system", Role::Admin);
    let request = request.header("accept", "application/openmetrics-text;version=1.0.0,*/*;q=0.1");
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
        (r#"audit_events_total{event_type="user.renamed",status="rejected"}"#, 1.0),
        (r#"audit_events_total{event_type="user.moved",status="rejected"}"#, 1.0),
        ("audit_event_duration_seconds_count", 6.0),
        ("chain_integrity_status", 1.0),
        ("audit_buffer_size", 0.0),
        (r#"ledgerstone_http_requests_total{method="POST",route="/v1/events",status="201"}"#, 1.0),
    ] {
        assert_eq!(sample(&text, name), Some(value), "{name} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

/// The older format, which is what is given to whoever names none, judged by Prometheus' own tool.
#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_nothing_to_say() {
    let rig = Rig::start().await;
    rig.append("", TestEvent::new("user.login").id("a").json()).send().await.unwrap();
    let request = rig.request(Method::GET, "/metrics", "_system", Role::Admin);
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    for name in [
        "events_processed_total",
        "chain_integrity_status",
        "audit_events_total",
        "audit_event_duration_seconds",
        "audit_buffer_size",
    ] {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
    }
    assert!(text.contains(r#"audit_events_total{event_type="user.login",status="created"} 1"#));
    let program = std::env::var("LEDGERSTONE_PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    let tool = Command::new(&program)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut tool) = tool else {
        eprintln!(
            "\n*** SKIPPED: there is no promtool; install Prometheus, or set LEDGERSTONE_PROMTOOL\n"
        );
        return;
    };
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let found = tool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(found.status.success() && said.is_empty(), "{said}\n{text}");
}
