//! The duties to keep records that many have, by name.

use super::period::Period;
use super::policy::RetentionRule;
use crate::audit::access::ACCESS_EVENT_TYPE;
use crate::audit::denial::DENIAL_EVENT_TYPE;
use crate::filter::{Comparison, FieldPath, Filter, Operand, Test};

/// A rule that many need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetentionPreset {
    /// Events for seven years, and who read what for one to two: the house's word and no law's. What
    /// counts for tenants that decide nothing.
    Standard,
    Hipaa,
    Sox,
    Sec,
    Tcpa,
    Tsr,
    Ccpa,
    Pci,
}

/// The name of the rule about records of access.
const ACCESS: &str = "access";

/// Name, months, and the duty's source; none where it is no duty of law or contract.
type Row = (&'static str, RetentionPreset, u32, Option<&'static str>);

const PRESETS: &[Row] = &[
    ("standard", RetentionPreset::Standard, 84, None),
    ("hipaa", RetentionPreset::Hipaa, 72, Some("45 CFR 164.316(b)(2)(i)")),
    ("sox", RetentionPreset::Sox, 84, Some("17 CFR 210.2-06")),
    ("sec", RetentionPreset::Sec, 72, Some("17 CFR 240.17a-4(a)")),
    ("tcpa", RetentionPreset::Tcpa, 60, Some("47 CFR 64.1200(d)(6)")),
    ("tsr", RetentionPreset::Tsr, 60, Some("16 CFR 310.5")),
    ("ccpa", RetentionPreset::Ccpa, 24, Some("11 CCR 7101")),
    ("pci", RetentionPreset::Pci, 12, Some("PCI DSS 4.0.1, 10.5.1")),
];

impl RetentionPreset {
    fn row(self) -> &'static Row {
        PRESETS.iter().find(|(_, preset, ..)| *preset == self).unwrap_or(&PRESETS[0])
    }

    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The preset of this name.
    pub fn parse(name: &str) -> Option<Self> {
        PRESETS.iter().find(|(known, ..)| *known == name).map(|(_, preset, ..)| *preset)
    }

    /// Every preset.
    pub fn all() -> impl Iterator<Item = Self> {
        PRESETS.iter().map(|(_, preset, ..)| *preset)
    }

    /// What it asks for; the first rule has its own name.
    pub fn rules(self) -> Vec<RetentionRule> {
        let (name, _, months, basis) = self.row();
        let is_standard = self == Self::Standard;
        let first = RetentionRule {
            name: (*name).to_owned(),
            filter: if is_standard { one_of("kind", &["event"]) } else { Filter::All },
            minimum: Some(Period::of_months(*months)),
            maximum: None,
            basis: basis.map(str::to_owned),
        };
        if is_standard { vec![first, of_access()] } else { vec![first] }
    }
}

/// Who read what, and who was turned away.
fn of_access() -> RetentionRule {
    RetentionRule {
        name: ACCESS.to_owned(),
        filter: one_of("event_type", &[ACCESS_EVENT_TYPE, DENIAL_EVENT_TYPE]),
        minimum: Some(Period::of_months(12)),
        maximum: Some(Period::of_months(24)),
        basis: None,
    }
}

fn one_of(field: &str, texts: &[&str]) -> Filter {
    let texts = texts.iter().map(|text| Operand::Text((*text).to_owned())).collect();
    let compared = FieldPath::parse(field);
    let compared = compared.and_then(|field| Comparison::new(field, Test::In(texts)));
    // Should that ever be no field, the rule is about nothing.
    compared.map_or(Filter::All.negated(), Filter::Compare)
}

#[cfg(test)]
mod tests {
    use super::RetentionPreset;
    use crate::filter::Filter;

    #[test]
    fn presets_go_by_their_names_and_keep() {
        for preset in RetentionPreset::all() {
            assert_eq!(RetentionPreset::parse(preset.as_str()), Some(preset));
            let rules = preset.rules();
            let rule = &rules[0];
            assert_eq!((rule.name(), rule.maximum()), (preset.as_str(), None));
            assert_eq!(rule.basis().is_none(), preset == RetentionPreset::Standard);
            assert!(rules.iter().all(|rule| *rule.filter() != Filter::All.negated()));
        }
        assert_eq!(RetentionPreset::parse("gdpr"), None);
        let periods =
            RetentionPreset::all().map(|preset| preset.rules()[0].minimum().unwrap().to_string());
        assert_eq!(
            periods.collect::<Vec<_>>(),
            ["P7Y", "P6Y", "P7Y", "P6Y", "P5Y", "P5Y", "P2Y", "P1Y"]
        );
    }
}
