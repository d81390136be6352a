//! Which records somebody means: one tree, written once, read by everything that selects records.
//!
//! Every node is checked when it is made, so that no reader meets a field that does not exist or a
//! comparison that makes no sense. The logic has two values: what is not there equals nothing, and
//! `not` is always the complement.

mod certainty;
mod comparison;
mod evaluate;
mod field;
mod json_reader;
mod json_writer;
mod pattern;
mod words;

use ledgerstone_proof::Canonicalizer;

pub use certainty::Certainty;
pub use comparison::{Comparison, Limit, Operand, Range, Test};
pub use evaluate::RecordView;
pub use field::{FieldKind, FieldPath, RecordField};
pub use pattern::LikePattern;
pub use words::Words;

use crate::rejection::Rejection;

/// How deep nodes may stand in each other.
pub const FILTER_DEPTH_MAX: usize = 16;

/// Nodes that a filter may have.
pub const FILTER_NODES_MAX: usize = 256;

/// Values that one `in` may list.
pub const FILTER_VALUES_MAX: usize = 1000;

/// Bytes of one value, pattern or text.
pub const FILTER_TEXT_BYTES_MAX: usize = 1024;

/// Bytes of a filter's JSON text.
pub const FILTER_BYTES_MAX: usize = 256 * 1024;

/// A condition on one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Every record.
    All,
    /// Records that all of these match; never empty.
    And(Vec<Filter>),
    /// Records that at least one of these matches; never empty.
    Or(Vec<Filter>),
    /// Records that this does not match.
    Not(Box<Filter>),
    /// Records of which one field passes a test.
    Compare(Comparison),
    /// Records in whose event all these words stand, in whatever fields.
    Text(Words),
}

impl Filter {
    /// Reads the JSON spelling that `docs/filters.md` describes.
    ///
    /// Names every fault with its JSON pointer (`INVALID_FILTER`), or the byte where the text stops
    /// being exact JSON.
    pub fn parse(text: &[u8], scratch: &mut Canonicalizer) -> Result<Self, Rejection> {
        json_reader::parse(text, scratch)
    }

    /// Writes the JSON spelling, canonical; [`Self::parse`] reads the same filter from it.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        json_writer::write(self, &mut out);
        out
    }

    /// The fields that it asks for; `None` where it looks through whole events.
    pub fn fields(&self) -> Option<Vec<&FieldPath>> {
        match self {
            Self::All => Some(Vec::new()),
            Self::And(some) | Self::Or(some) => {
                some.iter().map(Self::fields).collect::<Option<Vec<_>>>().map(|all| all.concat())
            }
            Self::Not(inner) => inner.fields(),
            Self::Compare(comparison) => Some(vec![comparison.field()]),
            Self::Text(_) => None,
        }
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }
}
