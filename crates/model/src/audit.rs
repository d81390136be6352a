//! What the server itself observed, as events of kind `audit`.
//!
//! Such a record is an ordinary event in its fields, so that it is sealed, found and dropped like
//! one; only its type (`audit.*`) and its id say that the server wrote it. Names and reasons stand
//! here, never in a `system` record.

pub mod access;
pub mod denial;
pub mod policy;
pub mod rectification;

use std::net::IpAddr;

use ledgerstone_proof::{Canonicalizer, IngestedAt, SequenceNumber};

use crate::access::{CredentialKind, PrincipalId};
use crate::filter::Filter;
use crate::json::Value;
use crate::json_write::ObjectWriter;
use crate::sealing::{FieldPolicy, Subject};
use crate::subject_request::ErasureTerms;

pub use access::{AccessRecord, AccessVerb, Literal};
pub use denial::DenialRecord;
pub use policy::AccessLogPolicy;
pub use rectification::{Changes, CorrectedRecord, RectificationRecord};

/// Types of actors that are nobody in particular.
const SERVER: &str = "server";
const STRANGER: &str = "unauthenticated";
const OTHERS: &str = "others";

/// Who did what the server observed, with the name that stands nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    id: String,
    kind: &'static str,
    name: Option<String>,
    address: Option<IpAddr>,
    request_id: Option<String>,
}

impl Actor {
    /// Somebody at the machine itself, e.g. `uid:1000`.
    pub fn operator(id: &str) -> Self {
        Self::new(id, "operator")
    }

    /// The server by itself.
    pub fn server() -> Self {
        Self::new("ledgerstone", SERVER)
    }

    /// Whoever holds a credential; `name` is what the credential says of its holder.
    pub fn principal(id: &PrincipalId, kind: CredentialKind, name: Option<&str>) -> Self {
        Self { name: name.map(ToOwned::to_owned), ..Self::new(id.as_str(), kind.as_str()) }
    }

    /// Whoever asked without a credential that counts.
    pub fn stranger(address: Option<IpAddr>) -> Self {
        Self::new("unauthenticated", STRANGER).at(address)
    }

    /// Those for whom there was no room to be told apart.
    pub fn others() -> Self {
        Self::new("others", OTHERS)
    }

    fn new(id: &str, kind: &'static str) -> Self {
        Self { id: id.to_owned(), kind, name: None, address: None, request_id: None }
    }

    /// The opaque id of whoever acts.
    pub fn principal_id(&self) -> PrincipalId {
        PrincipalId::of_operator(&self.id)
    }

    /// Whose key a name and an address are sealed under: the acting person's, the tenant's for those who
    /// were not told apart, and nobody's for the server itself and for strangers.
    pub fn subject(&self) -> Option<Subject> {
        match self.kind {
            SERVER | STRANGER => None,
            OTHERS => Some(Subject::Tenant),
            kind => Some(Subject::Person { kind: kind.to_owned(), id: self.id.clone() }),
        }
    }

    /// The same by the opaque id alone.
    #[must_use]
    pub fn unnamed(self) -> Self {
        Self { name: None, address: None, ..self }
    }

    /// Whether more is said of them than an opaque id.
    pub const fn is_named(&self) -> bool {
        self.name.is_some() || self.address.is_some()
    }

    /// What people call whoever acts.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Where the connection came from.
    #[must_use]
    pub const fn at(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }

    /// The request by which they acted.
    #[must_use]
    pub fn by_request(mut self, id: &str) -> Self {
        self.request_id = Some(id.to_owned());
        self
    }

    /// Writes the members `actor` and `context`, which stand beside each other.
    fn write(&self, event: &mut ObjectWriter<'_>) {
        let mut actor = ObjectWriter::open(event.key("actor"));
        actor.text("id", &self.id);
        let address = self.address.map(|address| address.to_canonical().to_string());
        actor.optional_text("ip_address", address.as_deref());
        actor.optional_text("name", self.name.as_deref());
        actor.text("type", self.kind);
        actor.close();
        if let Some(id) = &self.request_id {
            let mut context = ObjectWriter::open(event.key("context"));
            context.text("request_id", id);
            context.close();
        }
    }
}

