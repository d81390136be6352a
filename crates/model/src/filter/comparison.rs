//! One field and what its values are held against, checked against what the field can hold.

use super::field::{FieldKind, FieldPath};
use super::pattern::LikePattern;
use super::words::Words;
use super::{FILTER_TEXT_BYTES_MAX, FILTER_VALUES_MAX};
use crate::timestamp::EventTime;

/// A field and the test that one of its values must pass. A field that holds an array passes if an
/// element does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    field: FieldPath,
    test: Test,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Equal to this.
    Eq(Operand),
    /// Equal to one of these; never empty.
    In(Vec<Operand>),
    /// Between two limits, of which one may be open.
    Range(Range),
    /// A text that fits the pattern as a whole.
    Like(LikePattern),
    /// Texts, at any depth, in which all these words stand.
    Text(Words),
    /// Anything but `null`, or, with `false`, nothing or `null`.
    Exists(bool),
}

/// The limits of a range; at least one is there, and both are of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    lower: Option<Limit>,
    upper: Option<Limit>,
}

/// One end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    value: Operand,
    is_included: bool,
}

/// A value to compare with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    Text(String),
    Number(f64),
    Bool(bool),
    /// A point in time: microseconds since 1970-01-01T00:00:00Z.
    Time(i64),
}

/// Numbers come from JSON, which has none that differs from itself.
impl Eq for Operand {}

impl Comparison {
    /// Puts a test to a field; the error says why the field cannot be asked that.
    pub fn new(field: FieldPath, test: Test) -> Result<Self, String> {
        let kind = field.kind();
        let test = match test {
            Test::Eq(value) => Test::Eq(accept(kind, value)?),
            Test::In(values) => Test::In(accept_all(kind, values)?),
            Test::Range(range) => accept_range(kind, range)?,
            Test::Like(_) | Test::Text(_) if !kind.has_text() => {
                return Err(format!("holds {}, which is no text", kind.words()));
            }
            other => other,
        };
        Ok(Self { field, test })
    }

    pub const fn field(&self) -> &FieldPath {
        &self.field
    }

    pub const fn test(&self) -> &Test {
        &self.test
    }
}

impl Range {
    /// A range with at least one end; the error says what it lacks.
    pub fn new(lower: Option<Limit>, upper: Option<Limit>) -> Result<Self, String> {
        match (&lower, &upper) {
            (None, None) => Err("has no limit".to_owned()),
            (Some(low), Some(high)) if !low.value.is_kind_of(&high.value) => {
                Err("has limits of two kinds".to_owned())
            }
            _ => Ok(Self { lower, upper }),
        }
    }

    pub const fn lower(&self) -> Option<&Limit> {
        self.lower.as_ref()
    }

    pub const fn upper(&self) -> Option<&Limit> {
        self.upper.as_ref()
    }

    fn try_map(self, map: impl Fn(Operand) -> Result<Operand, String>) -> Result<Self, String> {
        let limit = |limit: Option<Limit>| {
            limit.map(|limit| map(limit.value).map(|value| Limit { value, ..limit })).transpose()
        };
        Ok(Self { lower: limit(self.lower)?, upper: limit(self.upper)? })
    }
}

impl Limit {
    /// An end that belongs to the range.
    pub const fn included(value: Operand) -> Self {
        Self { value, is_included: true }
    }

    /// An end that does not.
    pub const fn excluded(value: Operand) -> Self {
        Self { value, is_included: false }
    }

    pub const fn value(&self) -> &Operand {
        &self.value
    }

    pub const fn is_included(&self) -> bool {
        self.is_included
    }
}

