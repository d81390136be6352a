//! Shows personal data to those who may not see it whole: what stays visible tells two values apart
//! and no more.
//!
//! Redacting twice is redacting once, and no JSON makes it fail. The ledger's bytes never change:
//! this is for what is shown.

mod field_name;
mod form;
mod patterns;
mod policy;
mod sanitizer;
mod value;

pub use field_name::redaction_of_field;
pub use form::{Form, Forms, HASH_KEY_BYTES};
pub use policy::{
    REDACTION_POLICY_BYTES_MAX, REDACTION_RULES_MAX, RedactionPolicy, SANITIZERS_MAX,
};
pub use sanitizer::{SANITIZER_NAME_BYTES_MAX, Sanitizer, SanitizerError};
pub use value::{Structure, redact_value};

use super::detect::{PersonalKind, detect};

/// What stands for everything that is hidden.
pub const MASK: &str = "****";

/// How often found data is replaced before the whole text is hidden.
const ROUNDS_MAX: usize = 4;

/// How one type of field is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Redaction {
    /// `+12345****`: the beginning, which is country and area.
    Phone,
    /// `****@example.com`: the domain.
    Email,
    /// `J. D.`: initials.
    Name,
    /// `***-**-6789`: the last four digits.
    Ssn,
    /// `{"street":"****","city":"NYC"}`: city, state, region and country.
    Address,
    /// `****-****-****-1234`: the last four digits.
    CreditCard,
    /// `DE****3000`: the country and the last four characters.
    Iban,
    /// `****`.
    Whole,
}

const NAMES: &[(&str, Redaction)] = &[
    ("phone", Redaction::Phone),
    ("email", Redaction::Email),
    ("name", Redaction::Name),
    ("ssn", Redaction::Ssn),
    ("address", Redaction::Address),
    ("creditcard", Redaction::CreditCard),
    ("iban", Redaction::Iban),
    ("whole", Redaction::Whole),
];

impl Redaction {
    /// The name of the type in policies and export templates.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, one)| *one == self).map_or("", |(name, _)| name)
    }

    /// The type of this name.
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, one)| *one)
    }

    /// The text as it is shown.
    pub fn apply(self, text: &str) -> String {
        match self {
            _ if text == MASK => MASK.to_owned(),
            Self::Phone => patterns::phone(text),
            Self::Email => patterns::email(text),
            Self::Name => patterns::name(text),
            Self::Ssn => patterns::ssn(text),
            Self::CreditCard => patterns::credit_card(text),
            Self::Iban => patterns::iban(text),
            Self::Address | Self::Whole => MASK.to_owned(),
        }
    }
}

impl Redaction {
    /// The text as it is shown, and nothing in it that [`detect`] finds.
    pub fn apply_fully(self, text: &str) -> String {
        let shown = self.apply(text);
        if redact_text(&shown) == shown { shown } else { MASK.to_owned() }
    }
}

impl From<PersonalKind> for Redaction {
    fn from(kind: PersonalKind) -> Self {
        match kind {
            PersonalKind::Email => Self::Email,
            PersonalKind::Phone => Self::Phone,
            PersonalKind::CreditCard => Self::CreditCard,
            PersonalKind::Iban => Self::Iban,
            PersonalKind::Ssn => Self::Ssn,
        }
    }
}

/// The text with everything redacted that [`detect`] finds in it; in the answer it finds nothing.
pub fn redact_text(text: &str) -> String {
    let mut out = text.to_owned();
    for _ in 0..ROUNDS_MAX {
        let found = detect(&out);
        if found.is_empty() {
            return out;
        }
        let mut next = String::with_capacity(out.len());
        let mut at = 0;
        for one in &found {
            next.push_str(out.get(at..one.range().start).unwrap_or_default());
            let piece = out.get(one.range().clone()).unwrap_or_default();
            next.push_str(&Redaction::from(one.kind()).apply(piece));
            at = one.range().end;
        }
        next.push_str(out.get(at..).unwrap_or_default());
        out = next;
    }
    // What is left of one piece and its neighbours may form another; that must end somewhere.
    MASK.to_owned()
}