/// One thing the server observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditRecord {
    /// Somebody administered the deployment.
    Administration(Administration),
    /// Somebody read.
    Access(AccessRecord),
    /// Somebody was turned away.
    Denial(DenialRecord),
    /// Somebody's data was corrected.
    Rectification(RectificationRecord),
}

/// How many requests a record is about, and when they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TallyTimes {
    pub calls: u64,
    pub first_at: IngestedAt,
    pub last_at: IngestedAt,
}

impl TallyTimes {
    /// Writes the members, which stand beside each other.
    fn write(self, metadata: &mut ObjectWriter<'_>) {
        metadata.number("calls", self.calls);
        metadata.text("first_at", &self.first_at.to_string());
        metadata.text("last_at", &self.last_at.to_string());
    }
}

/// An administrative act: who did what to what, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Administration {
    verb: String,
    actor: Actor,
    target_type: String,
    target_id: String,
    reason: Option<String>,
    label: Option<String>,
    owner: Option<String>,
    filter: Option<String>,
    erasure: Option<ErasureTerms>,
    explains: Option<SequenceNumber>,
}

impl Administration {
    /// `actor` did `verb` (e.g. `rotate`) to a target (e.g. `signing_key`, its id).
    pub fn new(verb: &str, actor: Actor, target_type: &str, target_id: &str) -> Self {
        Self {
            verb: verb.to_owned(),
            actor,
            target_type: target_type.to_owned(),
            target_id: target_id.to_owned(),
            reason: None,
            label: None,
            owner: None,
            filter: None,
            erasure: None,
            explains: None,
        }
    }

    /// Whoever did it, where the record says more of them than an opaque id, or something in their words.
    pub fn named_actor(&self) -> Option<&Actor> {
        let has_words = self.reason.is_some() && !self.is_about_hold();
        (has_words || self.actor.is_named()).then_some(&self.actor)
    }

    /// Why, in the operator's words.
    #[must_use]
    pub fn with_reason(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    /// What the target is called by those who use it.
    #[must_use]
    pub fn with_label(mut self, label: &str) -> Self {
        self.label = Some(label.to_owned());
        self
    }

    /// Who answers for the target.
    #[must_use]
    pub fn with_owner(mut self, owner: &str) -> Self {
        self.owner = Some(owner.to_owned());
        self
    }

    /// What the target is about, where that may name people.
    #[must_use]
    pub fn with_filter(mut self, filter: &Filter) -> Self {
        self.filter = Some(String::from_utf8_lossy(&filter.to_json()).into_owned());
        self
    }

    /// How far an erasure may go that the act approves. That duties were set aside is said by the verb.
    #[must_use]
    pub const fn with_erasure_terms(mut self, terms: ErasureTerms) -> Self {
        self.erasure = Some(terms);
        self
    }

    /// The `system` record of the same ledger that the act led to.
    #[must_use]
    pub const fn explaining(mut self, number: SequenceNumber) -> Self {
        self.explains = Some(number);
        self
    }
}

impl Administration {
    /// A hold must be understood for as long as it stands, whoever set it.
    fn is_about_hold(&self) -> bool {
        self.target_type == "hold"
    }

    fn write(&self, at: IngestedAt, out: &mut Vec<u8>) {
        let mut event = ObjectWriter::open(out);

        let mut action = ObjectWriter::open(event.key("action"));
        action.optional_text("description", self.reason.as_deref());
        action.text("status", "success");
        action.text("verb", &self.verb);
        action.close();

        self.actor.write(&mut event);
        self.write_data(&mut event);
        event.text("event_type", "audit.administration");

        let mut target = ObjectWriter::open(event.key("target"));
        target.text("id", &self.target_id);
        target.text("type", &self.target_type);
        target.close();

        event.text("timestamp", &at.to_string());
        event.close();
    }

