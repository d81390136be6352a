//! How values of a place are shown: as the tenant declared it for the place, or as its name says.

use std::borrow::Cow;

use super::field_name::redaction_of_field;
use super::policy::RedactionPolicy;
use super::sanitizer::Sanitizer;
use super::{MASK, Redaction, redact_text};

/// Bytes of the key that values are hashed with.
pub const HASH_KEY_BYTES: usize = 32;

/// How values of a place are shown. Nothing that detection finds is left in what it shows, and what it
/// shows it shows again unchanged.
#[derive(Clone, Copy, Debug)]
pub enum Form<'f> {
    Kind(Redaction),
    Sanitizer(&'f Sanitizer, Option<&'f [u8; HASH_KEY_BYTES]>),
}

impl Form<'_> {
    /// The text as it is shown.
    pub fn apply(self, text: &str) -> String {
        match self {
            Self::Kind(kind) => kind.apply_fully(text),
            Self::Sanitizer(..) if text == MASK => MASK.to_owned(),
            Self::Sanitizer(sanitizer, key) => {
                let once = sanitizer.apply(text, key);
                let is_final = sanitizer.apply(&once, key) == once && redact_text(&once) == once;
                if is_final { once } else { MASK.to_owned() }
            }
        }
    }

    /// Whether it keeps the city of an address.
    pub(super) const fn is_address(self) -> bool {
        matches!(self, Self::Kind(Redaction::Address))
    }

    /// Whether it says something about values that are true or false.
    pub(super) const fn is_sanitizer(self) -> bool {
        matches!(self, Self::Sanitizer(..))
    }
}

/// What is known of how fields are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forms<'f> {
    policy: Option<&'f RedactionPolicy>,
    key: Option<&'f [u8; HASH_KEY_BYTES]>,
}

impl<'f> Forms<'f> {
    /// What a tenant declared. Without a key, what is to be hashed is masked.
    pub const fn of(policy: &'f RedactionPolicy, key: Option<&'f [u8; HASH_KEY_BYTES]>) -> Self {
        Self { policy: Some(policy), key }
    }

    /// What is declared for a place or one above it.
    pub fn declared_at(&self, names: &[Cow<'_, str>]) -> Option<Form<'f>> {
        self.policy?.form_at(names, self.key)
    }

    /// Whether something is declared for a place below.
    pub fn has_any_below(&self, names: &[Cow<'_, str>]) -> bool {
        self.policy.is_some_and(|policy| policy.has_rules_below(names))
    }

    /// What is declared for a place; what was said above it; what its name says.
    pub(super) fn at(&self, names: &[Cow<'_, str>], above: Option<Form<'f>>) -> Option<Form<'f>> {
        let by_name = || names.last().and_then(|name| redaction_of_field(name)).map(Form::Kind);
        self.declared_at(names).or(above).or_else(by_name)
    }
}
