//! How carefully a field is handled.

/// The class of a field. Any class but [`Self::Public`] is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldClass {
    /// Stored as it was sent.
    Public,
    /// About a person.
    Personal,
    /// About a person, of the kind that harms when it is known.
    Sensitive,
    /// Credentials and the like: shown to nobody by default.
    Secret,
}

const NAMES: &[(&str, FieldClass)] = &[
    ("public", FieldClass::Public),
    ("personal", FieldClass::Personal),
    ("sensitive", FieldClass::Sensitive),
    ("secret", FieldClass::Secret),
];

impl FieldClass {
    /// The name in policies and envelopes.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, one)| *one == self).map_or("", |(name, _)| name)
    }

    /// Every class.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(_, class)| *class)
    }

    /// The class of this name.
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, one)| *one)
    }

    /// Whether fields of it are encrypted.
    pub fn is_sealed(self) -> bool {
        self != Self::Public
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldClass, NAMES};

    #[test]
    fn names_are_read_back_and_ordered_by_care() {
        for (name, class) in NAMES {
            assert_eq!(FieldClass::parse(name), Some(*class));
            assert_eq!(class.as_str(), *name);
            assert_eq!(class.is_sealed(), *name != "public");
        }
        assert_eq!(FieldClass::parse("Personal"), None);
        assert!(NAMES.windows(2).all(|pair| pair[0].1 < pair[1].1));
    }
}
