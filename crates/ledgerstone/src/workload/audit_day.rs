//! One day of a small company, from a break-in attempt at night to the last person leaving: what
//! the tour imports, so that a newcomer sees events that tell a story.

mod machines;
mod staff;

use serde_json::{Value, json};

use super::text::{Random, push_timestamp, push_uuid_v7};

/// Monday, 2026-03-02T00:00:00Z, in milliseconds since 1970.
const MIDNIGHT_MILLIS: u64 = 1_772_409_600_000;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// The day under construction.
struct Day {
    random: Random,
    /// Milliseconds since midnight, and the event.
    events: Vec<(u64, Value)>,
}

/// About 2,000 events of one day as lines of JSON, in order of time. The same seed gives the same
/// day.
pub fn audit_day(seed: u64) -> Vec<String> {
    let mut day = Day { random: Random::for_event(seed, 0), events: Vec::new() };
    day.nightly_jobs();
    day.break_in_attempt();
    day.compliance_checks();
    day.working_hours();
    day.role_changes();
    day.exports();
    day.agent_runs();
    day.events.sort_by_key(|(at, _)| *at);
    let lines = day.events.iter();
    lines.map(|(_, event)| event.to_string()).collect()
}

impl Day {
    /// Puts an event at a time of the day, gives it its id and timestamp and says the id.
    fn add(&mut self, at: u64, mut event: Value) -> String {
        let millis = MIDNIGHT_MILLIS + at;
        let id = written(|out| push_uuid_v7(out, millis, self.random.next(), self.random.next()));
        if let Value::Object(members) = &mut event {
            let timestamp = written(|out| push_timestamp(out, millis));
            members.insert("id".to_owned(), json!(id));
            members.insert("timestamp".to_owned(), json!(timestamp));
        }
        self.events.push((at, event));
        id
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.random.below(to - from)
    }

    fn request(&mut self) -> String {
        format!("req-{:012x}", self.random.next() >> 16)
    }

    fn session(&mut self) -> String {
        format!("s-{:016x}", self.random.next())
    }
}

/// An actor that is a program.
fn service(id: &str, name: &str) -> Value {
    json!({"type": "service", "id": id, "name": name})
}

/// A target.
fn thing(kind: &str, id: &str, name: &str) -> Value {
    json!({"type": kind, "id": id, "name": name})
}

/// An action that went well.
fn done(verb: &str, description: &str) -> Value {
    json!({"verb": verb, "description": description, "status": "success"})
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use serde_json::Value;

    use super::audit_day;

    fn text<'a>(event: &'a Value, pointer: &str) -> Option<&'a str> {
        event.pointer(pointer).and_then(Value::as_str)
    }

    #[test]
    fn a_day_is_told_in_order_and_by_the_same_seed_again() {
        let day = audit_day(1);
        assert!((1_900..=2_100).contains(&day.len()), "{} events", day.len());
        assert_eq!(day, audit_day(1));
        assert_ne!(day, audit_day(2));
        let (mut ids, mut last) = (HashSet::new(), String::new());
        for line in &day {
            assert!(!line.contains('\n'));
            let event: Value = serde_json::from_str(line).unwrap();
            let timestamp = text(&event, "/timestamp").unwrap().to_owned();
            assert!(timestamp >= last && timestamp.starts_with("2026-03-02T"));
            assert!(ids.insert(text(&event, "/id").unwrap().to_owned()));
            last = timestamp;
        }
    }

    #[test]
    fn every_part_of_the_story_is_there() {
        let events: Vec<Value> =
            audit_day(7).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for event in &events {
            *counts.entry(text(event, "/event_type").unwrap()).or_default() += 1;
        }
        for (event_type, least) in [
            ("user.login", 54),
            ("user.locked", 1),
            ("user.role_changed", 12),
            ("data.exported", 14),
            ("compliance.check", 56),
            ("agent.drafted", 45),
            ("customer.viewed", 900),
        ] {
            let count = counts.get(event_type).copied().unwrap_or_default();
            assert!(count >= least, "{event_type}: {count}");
        }
        let ids: HashSet<&str> = events.iter().filter_map(|event| text(event, "/id")).collect();
        let parents = events.iter().filter_map(|event| text(event, "/context/parent_audit_id"));
        let (known, unknown): (Vec<&str>, Vec<&str>) = parents.partition(|id| ids.contains(id));
        assert!(known.len() > 100 && unknown.is_empty());
        let scores =
            events.iter().filter_map(|event| event.pointer("/ai_specific/confidence_score"));
        assert!(scores.clone().count() == 135 && scores.clone().all(Value::is_f64));
    }
}
