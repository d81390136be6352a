//! Events that are sealed under keys which a test can find again.

use ledgerstone_model::sealing::{
    EnvelopeError, EnvelopePlace, FieldPolicy, SealingKeyId, SealingPlan, Subject, SubjectKey,
};
use ledgerstone_proof::{EventId, TenantId, canonicalize, sha256};
use proptest::prelude::*;
use zeroize::Zeroizing;

pub const CLERK_CHANGES_CUSTOMER: &str = r#"{
  "id":"e-1","event_type":"customer.updated","severity":"low","timestamp":"2026-03-02T08:00:00Z",
  "actor":{"type":"employee","id":"emp-17","name":"Ana Lima","email":"ana.lima@example.com","ip_address":"10.0.0.7"},
  "target":{"type":"customer","id":"cus-4711","name":"Bo Berg"},
  "action":{"verb":"update","status":"failure","description":"Ana Lima may not change cus-4711",
            "error":"card 4111 1111 1111 1111 refused for Bo Berg-Falk"},
  "data":{"before":{"phone":"+4930901820"},"after":{"phone":"+4930901821","vip":true,"note":null}},
  "context":{"request_id":"req-1","project_id":"crm"},
  "metadata":{"build":"1.2.3","reviewer":"Ana Lima"}}"#;

/// Keys that follow from the subject, so that a test can find them again.
pub fn key_of(subject: &Subject) -> SubjectKey {
    let hash = *sha256(&subject.to_bytes()).as_bytes();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    SubjectKey::new(SealingKeyId::new(id), Zeroizing::new(hash))
}

pub struct Sealed {
    pub text: Vec<u8>,
    pub stored: Vec<u8>,
    pub subjects: Vec<Subject>,
}

pub fn ids() -> (TenantId, EventId) {
    (TenantId::parse("acme").expect("a name"), EventId::parse("e-1").expect("an id"))
}

pub fn seal(event: &str, policy: &FieldPolicy) -> Sealed {
    let text = canonicalize(event.as_bytes()).expect("canonical");
    let (tenant, event_id) = ids();
    let place = EnvelopePlace { tenant: &tenant, event_id: &event_id };
    let plan = SealingPlan::make(&text, policy).expect("canonical");
    let mut counter = 0_u8;
    let nonce = || {
        counter += 1;
        Some([counter; 24])
    };
    let stored = plan
        .seal::<EnvelopeError>(&text, place, |subject| Ok(key_of(subject)), nonce)
        .expect("sealed");
    let subjects = plan.subjects().into_iter().cloned().collect();
    assert_eq!(canonicalize(&stored).expect("canonical"), stored, "what is stored is canonical");
    Sealed { text: text.clone(), stored, subjects }
}

impl Sealed {
    pub fn stored(&self) -> &str {
        std::str::from_utf8(&self.stored).expect("text")
    }
}

pub fn person(kind: &str, id: &str) -> Subject {
    Subject::Person { kind: kind.to_owned(), id: id.to_owned() }
}

/// Any JSON, with names and texts that look personal among it.
pub fn json() -> impl Strategy<Value = String> {
    let text = "[a-z@. ]{0,12}|ana@b\\.cd|\\+4930901820|Ana Lima|\\PC{0,6}";
    let leaf = prop_oneof![
        text.prop_map(|text| {
            let mut out = Vec::new();
            ledgerstone_proof::canonical_string_into(&text, &mut out);
            String::from_utf8(out).expect("text")
        }),
        any::<i32>().prop_map(|number| number.to_string()),
        Just("null".to_owned()),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(","))),
            prop::collection::btree_map(
                "[a-z/~.]{0,3}|status|name|email|ana@b\\.cd|\\+4930901820",
                inner,
                0..4
            )
            .prop_map(|map| {
                let members: Vec<_> = map.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}
