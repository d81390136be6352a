//! Whom a sealed field is about.

use std::fmt;

use super::access_month::AccessMonth;

/// Types of actors and targets that are people, where a tenant says nothing else.
pub const PERSON_TYPES: &[&str] =
    &["user", "customer", "patient", "employee", "contact", "person", "phone_number"];

/// Whose key a field is sealed under.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Nobody in particular: the tenant's own key.
    Tenant,
    /// Somebody, by type and id as events name them.
    Person { kind: String, id: String },
    /// Those whom callers looked for in a month.
    AccessMonth(AccessMonth),
}

impl Subject {
    /// Bytes that name the subject within its tenant, for a keyed hash: lengths before the parts,
    /// so that no two subjects have the same.
    pub fn to_bytes(&self) -> Vec<u8> {
        let month;
        let parts = match self {
            Self::Tenant => &["", ""][..],
            Self::Person { kind, id } => &[kind.as_str(), id.as_str()],
            Self::AccessMonth(one) => {
                month = one.to_string();
                &["", "", month.as_str()]
            }
        };
        let mut out = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
        for part in parts {
            out.extend_from_slice(&(part.len() as u64).to_le_bytes());
            out.extend_from_slice(part.as_bytes());
        }
        out
    }
}

impl fmt::Debug for Subject {
    /// Names nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "Subject::Tenant",
            Self::Person { .. } => "Subject::Person",
            Self::AccessMonth(_) => "Subject::AccessMonth",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{AccessMonth, Subject};

    fn person(kind: &str, id: &str) -> Subject {
        Subject::Person { kind: kind.to_owned(), id: id.to_owned() }
    }

    #[test]
    fn no_two_subjects_have_the_same_bytes() {
        let at = ledgerstone_proof::IngestedAt::from_micros(0).unwrap();
        let month = Subject::AccessMonth(AccessMonth::of(at));
        let all = [
            Subject::Tenant,
            person("user", "a"),
            person("use", "ra"),
            person("", "usera"),
            person("", "1970-01"),
            month,
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all.iter().skip(index + 1).all(|other| other.to_bytes() != one.to_bytes()));
        }
    }

    #[test]
    fn debug_names_nobody() {
        assert_eq!(format!("{:?}", person("user", "ana")), "Subject::Person");
    }
}
