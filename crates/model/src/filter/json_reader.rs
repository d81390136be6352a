//! Reads a filter from JSON and names everything that is wrong with it.

use ledgerstone_proof::Canonicalizer;

use super::comparison::{Comparison, Limit, Operand, Range, Test};
use super::field::FieldPath;
use super::pattern::LikePattern;
use super::words::Words;
use super::{FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_NODES_MAX, FILTER_TEXT_BYTES_MAX, Filter};
use crate::error_code::ErrorCode;
use crate::json::{NotCanonical, Value, ValueKind};
use crate::rejection::{Fault, Faults, Rejection, pointer_push};

/// The tests that a field can be put to, by their names in JSON.
const TESTS: &str = "eq, ne, in, not_in, gt, gte, lt, lte, like, text, exists";

pub(super) fn parse(text: &[u8], scratch: &mut Canonicalizer) -> Result<Filter, Rejection> {
    if text.len() > FILTER_BYTES_MAX {
        let reason = format!("has {} bytes; at most {FILTER_BYTES_MAX} are allowed", text.len());
        return Err(Rejection::of(Fault::new(String::new(), ErrorCode::InvalidFilter, reason)));
    }
    let mut canonical = Vec::with_capacity(text.len());
    scratch.strict(text, &mut canonical)?;
    let mut reader = Reader { faults: Faults::default(), nodes: 0 };
    let filter = reader.node(Value::new(&canonical), &Place::root())?;
    reader.faults.into_result()?;
    filter.ok_or_else(|| {
        let reason = "says nothing".to_owned();
        Rejection::of(Fault::new(String::new(), ErrorCode::InvalidFilter, reason))
    })
}

/// Where in the filter a node stands.
struct Place {
    pointer: String,
    depth: usize,
}

impl Place {
    const fn root() -> Self {
        Self { pointer: String::new(), depth: 0 }
    }

    fn below(&self, steps: &[&str]) -> Self {
        let mut pointer = self.pointer.clone();
        for step in steps {
            pointer_push(&mut pointer, step);
        }
        Self { pointer, depth: self.depth + 1 }
    }
}

struct Reader {
    faults: Faults,
    nodes: usize,
}

impl Reader {
    /// Reads one node; `None` after something wrong was noted.
    fn node(&mut self, value: Value<'_>, place: &Place) -> Result<Option<Filter>, NotCanonical> {
        self.nodes += 1;
        if value.kind() != ValueKind::Object {
            return Ok(self.fault(place, "must be an object"));
        }
        if place.depth >= FILTER_DEPTH_MAX {
            return Ok(self.fault(place, format!("stands more than {FILTER_DEPTH_MAX} deep")));
        }
        if self.nodes > FILTER_NODES_MAX {
            return Ok(self.fault(place, format!("is one of more than {FILTER_NODES_MAX} nodes")));
        }
        let mut members = value.members();
        let Some((key, first)) = members.next_member()? else {
            return Ok(Some(Filter::All));
        };
        let has_more = members.next_member()?.is_some();
        match (key.text().as_ref(), has_more) {
            ("and", false) => Ok(self.nodes("and", first, place)?.map(Filter::And)),
            ("or", false) => Ok(self.nodes("or", first, place)?.map(Filter::Or)),
            ("not", false) => {
                let inner = self.node(first, &place.below(&["not"]))?;
                Ok(inner.map(|inner| Filter::Not(Box::new(inner))))
            }
            ("text", false) => Ok(self.words(first, place).map(Filter::Text)),
            ("and" | "or" | "not", true) => {
                Ok(self
                    .fault(place, "has other members beside and, or, not; use one of them alone"))
            }
            _ => self.comparison(value, place),
        }
    }

    fn nodes(
        &mut self,
        name: &str,
        value: Value<'_>,
        place: &Place,
    ) -> Result<Option<Vec<Filter>>, NotCanonical> {
        let mut nodes = Vec::new();
        let mut elements = value.elements();
        let mut index = 0;
        while let Some(element) = elements.next_element()? {
            nodes.push(self.node(element, &place.below(&[name, &index.to_string()]))?);
            index += 1;
        }
        if index == 0 {
            return Ok(self.fault(place, format!("{name} must be an array of at least one filter")));
        }
        Ok(nodes.into_iter().collect())
    }

    fn comparison(
        &mut self,
        value: Value<'_>,
        place: &Place,
    ) -> Result<Option<Filter>, NotCanonical> {
        let mut parts = Parts::default();
        let mut members = value.members();
        while let Some((key, member)) = members.next_member()? {
            if let Err(reason) = parts.take(&key.text(), member)? {
                let mut at = place.pointer.clone();
                pointer_push(&mut at, &key.text());
                self.faults.add(at, ErrorCode::InvalidFilter, reason);
                return Ok(None);
            }
        }
        match parts.into_filter() {
            Ok(filter) => Ok(Some(filter)),
            Err((Some(test), reason)) => Ok(self.fault(&place.below(&[&test]), reason)),
            Err((None, reason)) => Ok(self.fault(place, reason)),
        }
    }

    fn words(&mut self, value: Value<'_>, place: &Place) -> Option<Words> {
        match words(value) {
            Ok(words) => Some(words),
            Err(reason) => self.fault(place, format!("text {reason}")),
        }
    }

