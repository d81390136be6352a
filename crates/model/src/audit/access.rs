//! Who read what: requests of one principal that were alike, gathered for a minute into one record.

use std::net::IpAddr;

use ledgerstone_proof::IngestedAt;

use super::{Actor, TallyTimes};
use crate::access::View;
use crate::json_write::ObjectWriter;
use crate::sealing::SealingKeyId;

/// Ranges of sequence numbers that one record lists.
pub const ACCESS_RANGES_MAX: usize = 1_000;

/// Keys that one record names; more stand in records that continue it.
pub const ACCESS_KEYS_MAX: usize = 1_000;

/// The event type of these records.
pub const ACCESS_EVENT_TYPE: &str = "audit.access";

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessVerb {
    /// Records or contents were read.
    Read,
    /// A person was looked up.
    LookUp,
    /// Proofs of records were fetched.
    Prove,
    /// The ledger was verified.
    Verify,
    /// Something was changed that leaves no record of its own.
    Administer,
}

const VERBS: &[(&str, AccessVerb)] = &[
    ("read", AccessVerb::Read),
    ("look_up", AccessVerb::LookUp),
    ("prove", AccessVerb::Prove),
    ("verify", AccessVerb::Verify),
    ("administer", AccessVerb::Administer),
];

impl AccessVerb {
    /// The word in records and policies.
    pub fn as_str(self) -> &'static str {
        VERBS.iter().find(|(_, one)| *one == self).map_or("", |(name, _)| name)
    }

    /// The verb of this name.
    pub fn parse(name: &str) -> Option<Self> {
        VERBS.iter().find(|(known, _)| *known == name).map(|(_, one)| *one)
    }
}

/// What a request looked for, as it was sent: may name people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Literal {
    /// Path and parameters.
    pub target: String,
    /// Type and id of somebody who was looked up.
    pub subject: Option<(String, String)>,
}

/// Alike requests of one principal within a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRecord {
    /// Who, with the first address they came from.
    pub actor: Actor,
    pub verb: AccessVerb,
    /// The route's pattern and the names of its parameters.
    pub shape: String,
    pub times: TallyTimes,
    /// All addresses, where there were several.
    pub addresses: Vec<IpAddr>,
    /// Records that were returned, repetitions counted.
    pub records: u64,
    /// Ranges of their sequence numbers, the first and the last of each; `None` where there are more
    /// than [`ACCESS_RANGES_MAX`].
    pub numbers: Option<Vec<(u64, u64)>>,
    /// The size that the ledger had at the newest of the requests.
    pub snapshot: Option<u64>,
    /// The keys of the people whose values were opened, and how much of them was seen.
    pub opened: Vec<(SealingKeyId, View)>,
    /// What was looked for.
    pub literals: Vec<Literal>,
    /// How many more literals there were that nothing keeps.
    pub literals_left_out: u64,
    /// Which of the records about the same requests it is, from 1 on; 0 where there is one alone.
    pub part: u64,
}

impl AccessRecord {
    /// The same without what was looked for.
    #[must_use]
    pub fn without_literals(mut self) -> Self {
        let left_out = std::mem::take(&mut self.literals).len();
        self.literals_left_out = self.literals_left_out.saturating_add(left_out as u64);
        self
    }

    /// Writes the event in canonical JSON, the literals in clear.
    pub(crate) fn write(&self, at: IngestedAt, out: &mut Vec<u8>) {
        let mut event = ObjectWriter::open(out);
        let mut action = ObjectWriter::open(event.key("action"));
        action.text("status", "success");
        action.text("verb", self.verb.as_str());
        action.close();
        self.actor.write(&mut event);
        let mut data = ObjectWriter::open(event.key("data"));
        let mut metadata = ObjectWriter::open(data.key("metadata"));
        self.write_metadata(&mut metadata);
        metadata.close();
        data.close();
        event.text("event_type", ACCESS_EVENT_TYPE);
        let mut target = ObjectWriter::open(event.key("target"));
        target.text("id", &self.shape);
        target.text("type", "route");
        target.close();
        event.text("timestamp", &at.to_string());
        event.close();
    }

