//! Whether a new policy could let anything go earlier than an old one: that needs a second person.
//!
//! It is decided without looking at records, and in doubt for the second person.

use super::policy::{RetentionPolicy, RetentionRule};
use crate::filter::Filter;

impl RetentionPolicy {
    /// Why something could go earlier under this policy than under `old`; `None` where nothing can.
    ///
    /// Nothing can where every maximum stands beside one of the old policy that was at most as long
    /// for the same records, and every minimum of the old policy has one that is at least as long. A
    /// minimum without a basis keeps things only from maxima, so it may go where there are none.
    pub fn shortens(&self, old: &Self) -> Option<String> {
        let is_new = |rule: &&RetentionRule| {
            rule.maximum.is_some() && !old.rules().iter().any(|one| one.ends_no_later_than(rule))
        };
        if let Some(rule) = self.rules().iter().find(is_new) {
            return Some(format!(
                "{} lets records go that were kept for longer or for good",
                rule.name()
            ));
        }
        let lets_anything_go = self.lets_anything_go();
        let is_lost = |rule: &&RetentionRule| {
            rule.minimum.is_some()
                && (lets_anything_go || rule.basis.is_some())
                && !self.rules().iter().any(|one| one.keeps_as_long_as(rule))
        };
        let lost = old.rules().iter().find(is_lost)?;
        Some(format!("{} kept records that are not kept as long any more", lost.name()))
    }
}

impl RetentionRule {
    /// Whether all that a new rule's maximum is about had to go no later under this one.
    fn ends_no_later_than(&self, new: &Self) -> bool {
        let (Some(mine), Some(other)) = (self.maximum, new.maximum) else { return false };
        self.covers(&new.filter) && other.is_never_shorter_than(mine)
    }

    /// Whether all that an old rule's minimum is about is kept at least as long by this one, for as
    /// good a reason.
    fn keeps_as_long_as(&self, old: &Self) -> bool {
        let (Some(mine), Some(other)) = (self.minimum, old.minimum) else { return false };
        let has_reason = self.basis.is_some() || old.basis.is_none();
        has_reason && self.covers(&old.filter) && mine.is_never_shorter_than(other)
    }

    fn covers(&self, filter: &Filter) -> bool {
        self.filter == Filter::All || self.filter == *filter
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::Canonicalizer;

    use crate::retention::RetentionPolicy;

    fn policy(text: &str) -> RetentionPolicy {
        RetentionPolicy::parse(text.as_bytes(), &mut Canonicalizer::new()).unwrap()
    }

    #[test]
    fn what_lets_nothing_go_earlier_needs_one_person() {
        let long = r#"{"rules":[{"name":"a","minimum":"P1Y","maximum":"P3Y"}]}"#;
        let short = r#"{"rules":[{"name":"a","minimum":"P1Y","maximum":"P2Y"}]}"#;
        let of_calls = r#"{"rules":[{"name":"b","minimum":"P1Y","maximum":"P3Y"},
            {"name":"c","filter":{"field":"event_type","eq":"call"},"maximum":"P2Y"}]}"#;
        for (old, new, words) in [
            (r#"{"presets":["standard"]}"#, r#"{"presets":["hipaa"]}"#, None),
            (r#"{"presets":["standard"]}"#, "{}", None),
            (r#"{"presets":["hipaa"]}"#, r#"{"presets":["sox"]}"#, None),
            (r#"{"presets":["sox"]}"#, r#"{"presets":["hipaa"]}"#, Some("sox kept")),
            (
                r#"{"presets":["sox"]}"#,
                r#"{"presets":["standard"]}"#,
                Some("access lets records go"),
            ),
            (r#"{"presets":["sox","standard"]}"#, r#"{"presets":["standard"]}"#, Some("sox kept")),
            ("{}", short, Some("a lets records go")),
            (long, short, Some("a lets records go")),
            (short, long, None),
            (long, of_calls, Some("c lets records go")),
            (of_calls, long, None),
            (long, r#"{"rules":[{"name":"a","maximum":"P3Y"}]}"#, Some("a kept")),
            (long, "{}", None),
        ] {
            let found = policy(new).shortens(&policy(old));
            match words {
                None => assert_eq!(found, None, "{old} {new}"),
                Some(words) => {
                    assert!(found.as_ref().is_some_and(|why| why.starts_with(words)), "{found:?}");
                }
            }
        }
    }
}
