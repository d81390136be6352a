//! Finds personal data in free text by its form: a new form is a file and a line in `DETECTORS`.
//!
//! Every detector would rather miss than claim: a number without separators may be anything, and a
//! bare 12-digit account id stands in every record of a cloud. What is found is sealed or redacted,
//! never rewritten in the ledger.

mod card;
mod email;
mod iban;
mod phone;
mod ssn;
mod text_around;

use std::ops::Range;

/// What a piece of text is, told by its form alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PersonalKind {
    /// `local@domain`, RFC 5321 in the forms people have.
    Email,
    /// E.164 with `+`, or a national number with separators.
    Phone,
    /// A payment card: issuer's prefix and length, Luhn's check digit.
    CreditCard,
    /// ISO 13616 with the right length for its country and the right check digits.
    Iban,
    /// A US social security number, written with separators.
    Ssn,
}

/// One piece of personal data in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    kind: PersonalKind,
    range: Range<usize>,
}

/// A form that is looked for.
struct Detector {
    kind: PersonalKind,
    name: &'static str,
    /// Whether a text with so many digits could hold one, which is told sooner than where.
    may_be_in: fn(&str, usize) -> bool,
    /// The first piece that begins at this byte or behind it.
    find: fn(&str, usize) -> Option<Range<usize>>,
}

/// Every form. Where two claim the same text, the earlier line has it.
const DETECTORS: &[Detector] = &[
    Detector {
        kind: PersonalKind::Email,
        name: "email",
        may_be_in: |text, _| text.contains('@'),
        find: email::find,
    },
    Detector {
        kind: PersonalKind::Iban,
        name: "iban",
        may_be_in: |text, digits| {
            digits >= 2 && text.len() >= 15 && text.bytes().any(|byte| byte.is_ascii_uppercase())
        },
        find: iban::find,
    },
    Detector {
        kind: PersonalKind::CreditCard,
        name: "creditcard",
        may_be_in: |_, digits| digits >= 13,
        find: card::find,
    },
    Detector {
        kind: PersonalKind::Ssn,
        name: "ssn",
        may_be_in: |_, digits| digits >= 9,
        find: ssn::find,
    },
    Detector {
        kind: PersonalKind::Phone,
        name: "phone",
        may_be_in: |_, digits| digits >= 8,
        find: phone::find,
    },
];

impl PersonalKind {
    /// The name in policies and answers.
    pub fn as_str(self) -> &'static str {
        DETECTORS.iter().find(|one| one.kind == self).map_or("", |one| one.name)
    }
}

impl Detection {
    pub const fn kind(&self) -> PersonalKind {
        self.kind
    }

    /// Where it stands, in bytes of the text.
    pub const fn range(&self) -> &Range<usize> {
        &self.range
    }
}

/// Everything found in a text, in its order and without overlaps.
pub fn detect(text: &str) -> Vec<Detection> {
    let mut found = Vec::new();
    for detector in detectors_for(text) {
        let taken = found.len();
        let mut at = 0;
        while let Some(range) = (detector.find)(text, at) {
            at = range.end.max(at + 1);
            if found.get(..taken).is_some_and(|earlier| !overlaps_any(earlier, &range)) {
                found.push(Detection { kind: detector.kind, range });
            }
        }
        found.sort_by_key(|one| one.range.start);
    }
    found
}

/// Whether the range meets one of those found, which are in order.
fn overlaps_any(found: &[Detection], range: &Range<usize>) -> bool {
    let after = found.partition_point(|one| one.range.end <= range.start);
    found.get(after).is_some_and(|one| one.range.start < range.end)
}

/// Whether anything would be found, without looking for all of it.
pub fn has_personal_data(text: &str) -> bool {
    detectors_for(text).any(|detector| (detector.find)(text, 0).is_some())
}

/// Those that could find something in the text.
fn detectors_for(text: &str) -> impl Iterator<Item = &'static Detector> + '_ {
    let digits = digits_in(text);
    DETECTORS.iter().filter(move |detector| (detector.may_be_in)(text, digits))
}

fn digits_in(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::{DETECTORS, PersonalKind, detect, has_personal_data};
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<(&'static str, &str)> {
        detect(text).iter().map(|one| (one.kind().as_str(), &text[one.range().clone()])).collect()
    }

    #[test]
    fn everything_in_a_text_is_found_in_order() {
        let text = "mail ana.lima@example.com, call +1 (212) 555-0123, SSN 536-90-4399, \
                    card 4111 1111 1111 1111, IBAN DE89 3704 0044 0532 0130 00.";
        assert_eq!(
            found(text),
            [
                ("email", "ana.lima@example.com"),
                ("phone", "+1 (212) 555-0123"),
                ("ssn", "536-90-4399"),
                ("creditcard", "4111 1111 1111 1111"),
                ("iban", "DE89 3704 0044 0532 0130 00"),
            ]
        );
    }

    #[test]
    fn a_form_of_few_digits_is_found() {
        for iban in [
            "MT18MALT01100ABCDEFGHJKLMNPQRST",
            "GI71NWBKABCDEFGHJKLMNPQ",
            "LC09HEMMABCDEFGHJKLMNPQRSTUVWXYZ",
        ] {
            assert_eq!(found(&format!("to {iban}")), [("iban", iban)]);
        }
    }

    #[test]
    fn what_logs_are_full_of_is_not_personal() {
        for text in [
            "arn:aws:iam::123456789012:user/bob",
            "123456789012",
            "2026-03-02T08:05:00.123456Z",
            "2026-03-02 08:05:00",
            "192.168.100.200",
            "10.0.0.7:8003",
            "550e8400-e29b-41d4-a716-446655440000",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "i-0abcd1234efgh5678",
            "vpc-04111111111111111",
            "4111111111111112",
            "1714564800000000",
            "version 1.10.203",
            "TLS_AES_128_GCM_SHA256",
            "ap-southeast-2, 3600 of 100000000 bytes",
            "@everyone",
            "a@b",
        ] {
            assert_eq!(found(text), [], "{text}");
            assert!(!has_personal_data(text), "{text}");
        }
    }

    #[test]
    fn long_texts_take_no_time() {
        for piece in ["1 1 ", "+1-2", "a@b.cd ", "4111111111111111 ", "DE89 ", "(0", "1.2."] {
            let text = piece.repeat(64 * 1024 / piece.len());
            detect(&text);
        }
    }

    #[test]
    fn kinds_have_names() {
        for detector in DETECTORS {
            assert_eq!(detector.kind.as_str(), detector.name);
        }
        assert_eq!(PersonalKind::CreditCard.as_str(), "creditcard");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_overlap(text in "[ +().@0-9A-Za-z\\PC-]{0,60}") {
            let all = detect(&text);
            prop_assert_eq!(!all.is_empty(), has_personal_data(&text));
            let digits = super::digits_in(&text);
            for detector in DETECTORS.iter().filter(|one| !(one.may_be_in)(&text, digits)) {
                prop_assert_eq!((detector.find)(&text, 0), None, "{}", detector.name);
            }
            for pair in all.windows(2) {
                prop_assert!(pair[0].range().end <= pair[1].range().start);
            }
            for one in &all {
                prop_assert!(text.get(one.range().clone()).is_some_and(|piece| !piece.is_empty()));
            }
        }
    }
}
