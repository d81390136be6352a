//! Who acted in a stored event or was acted upon, also where the id that says so is in an envelope, perhaps
//! under the key of the other of the two.

use zeroize::Zeroizing;

use super::envelope::{Envelope, EnvelopePlace};
use super::key::{SealingKeyId, SubjectKey};
use super::opening::envelope_index;
use super::plan::{ENVELOPES, party};
use super::subject::Subject;
use crate::json::{NotCanonical, Value};

/// The `actor` or `target` of an event as it is stored, a person or not.
#[derive(Debug)]
pub enum StoredParty {
    /// There is none, or none with an id.
    Nobody,
    /// By the type and id in clear.
    Named(Subject),
    /// The id is sealed.
    Sealed(SealedParty),
    /// The id is sealed, in what is no envelope.
    Damaged,
}

/// Somebody whose id is in an envelope.
#[derive(Debug)]
pub struct SealedParty {
    kind: String,
    pointer: String,
    envelope: Envelope,
}

impl StoredParty {
    /// Reads it from a canonical event; `group` is `actor` or `target`.
    pub fn read(text: &[u8], group: &str) -> Result<Self, NotCanonical> {
        if let Some(named) = party(text, group)? {
            return Ok(Self::Named(named));
        }
        let event = Value::new(text);
        let Some(member) = event.member(group)? else { return Ok(Self::Nobody) };
        let Some(id) = member.member("id")? else { return Ok(Self::Nobody) };
        let Some(index) = envelope_index(id)? else { return Ok(Self::Nobody) };
        let Some(envelope) = envelope_at(event, index)? else { return Ok(Self::Damaged) };
        let kind = member.member("type")?.and_then(Value::text).unwrap_or_default().into_owned();
        Ok(Self::Sealed(SealedParty { kind, pointer: format!("/{group}/id"), envelope }))
    }
}

impl SealedParty {
    /// The key that opens the id.
    pub const fn key_id(&self) -> &SealingKeyId {
        self.envelope.key_id()
    }

    /// Who it is; `None` where the envelope does not open under this key, or has no id in it. Nothing of
    /// what else is in the envelope is kept.
    pub fn open(&self, key: &SubjectKey, place: EnvelopePlace<'_>) -> Option<Subject> {
        let values: Zeroizing<Vec<u8>> = self.envelope.open(key, place).ok()?;
        let id = Value::new(&values).member(&self.pointer).ok()??.text()?;
        let named = Subject::Person { kind: self.kind.clone(), id: id.into_owned() };
        matches!(&named, Subject::Person { id, .. } if !id.is_empty()).then_some(named)
    }
}

/// The envelope with this index; `None` where there is none, or none that can be read.
fn envelope_at(event: Value<'_>, index: usize) -> Result<Option<Envelope>, NotCanonical> {
    let Some(sealed) = event.member(ENVELOPES)? else { return Ok(None) };
    let mut elements = sealed.elements();
    let mut at = 0;
    while let Some(element) = elements.next_element()? {
        if at == index {
            return Ok(Envelope::parse(element).ok());
        }
        at += 1;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{EventId, TenantId};
    use zeroize::Zeroizing;

    use super::StoredParty;
    use crate::sealing::{
        Envelope, EnvelopePlace, FieldClass, NONCE_BYTES, SealingKeyId, Subject, SubjectKey,
    };

    fn key(byte: u8) -> SubjectKey {
        SubjectKey::new(SealingKeyId::new([byte; 16]), Zeroizing::new([byte; 32]))
    }

    /// Who the target is that an envelope of these values holds the id of, and of what.
    fn opened(values: &str, key_byte: u8, event: &str) -> Option<Subject> {
        let (tenant, sealed_in) = (TenantId::parse("acme").ok()?, EventId::parse("e-1").ok()?);
        let place = EnvelopePlace { tenant: &tenant, event_id: &sealed_in };
        let (class, nonce) = (FieldClass::Personal, [0; NONCE_BYTES]);
        let mut envelope = Vec::new();
        Envelope::seal(&key(1), class, place, nonce, values.as_bytes()).ok()?.write(&mut envelope);
        let envelope = String::from_utf8(envelope).ok()?;
        let text = format!(
            r#"{{"sealed":[{{"no":"envelope"}},{envelope}],"target":{{"id":{{"$sealed":1}},"type":"client"}}}}"#
        );
        let Ok(StoredParty::Sealed(party)) = StoredParty::read(text.as_bytes(), "target") else {
            return None;
        };
        assert_eq!(party.key_id(), key(1).id());
        let event_id = EventId::parse(event).ok()?;
        party.open(&key(key_byte), EnvelopePlace { event_id: &event_id, ..place })
    }

    #[test]
    fn a_sealed_id_is_opened_by_its_key_at_its_place_alone() {
        let clara = Subject::Person { kind: "client".to_owned(), id: "cl-9".to_owned() };
        let values = r#"{"/actor/id":"u-77","/target/id":"cl-9"}"#;
        assert_eq!(opened(values, 1, "e-1"), Some(clara));
        assert_eq!(opened(values, 2, "e-1"), None);
        assert_eq!(opened(values, 1, "e-2"), None);
        for without in [r#"{"/actor/id":"u-77"}"#, r#"{"/target/id":""}"#, r#"{"/target/id":9}"#] {
            assert_eq!(opened(without, 1, "e-1"), None, "{without}");
        }
    }

    #[test]
    fn what_has_no_id_is_nobody_and_what_has_no_envelope_is_damaged() {
        let read = |text: &str| StoredParty::read(text.as_bytes(), "target");
        for text in ["{}", r#"{"target":{"type":"client"}}"#, r#"{"target":{"id":""}}"#] {
            assert!(matches!(read(text), Ok(StoredParty::Nobody)), "{text}");
        }
        let clear = read(r#"{"target":{"id":"cl-9"}}"#);
        assert!(
            matches!(clear, Ok(StoredParty::Named(Subject::Person { id, .. })) if id == "cl-9")
        );
        for sealed in ["", r#""sealed":[],"#, r#""sealed":[{"alg":"unheard-of"}],"#] {
            let text = format!(r#"{{{sealed}"target":{{"id":{{"$sealed":0}}}}}}"#);
            assert!(matches!(read(&text), Ok(StoredParty::Damaged)), "{text}");
        }
        assert!(read(r#"{"target":{"id"#).is_err());
    }
}
