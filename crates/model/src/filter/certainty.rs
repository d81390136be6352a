//! Tries a filter on a record of which parts are sealed, without keys: what depends on a sealed value
//! is open, and `not` leaves it open (Kleene's logic of three values).

use super::Filter;
use super::comparison::{Comparison, Test};
use super::evaluate::RecordView;
use crate::json::{NotCanonical, Value, ValueKind};
use crate::sealing::SEALED_MARK;

/// Whether a filter means a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// It does not, whatever the sealed values are.
    No,
    /// That depends on values that are sealed.
    Open,
    /// It does, whatever the sealed values are.
    Yes,
}

impl Filter {
    /// Whether the record, as it is stored, is meant. Fails only where the event's text is not
    /// canonical JSON.
    pub fn certainty(&self, record: &RecordView<'_>) -> Result<Certainty, NotCanonical> {
        match self {
            Self::All => Ok(Certainty::Yes),
            Self::And(all) => all.iter().try_fold(Certainty::Yes, |least, one| {
                Ok(if least == Certainty::No { least } else { least.min(one.certainty(record)?) })
            }),
            Self::Or(any) => any.iter().try_fold(Certainty::No, |most, one| {
                Ok(if most == Certainty::Yes { most } else { most.max(one.certainty(record)?) })
            }),
            Self::Not(inner) => inner.certainty(record).map(|inner| match inner {
                Certainty::No => Certainty::Yes,
                Certainty::Open => Certainty::Open,
                Certainty::Yes => Certainty::No,
            }),
            Self::Compare(comparison) => comparison.certainty(self, record),
            Self::Text(_) => {
                let is_open = has_sealed(record.event())?;
                Ok(settle(self.matches(record)?, is_open))
            }
        }
    }
}

impl Comparison {
    fn certainty(
        &self,
        whole: &Filter,
        record: &RecordView<'_>,
    ) -> Result<Certainty, NotCanonical> {
        let matches = whole.matches(record)?;
        if self.field().record_field().is_some() {
            return Ok(settle(matches, false));
        }
        let is_sealed = leads_to_sealed(record.event(), self.field().steps())?;
        Ok(match self.test() {
            // What stands below a sealed value cannot be seen.
            Test::Exists(false) if is_sealed => Certainty::Open,
            _ => settle(matches, is_sealed),
        })
    }
}

const fn settle(matches: bool, is_open: bool) -> Certainty {
    match (matches, is_open) {
        (true, _) => Certainty::Yes,
        (false, true) => Certainty::Open,
        (false, false) => Certainty::No,
    }
}

/// Whether the steps lead to a sealed value, or to something that has one in it.
fn leads_to_sealed(value: Value<'_>, steps: &[String]) -> Result<bool, NotCanonical> {
    let Some((step, below)) = steps.split_first() else {
        return has_sealed(value);
    };
    match value.kind() {
        ValueKind::Object if is_mark(value)? => Ok(true),
        ValueKind::Object => {
            value.member(step)?.map_or(Ok(false), |member| leads_to_sealed(member, below))
        }
        ValueKind::Array => {
            let mut elements = value.elements();
            while let Some(element) = elements.next_element()? {
                if leads_to_sealed(element, steps)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// Whether a sealed value stands anywhere in it.
fn has_sealed(value: Value<'_>) -> Result<bool, NotCanonical> {
    match value.kind() {
        ValueKind::Object if is_mark(value)? => return Ok(true),
        ValueKind::Object => {
            let mut members = value.members();
            while let Some((_, member)) = members.next_member()? {
                if has_sealed(member)? {
                    return Ok(true);
                }
            }
        }
        ValueKind::Array => {
            let mut elements = value.elements();
            while let Some(element) = elements.next_element()? {
                if has_sealed(element)? {
                    return Ok(true);
                }
            }
        }
        _ => {}
    }
    Ok(false)
}

fn is_mark(value: Value<'_>) -> Result<bool, NotCanonical> {
    value.member(SEALED_MARK).map(|mark| mark.is_some())
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{
        Canonicalizer, Hash, Header, HeaderFields, IngestedAt, Kind, SequenceNumber,
    };

    use super::Certainty::{No, Open, Yes};
    use crate::filter::{Filter, RecordView};
    use crate::json::Value;

    const EVENT: &[u8] = br#"{"actor":{"id":"u1","name":{"$sealed":0}},"data":{"$sealed":1},"event_type":"user.login","metadata":{"list":["a",{"$sealed":0}]}}"#;

    #[test]
    fn what_depends_on_a_sealed_value_is_open() {
        let mut header = Vec::new();
        let fields = HeaderFields {
            content_hash: &Hash::ZERO,
            event_id: "e1",
            ingested_at: IngestedAt::from_micros(1).unwrap(),
            kind: Kind::Event,
            previous_hash: &Hash::ZERO,
            sequence_number: SequenceNumber::new(1).unwrap(),
            tenant_id: "acme",
        };
        fields.write_canonical(&mut header);
        let header = Header::parse(&header).unwrap();
        let view = RecordView::new(&header, Value::new(EVENT));
        for (filter, expected) in [
            (r#"{"field":"actor.id","eq":"u1"}"#, Yes),
            (r#"{"field":"actor.id","eq":"u2"}"#, No),
            (r#"{"field":"actor.name","eq":"Ana"}"#, Open),
            (r#"{"not":{"field":"actor.name","eq":"Ana"}}"#, Open),
            (r#"{"field":"actor.name","exists":true}"#, Yes),
            (r#"{"field":"actor.name","exists":false}"#, Open),
            (r#"{"field":"data.after.role","exists":false}"#, Open),
            (r#"{"field":"data.after.role","eq":"admin"}"#, Open),
            (r#"{"field":"metadata.list","eq":"a"}"#, Yes),
            (r#"{"field":"metadata.list","eq":"b"}"#, Open),
            (r#"{"field":"metadata.other","eq":"b"}"#, No),
            (r#"{"text":"login"}"#, Yes),
            (r#"{"text":"logout"}"#, Open),
            (r#"{"and":[{"field":"actor.id","eq":"u2"},{"text":"logout"}]}"#, No),
            (r#"{"and":[{"field":"actor.id","eq":"u1"},{"text":"logout"}]}"#, Open),
            (r#"{"or":[{"field":"actor.id","eq":"u1"},{"text":"logout"}]}"#, Yes),
            (r#"{"or":[{"field":"actor.id","eq":"u2"},{"text":"logout"}]}"#, Open),
            (r#"{"field":"kind","eq":"event"}"#, Yes),
            ("{}", Yes),
        ] {
            let parsed = Filter::parse(filter.as_bytes(), &mut Canonicalizer::new()).unwrap();
            assert_eq!(parsed.certainty(&view), Ok(expected), "{filter}");
        }
    }
}