    fn fault<T>(&mut self, place: &Place, reason: impl Into<String>) -> Option<T> {
        self.faults.add(place.pointer.clone(), ErrorCode::InvalidFilter, reason);
        None
    }
}

/// The members of a comparison as they are met.
#[derive(Default)]
struct Parts {
    field: Option<FieldPath>,
    test: Option<Test>,
    lower: Option<Limit>,
    upper: Option<Limit>,
    is_negated: bool,
    tests: usize,
    /// The member that was taken last, of those that are tests.
    name: Option<String>,
}

impl Parts {
    /// Takes one member; the inner error says what is wrong with it.
    fn take(&mut self, name: &str, value: Value<'_>) -> Result<Result<(), String>, NotCanonical> {
        Ok(match name {
            "field" => text(value).and_then(|path| FieldPath::parse(&path)).map(|field| {
                self.field = Some(field);
            }),
            "in" | "not_in" => values(value)?.map(|values| {
                self.set(Test::In(values), name == "not_in");
                self.name = Some(name.to_owned());
            }),
            _ => self.take_scalar(name, value),
        })
    }

    fn take_scalar(&mut self, name: &str, value: Value<'_>) -> Result<(), String> {
        match name {
            "eq" | "ne" => self.set(Test::Eq(operand(value)?), name == "ne"),
            "gt" => self.set_lower(Limit::excluded(operand(value)?))?,
            "gte" => self.set_lower(Limit::included(operand(value)?))?,
            "lt" => self.set_upper(Limit::excluded(operand(value)?))?,
            "lte" => self.set_upper(Limit::included(operand(value)?))?,
            "like" => self.set(Test::Like(LikePattern::parse(&text(value)?)?), false),
            "text" => self.set(Test::Text(words(value)?), false),
            "exists" => {
                let wanted = value.boolean().ok_or("must be true or false")?;
                self.set(Test::Exists(wanted), false);
            }
            _ => return Err(format!("is no member of a comparison; they are field and {TESTS}")),
        }
        self.name = Some(name.to_owned());
        Ok(())
    }

    fn set(&mut self, test: Test, is_negated: bool) {
        self.tests += 1;
        self.test = Some(test);
        self.is_negated = is_negated;
    }

    fn set_lower(&mut self, limit: Limit) -> Result<(), String> {
        match self.lower.replace(limit) {
            None => Ok(()),
            Some(_) => Err("stands beside another lower limit".to_owned()),
        }
    }

    fn set_upper(&mut self, limit: Limit) -> Result<(), String> {
        match self.upper.replace(limit) {
            None => Ok(()),
            Some(_) => Err("stands beside another upper limit".to_owned()),
        }
    }

    /// The filter, or what is wrong, with the member that it stands in where it is one of them.
    fn into_filter(self) -> Result<Filter, (Option<String>, String)> {
        let whole = |reason: String| (None, reason);
        let field = self.field.ok_or_else(|| {
            whole(format!("names no field; a comparison is field and one of {TESTS}"))
        })?;
        let has_range = self.lower.is_some() || self.upper.is_some();
        let has_both = self.lower.is_some() && self.upper.is_some();
        let test = match (self.test, self.tests, has_range) {
            (Some(test), 1, false) => test,
            (None, _, true) => Test::Range(Range::new(self.lower, self.upper).map_err(whole)?),
            (None, _, false) => {
                return Err(whole(format!("{field} is put to no test; use one of {TESTS}")));
            }
            _ => {
                return Err(whole(format!("{field} is put to several tests; join them with and")));
            }
        };
        let name = field.to_string();
        // Of a range with two ends it may be either.
        let at = self.name.filter(|_| !has_both);
        let comparison =
            Comparison::new(field, test).map_err(|reason| (at, format!("{name} {reason}")))?;
        let filter = Filter::Compare(comparison);
        Ok(if self.is_negated { filter.negated() } else { filter })
    }
}

fn text(value: Value<'_>) -> Result<String, String> {
    let text = value.text().ok_or("must be a string")?;
    if text.len() > FILTER_TEXT_BYTES_MAX {
        return Err(format!("is longer than {FILTER_TEXT_BYTES_MAX} bytes"));
    }
    Ok(text.into_owned())
}

fn words(value: Value<'_>) -> Result<Words, String> {
    Words::parse(&text(value)?)
}

fn operand(value: Value<'_>) -> Result<Operand, String> {
    match value.kind() {
        ValueKind::Text => text(value).map(Operand::Text),
        ValueKind::Number => value.number().map(Operand::Number).ok_or_else(not_scalar),
        ValueKind::Bool => value.boolean().map(Operand::Bool).ok_or_else(not_scalar),
        ValueKind::Null => Err("is null; ask with exists whether a field is there".to_owned()),
        ValueKind::Object | ValueKind::Array => Err(not_scalar()),
    }
}

fn not_scalar() -> String {
    "must be a string, a number, true or false".to_owned()
}

fn values(value: Value<'_>) -> Result<Result<Vec<Operand>, String>, NotCanonical> {
    if value.kind() != ValueKind::Array {
        return Ok(Err("must be an array".to_owned()));
    }
    let mut out = Vec::new();
    let mut elements = value.elements();
    while let Some(element) = elements.next_element()? {
        match operand(element) {
            Ok(operand) => out.push(operand),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(Ok(out))
}
