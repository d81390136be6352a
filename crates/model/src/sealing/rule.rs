//! One line of a sealing policy: which field, how carefully, under whose key, and of whom alone.

use super::class::FieldClass;
use super::pattern::PathPattern;
use crate::json::Value;
use crate::json_write::ObjectWriter;
use crate::policy_text::ElementFault;

/// One line of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRule {
    path: PathPattern,
    class: FieldClass,
    owner: FieldOwner,
    is_searchable: bool,
    people_only: bool,
}

/// Whom a field is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldOwner {
    /// The target, for `target` and `data` where it is a person; otherwise the actor.
    ByPlace,
    /// The actor, whatever the place.
    Actor,
    /// The target, whatever the place.
    Target,
    /// The tenant.
    Tenant,
}

/// Which of the two that an event names are people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedPeople {
    pub actor: bool,
    pub target: bool,
}

const OWNERS: &[(&str, FieldOwner)] = &[
    ("by_place", FieldOwner::ByPlace),
    ("actor", FieldOwner::Actor),
    ("target", FieldOwner::Target),
    ("tenant", FieldOwner::Tenant),
];

const MEMBERS: &str = "path, class, owner, searchable, people_only";

impl FieldRule {
    pub const fn new(path: PathPattern, class: FieldClass) -> Self {
        Self { path, class, owner: FieldOwner::ByPlace, is_searchable: false, people_only: false }
    }

    /// Lets the field's exact value be searched for by whoever may.
    #[must_use]
    pub const fn searchable(mut self) -> Self {
        self.is_searchable = true;
        self
    }

    /// The same of people alone: a field of `actor` or `target` whose type is no person's is left to
    /// the less precise rules.
    #[must_use]
    pub const fn of_people(mut self) -> Self {
        self.people_only = true;
        self
    }

    /// The same about somebody else.
    pub(super) fn owned_by(self, owner: FieldOwner) -> Self {
        Self { owner, ..self }
    }

    pub const fn path(&self) -> &PathPattern {
        &self.path
    }

    pub const fn class(&self) -> FieldClass {
        self.class
    }

    pub const fn owner(&self) -> FieldOwner {
        self.owner
    }

    pub const fn is_searchable(&self) -> bool {
        self.is_searchable
    }

    /// Whether it counts for people alone.
    pub const fn people_only(&self) -> bool {
        self.people_only
    }

    /// Whether it counts in an event that names these people, below this member of it.
    pub(super) fn counts(&self, member: &str, people: NamedPeople) -> bool {
        !self.people_only
            || match member {
                "actor" => people.actor,
                "target" => people.target,
                _ => false,
            }
    }

    /// Whether it asks for something to be sealed that always stays in clear.
    pub(super) fn seals_nothing(&self) -> bool {
        self.class.is_sealed() && self.path.is_always_clear()
    }

    /// Appends the canonical JSON that [`Self::read`] reads the same rule from.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let owner =
            OWNERS.iter().find(|(_, owner)| *owner == self.owner).map_or("", |(name, _)| name);
        let mut object = ObjectWriter::open(out);
        object.text("class", self.class.as_str());
        object.text("owner", owner);
        object.text("path", &self.path.to_string());
        // Left out where it says nothing, so that what was recorded without it is written as it was.
        if self.people_only {
            object.boolean("people_only", true);
        }
        object.boolean("searchable", self.is_searchable);
        object.close();
    }

    /// Reads `{"path","class","owner","searchable","people_only"}`, of which the first two are needed.
    pub(super) fn read(value: Value<'_>) -> Result<Self, ElementFault> {
        let mut parts = RuleParts::default();
        let mut members = value.members();
        while let Some((key, member)) = members.next_member().map_err(|error| error.to_string())? {
            let name = key.text();
            parts.take(&name, member).map_err(|reason| ElementFault::of_member(&name, reason))?;
        }
        let (Some(path), Some(class)) = (parts.path, parts.class) else {
            return Err("must be an object with path and class".into());
        };
        if parts.people_only && !["actor", "target"].iter().any(|group| path.is_in(group)) {
            let reason = format!(
                "is for fields of actor and target, whose type says whether they are people; {path} is none"
            );
            return Err(ElementFault::of_member("people_only", reason));
        }
        let RuleParts { owner, is_searchable, people_only, .. } = parts;
        Ok(Self { path, class, owner, is_searchable, people_only })
    }
}

struct RuleParts {
    path: Option<PathPattern>,
    class: Option<FieldClass>,
    owner: FieldOwner,
    is_searchable: bool,
    people_only: bool,
}

impl Default for RuleParts {
    fn default() -> Self {
        Self {
            path: None,
            class: None,
            owner: FieldOwner::ByPlace,
            is_searchable: false,
            people_only: false,
        }
    }
}

impl RuleParts {
    fn take(&mut self, name: &str, value: Value<'_>) -> Result<(), String> {
        let text = value.text();
        let boolean = || value.boolean().ok_or("must be true or false");
        match name {
            "path" => self.path = Some(PathPattern::parse(text.as_deref().unwrap_or_default())?),
            "class" => {
                let class = text.and_then(|class| FieldClass::parse(&class));
                self.class = Some(class.ok_or("must be public, personal, sensitive or secret")?);
            }
            "owner" => {
                let known = OWNERS.iter().find(|(name, _)| text.as_deref() == Some(*name));
                self.owner = known.ok_or("must be by_place, actor, target or tenant")?.1;
            }
            "searchable" => self.is_searchable = boolean()?,
            "people_only" => self.people_only = boolean()?,
            _ => return Err(format!("is no member of a rule; they are {MEMBERS}")),
        }
        Ok(())
    }
}
