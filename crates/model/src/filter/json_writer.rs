//! Writes a filter as canonical JSON.

use ledgerstone_proof::{IngestedAt, canonical_string_into};

use super::Filter;
use super::comparison::{Comparison, Limit, Operand, Test};
use crate::json_write::{ObjectWriter, boolean_into};

/// Appends the filter's JSON.
pub(super) fn write(filter: &Filter, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    match filter {
        Filter::All => {}
        Filter::And(all) => object.array("and", all, write),
        Filter::Or(any) => object.array("or", any, write),
        Filter::Not(inner) => write(inner, object.key("not")),
        Filter::Text(words) => object.text("text", &joined(words.iter())),
        Filter::Compare(comparison) => compare(comparison, &mut object),
    }
    object.close();
}

/// The members stand in the order of their names.
fn compare(comparison: &Comparison, object: &mut ObjectWriter<'_>) {
    let field = comparison.field().to_string();
    match comparison.test() {
        Test::Eq(value) => operand(value, object.key("eq")),
        Test::Exists(wanted) => {
            object.boolean("exists", *wanted);
        }
        _ => {}
    }
    object.text("field", &field);
    match comparison.test() {
        Test::Eq(_) | Test::Exists(_) => {}
        Test::In(values) => object.array("in", values, operand),
        Test::Range(range) => {
            limit("gt", "gte", range.lower(), object);
            limit("lt", "lte", range.upper(), object);
        }
        Test::Like(pattern) => object.text("like", pattern.as_str()),
        Test::Text(words) => object.text("text", &joined(words.iter())),
    }
}

fn limit(excluded: &str, included: &str, limit: Option<&Limit>, object: &mut ObjectWriter<'_>) {
    if let Some(limit) = limit {
        let name = if limit.is_included() { included } else { excluded };
        operand(limit.value(), object.key(name));
    }
}

fn operand(value: &Operand, out: &mut Vec<u8>) {
    match value {
        Operand::Text(text) => canonical_string_into(text, out),
        Operand::Number(number) => {
            let mut buffer = ryu_js::Buffer::new();
            out.extend_from_slice(buffer.format_finite(*number).as_bytes());
        }
        Operand::Bool(value) => boolean_into(*value, out),
        Operand::Time(micros) => canonical_string_into(&time(*micros), out),
    }
}

/// Every time was read from a text of the years 0001 to 9999, so it can be written.
fn time(micros: i64) -> String {
    IngestedAt::from_micros(micros).map(|at| at.to_string()).unwrap_or_default()
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}