    fn write_data(&self, event: &mut ObjectWriter<'_>) {
        let texts = [&self.filter, &self.label, &self.owner];
        let has_number = self.erasure.is_some() || self.explains.is_some();
        if texts.into_iter().all(Option::is_none) && !has_number {
            return;
        }
        let mut data = ObjectWriter::open(event.key("data"));
        let mut metadata = ObjectWriter::open(data.key("metadata"));
        metadata.optional_number("clear_contents", self.erasure.map(|terms| terms.clear_contents));
        metadata.optional_text("filter", self.filter.as_deref());
        if self.erasure.is_some_and(|terms| terms.keep_sealed_for_others) {
            metadata.boolean("keep_sealed_for_others", true);
        }
        metadata.optional_text("label", self.label.as_deref());
        metadata.optional_text("owner", self.owner.as_deref());
        if let Some(number) = self.explains {
            metadata.number("system_record", number.value());
        }
        metadata.close();
        data.close();
    }
}

/// The label that an administrative act gave its target, read from the stored event.
pub fn label_of(event: &[u8]) -> Option<String> {
    text_at(event, &["data", "metadata", "label"])
}

/// Why an administrative act was done, read from the stored event.
pub fn reason_of(event: &[u8]) -> Option<String> {
    text_at(event, &["action", "description"])
}

/// Who answers for the target of an administrative act, read from the stored event.
pub fn owner_of(event: &[u8]) -> Option<String> {
    text_at(event, &["data", "metadata", "owner"])
}

/// What the target of an administrative act is about, read from the stored event.
pub fn filter_of(event: &[u8]) -> Option<Filter> {
    let text = text_at(event, &["data", "metadata", "filter"])?;
    Filter::parse(text.as_bytes(), &mut Canonicalizer::new()).ok()
}

fn text_at(event: &[u8], path: &[&str]) -> Option<String> {
    let mut value = Value::new(event);
    for name in path {
        value = value.member(name).ok()??;
    }
    value.text().map(std::borrow::Cow::into_owned)
}

impl AuditRecord {
    /// The event type, always beginning with `audit.`.
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::Administration(_) => "audit.administration",
            Self::Access(_) => access::ACCESS_EVENT_TYPE,
            Self::Denial(_) => denial::DENIAL_EVENT_TYPE,
            Self::Rectification(_) => rectification::RECTIFICATION_EVENT_TYPE,
        }
    }

    /// Who did it.
    pub const fn actor(&self) -> &Actor {
        match self {
            Self::Administration(act) => &act.actor,
            Self::Access(access) => &access.actor,
            Self::Denial(denial) => &denial.actor,
            Self::Rectification(rectification) => &rectification.actor,
        }
    }

    /// Whether it says more of whoever did it than an opaque id, or something in their words.
    pub fn names_somebody(&self) -> bool {
        match self {
            Self::Administration(act) => act.named_actor().is_some(),
            Self::Access(access) => access.addresses.len() > 1 || access.actor.is_named(),
            Self::Denial(_) | Self::Rectification(_) => self.actor().is_named(),
        }
    }

    /// The same without what [`Self::names_somebody`] is about.
    #[must_use]
    pub fn unnamed(self) -> Self {
        match self {
            Self::Administration(act) => {
                let reason = act.reason.clone().filter(|_| act.is_about_hold());
                let actor = act.actor.clone().unnamed();
                Self::Administration(Administration { actor, reason, ..act })
            }
            Self::Access(access) => {
                let (actor, addresses) = (access.actor.clone().unnamed(), Vec::new());
                Self::Access(AccessRecord { actor, addresses, ..access })
            }
            Self::Denial(denial) => {
                let actor = denial.actor.clone().unnamed();
                Self::Denial(DenialRecord { actor, ..denial })
            }
            Self::Rectification(rectification) => {
                let actor = rectification.actor.clone().unnamed();
                Self::Rectification(RectificationRecord { actor, ..rectification })
            }
        }
    }

    /// What of it is sealed, given for whom.
    pub(crate) fn fields(&self) -> FieldPolicy {
        match self {
            Self::Administration(act) if act.is_about_hold() => FieldPolicy::of_hold_acts(),
            Self::Administration(_) | Self::Access(_) | Self::Denial(_) => {
                FieldPolicy::of_audit_records()
            }
            Self::Rectification(rectification) => {
                FieldPolicy::of_rectifications(rectification.class)
            }
        }
    }

    /// Writes the event in canonical JSON.
    pub fn write_event(&self, at: IngestedAt, out: &mut Vec<u8>) {
        match self {
            Self::Administration(act) => act.write(at, out),
            Self::Access(access) => access.write(at, out),
            Self::Denial(denial) => denial.write(at, out),
            Self::Rectification(rectification) => rectification.write(at, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{Canonicalizer, IngestedAt, SequenceNumber, canonicalize};

    use super::{Actor, Administration, AuditRecord, filter_of, label_of, owner_of, reason_of};
    use crate::access::{CredentialKind, PrincipalId};
    use crate::filter::Filter;
    use crate::subject_request::ErasureTerms;

    #[test]
    fn an_act_is_an_ordinary_canonical_event() {
        let act = Administration::new("rotate", Actor::operator("uid:1000"), "signing_key", "00ff")
            .with_reason("yearly \"rotation\"")
            .explaining(SequenceNumber::new(7).unwrap());
        let mut text = Vec::new();
        let at = IngestedAt::from_micros(1).unwrap();
        AuditRecord::Administration(act).write_event(at, &mut text);
        assert_eq!(canonicalize(&text).unwrap(), text);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            concat!(
                r#"{"action":{"description":"yearly \"rotation\"","status":"success","verb":"rotate"},"#,
                r#""actor":{"id":"uid:1000","type":"operator"},"#,
                r#""data":{"metadata":{"system_record":7}},"event_type":"audit.administration","#,
                r#""target":{"id":"00ff","type":"signing_key"},"#,
                r#""timestamp":"1970-01-01T00:00:00.000001Z"}"#
            )
        );
    }

    #[test]
    fn how_far_an_erasure_may_go_stands_in_it() {
        let said = |clear_contents, keep_sealed_for_others| {
            let terms =
                ErasureTerms { keep_sealed_for_others, clear_contents, ..ErasureTerms::default() };
            let act =
                Administration::new("approve", Actor::operator("uid:0"), "subject_request", "a5")
                    .with_erasure_terms(terms);
            let mut text = Vec::new();
            let at = IngestedAt::from_micros(1).unwrap();
            AuditRecord::Administration(act).write_event(at, &mut text);
            assert_eq!(canonicalize(&text).unwrap(), text);
            String::from_utf8(text).unwrap()
        };
        let none = said(0, false);
        assert!(none.contains(r#""data":{"metadata":{"clear_contents":0}}"#), "{none}");
        let some = said(4, true);
        let terms = r#"{"clear_contents":4,"keep_sealed_for_others":true}"#;
        assert!(some.contains(terms), "{some}");
    }

    #[test]
    fn names_and_labels_stand_in_it() {
        let id = PrincipalId::of_jwt("https://issuer.example", "alice");
        let actor = Actor::principal(&id, CredentialKind::Jwt, Some("alice at issuer.example"))
            .at(Some("::ffff:192.0.2.1".parse().unwrap()))
            .by_request("r-1");
        let act = Administration::new("grant", actor, "api_key", "abcdefghij234567")
            .with_label("billing, \"production\"");
        let mut text = Vec::new();
        let at = IngestedAt::from_micros(1).unwrap();
        AuditRecord::Administration(act).write_event(at, &mut text);
        assert_eq!(canonicalize(&text).unwrap(), text);
        assert_eq!(label_of(&text).as_deref(), Some("billing, \"production\""));
        let shown = String::from_utf8(text).unwrap();
        let who = concat!(
            r#""ip_address":"192.0.2.1","name":"alice at issuer.example","type":"jwt"},"#,
            r#""context":{"request_id":"r-1"},"#
        );
        assert!(shown.contains(who), "{shown}");
        assert_eq!(label_of(b"{}"), None);
        assert_eq!((owner_of(b"{}"), filter_of(b"{}")), (None, None));
    }

    #[test]
    fn what_a_hold_says_is_read_back() {
        let filter = br#"{"field":"actor.name","eq":"Ana"}"#;
        let filter = Filter::parse(filter, &mut Canonicalizer::new()).unwrap();
        let act = Administration::new("set", Actor::operator("uid:0"), "hold", "00")
            .with_owner("legal")
            .with_reason("case 17")
            .with_filter(&filter)
            .explaining(SequenceNumber::new(7).unwrap());
        let mut text = Vec::new();
        let at = IngestedAt::from_micros(1).unwrap();
        AuditRecord::Administration(act).write_event(at, &mut text);
        assert_eq!(canonicalize(&text).unwrap(), text);
        assert_eq!(owner_of(&text).as_deref(), Some("legal"));
        assert_eq!(reason_of(&text).as_deref(), Some("case 17"));
        assert_eq!(filter_of(&text), Some(filter));
    }
}
