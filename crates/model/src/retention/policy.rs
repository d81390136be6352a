//! What a tenant decides about how long its contents are kept, as data.

use ledgerstone_proof::Canonicalizer;

use super::period::Period;
use super::preset::RetentionPreset;
use super::reader;
use crate::filter::Filter;
use crate::json_write::ObjectWriter;
use crate::rejection::Rejection;

/// Rules that a policy may have beside its presets.
pub const RETENTION_RULES_MAX: usize = 128;

/// Bytes of a policy's JSON.
pub const RETENTION_POLICY_BYTES_MAX: usize = 64 * 1024;

/// How long contents are kept. Of several rules that match a record, the longest minimum keeps it and
/// the shortest maximum after that lets it go; without a maximum it stays for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionPolicy {
    presets: Vec<RetentionPreset>,
    own: Vec<RetentionRule>,
    /// Those of the presets, then the tenant's own.
    rules: Vec<RetentionRule>,
}

/// One line of a policy; it has a minimum, a maximum, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRule {
    pub(super) name: String,
    pub(super) filter: Filter,
    pub(super) minimum: Option<Period>,
    pub(super) maximum: Option<Period>,
    pub(super) basis: Option<String>,
}

/// Two rules of which one lets go what the other keeps. What both match is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction<'p> {
    /// The rule whose maximum is the shorter.
    pub maximum: &'p RetentionRule,
    /// The rule whose minimum is the longer.
    pub minimum: &'p RetentionRule,
}

impl RetentionRule {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which records it is about.
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// How long they are kept at least.
    pub const fn minimum(&self) -> Option<Period> {
        self.minimum
    }

    /// How long they are kept at most.
    pub const fn maximum(&self) -> Option<Period> {
        self.maximum
    }

    /// The law or contract that asks for it. A minimum with a basis is a duty, which stands against
    /// the erasure of a person as well.
    pub fn basis(&self) -> Option<&str> {
        self.basis.as_deref()
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        object.optional_text("basis", self.basis());
        if self.filter != Filter::All {
            object.key("filter").extend_from_slice(&self.filter.to_json());
        }
        let period = |period: Option<Period>| period.map(|period| period.to_string());
        object.optional_text("maximum", period(self.maximum).as_deref());
        object.optional_text("minimum", period(self.minimum).as_deref());
        object.text("name", &self.name);
        object.close();
    }
}

impl Default for RetentionPolicy {
    /// What counts for a tenant that has decided nothing.
    fn default() -> Self {
        Self::new(vec![RetentionPreset::Standard], Vec::new())
    }
}

impl RetentionPolicy {
    pub(super) fn new(presets: Vec<RetentionPreset>, own: Vec<RetentionRule>) -> Self {
        let of_presets = presets.iter().flat_map(|preset| preset.rules());
        let rules = of_presets.chain(own.iter().cloned()).collect();
        Self { presets, own, rules }
    }

    /// Reads `{"presets":[…],"rules":[{"name","filter","minimum","maximum","basis"}]}`, of which both
    /// may be left out. Names every fault (`INVALID_POLICY`).
    pub fn parse(text: &[u8], scratch: &mut Canonicalizer) -> Result<Self, Rejection> {
        reader::parse(text, scratch)
    }

    /// Appends the canonical JSON that [`Self::parse`] reads the same policy from.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        let presets: Vec<_> = self.presets.iter().map(|preset| preset.as_str()).collect();
        object.texts("presets", &presets);
        object.array("rules", &self.own, RetentionRule::write);
        object.close();
    }

    /// The rules of the presets, then the tenant's own.
    pub fn rules(&self) -> &[RetentionRule] {
        &self.rules
    }

    /// Whether anything ever goes under it.
    pub fn lets_anything_go(&self) -> bool {
        self.rules.iter().any(|rule| rule.maximum.is_some())
    }

    /// Contradictions that can be seen without a record: a maximum that is shorter than a minimum
    /// which is about some of the same records for certain.
    pub fn contradictions(&self) -> Vec<Contradiction<'_>> {
        let mut found = Vec::new();
        for maximum in &self.rules {
            let Some(most) = maximum.maximum else { continue };
            for minimum in &self.rules {
                let meet = maximum.filter == minimum.filter
                    || maximum.filter == Filter::All
                    || minimum.filter == Filter::All;
                if meet && minimum.minimum.is_some_and(|least| most.is_shorter_than(least)) {
                    found.push(Contradiction { maximum, minimum });
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::Canonicalizer;

    use super::RetentionPolicy;

    pub(super) fn policy(text: &str) -> RetentionPolicy {
        RetentionPolicy::parse(text.as_bytes(), &mut Canonicalizer::new()).unwrap()
    }

    #[test]
    fn a_policy_is_written_in_one_way() {
        let read = policy(
            r#"{"rules":[{"name":"calls","filter":{"field":"event_type","like":"call.%"},
                "minimum":"P60M","maximum":"P6Y","basis":"16 CFR 310.5"}],"presets":["pci"]}"#,
        );
        let mut text = Vec::new();
        read.write(&mut text);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(
            text,
            r#"{"presets":["pci"],"rules":[{"basis":"16 CFR 310.5","filter":{"field":"event_type","like":"call.%"},"maximum":"P6Y","minimum":"P5Y","name":"calls"}]}"#
        );
        assert_eq!(policy(&text), read);
        assert_eq!(read.rules().len(), 2);
        assert!(read.lets_anything_go() && !policy(r#"{"presets":["sox"]}"#).lets_anything_go());
        assert_eq!(policy("{}").rules(), []);
    }

    #[test]
    fn contradictions_are_seen() {
        let read = policy(
            r#"{"presets":["hipaa"],"rules":[
                {"name":"short","filter":{"field":"severity","eq":"info"},"maximum":"P5Y"},
                {"name":"long","filter":{"field":"severity","eq":"high"},"maximum":"P6Y"},
                {"name":"low","filter":{"field":"severity","eq":"low"},"minimum":"P10Y"}]}"#,
        );
        let found: Vec<_> = read
            .contradictions()
            .iter()
            .map(|found| (found.maximum.name(), found.minimum.name()))
            .collect();
        assert_eq!(found, [("short", "hipaa")]);
    }
}
