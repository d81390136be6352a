//! Policies that come with the product.

use super::class::FieldClass;
use super::pattern::PathPattern;
use super::rule::{FieldOwner, FieldRule};
use super::subject::PERSON_TYPES;

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

/// A rule of a preset.
#[derive(Clone, Copy)]
struct Line {
    path: &'static str,
    class: FieldClass,
    is_searchable: bool,
    people_only: bool,
}

const fn line(path: &'static str, class: FieldClass) -> Line {
    Line { path, class, is_searchable: false, people_only: false }
}

const fn public(path: &'static str) -> Line {
    line(path, FieldClass::Public)
}

const fn personal(path: &'static str) -> Line {
    line(path, FieldClass::Personal)
}

impl Line {
    /// Lets the exact value be searched for.
    const fn searchable(self) -> Self {
        Self { is_searchable: true, ..self }
    }

    /// Things keep the field in clear.
    const fn of_people(self) -> Self {
        Self { people_only: true, ..self }
    }

    /// `None` for a path that is no field, which the test below excludes.
    fn rule(self) -> Option<FieldRule> {
        let mut rule = FieldRule::new(PathPattern::parse(self.path).ok()?, self.class);
        if self.is_searchable {
            rule = rule.searchable();
        }
        Some(if self.people_only { rule.of_people() } else { rule })
    }
}

const NAMES: &[(&str, Preset)] = &[
    ("none", Preset::None),
    ("standard", Preset::Standard),
    ("strict", Preset::Strict),
    ("cloudtrail", Preset::CloudTrail),
];

const STANDARD: &[Line] = &[
    public("actor.id"),
    public("target.id"),
    personal("actor.name").searchable(),
    personal("actor.email").searchable(),
    personal("actor.ip_address").searchable(),
    personal("actor.user_agent"),
    personal("actor.session_id").searchable(),
    personal("target.name").searchable().of_people(),
    personal("target.metadata").of_people(),
    personal("data"),
    personal("intake.original"),
    personal("intake.unmapped"),
];

const STRICT: &[Line] = &[
    personal("actor.id").searchable(),
    personal("actor.name").searchable(),
    personal("actor.email").searchable(),
    personal("actor.ip_address").searchable(),
    personal("actor.user_agent"),
    personal("actor.session_id").searchable(),
    personal("target.id").searchable(),
    personal("target.name").searchable(),
    personal("target.metadata"),
    personal("action.description"),
    personal("action.error"),
    personal("ai_specific.reasoning"),
    personal("compliance.findings"),
    personal("metadata"),
    personal("data"),
    personal("intake.original"),
    personal("intake.unmapped"),
];

const CLOUDTRAIL: &[Line] = &[
    personal("actor.id").searchable(),
    personal("actor.name").searchable(),
    personal("actor.ip_address").searchable(),
    personal("actor.user_agent"),
    personal("target.id").searchable().of_people(),
    personal("target.name").searchable().of_people(),
    personal("target.metadata").of_people(),
    personal("data"),
    personal("intake.original"),
    personal("intake.unmapped"),
];

/// What the server writes about people into its own `audit` records.
const SERVER_RECORDS: &[Line] = &[
    public("actor.id"),
    public("target.id"),
    personal("actor.name"),
    personal("actor.ip_address"),
    // Labels and reasons are written by people, and may be about people.
    personal("data.metadata.label"),
    personal("data.metadata.owner"),
    line("data.metadata.filter", FieldClass::Sensitive),
    personal("action.description"),
    personal("data.metadata.addresses"),
];

/// What of the server's own `audit` records is sealed: what they say of whoever acted, and in whose words.
const AUDIT_RECORDS: &[Line] = &[
    public("action"),
    personal("action.description"),
    public("actor"),
    personal("actor.name"),
    personal("actor.ip_address"),
    public("context"),
    public("data"),
    personal("data.metadata.addresses"),
    public("target"),
];

/// What was looked for, which is nobody's in particular.
const LITERALS: Line = personal("data.metadata.literals");

pub(super) fn rules_of_server_records() -> Vec<FieldRule> {
    SERVER_RECORDS.iter().filter_map(|line| line.rule()).collect()
}

/// The corrections have the class of what they correct, and are not the acting person's.
pub(super) fn rules_of_rectifications(class: FieldClass) -> Vec<FieldRule> {
    let corrections = line("data.metadata.corrections", class).rule();
    let corrections = corrections.map(|rule| rule.owned_by(FieldOwner::Tenant));
    AUDIT_RECORDS.iter().filter_map(|line| line.rule()).chain(corrections).collect()
}

pub(super) fn rules_of_audit_records() -> Vec<FieldRule> {
    let literals = LITERALS.rule().map(|rule| rule.owned_by(FieldOwner::Tenant));
    AUDIT_RECORDS.iter().filter_map(|line| line.rule()).chain(literals).collect()
}

/// The words of a hold are the hold's.
pub(super) fn rules_of_hold_acts() -> Vec<FieldRule> {
    let lines = AUDIT_RECORDS.iter().filter(|line| line.path != "action.description");
    lines.filter_map(|line| line.rule()).collect()
}

/// Identities of `CloudTrail` that are people's: users, and sessions, which carry the name of whoever signed in to
/// them. Those of machines among them are sealed no less for it. `Root` is not among them: it names the account, and
/// not who used it; nor are accounts, services, directories and roles that nobody has assumed. The types are those of
/// the `CloudTrail` user guide, "userIdentity element".
const CLOUDTRAIL_PEOPLE: &[&str] = &[
    "IAMUser",
    "AssumedRole",
    "FederatedUser",
    "IdentityCenterUser",
    "SAMLUser",
    "WebIdentityUser",
];

impl Preset {
    /// The types of actors and targets that are people, where a tenant says nothing else.
    pub(super) fn person_types(self) -> impl Iterator<Item = &'static str> {
        let own = if self == Self::CloudTrail { CLOUDTRAIL_PEOPLE } else { &[] };
        PERSON_TYPES.iter().chain(own).copied()
    }

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
        lines.iter().filter_map(|line| line.rule()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        AUDIT_RECORDS, CLOUDTRAIL, LITERALS, NAMES, Preset, SERVER_RECORDS, STANDARD, STRICT,
    };

    #[test]
    fn every_rule_of_a_preset_names_a_field() {
        let literals = &[LITERALS][..];
        for lines in [STANDARD, STRICT, CLOUDTRAIL, SERVER_RECORDS, AUDIT_RECORDS, literals] {
            for line in lines {
                assert!(line.rule().is_some(), "{}", line.path);
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
