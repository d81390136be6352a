//! What of an event somebody does not see, said beside it.

use ledgerstone_proof::SequenceNumber;

use crate::json_write::ObjectWriter;
use crate::sealing::FieldClass;
use crate::system::RetentionReason;

/// Why a value is not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Its redacted form is shown.
    Redacted,
    /// The caller may not see values of its class in any form.
    Hidden,
    /// The key that it was sealed under is destroyed: nobody sees it ever again.
    Erased,
    /// The key that it is sealed under cannot be had now.
    Unavailable,
    /// The whole content was dropped.
    Dropped,
    /// Somebody whom it is about had the use of their data restricted.
    Restricted,
    /// What is stored does not open under the key that it names.
    Damaged,
}

const NAMES: &[(&str, Why)] = &[
    ("redacted", Why::Redacted),
    ("hidden", Why::Hidden),
    ("erased", Why::Erased),
    ("unavailable", Why::Unavailable),
    ("dropped", Why::Dropped),
    ("restricted", Why::Restricted),
    ("damaged", Why::Damaged),
];

impl Why {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, one)| *one == self).map_or("", |(name, _)| name)
    }

    /// Every reason.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(_, why)| *why)
    }

    /// The reason of this name.
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, one)| *one)
    }
}

/// One place of an event that is not seen as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HiddenPart {
    pointer: String,
    class: Option<FieldClass>,
    why: Why,
    certificate: Option<SequenceNumber>,
    reason: Option<RetentionReason>,
}

impl HiddenPart {
    /// A value of the event.
    pub const fn value(pointer: String, class: Option<FieldClass>, why: Why) -> Self {
        Self { pointer, class, why, certificate: None, reason: None }
    }

    /// The event as a whole.
    pub const fn event(why: Why) -> Self {
        Self { pointer: String::new(), class: None, why, certificate: None, reason: None }
    }

    /// The event as a whole, whose content was dropped, with the record that says so.
    pub const fn dropped(record: SequenceNumber, reason: RetentionReason) -> Self {
        let (certificate, reason) = (Some(record), Some(reason));
        Self { pointer: String::new(), class: None, why: Why::Dropped, certificate, reason }
    }

    /// The same with the record that certifies what was done.
    #[must_use]
    pub const fn certified_by(mut self, certificate: Option<SequenceNumber>) -> Self {
        self.certificate = certificate;
        self
    }

    /// The place as a JSON pointer (RFC 6901); empty for the event as a whole.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// `None` where it cannot be told, and for an event as a whole.
    pub const fn class(&self) -> Option<FieldClass> {
        self.class
    }

    pub const fn why(&self) -> Why {
        self.why
    }

    /// The `system` record of the same ledger that certifies that the value is erased or the content
    /// dropped.
    pub const fn certificate(&self) -> Option<SequenceNumber> {
        self.certificate
    }

    /// Why the content was dropped.
    pub const fn reason(&self) -> Option<RetentionReason> {
        self.reason
    }

    /// Appends `{"certificate","class","pointer","reason","why"}`, without what there is not.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        object.optional_number("certificate", self.certificate.map(SequenceNumber::value));
        object.optional_text("class", self.class.map(FieldClass::as_str));
        object.text("pointer", &self.pointer);
        object.optional_text("reason", self.reason.map(RetentionReason::as_str));
        object.text("why", self.why.as_str());
        object.close();
    }
}

#[cfg(test)]
mod tests {
    use super::{HiddenPart, NAMES, Why};
    use crate::sealing::FieldClass;
    use crate::system::RetentionReason;
    use ledgerstone_proof::{SequenceNumber, canonicalize};

    #[test]
    fn a_part_says_where_what_and_why() {
        let certificate = SequenceNumber::new(7).ok();
        let erased = HiddenPart::value("/a".to_owned(), Some(FieldClass::Personal), Why::Erased);
        for (part, json) in [
            (
                erased.certified_by(certificate),
                r#"{"certificate":7,"class":"personal","pointer":"/a","why":"erased"}"#,
            ),
            (HiddenPart::event(Why::Dropped), r#"{"pointer":"","why":"dropped"}"#),
            (
                HiddenPart::dropped(SequenceNumber::GENESIS, RetentionReason::TenantClosed),
                r#"{"certificate":0,"pointer":"","reason":"tenant_closed","why":"dropped"}"#,
            ),
        ] {
            let mut out = Vec::new();
            part.write(&mut out);
            assert_eq!(String::from_utf8(out.clone()).unwrap(), json);
            assert_eq!(canonicalize(&out).unwrap(), out);
        }
        for (name, why) in NAMES {
            assert_eq!(Why::parse(name), Some(*why));
            assert_eq!(why.as_str(), *name);
        }
    }
}
