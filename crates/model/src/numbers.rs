//! What becomes of numbers that canonical JSON cannot hold exactly, for each way in.

use ledgerstone_proof::{CanonError, Canonicalizer};

/// What becomes of a number that canonical JSON cannot hold exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// The event is refused with `NUMBER_NOT_EXACT`.
    #[default]
    Refuse,
    /// The number becomes a string of its text as sent, and `intake` names the place.
    Quote,
}

impl Numbers {
    /// The names of both, in this order.
    pub const NAMES: &'static [&'static str] = &["refuse", "quote"];

    /// The one of this name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "refuse" => Some(Self::Refuse),
            "quote" => Some(Self::Quote),
            _ => None,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Quote => "quote",
        }
    }

    /// Appends the canonical form of `text` to `out`, and answers the JSON pointers of the numbers
    /// that were quoted, in the order of the text.
    pub fn canonical(
        self,
        text: &[u8],
        scratch: &mut Canonicalizer,
        out: &mut Vec<u8>,
    ) -> Result<Vec<String>, CanonError> {
        match self {
            Self::Refuse => scratch.strict(text, out).map(|()| Vec::new()),
            Self::Quote => scratch.quoting(text, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in Numbers::NAMES {
            assert_eq!(Numbers::parse(name).map(Numbers::as_str), Some(*name));
        }
        assert_eq!(Numbers::parse("Quote"), None);
        assert_eq!(Numbers::default(), Numbers::Refuse);
    }
}
