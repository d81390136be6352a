//! Policies that come with the product.

use super::class::FieldClass;
use super::pattern::PathPattern;
use super::policy::{FieldOwner, FieldRule};

/// A named set of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// Seals nothing, and looks for nothing.
    None,
    /// Seals what names or describes a person, and everything free; ids stay in clear.
    Standard,
    /// Seals also the ids of people, and free text.
    Strict,
    /// For AWS `CloudTrail`: seals the whole identity and everything that the mapping left over.
    CloudTrail,
}

/// A rule of a preset: path, class, and whether its exact value can be searched for.
type Line = (&'static str, FieldClass, bool);

const NAMES: &[(&str, Preset)] = &[
    ("none", Preset::None),
    ("standard", Preset::Standard),
    ("strict", Preset::Strict),
    ("cloudtrail", Preset::CloudTrail),
];

const STANDARD: &[Line] = &[
    ("actor.id", FieldClass::Public, false),
    ("target.id", FieldClass::Public, false),
    ("actor.name", FieldClass::Personal, true),
    ("actor.email", FieldClass::Personal, true),
    ("actor.ip_address", FieldClass::Personal, true),
    ("actor.user_agent", FieldClass::Personal, false),
    ("actor.session_id", FieldClass::Personal, true),
    ("data", FieldClass::Personal, false),
    ("intake.original", FieldClass::Personal, false),
    ("intake.unmapped", FieldClass::Personal, false),
];

const STRICT: &[Line] = &[
    ("actor.id", FieldClass::Personal, true),
    ("actor.name", FieldClass::Personal, true),
    ("actor.email", FieldClass::Personal, true),
    ("actor.ip_address", FieldClass::Personal, true),
    ("actor.user_agent", FieldClass::Personal, false),
    ("actor.session_id", FieldClass::Personal, true),
    ("target.id", FieldClass::Personal, true),
    ("target.name", FieldClass::Personal, true),
    ("target.metadata", FieldClass::Personal, false),
    ("action.description", FieldClass::Personal, false),
    ("action.error", FieldClass::Personal, false),
    ("ai_specific.reasoning", FieldClass::Personal, false),
    ("compliance.findings", FieldClass::Personal, false),
    ("metadata", FieldClass::Personal, false),
    ("data", FieldClass::Personal, false),
    ("intake.original", FieldClass::Personal, false),
    ("intake.unmapped", FieldClass::Personal, false),
];

const CLOUDTRAIL: &[Line] = &[
    ("actor.id", FieldClass::Personal, true),
    ("actor.name", FieldClass::Personal, true),
    ("actor.ip_address", FieldClass::Personal, true),
    ("actor.user_agent", FieldClass::Personal, false),
    ("data", FieldClass::Personal, false),
    ("intake.original", FieldClass::Personal, false),
    ("intake.unmapped", FieldClass::Personal, false),
];

/// What the server writes about people into its own `audit` records.
const SERVER_RECORDS: &[Line] = &[
    ("actor.id", FieldClass::Public, false),
    ("target.id", FieldClass::Public, false),
    ("actor.name", FieldClass::Personal, false),
    ("actor.ip_address", FieldClass::Personal, false),
    // Labels and reasons are written by people, and may be about people.
    ("data.metadata.label", FieldClass::Personal, false),
    ("data.metadata.owner", FieldClass::Personal, false),
    ("data.metadata.filter", FieldClass::Sensitive, false),
    ("action.description", FieldClass::Personal, false),
    ("data.metadata.addresses", FieldClass::Personal, false),
];

/// What of the server's own `audit` records is sealed: what they say of whoever acted, and in whose words.
const AUDIT_RECORDS: &[Line] = &[
    ("action", FieldClass::Public, false),
    ("action.description", FieldClass::Personal, false),
    ("actor", FieldClass::Public, false),
    ("actor.name", FieldClass::Personal, false),
    ("actor.ip_address", FieldClass::Personal, false),
    ("context", FieldClass::Public, false),
    ("data", FieldClass::Public, false),
    ("data.metadata.addresses", FieldClass::Personal, false),
    ("target", FieldClass::Public, false),
];

/// What was looked for, which is nobody's in particular.
const LITERALS: Line = ("data.metadata.literals", FieldClass::Personal, false);

pub(super) fn rules_of_server_records() -> Vec<FieldRule> {
    SERVER_RECORDS.iter().filter_map(|line| rule(*line)).collect()
}

/// The corrections have the class of what they correct, and are not the acting person's.
pub(super) fn rules_of_rectifications(class: FieldClass) -> Vec<FieldRule> {
    let corrections = rule(("data.metadata.corrections", class, false));
    let corrections = corrections.map(|rule| rule.owned_by(FieldOwner::Tenant));
    AUDIT_RECORDS.iter().filter_map(|line| rule(*line)).chain(corrections).collect()
}

pub(super) fn rules_of_audit_records() -> Vec<FieldRule> {
    let literals = rule(LITERALS).map(|rule| rule.owned_by(FieldOwner::Tenant));
    AUDIT_RECORDS.iter().filter_map(|line| rule(*line)).chain(literals).collect()
}

/// The words of a hold are the hold's.
pub(super) fn rules_of_hold_acts() -> Vec<FieldRule> {
    let lines = AUDIT_RECORDS.iter().filter(|(path, ..)| *path != "action.description");
    lines.filter_map(|line| rule(*line)).collect()
}

impl Preset {
    /// The name in policies.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, one)| *one == self).map_or("", |(name, _)| name)
    }

    /// The preset of this name.
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, one)| *one)
    }

    /// Every preset, the one that seals nothing first.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(_, preset)| *preset)
    }

    /// All names, with commas between.
    pub fn names() -> String {
        NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Its rules.
    pub(super) fn rules(self) -> Vec<FieldRule> {
        let lines = match self {
            Self::None => &[],
            Self::Standard => STANDARD,
            Self::Strict => STRICT,
            Self::CloudTrail => CLOUDTRAIL,
        };
        lines.iter().filter_map(|line| rule(*line)).collect()
    }
}

/// `None` for a path that is no field, which the test below excludes.
fn rule((path, class, is_searchable): Line) -> Option<FieldRule> {
    let rule = FieldRule::new(PathPattern::parse(path).ok()?, class);
    Some(if is_searchable { rule.searchable() } else { rule })
}

#[cfg(test)]
mod tests {
    use super::{
        AUDIT_RECORDS, CLOUDTRAIL, LITERALS, NAMES, Preset, SERVER_RECORDS, STANDARD, STRICT, rule,
    };

    #[test]
    fn every_rule_of_a_preset_names_a_field() {
        let literals = &[LITERALS][..];
        for lines in [STANDARD, STRICT, CLOUDTRAIL, SERVER_RECORDS, AUDIT_RECORDS, literals] {
            for line in lines {
                assert!(rule(*line).is_some(), "{}", line.0);
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        for (name, preset) in NAMES {
            assert_eq!(Preset::parse(name), Some(*preset));
            assert_eq!(preset.as_str(), *name);
        }
    }
}