impl Operand {
    fn is_kind_of(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl FieldKind {
    const fn has_text(self) -> bool {
        matches!(self, Self::Text | Self::Choice(_) | Self::Free)
    }

    fn words(self) -> String {
        match self {
            Self::Text => "texts".to_owned(),
            Self::Choice(choices) => format!("one of {}", choices.join(", ")),
            Self::Time => "points in time".to_owned(),
            Self::Number => "numbers".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Free => "any value".to_owned(),
        }
    }
}

/// The value as the field's kind has it: a text that is compared with a time becomes one.
fn accept(kind: FieldKind, value: Operand) -> Result<Operand, String> {
    if let Operand::Text(text) = &value
        && text.len() > FILTER_TEXT_BYTES_MAX
    {
        return Err(format!("is longer than {FILTER_TEXT_BYTES_MAX} bytes"));
    }
    match (kind, value) {
        (FieldKind::Choice(choices), Operand::Text(text)) if !choices.contains(&text.as_str()) => {
            Err(format!("holds one of {}, and never {text}", choices.join(", ")))
        }
        (FieldKind::Time, Operand::Text(text)) => time(&text),
        (FieldKind::Text | FieldKind::Choice(_), value @ Operand::Text(_))
        | (FieldKind::Time, value @ Operand::Time(_))
        | (FieldKind::Number, value @ Operand::Number(_))
        | (FieldKind::Bool, value @ Operand::Bool(_))
        | (FieldKind::Free, value @ (Operand::Text(_) | Operand::Number(_) | Operand::Bool(_))) => {
            Ok(value)
        }
        (kind, _) => Err(format!("holds {}, and is compared with something else", kind.words())),
    }
}

fn time(text: &str) -> Result<Operand, String> {
    let time =
        EventTime::parse(text).map_err(|error| format!("holds points in time; {text} {error}"))?;
    Ok(Operand::Time(time.micros()))
}

fn accept_all(kind: FieldKind, values: Vec<Operand>) -> Result<Vec<Operand>, String> {
    match values.len() {
        0 => Err("is compared with an empty list".to_owned()),
        count if count > FILTER_VALUES_MAX => {
            Err(format!("is compared with {count} values; at most {FILTER_VALUES_MAX} are allowed"))
        }
        _ => values.into_iter().map(|value| accept(kind, value)).collect(),
    }
}

/// A range over choices becomes the list of those in it, since their order is no order of texts.
fn accept_range(kind: FieldKind, range: Range) -> Result<Test, String> {
    let range = range.try_map(|value| accept(kind, value))?;
    match kind {
        FieldKind::Bool => Err("is true or false and has no order".to_owned()),
        FieldKind::Choice(choices) => choices_in(choices, &range),
        _ if range.has_bool() => {
            Err("is compared with true or false, which have no order".to_owned())
        }
        _ => Ok(Test::Range(range)),
    }
}

impl Range {
    fn has_bool(&self) -> bool {
        let mut limits = self.lower.iter().chain(&self.upper);
        limits.any(|limit| matches!(limit.value, Operand::Bool(_)))
    }
}

fn choices_in(choices: &[&str], range: &Range) -> Result<Test, String> {
    let rank = |limit: &Limit| {
        choices.iter().position(|choice| Operand::Text((*choice).to_owned()) == limit.value)
    };
    let is_in = |place: usize| {
        let above = range.lower.as_ref().is_none_or(|limit| {
            rank(limit).is_some_and(|low| place > low || (limit.is_included && place == low))
        });
        let below = range.upper.as_ref().is_none_or(|limit| {
            rank(limit).is_some_and(|high| place < high || (limit.is_included && place == high))
        });
        above && below
    };
    let inside = choices.iter().enumerate().filter(|(place, _)| is_in(*place));
    let values: Vec<_> = inside.map(|(_, choice)| Operand::Text((*choice).to_owned())).collect();
    if values.is_empty() {
        return Err(format!("holds one of {}, and none lies in that range", choices.join(", ")));
    }
    Ok(Test::In(values))
}

#[cfg(test)]
mod tests {
    use super::{Comparison, FieldPath, LikePattern, Limit, Operand, Range, Test};

    fn text(text: &str) -> Operand {
        Operand::Text(text.to_owned())
    }

    fn compare(field: &str, test: Test) -> Result<Test, String> {
        Comparison::new(FieldPath::parse(field).unwrap(), test).map(|one| one.test)
    }

    #[test]
    fn values_must_be_what_the_field_can_hold() {
        for (field, value, words) in [
            ("actor.id", Operand::Number(1.0), "holds texts"),
            ("severity", text("hgih"), "never hgih"),
            ("timestamp", text("yesterday"), "RFC 3339"),
            ("timestamp", Operand::Number(7.0), "points in time"),
            ("performance.response_time_ms", text("7"), "holds numbers"),
            ("security.pii_detected", text("true"), "true or false"),
            ("actor.id", text(&"x".repeat(1025)), "longer"),
        ] {
            let reason = compare(field, Test::Eq(value)).unwrap_err();
            assert!(reason.contains(words), "{field}: {reason}");
        }
        assert!(compare("data.after.n", Test::Eq(Operand::Number(1.0))).is_ok());
        let time = compare("timestamp", Test::Eq(text("2024-05-01T14:00:00+02:00"))).unwrap();
        assert_eq!(time, Test::Eq(Operand::Time(1_714_564_800_000_000)));
    }

    #[test]
    fn a_range_of_choices_is_a_list() {
        let range = |low: Option<Limit>, high: Option<Limit>| {
            compare("severity", Test::Range(Range::new(low, high).unwrap()))
        };
        let at_least = range(Some(Limit::included(text("high"))), None).unwrap();
        assert_eq!(at_least, Test::In(vec![text("high"), text("critical")]));
        let below = range(None, Some(Limit::excluded(text("low")))).unwrap();
        assert_eq!(below, Test::In(vec![text("info")]));
        let reason = range(Some(Limit::excluded(text("critical"))), None).unwrap_err();
        assert!(reason.contains("none lies"), "{reason}");
    }

    #[test]
    fn tests_that_make_no_sense_are_refused() {
        let like = || Test::Like(LikePattern::parse("a%").unwrap());
        assert!(compare("timestamp", like()).is_err());
        assert!(compare("actor.id", like()).is_ok());
        assert!(compare("actor.id", Test::In(Vec::new())).is_err());
        assert!(compare("actor.id", Test::In(vec![text("x"); 1001])).is_err());
        assert!(compare("timestamp", Test::Exists(true)).is_ok());
        let yes = Range::new(Some(Limit::included(Operand::Bool(true))), None).unwrap();
        assert!(compare("data.after", Test::Range(yes.clone())).is_err());
        assert!(compare("security.pii_detected", Test::Range(yes)).is_err());
        assert!(Range::new(None, None).is_err());
        let mixed = (Some(Limit::included(text("a"))), Some(Limit::included(Operand::Number(1.0))));
        assert!(Range::new(mixed.0, mixed.1).is_err());
    }
}
