//! The duties to keep records that many have, by name.

use super::period::Period;
use super::policy::RetentionRule;
use crate::filter::{Comparison, FieldPath, Filter, Operand, Test};

/// A rule that many need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetentionPreset {
    /// Events for seven years, which is the house's word and no law's. What counts for tenants that
    /// decide nothing.
    Standard,
    Hipaa,
    Sox,
    Sec,
    Tcpa,
    Tsr,
    Ccpa,
    Pci,
}

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

    /// What it asks for, under its own name.
    pub fn rule(self) -> RetentionRule {
        let (name, _, months, basis) = self.row();
        RetentionRule {
            name: (*name).to_owned(),
            filter: if self == Self::Standard { of_events() } else { Filter::All },
            minimum: Some(Period::of_months(*months)),
            maximum: None,
            basis: basis.map(str::to_owned),
        }
    }
}

fn of_events() -> Filter {
    let is_event = Test::Eq(Operand::Text("event".to_owned()));
    let compared = FieldPath::parse("kind").and_then(|kind| Comparison::new(kind, is_event));
    compared.map_or(Filter::All, Filter::Compare)
}

#[cfg(test)]
mod tests {
    use super::RetentionPreset;

    #[test]
    fn presets_go_by_their_names_and_keep() {
        for preset in RetentionPreset::all() {
            assert_eq!(RetentionPreset::parse(preset.as_str()), Some(preset));
            let rule = preset.rule();
            assert_eq!((rule.name(), rule.maximum()), (preset.as_str(), None));
            assert_eq!(rule.basis().is_none(), preset == RetentionPreset::Standard);
        }
        assert_eq!(RetentionPreset::parse("gdpr"), None);
        let periods =
            RetentionPreset::all().map(|preset| preset.rule().minimum().unwrap().to_string());
        assert_eq!(
            periods.collect::<Vec<_>>(),
            ["P7Y", "P6Y", "P7Y", "P6Y", "P5Y", "P5Y", "P2Y", "P1Y"]
        );
    }
}
