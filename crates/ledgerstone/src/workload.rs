//! Events as applications send them, made up from a seed: what the bench feeds in, and the day
//! that the tour shows.
//!
//! Nothing here knows a clock or a random source. The same seed gives the same bytes, so a figure
//! can be measured again and two builds can be compared on the same input.

mod audit_day;
mod catalog;
mod text;

pub use audit_day::audit_day;

use catalog::{AGENTS, DEEDS, GIVEN_NAMES, STATUSES, SUBJECTS, SURNAMES, Shape, Subject};
use text::{
    Random, push_base64, push_decimal, push_hex, push_number, push_timestamp, push_uuid,
    push_uuid_v7,
};

/// People and services that act, over all tenants.
const ACTORS: u64 = 5_000;
/// However many tenants there are, each has at least so many of them.
const ACTORS_PER_TENANT_MIN: u64 = 20;

/// What five digits can name.
const TENANTS_MAX: u64 = 100_000;

/// 2026-01-05T00:00:00Z, when event 0 happens, in milliseconds since 1970.
const BEGIN_MILLIS: u64 = 1_767_571_200_000;
/// From one event to the next; the exact millisecond within it is by chance.
const STEP_MILLIS: u64 = 10;

/// Where in the text of an event its id stands.
pub const ID_AT: std::ops::Range<usize> = 7..43;

/// A generator of audit-like events of about 0.9 KB: nested, with keys in the order in which an
/// application writes them, skewed towards a few busy actors, of forty types.
///
/// An event depends on the seed, the number of tenants and its own number alone: events can be
/// made in any order and on several threads, each with a `Workload` of its own.
#[derive(Debug)]
pub struct Workload {
    seed: u64,
    tenants: u64,
    actors_per_tenant: u64,
    /// Per actor, the JSON from its type to its user agent.
    actors: Vec<Vec<u8>>,
}

impl Workload {
    /// A generator for so many tenants, from one to [`TENANTS_MAX`].
    pub fn new(seed: u64, tenants: u64) -> Self {
        let tenants = tenants.clamp(1, TENANTS_MAX);
        Self {
            seed,
            tenants,
            actors_per_tenant: (ACTORS / tenants).max(ACTORS_PER_TENANT_MIN),
            actors: (0..ACTORS).map(|number| actor(seed, number)).collect(),
        }
    }

    /// The tenant of event `i`: they take turns. Valid as a tenant's name, and what the event
    /// itself says in `context.tenant_id`.
    pub fn tenant_of(&self, i: u64) -> String {
        let mut name = Vec::with_capacity(16);
        push_tenant(&mut name, i % self.tenants);
        String::from_utf8_lossy(&name).into_owned()
    }

    /// Appends the JSON text of event `i` to `out`. Timestamps rise with `i` (up to 2^40), ids never
    /// repeat.
    pub fn event(&self, i: u64, out: &mut Vec<u8>) {
        let mut random = Random::for_event(self.seed, i);
        let millis = BEGIN_MILLIS + (i & ((1 << 40) - 1)) * STEP_MILLIS + random.below(STEP_MILLIS);
        let subject = choose(SUBJECTS, random.skewed(SUBJECTS.len() as u64));
        let deed = choose(&subject.deeds, random.skewed(DEEDS as u64));
        let (event_type, verb) = *deed;
        let tenant = i % self.tenants;
        let failed = random.below(64) == 0;

        out.extend_from_slice(b"{\"id\":\"");
        // The number of the event itself, mixed one to one, so that no id comes twice.
        push_uuid_v7(out, millis, random.next(), text::mix(self.seed ^ i));
        out.extend_from_slice(b"\",\"event_type\":\"");
        out.extend_from_slice(event_type.as_bytes());
        out.extend_from_slice(b"\",\"timestamp\":\"");
        push_timestamp(out, millis);
        out.extend_from_slice(b"\",\"severity\":\"");
        out.extend_from_slice(if failed { b"medium" } else { subject.severity.as_bytes() });
        out.extend_from_slice(b"\",\"actor\":{");
        self.push_actor(out, tenant, &mut random);
        push_target(out, subject, &mut random);
        push_action(out, verb, failed);
        push_context(out, tenant, &mut random);
        push_data(out, subject.shape, &mut random);
        push_tail(out, &mut random);
    }

