//! Clients that send, each in its own manner and at its own pace, and count what was acknowledged.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::{client, event};

/// How a client sends.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    Single,
    Array(usize),
    Lines(usize),
}

impl Manner {
    const fn events(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Array(events) | Self::Lines(events) => events,
        }
    }

    /// Rest between two requests, so that the ledger grows at a pace that lasts.
    const fn rest(self) -> Duration {
        match self {
            Self::Single => Duration::from_millis(8),
            Self::Array(_) => Duration::from_millis(90),
            Self::Lines(_) => Duration::from_millis(900),
        }
    }
}

/// Sends until it is time to stop; answers how many events were acknowledged.
pub async fn write(
    name: String,
    manner: Manner,
    (url, key): (String, String),
    until: Instant,
) -> u64 {
    let http = client();
    let mut acknowledged = 0;
    for request in 0_u64.. {
        if Instant::now() >= until {
            break;
        }
        let events =
            (0..manner.events()).map(|number| event(&format!("{name}-{request}-{number}")));
        let (kind, body) = body(manner, events.collect());
        let request = http.post(format!("{url}/v1/events")).bearer_auth(&key);
        let answer = request.header("content-type", kind).body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        acknowledged += match manner {
            Manner::Single => {
                assert_eq!(status, 201, "{text}");
                1
            }
            Manner::Array(_) | Manner::Lines(_) => {
                let line = text.trim_end().rsplit('\n').next().unwrap();
                let sums: Value = serde_json::from_str(line).unwrap();
                assert_eq!((status, &sums["rejected"]), (200, &Value::from(0)), "{line}");
                assert_eq!(sums["accepted"], manner.events(), "{line}");
                manner.events() as u64
            }
        };
        tokio::time::sleep(manner.rest()).await;
    }
    acknowledged
}

fn body(manner: Manner, events: Vec<Value>) -> (&'static str, String) {
    match manner {
        Manner::Single => ("application/json", events[0].to_string()),
        Manner::Array(_) => ("application/json", Value::from(events).to_string()),
        Manner::Lines(_) => {
            let lines = events.iter().map(|event| format!("{event}\n"));
            ("application/x-ndjson", lines.collect())
        }
    }
}
