//! What a tenant decides about its own records, as data: one document for each kind of policy.
//!
//! A document is set as a whole, gets the next version, and stands in a `system.policy` record.

use ledgerstone_proof::Canonicalizer;

use crate::audit::AccessLogPolicy;
use crate::personal::redact::RedactionPolicy;
use crate::rejection::Rejection;
use crate::retention::RetentionPolicy;
use crate::sealing::FieldPolicy;

/// What a policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// Which fields are sealed, and under whose keys.
    Sealing,
    /// How values are shown to those who see them redacted.
    Redaction,
    /// How long contents are kept.
    Retention,
    /// What is left out of the log of who read what.
    AccessLog,
}

const NAMES: &[(&str, PolicyKind)] = &[
    ("sealing", PolicyKind::Sealing),
    ("redaction", PolicyKind::Redaction),
    ("retention", PolicyKind::Retention),
    ("access_log", PolicyKind::AccessLog),
];

/// One policy, whatever it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyDocument {
    Sealing(FieldPolicy),
    Redaction(RedactionPolicy),
    Retention(RetentionPolicy),
    AccessLog(AccessLogPolicy),
}

impl PolicyKind {
    /// The name in records, paths and commands.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, one)| *one == self).map_or("", |(name, _)| name)
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, one)| *one)
    }

    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(_, kind)| *kind)
    }
}

impl PolicyDocument {
    /// Reads a document of a kind, and names every fault of it.
    pub fn parse(
        kind: PolicyKind,
        text: &[u8],
        scratch: &mut Canonicalizer,
    ) -> Result<Self, Rejection> {
        let read = match kind {
            PolicyKind::Sealing => FieldPolicy::parse(text, scratch).map(Self::Sealing),
            PolicyKind::Redaction => RedactionPolicy::parse(text, scratch).map(Self::Redaction),
            PolicyKind::Retention => RetentionPolicy::parse(text, scratch).map(Self::Retention),
            PolicyKind::AccessLog => AccessLogPolicy::parse(text, scratch).map(Self::AccessLog),
        };
        read.map_err(|rejection| rejection.about("policy"))
    }

    /// The same of a document that is recorded, which is not judged again.
    pub fn parse_recorded(
        kind: PolicyKind,
        text: &[u8],
        scratch: &mut Canonicalizer,
    ) -> Result<Self, Rejection> {
        match kind {
            PolicyKind::Sealing => FieldPolicy::parse_recorded(text, scratch).map(Self::Sealing),
            PolicyKind::Redaction | PolicyKind::Retention | PolicyKind::AccessLog => {
                Self::parse(kind, text, scratch)
            }
        }
    }

    pub const fn kind(&self) -> PolicyKind {
        match self {
            Self::Sealing(_) => PolicyKind::Sealing,
            Self::Redaction(_) => PolicyKind::Redaction,
            Self::Retention(_) => PolicyKind::Retention,
            Self::AccessLog(_) => PolicyKind::AccessLog,
        }
    }

    /// What is sealed, if that is what it is about.
    pub const fn sealing(&self) -> Option<&FieldPolicy> {
        let Self::Sealing(policy) = self else { return None };
        Some(policy)
    }

    /// How values are shown redacted, if that is what it is about.
    pub const fn redaction(&self) -> Option<&RedactionPolicy> {
        let Self::Redaction(policy) = self else { return None };
        Some(policy)
    }

    /// How long contents are kept, if that is what it is about.
    pub const fn retention(&self) -> Option<&RetentionPolicy> {
        let Self::Retention(policy) = self else { return None };
        Some(policy)
    }

    /// What is left out of the access log, if that is what it is about.
    pub const fn access_log(&self) -> Option<&AccessLogPolicy> {
        let Self::AccessLog(policy) = self else { return None };
        Some(policy)
    }

    /// Appends the canonical JSON that [`Self::parse`] reads the same document from.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sealing(policy) => policy.write(out),
            Self::Redaction(policy) => policy.write(out),
            Self::Retention(policy) => policy.write(out),
            Self::AccessLog(policy) => policy.write(out),
        }
    }

    /// The canonical JSON of the document.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        self.write(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{PolicyDocument, PolicyKind};
    use crate::audit::AccessLogPolicy;
    use crate::personal::redact::RedactionPolicy;
    use crate::retention::RetentionPolicy;
    use crate::sealing::{FieldPolicy, Preset};
    use ledgerstone_proof::Canonicalizer;

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let scratch = &mut Canonicalizer::new();
        for document in [
            PolicyDocument::Sealing(FieldPolicy::of_preset(Preset::Strict)),
            PolicyDocument::Redaction(RedactionPolicy::default()),
            PolicyDocument::Retention(RetentionPolicy::default()),
            PolicyDocument::AccessLog(AccessLogPolicy::default()),
        ] {
            let text = document.to_json();
            let again = PolicyDocument::parse(document.kind(), &text, scratch);
            assert_eq!(again.unwrap(), document);
        }
    }

    #[test]
    fn kinds_go_by_their_names() {
        for kind in PolicyKind::all() {
            assert_eq!(PolicyKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(PolicyKind::parse("sealings"), None);
    }
}