    /// Appends an id as long as those of events, to be written over one at [`ID_AT`]. No two numbers
    /// stand for one id.
    pub fn id(&self, i: u64, id: &mut Vec<u8>) {
        let millis = BEGIN_MILLIS + (i & ((1 << 40) - 1)) * STEP_MILLIS;
        push_uuid_v7(id, millis, text::mix(!(self.seed ^ i)), text::mix(self.seed ^ i));
    }

    fn push_actor(&self, out: &mut Vec<u8>, tenant: u64, random: &mut Random) {
        let within = random.skewed(self.actors_per_tenant);
        let number = (tenant * self.actors_per_tenant + within) % ACTORS;
        let fixed: &Vec<u8> = choose(&self.actors, number);
        out.extend_from_slice(fixed);
        out.extend_from_slice(b"\",\"session_id\":\"s-");
        // Busy actors come again in the same session.
        push_hex(out, text::mix(number ^ (random.below(64) << 32)), 16);
    }
}

/// Everything about an actor that stays the same, up to the open string of the user agent.
fn actor(seed: u64, number: u64) -> Vec<u8> {
    let mut random = Random::for_event(!seed, number);
    let given = choose(GIVEN_NAMES, random.below(GIVEN_NAMES.len() as u64));
    let surname = choose(SURNAMES, random.below(SURNAMES.len() as u64));
    let agent = choose(AGENTS, random.skewed(AGENTS.len() as u64));
    let (a, b) = (random.below(256), 1 + random.below(254));
    format!(
        "\"type\":\"user\",\"id\":\"u-{number:05}\",\"name\":\"{given} {surname}\",\
         \"ip_address\":\"10.{}.{a}.{b}\",\"user_agent\":\"{agent}",
        random.below(64)
    )
    .into_bytes()
}

fn push_target(out: &mut Vec<u8>, subject: &Subject, random: &mut Random) {
    out.extend_from_slice(b"\"},\"target\":{\"type\":\"");
    out.extend_from_slice(subject.target.as_bytes());
    out.extend_from_slice(b"\",\"id\":\"");
    out.extend_from_slice(subject.id_prefix.as_bytes());
    push_decimal(out, random.skewed(10_000_000), 8);
    out.extend_from_slice(b"\"}");
}

fn push_action(out: &mut Vec<u8>, verb: &str, failed: bool) {
    out.extend_from_slice(b",\"action\":{\"verb\":\"");
    out.extend_from_slice(verb.as_bytes());
    out.extend_from_slice(if failed {
        b"\",\"status\":\"failure\",\"error\":\"permission denied by policy\"}"
    } else {
        b"\",\"status\":\"success\"}"
    });
}

fn push_context(out: &mut Vec<u8>, tenant: u64, random: &mut Random) {
    out.extend_from_slice(b",\"context\":{\"tenant_id\":\"");
    push_tenant(out, tenant);
    out.extend_from_slice(b"\",\"project_id\":\"p-");
    push_decimal(out, random.skewed(40), 3);
    out.extend_from_slice(b"\",\"request_id\":\"");
    push_uuid(out, random.next(), random.next());
    out.extend_from_slice(b"\"}");
}

fn push_data(out: &mut Vec<u8>, shape: Shape, random: &mut Random) {
    match shape {
        Shape::Change => push_change(out, random),
        Shape::Grant => push_grant(out, random),
        Shape::Access => push_access(out, random),
    }
}

