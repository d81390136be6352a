//! Who was turned away, and why: alike requests gathered for a minute into one record.

use ledgerstone_proof::IngestedAt;

use super::{Actor, TallyTimes};
use crate::error_code::ErrorCode;
use crate::json_write::ObjectWriter;

/// Routes that one record names.
pub const DENIAL_ROUTES_MAX: usize = 20;

/// The event type of these records.
pub const DENIAL_EVENT_TYPE: &str = "audit.denied";

/// Requests of one principal, or from one address, that were refused for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenialRecord {
    pub actor: Actor,
    /// Why; `None` for those who are told together.
    pub reason: Option<ErrorCode>,
    pub times: TallyTimes,
    /// The patterns of the routes that were asked, the first [`DENIAL_ROUTES_MAX`] of them.
    pub routes: Vec<String>,
}

impl DenialRecord {
    /// Writes the event in canonical JSON.
    pub(super) fn write(&self, at: IngestedAt, out: &mut Vec<u8>) {
        let mut event = ObjectWriter::open(out);
        let mut action = ObjectWriter::open(event.key("action"));
        action.optional_text("error", self.reason.map(ErrorCode::as_str));
        action.text("status", "denied");
        action.text("verb", "request");
        action.close();
        self.actor.write(&mut event);
        let mut data = ObjectWriter::open(event.key("data"));
        let mut metadata = ObjectWriter::open(data.key("metadata"));
        self.times.write(&mut metadata);
        if !self.routes.is_empty() {
            metadata.texts("routes", &self.routes);
        }
        metadata.close();
        data.close();
        event.text("event_type", DENIAL_EVENT_TYPE);
        event.text("timestamp", &at.to_string());
        event.close();
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{IngestedAt, canonicalize};

    use super::DenialRecord;
    use crate::audit::{Actor, TallyTimes};
    use crate::error_code::ErrorCode;

    #[test]
    fn a_denial_is_an_ordinary_canonical_event() {
        let at = |micros| IngestedAt::from_micros(micros).unwrap();
        let denial = DenialRecord {
            actor: Actor::stranger(Some("192.0.2.1".parse().unwrap())),
            reason: Some(ErrorCode::Unauthenticated),
            times: TallyTimes { calls: 9, first_at: at(1), last_at: at(2) },
            routes: vec!["GET /v1/events".to_owned()],
        };
        let mut text = Vec::new();
        denial.write(at(3), &mut text);
        assert_eq!(canonicalize(&text).unwrap(), text);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            concat!(
                r#"{"action":{"error":"UNAUTHENTICATED","status":"denied","verb":"request"},"#,
                r#""actor":{"id":"unauthenticated","ip_address":"192.0.2.1","type":"unauthenticated"},"#,
                r#""data":{"metadata":{"calls":9,"first_at":"1970-01-01T00:00:00.000001Z","#,
                r#""last_at":"1970-01-01T00:00:00.000002Z","routes":["GET /v1/events"]}},"#,
                r#""event_type":"audit.denied","timestamp":"1970-01-01T00:00:00.000003Z"}"#
            )
        );
    }
}