/// Forms of what detection finds, which a text may have already.
const FOUND_FORMS: &[Redaction] =
    &[Redaction::Email, Redaction::Phone, Redaction::CreditCard, Redaction::Iban, Redaction::Ssn];

/// A text that is personal as a whole, of which nothing else is known: in its form, where it is one
/// piece of what [`detect`] finds and nothing besides, else [`MASK`].
pub fn redact_whole(text: &str) -> String {
    let is_shown = |form: &&Redaction| text.contains("***") && form.apply_fully(text) == text;
    if FOUND_FORMS.iter().any(|form| is_shown(&form)) {
        return text.to_owned();
    }
    let piece = text.trim();
    match detect(piece).as_slice() {
        [one] if one.range().len() == piece.len() => Redaction::from(one.kind()).apply_fully(piece),
        _ => MASK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{NAMES, Redaction, redact_text, redact_whole};
    use crate::personal::detect::detect;
    use proptest::prelude::*;

    #[test]
    fn every_type_is_shown_as_its_line_says() {
        for (kind, text, shown) in [
            (Redaction::Phone, "+12345678901", "+12345****"),
            (Redaction::Phone, "+1 (212) 555-0123", "+12125****"),
            (Redaction::Phone, "(212) 555-0123", "212****"),
            (Redaction::Phone, "12345", "****"),
            (Redaction::Email, "ana@example.com", "****@example.com"),
            (Redaction::Email, "no address", "****"),
            (Redaction::Name, "John Doe", "J. D."),
            (Redaction::Name, "ana maria de la cruz", "a. m. d. l. c."),
            (Redaction::Name, "42", "****"),
            (Redaction::Ssn, "123-45-6789", "***-**-6789"),
            (Redaction::Ssn, "123456789", "***-**-6789"),
            (Redaction::Ssn, "6789", "***-**-****"),
            (Redaction::CreditCard, "4111 1111 1111 1234", "****-****-****-1234"),
            (Redaction::CreditCard, "1234", "****-****-****-****"),
            (Redaction::Iban, "DE89 3704 0044 0532 0130 00", "DE****3000"),
            (Redaction::Iban, "x", "****"),
            (Redaction::Address, "12 Main St, NYC", "****"),
            (Redaction::Whole, "anything", "****"),
        ] {
            assert_eq!(kind.apply(text), shown, "{text}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for (name, redaction) in NAMES {
            assert_eq!(Redaction::parse(name), Some(*redaction));
            assert_eq!(redaction.as_str(), *name);
        }
        assert_eq!(Redaction::parse("shoe_size"), None);
    }

    #[test]
    fn what_is_found_in_a_text_is_redacted_where_it_stands() {
        assert_eq!(
            redact_text("ana@example.com paid with 4111111111111111, call +12345678901"),
            "****@example.com paid with ****-****-****-1111, call +12345****"
        );
        assert_eq!(redact_text("nothing here 123456789012"), "nothing here 123456789012");
    }

    fn kinds() -> impl Strategy<Value = Redaction> {
        prop::sample::select(NAMES.iter().map(|(_, kind)| *kind).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn twice_is_once(kind in kinds(), text in "[-+*().@ 0-9A-Za-z\\PC]{0,40}") {
            let once = kind.apply(&text);
            prop_assert_eq!(kind.apply(&once), once);
        }

        #[test]
        fn forms_hold_nothing_that_is_found(
            kind in kinds(),
            text in "([-+*@ 0-9a-z]{0,6}|4111111111111111|536-90-4399|ana@b\\.cd|\\+4930901820){0,4}"
        ) {
            for form in [&|text: &str| kind.apply_fully(text) as _, &redact_whole as &dyn Fn(&str) -> String] {
                let once = form(&text);
                prop_assert_eq!(detect(&once), Vec::new(), "{}", once);
                prop_assert_eq!(form(&once), once);
            }
        }

        #[test]
        fn nothing_that_is_found_is_left(
            text in "([-+*().@ 0-9a-z]{0,12}|4111111111111111|536-90-4399|ana@b\\.cd|\\+4930901820|212-555-0123){0,6}"
        ) {
            let once = redact_text(&text);
            prop_assert_eq!(detect(&once), Vec::new(), "{}", once);
            prop_assert_eq!(redact_text(&once), once);
        }
    }
}