/// A business object before and after.
fn push_change(out: &mut Vec<u8>, random: &mut Random) {
    out.extend_from_slice(b",\"data\":{\"before\":");
    push_state(out, random);
    out.extend_from_slice(b",\"after\":");
    push_state(out, random);
    out.extend_from_slice(b",\"changes\":[\"status\",\"amount_cents\",\"etag\"]}");
}

fn push_state(out: &mut Vec<u8>, random: &mut Random) {
    out.extend_from_slice(b"{\"status\":\"");
    let status = choose(STATUSES, random.below(STATUSES.len() as u64));
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(b"\",\"amount_cents\":");
    push_number(out, random.below(5_000_000));
    out.extend_from_slice(b",\"etag\":\"");
    push_digest(out, random);
    out.extend_from_slice(b"\"}");
}

/// Roles before and after, with the ticket that asked for it and the evidence.
fn push_grant(out: &mut Vec<u8>, random: &mut Random) {
    let roles = ["editor", "approver", "auditor", "billing-admin"];
    out.extend_from_slice(b",\"data\":{\"before\":{\"roles\":[\"viewer\"]},\"after\":{");
    out.extend_from_slice(b"\"roles\":[\"viewer\",\"");
    out.extend_from_slice(choose(&roles, random.below(4)).as_bytes());
    out.extend_from_slice(b"\"]},\"changes\":[\"roles\"],\"metadata\":{\"ticket\":\"OPS-");
    push_number(out, 1000 + random.below(9000));
    out.extend_from_slice(b"\",\"approved_by\":\"u-");
    push_decimal(out, random.below(ACTORS), 5);
    out.extend_from_slice(b"\",\"evidence_digest\":\"");
    push_digest(out, random);
    out.extend_from_slice(b"\"}}");
}

/// What was read, how much of it, and the digests of question and answer.
fn push_access(out: &mut Vec<u8>, random: &mut Random) {
    out.extend_from_slice(b",\"data\":{\"metadata\":{\"rows\":");
    push_number(out, random.skewed(2_000));
    out.extend_from_slice(b",\"bytes\":");
    push_number(out, random.skewed(900_000));
    out.extend_from_slice(b",\"query_digest\":\"");
    push_digest(out, random);
    out.extend_from_slice(b"\",\"result_digest\":\"");
    push_digest(out, random);
    out.extend_from_slice(b"\"}}");
}

/// A random digest of 32 bytes.
fn push_digest(out: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..4 {
        push_base64(out, random.next());
    }
}

fn push_tail(out: &mut Vec<u8>, random: &mut Random) {
    out.extend_from_slice(b",\"performance\":{\"response_time_ms\":");
    push_number(out, 2 + random.skewed(900));
    out.extend_from_slice(b"},\"metadata\":{\"trace_id\":\"");
    push_hex(out, random.next(), 16);
    push_hex(out, random.next(), 16);
    out.extend_from_slice(b"\",\"request_digest\":\"");
    push_digest(out, random);
    out.extend_from_slice(b"\"}}");
}

fn push_tenant(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(b"tenant-");
    push_decimal(out, number, 5);
}