    fn write_metadata(&self, metadata: &mut ObjectWriter<'_>) {
        if self.addresses.len() > 1 {
            let addresses: Vec<_> =
                self.addresses.iter().map(|one| one.to_canonical().to_string()).collect();
            metadata.texts("addresses", &addresses);
        }
        self.times.write(metadata);
        if !self.literals.is_empty() {
            metadata.array("literals", &self.literals, Literal::write);
        }
        if self.literals_left_out > 0 {
            metadata.number("literals_left_out", self.literals_left_out);
        }
        if let Some(numbers) = self.numbers.as_ref().filter(|numbers| !numbers.is_empty()) {
            metadata.array("numbers", numbers, |(first, last), out| {
                out.extend_from_slice(format!("[{first},{last}]").as_bytes());
            });
        }
        if !self.opened.is_empty() {
            let mut opened = ObjectWriter::open(metadata.key("opened"));
            for view in [View::Redacted, View::Shown] {
                let keys: Vec<String> = self.keys_seen(view).map(ToString::to_string).collect();
                if !keys.is_empty() {
                    opened.texts(view.as_str(), &keys);
                }
            }
            opened.close();
        }
        if self.part > 0 {
            metadata.number("part", self.part);
        }
        if self.records > 0 {
            metadata.number("records", self.records);
        }
        metadata.optional_number("snapshot", self.snapshot);
    }

    fn keys_seen(&self, view: View) -> impl Iterator<Item = &SealingKeyId> {
        self.opened.iter().filter(move |(_, seen)| *seen == view).map(|(key, _)| key)
    }
}

impl Literal {
    fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        if let Some((kind, id)) = &self.subject {
            let mut subject = ObjectWriter::open(object.key("subject"));
            subject.text("id", id);
            subject.text("type", kind);
            subject.close();
        }
        object.text("target", &self.target);
        object.close();
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{IngestedAt, canonicalize};

    use super::{AccessRecord, AccessVerb, Literal, VERBS};
    use crate::access::{CredentialKind, PrincipalId, View};
    use crate::audit::{Actor, TallyTimes};
    use crate::sealing::SealingKeyId;

    fn at(micros: i64) -> IngestedAt {
        IngestedAt::from_micros(micros).unwrap()
    }

    fn record() -> AccessRecord {
        let id = PrincipalId::of_jwt("https://issuer.example", "alice");
        let [here, there] = ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().unwrap());
        AccessRecord {
            actor: Actor::principal(&id, CredentialKind::Jwt, None).at(Some(here)),
            verb: AccessVerb::Read,
            shape: "GET /v1/events?from".to_owned(),
            times: TallyTimes { calls: 3, first_at: at(1), last_at: at(2) },
            addresses: vec![here, there],
            records: 12,
            numbers: Some(vec![(3, 7), (9, 9)]),
            snapshot: Some(10),
            opened: vec![
                (SealingKeyId::new([1; 16]), View::Shown),
                (SealingKeyId::new([2; 16]), View::Redacted),
            ],
            literals: vec![Literal { target: "/v1/events?from=2024".to_owned(), subject: None }],
            literals_left_out: 0,
            part: 0,
        }
    }

    #[test]
    fn an_access_is_an_ordinary_canonical_event() {
        let mut text = Vec::new();
        record().write(at(5), &mut text);
        assert_eq!(canonicalize(&text).unwrap(), text);
        let shown = String::from_utf8(text).unwrap();
        for part in [
            r#""addresses":["192.0.2.1","2001:db8::1"],"calls":3,"first_at":"1970-01-01T00:00:00.000001Z""#,
            r#""literals":[{"target":"/v1/events?from=2024"}],"numbers":[[3,7],[9,9]]"#,
            r#""opened":{"redacted":["AgICAgICAgICAgICAgICAg"],"shown":["AQEBAQEBAQEBAQEBAQEBAQ"]}"#,
            r#""records":12,"snapshot":10}"#,
            r#""target":{"id":"GET /v1/events?from","type":"route"}"#,
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
    }

    #[test]
    fn what_cannot_be_sealed_is_counted() {
        let mut text = Vec::new();
        record().without_literals().write(at(5), &mut text);
        assert_eq!(canonicalize(&text).unwrap(), text);
        let shown = String::from_utf8(text).unwrap();
        assert!(!shown.contains("2024") && shown.contains(r#""literals_left_out":1"#), "{shown}");
    }

    #[test]
    fn verbs_are_read_back() {
        for (name, verb) in VERBS {
            assert_eq!(AccessVerb::parse(name), Some(*verb));
            assert_eq!(verb.as_str(), *name);
        }
    }
}
