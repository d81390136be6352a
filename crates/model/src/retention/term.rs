//! Until when one record's content is kept, and from when it goes.

use ledgerstone_proof::IngestedAt;

use super::policy::{Contradiction, RetentionPolicy, RetentionRule};
use crate::calendar::days_after;
use crate::filter::{Certainty, RecordView};
use crate::json::{NotCanonical, Value};

/// What a policy says of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term<'p> {
    kept_until: Moment,
    goes_at: Moment,
    duty: Option<(Moment, &'p RetentionRule)>,
    contradiction: Option<Contradiction<'p>>,
}

/// A point in time, or none that will ever come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    At(IngestedAt),
    Never,
}

impl Moment {
    fn of(at: Option<IngestedAt>) -> Self {
        at.map_or(Self::Never, Self::At)
    }

    fn has_come(self, now: IngestedAt) -> bool {
        matches!(self, Self::At(at) if at <= now)
    }
}

impl<'p> Term<'p> {
    /// Whether the content is to go: a maximum is over, and no minimum keeps it.
    pub fn is_over(&self, now: IngestedAt) -> bool {
        self.goes_at.has_come(now)
    }

    /// When it goes; `None` where that never comes.
    pub const fn goes_at(&self) -> Option<IngestedAt> {
        match self.goes_at {
            Moment::At(at) => Some(at),
            Moment::Never => None,
        }
    }

    /// Whether a minimum keeps it.
    pub fn is_kept(&self, now: IngestedAt) -> bool {
        !self.kept_until.has_come(now)
    }

    /// The duty, a minimum with a basis, that keeps it longest now.
    pub fn duty(&self, now: IngestedAt) -> Option<&'p RetentionRule> {
        self.duty.filter(|(until, _)| !until.has_come(now)).map(|(_, rule)| rule)
    }

    /// The rules that contradict each other about it.
    pub const fn contradiction(&self) -> Option<Contradiction<'p>> {
        self.contradiction
    }
}