/// One entry of a table that is not empty; any number chooses one.
fn choose<T>(table: &[T], number: u64) -> &T {
    let index = usize::try_from(number).unwrap_or_default();
    &table[index % table.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ledgerstone_model::{ParseContext, ValidEvent};
    use ledgerstone_proof::{Canonicalizer, IngestedAt, TenantId, canonicalize};
    use serde_json::Value;

    use super::{ID_AT, Workload, audit_day};

    const SAMPLE: u64 = 20_000;

    fn text(workload: &Workload, i: u64) -> Vec<u8> {
        let mut out = Vec::new();
        workload.event(i, &mut out);
        out
    }

    fn field<'a>(event: &'a Value, pointer: &str) -> &'a str {
        event.pointer(pointer).and_then(Value::as_str).unwrap()
    }

    #[test]
    fn events_are_json_of_the_promised_shape() {
        let workload = Workload::new(1, 50);
        let (mut ids, mut types, mut last) = (HashSet::new(), HashSet::new(), String::new());
        let mut bytes = 0;
        for i in 0..SAMPLE {
            let text = text(&workload, i);
            bytes += text.len() as u64;
            let event: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(field(&event, "/context/tenant_id"), workload.tenant_of(i));
            assert!(ids.insert(field(&event, "/id").to_owned()), "id twice at {i}");
            types.insert(field(&event, "/event_type").to_owned());
            let timestamp = field(&event, "/timestamp").to_owned();
            assert!(timestamp > last, "{timestamp} after {last}");
            last = timestamp;
        }
        let mean = bytes / SAMPLE;
        assert!((861..=900).contains(&mean), "mean size {mean}");
        assert_eq!(types.len(), 40);
    }

    /// Fails unless the ledger takes the text without a note of its own.
    fn assert_taken_as_it_stands(tenant: &str, text: &[u8]) {
        let tenant = TenantId::parse(tenant).unwrap();
        let new_year_2027 = IngestedAt::from_micros(1_798_761_600_000_000).unwrap();
        let context = ParseContext::new(&tenant, new_year_2027, [0; 16]);
        let event = ValidEvent::parse(text, &context, &mut Canonicalizer::new()).unwrap();
        assert_eq!(event.text(), canonicalize(text).unwrap());
    }

    #[test]
    fn the_ledger_takes_every_event_as_it_stands() {
        let workload = Workload::new(1, 50);
        for i in 0..1_000 {
            assert_taken_as_it_stands(&workload.tenant_of(i), &text(&workload, i));
        }
        for line in audit_day(1) {
            assert_taken_as_it_stands("default", line.as_bytes());
        }
    }

    #[test]
    fn an_event_depends_on_seed_and_number_alone() {
        let (first, second) = (Workload::new(1, 50), Workload::new(1, 50));
        let backwards: Vec<_> = (0..100).rev().map(|i| text(&second, i)).collect();
        let forwards: Vec<_> = (0..100).map(|i| text(&first, i)).collect();
        assert!(forwards.iter().eq(backwards.iter().rev()));
        assert_ne!(text(&Workload::new(2, 50), 7), text(&first, 7));
    }

    #[test]
    fn tenants_take_turns_and_have_actors_of_their_own() {
        let workload = Workload::new(3, 10_000);
        assert_eq!(workload.tenant_of(10_003), "tenant-00003");
        assert_eq!(Workload::new(3, 0).tenant_of(9), "tenant-00000");
        let few = Workload::new(3, 50);
        let actors = |tenant: u64| -> HashSet<String> {
            let numbers = (0..2_000).map(|turn| tenant + turn * 50);
            let events = numbers.map(|i| serde_json::from_slice::<Value>(&text(&few, i)).unwrap());
            events.map(|event| field(&event, "/actor/id").to_owned()).collect()
        };
        let (one, other) = (actors(1), actors(2));
        assert!(one.len() > 50 && one.is_disjoint(&other));
    }

    #[test]
    fn another_id_makes_another_event() {
        let workload = Workload::new(1, 1);
        let mut event = text(&workload, 3);
        let ids: HashSet<Vec<u8>> = (0..1_000)
            .map(|i| {
                let mut id = Vec::new();
                workload.id(i, &mut id);
                id
            })
            .collect();
        assert_eq!(ids.len(), 1_000);
        for id in ids {
            event[ID_AT].copy_from_slice(&id);
            let read: Value = serde_json::from_slice(&event).unwrap();
            assert_eq!(field(&read, "/id").as_bytes(), id);
        }
        assert_taken_as_it_stands("tenant-00000", &event);
    }

    #[test]
    fn the_largest_number_makes_an_event_too() {
        let text = text(&Workload::new(u64::MAX, u64::MAX), u64::MAX);
        assert!(serde_json::from_slice::<Value>(&text).is_ok());
    }
}
