//! Writes the table of fields as it stands in `docs/events.md`, so that the document cannot differ
//! from what is checked.

use std::fmt::Write as _;

use crate::schema::{FieldType, pointers};

/// The table in Markdown: pointer, type, meaning.
pub fn field_table() -> String {
    let mut out = String::from("| field | type | meaning |\n|---|---|---|\n");
    for (pointer, field) in pointers() {
        let required = if field.is_required() { " **Required.**" } else { "" };
        let name = match field.kind() {
            FieldType::Group(_) => format!("**`{pointer}`**"),
            _ => format!("`{pointer}`"),
        };
        let words = field.kind().words();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| {name} | {words} | {}{required} |", field.doc());
    }
    out
}