impl RetentionPolicy {
    /// What the policy says of a record, as it is stored. Where a sealed value decides, a minimum
    /// counts and a maximum does not. Fails only where the event's text is not canonical JSON.
    pub fn term(&self, record: &RecordView<'_>) -> Result<Term<'_>, NotCanonical> {
        let from = record.header().ingested_at();
        let mut kept = days_asked_for(record.event())?
            .map_or(Moment::At(from), |days| Moment::of(days_after(from, days)));
        let (mut least, mut most, mut duty) = (None, None, None);
        for rule in self.rules() {
            let certainty = rule.filter().certainty(record)?;
            if let Some(minimum) = rule.minimum().filter(|_| certainty != Certainty::No) {
                let until = Moment::of(minimum.after(from));
                kept = kept.max(until);
                raise(&mut least, until, rule);
                if rule.basis().is_some() {
                    raise(&mut duty, until, rule);
                }
            }
            if let Some(maximum) = rule.maximum().filter(|_| certainty == Certainty::Yes) {
                let ends = Moment::of(maximum.after(from));
                if most.is_none_or(|(first, _)| ends < first) {
                    most = Some((ends, rule));
                }
            }
        }
        let contradiction = match (most, least) {
            (Some((ends, maximum)), Some((until, minimum))) if ends < until => {
                Some(Contradiction { maximum, minimum })
            }
            _ => None,
        };
        let goes_at = most.map_or(Moment::Never, |(ends, _)| ends.max(kept));
        Ok(Term { kept_until: kept, goes_at, duty, contradiction })
    }
}

fn raise<'p>(
    longest: &mut Option<(Moment, &'p RetentionRule)>,
    until: Moment,
    rule: &'p RetentionRule,
) {
    if longest.is_none_or(|(known, _)| until > known) {
        *longest = Some((until, rule));
    }
}

/// Whether what the sender asked for in `security.retention_period_days` keeps a content that came in `from` then.
pub fn is_kept_by_sender(
    event: Value<'_>,
    from: IngestedAt,
    now: IngestedAt,
) -> Result<bool, NotCanonical> {
    let days = days_asked_for(event)?;
    Ok(days.is_some_and(|days| days_after(from, days).is_none_or(|until| until > now)))
}

/// What the sender asks for in `security.retention_period_days`: a minimum. One that cannot be read,
/// because it is sealed, keeps the content for good.
fn days_asked_for(event: Value<'_>) -> Result<Option<u64>, NotCanonical> {
    let Some(security) = event.member("security")? else { return Ok(None) };
    if security.member(crate::sealing::SEALED_MARK)?.is_some() {
        return Ok(Some(u64::MAX));
    }
    let days = security.member("retention_period_days")?;
    Ok(days.map(|days| days.unsigned().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{
        Canonicalizer, Hash, Header, HeaderFields, IngestedAt, Kind, SequenceNumber,
    };

    use crate::filter::RecordView;
    use crate::json::Value;
    use crate::retention::RetentionPolicy;

    fn policy(text: &str) -> RetentionPolicy {
        RetentionPolicy::parse(text.as_bytes(), &mut Canonicalizer::new()).unwrap()
    }

    fn at(text: &str) -> IngestedAt {
        IngestedAt::parse(&format!("{text}T00:00:00.000000Z")).unwrap()
    }

    fn header() -> Header {
        header_of(Kind::Event)
    }

    fn header_of(kind: Kind) -> Header {
        let mut header = Vec::new();
        HeaderFields {
            content_hash: &Hash::ZERO,
            event_id: "e1",
            ingested_at: at("2024-02-29"),
            kind,
            previous_hash: &Hash::ZERO,
            sequence_number: SequenceNumber::new(1).unwrap(),
            tenant_id: "acme",
        }
        .write_canonical(&mut header);
        Header::parse(&header).unwrap()
    }

    const CALLS: &str = r#"{"field":"event_type","eq":"call"}"#;

    #[test]
    fn the_longest_minimum_keeps_and_the_shortest_maximum_after_it_lets_go() {
        let rule = |members: &str| format!(r#"{{"rules":[{members}]}}"#);
        let call = r#"{"event_type":"call"}"#;
        let asked = r#"{"event_type":"call","security":{"retention_period_days":3650}}"#;
        let sealed = r#"{"event_type":"call","security":{"$sealed":0}}"#;
        let two = format!(
            r#"{{"name":"a","minimum":"P1Y","maximum":"P3Y"}},{{"name":"b","filter":{CALLS},"minimum":"P2Y","maximum":"P30M"}}"#
        );
        let both = r#"{"name":"a","minimum":"P6Y"},{"name":"b","maximum":"P5Y"}"#;
        for (policy_text, event, expected) in [
            ("{}".to_owned(), call, None),
            (r#"{"presets":["sox"]}"#.to_owned(), call, None),
            (rule(r#"{"name":"a","maximum":"P1Y"}"#), call, Some("2025-02-28")),
            (rule(&two), call, Some("2026-08-29")),
            (rule(&two), r#"{"event_type":"x"}"#, Some("2027-02-28")),
            (rule(both), call, Some("2030-02-28")),
            (rule(&two), asked, Some("2034-02-26")),
            (rule(&two), sealed, None),
        ] {
            let policy = policy(&policy_text);
            let header = header();
            let term =
                policy.term(&RecordView::new(&header, Value::new(event.as_bytes()))).unwrap();
            assert_eq!(term.goes_at(), expected.map(at), "{policy_text} {event}");
            let is_contradiction = policy_text == rule(both);
            assert_eq!(term.contradiction().is_some(), is_contradiction, "{policy_text}");
            if let Some(day) = expected {
                assert!(term.is_over(at(day)) && !term.is_over(at("2025-02-27")));
                assert!(!term.is_kept(at(day)));
            }
        }
    }

    #[test]
    fn who_read_what_is_kept_for_one_to_two_years() {
        let header = header_of(Kind::Audit);
        let read = Value::new(br#"{"event_type":"audit.access"}"#);
        let view = RecordView::new(&header, read);
        let goes_at = |policy: &RetentionPolicy| policy.term(&view).unwrap().goes_at();
        assert_eq!(goes_at(&policy(r#"{"presets":["hipaa"]}"#)), None);
        let both = policy(r#"{"presets":["standard","hipaa"]}"#);
        assert_eq!(goes_at(&both), Some(at("2030-02-28")));
        assert_eq!(goes_at(&RetentionPolicy::default()), Some(at("2026-02-28")));
    }

    #[test]
    fn duties_are_minima_with_a_basis() {
        let policy = policy(
            r#"{"presets":["pci","sox"],"rules":[{"name":"own","minimum":"P20Y"},{"name":"gone","maximum":"P1Y"}]}"#,
        );
        let header = header();
        let term = policy.term(&RecordView::new(&header, Value::new(b"{}"))).unwrap();
        assert_eq!(term.duty(at("2026-01-01")).unwrap().name(), "sox");
        assert_eq!(term.duty(at("2031-02-28")), None);
        assert!(term.is_kept(at("2031-02-28")) && !term.is_kept(at("2044-02-29")));
    }
}
